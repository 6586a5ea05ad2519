// A pipeline of numbered rows on a Kafka, and what is looked at while that fails.

import { randomUUID } from 'node:crypto'
import { makeProject, startPlatform } from '../system/project.ts'
import { eventually } from '../waiting.ts'
import type { Test } from 'tap'
import type { RunningPlatform } from '../system/project.ts'
import type { KafkaServer } from './server.ts'

export const ROWS = 120_000
export const schema = `
key: [symbol]
event_time: t
partitions: 2
fields:
  n: { type: int64, required: true, description: Number of the row }
  t: { type: timestamp(ms), required: true, description: Time of the row, cast: { unit: ms } }
  symbol: { type: string, required: true, description: Instrument, low_cardinality: true }
  price: { type: float64, description: Price }
`
export const input = `
input:
  generate:
    rate: 20000
    count: ${ROWS}
    fields:
      n: { counter: 1 }
      t: { counter: 1704205800000 }
      symbol: { choice: [AAPL, MSFT, NVDA, AMZN] }
      price: { walk: 100, step: 0.01 }
`
export const outputs = `
topic: trades
transforms:
  - mapping: trades
outputs:
  - streaming-database: {}
    flush: { rows: 5000, ms: 200, megabytes: 8 }
`

export interface Setup {
  readonly prefix: string
  readonly folder: string
  start (): Promise<RunningPlatform>
}

/** A project of rows from 1 to ROWS on that Kafka. */
export function setUp (t: Test, kafka: KafkaServer, pipeline = input + outputs): Setup {
  const prefix = `${randomUUID().slice(0, 8)}.`
  const project = makeProject(t.testdir(), { 'schemas/trades.yaml': schema, 'pipelines/trades.yaml': pipeline })
  return {
    prefix,
    folder: project.folder,
    async start () {
      const platform = await startPlatform(project, { TWOLANE_BROKER: `kafka://${kafka.brokers}`, TWOLANE_KAFKA_PREFIX: prefix, TWOLANE_KAFKA_SESSION_SECONDS: '6' })
      t.teardown(() => platform.kill())
      return platform
    }
  }
}

export async function inDatabase (platform: RunningPlatform): Promise<{ rows: number, different: number, offsets: number }> {
  const [found] = await platform.query<Record<string, string>>('select count() as rows, uniqExact(n) as different, uniqExact(_partition, _offset) as offsets from streaming.trades').catch(() => [])
  return { rows: Number(found?.['rows'] ?? 0), different: Number(found?.['different'] ?? 0), offsets: Number(found?.['offsets'] ?? 0) }
}

/** Waits until as many rows have arrived. */
export async function arrived (platform: RunningPlatform, rows: number): Promise<void> {
  await eventually(`${rows} rows in the database`, async () => (await inDatabase(platform)).rows >= rows || undefined).catch(async (error: Error) => {
    throw new Error(`${error.message}; there are ${JSON.stringify(await inDatabase(platform))}; ${JSON.stringify(await health(platform))}; ${platform.output()}`)
  })
}

export async function allOnce (t: Test, platform: RunningPlatform): Promise<void> {
  await arrived(platform, ROWS)
  t.same(await inDatabase(platform), { rows: ROWS, different: ROWS, offsets: ROWS })
  await eventually('the platform is healthy', async () => (await platform.api('GET', '/readyz')).status === 200 || undefined)
  t.equal(await platform.stop(), 0, platform.output())
}

export interface Health { readonly ready: boolean, readonly failing: ReadonlyArray<{ readonly name: string, readonly reasons: readonly string[] }> }

export async function health (platform: RunningPlatform): Promise<Health> {
  return (await platform.api<Health>('GET', '/readyz')).body
}

/** Waits until health says what `pattern` matches, of Kafka or of the pipeline. */
export async function says (platform: RunningPlatform, pattern: RegExp): Promise<string> {
  return eventually(`health says ${pattern}`, async () => {
    const reasons = (await health(platform)).failing.flatMap(({ reasons }) => reasons).join('; ')
    return pattern.test(reasons) ? reasons : undefined
  })
}

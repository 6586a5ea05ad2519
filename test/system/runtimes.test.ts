// Two real platform processes on a real Kafka and one ClickHouse.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { startEmbedded } from '../../runtime/clickhouse/embedded.ts'
import { connectClickHouse } from '../../runtime/clickhouse/client.ts'
import { noKafka, startKafka } from '../kafka/server.ts'
import { makeProject, startPlatform } from './project.ts'
import { eventually } from '../waiting.ts'
import type { Test } from 'tap'
import type { EmbeddedClickHouse } from '../../runtime/clickhouse/embedded.ts'
import type { ClickHouse } from '../../runtime/clickhouse/client.ts'
import type { KafkaServer } from '../kafka/server.ts'
import type { Project, RunningPlatform } from './project.ts'

const ROWS = 60_000
const schema = `
key: [symbol]
event_time: t
partitions: 4
fields:
  n: { type: int64, required: true, description: Number of the row }
  t: { type: timestamp(ms), required: true, description: Time of the row, cast: { unit: ms } }
  symbol: { type: string, required: true, description: Instrument, low_cardinality: true }
`
const pipeline = (rate: number, description = 'Rows'): string => `
description: ${description}
input:
  generate:
    rate: ${rate}
    count: ${ROWS}
    fields:
      n: { counter: 0 }
      t: { counter: 1704205800000 }
      symbol: { choice: [AAPL, MSFT, NVDA, AMZN, META, TSLA, IBM, ORCL] }
topic: trades
transforms:
  - mapping: trades
outputs:
  - streaming-database: {}
    flush: { rows: 2000, ms: 100, megabytes: 8 }
`

interface Ground { readonly kafka: KafkaServer, readonly engine: EmbeddedClickHouse, readonly client: ClickHouse, start (name: string, more?: Readonly<Record<string, string>>): Promise<RunningPlatform>, readonly project: Project }

async function prepare (t: Test, rate: number): Promise<Ground> {
  const folder = t.testdir()
  const kafka = await startKafka({ folder: join(folder, 'kafka') })
  t.teardown(() => kafka.kill())
  mkdirSync(join(folder, 'clickhouse'))
  const engine = await startEmbedded({ folder: join(folder, 'clickhouse'), memoryBytesMax: 2 ** 30, log: { info () {}, warn () {}, error () {} } })
  t.teardown(() => engine.close())
  const client = await connectClickHouse(engine.url)
  t.teardown(() => client.close())
  mkdirSync(join(folder, 'project'))
  const project = makeProject(join(folder, 'project'), { 'schemas/trades.yaml': schema, 'pipelines/trades.yaml': pipeline(rate) })
  return {
    kafka,
    engine,
    client,
    project,
    async start (name, more = {}) {
      const env = { TWOLANE_BROKER: `kafka://${kafka.brokers}`, TWOLANE_CLICKHOUSE: engine.url, TWOLANE_NAME: name, TWOLANE_DATA: join(folder, name), TWOLANE_KAFKA_SESSION_SECONDS: '6', TWOLANE_KAFKA_PREFIX: 'test.', ...more }
      const platform = await startPlatform(project, env)
      t.teardown(() => platform.kill())
      return platform
    }
  }
}

interface Runtimes { readonly runtimes: ReadonlyArray<{ readonly runtime: string, readonly control: boolean, readonly same_files: boolean }> }
interface Pipelines { readonly pipelines: ReadonlyArray<{ readonly healthy: boolean, readonly runtimes: ReadonlyArray<{ readonly runtime: string }>, readonly steps: ReadonlyArray<{ readonly step: string, readonly state: string }> }> }

async function names (platform: RunningPlatform): Promise<string[]> {
  return (await platform.api<Runtimes>('GET', '/v1/runtimes')).body.runtimes.map(({ runtime }) => runtime)
}

async function stored (client: ClickHouse): Promise<{ readonly rows: number, readonly different: number }> {
  const [found] = await client.rows<{ rows: string, different: string }>('SELECT count() AS rows, uniqExact(n) AS different FROM streaming.trades')
  return { rows: Number(found?.rows), different: Number(found?.different) }
}

await t.test('two runtimes share the partitions; when one is killed the other takes all, and every row is stored exactly once', { skip: noKafka() }, async t => {
  // Slow enough that the input has not ended before both store rows, on any machine.
  const ground = await prepare(t, 500)
  const a = await ground.start('a')
  await eventually('rows are stored', async () => (await stored(ground.client).catch(() => ({ rows: 0 }))).rows > 1000 ? true : undefined)
  const b = await ground.start('b')
  await eventually('each knows the other', async () => (await names(a)).length === 2 && (await names(b)).length === 2 ? true : undefined)
  // Partitions are shared once both store rows.
  const share = async (platform: RunningPlatform): Promise<number> => {
    const { body } = await platform.api<string>('GET', '/metrics')
    return Number(/twolane_rows_total\{[^}]*step="outputs.streaming-database"[^}]*\} (\d+)/.exec(body)?.[1] ?? 0)
  }
  await eventually('both store rows', async () => await share(b) > 1000 ? true : undefined)
  const killed = await share(b)
  await b.kill()
  ground.project.write('pipelines/trades.yaml', pipeline(20_000))
  // While Kafka still waits for the dead one a reload may be rolled back.
  await eventually('the rest may come faster', async () => (await a.api('POST', '/v1/reload')).status === 200 || undefined)
  await eventually('all rows are stored', async () => (await stored(ground.client)).different === ROWS ? true : undefined)
  t.same(await stored(ground.client), { rows: ROWS, different: ROWS }, `each row once, ${killed} and more of them by the runtime that was killed`)
  await eventually('the dead one is not listed any more', async () => (await names(a)).length === 1 ? true : undefined)
  t.equal(await a.stop(), 0)
})

await t.test('the input and the control side move when their runtime is killed, and a reload reaches all with one receipt', { skip: noKafka() }, async t => {
  // Slow enough that the input has not ended before it is looked at, on any machine.
  const ground = await prepare(t, 200)
  const platforms: Record<string, RunningPlatform> = { a: await ground.start('a'), b: await ground.start('b') }
  const controlOf = async (platform: RunningPlatform): Promise<string | undefined> => (await platform.api<Runtimes>('GET', '/v1/runtimes')).body.runtimes.find(({ control }) => control)?.runtime
  const first = await eventually('one is the control side', async () => (await names(platforms['a'] as RunningPlatform)).length === 2 ? await controlOf(platforms['a'] as RunningPlatform) : undefined)
  const [control, other] = first === 'a' ? ['a', 'b'] : ['b', 'a'] as const
  const [controlSide, worker] = [platforms[control] as RunningPlatform, platforms[other] as RunningPlatform]

  t.match(await worker.api('POST', '/v1/reload'), { status: 421, body: { code: 'NOT_CONTROL', remedy: `Ask ${controlSide.url}.` } }, 'only the control side changes something')
  ground.project.write('pipelines/trades.yaml', pipeline(201))
  t.match(await controlSide.api('POST', '/v1/reload'), { status: 200, body: { outcome: 'applied', runtimes: [{ runtime: other, outcome: 'applied' }] } }, 'one receipt')
  await eventually('both are shown by both, and the input runs in one of them', async () => {
    const { body: { pipelines: [trades] } } = await worker.api<Pipelines>('GET', '/v1/pipelines')
    const input = trades?.steps.find(({ step }) => step === 'input.generate')
    return trades?.runtimes.length === 2 && trades.healthy && input?.state === 'generating' ? true : undefined
  })

  await controlSide.kill()
  await eventually('the other is the control side', async () => await controlOf(worker) === other ? true : undefined)
  ground.project.write('pipelines/trades.yaml', pipeline(20_000))
  t.match(await worker.api('POST', '/v1/reload'), { status: 200, body: { outcome: 'applied' } }, 'it changes something now')
  await eventually('all rows come, so the input runs there', async () => (await stored(ground.client)).different === ROWS ? true : undefined)
  t.same(await stored(ground.client), { rows: ROWS, different: ROWS }, 'each row once')
  t.equal((await worker.api('POST', '/v1/pipelines/trades/pause')).status, 200)
  t.equal(await worker.stop(), 0)
})

await t.test('runtimes with databases of their own do not share a broker', { skip: noKafka() }, async t => {
  const ground = await prepare(t, 10)
  const a = await ground.start('a')
  await t.rejects(ground.start('b', { TWOLANE_CLICKHOUSE: 'embedded' }), { message: /Runtime b has its own embedded ClickHouse.*TWOLANE_CLICKHOUSE/s })
  await eventually('it has left again', async () => (await names(a)).length === 1 ? true : undefined)
  t.strictSame(await names(a), ['a'])
  t.equal(await a.stop(), 0)
})

// What it costs to keep logs and metrics: rows and bytes a day of a platform whose pipelines work all the time.
//   node test/bench/observe.ts [pipelines] [seconds]

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeProject, startPlatform } from '../system/project.ts'

const pipelines = Number(process.argv[2] ?? 5)
const seconds = Number(process.argv[3] ?? 120)
const DAY_SECONDS = 86_400

interface Stored { readonly table: string, readonly rows: string, readonly bytes: string }

const folder = mkdtempSync(join(tmpdir(), 'twolane-bench-'))
const ids = Array.from({ length: pipelines }, (_, i) => `quotes${i}`)
const project = makeProject(folder, Object.fromEntries(ids.flatMap(id => [
  [`schemas/${id}.yaml`, 'fields: { n: { type: int64, required: true, description: Number of the row } }'],
  [`pipelines/${id}.yaml`, `input: { generate: { rate: 100, fields: { n: { counter: 1 } } } }\ntopic: ${id}\ntransforms: [mapping: ${id}]\noutputs:\n  - streaming-database: {}\n  - lake: {}\n`]
])))
const platform = await startPlatform(project)
try {
  const look = async (): Promise<{ readonly metrics: number, readonly topicBytes: number }> => {
    const [found] = await platform.query<{ n: string }>('SELECT count() AS n FROM platform.metrics').catch(() => [])
    const { body } = await platform.api<{ topics: Array<{ name: string, bytes: number }> }>('GET', '/v1/topics')
    return { metrics: Number(found?.n ?? 0), topicBytes: body.topics.find(({ name }) => name === '_platform')?.bytes ?? 0 }
  }
  const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))
  // The first measurements hold every series once.
  await pause(30_000)
  const before = await look()
  await pause(seconds * 1000)
  const after = await look()
  for (const table of ['logs', 'metrics']) await platform.query(`OPTIMIZE TABLE platform.${table} FINAL`).catch(() => [])
  const stored = await platform.query<Stored>("SELECT table, sum(rows) AS rows, sum(bytes_on_disk) AS bytes FROM system.parts WHERE active AND database = 'platform' GROUP BY table")
  const metrics = stored.find(({ table }) => table === 'metrics')
  const rowsADay = (after.metrics - before.metrics) / seconds * DAY_SECONDS
  const bytesARow = Number(metrics?.bytes) / Number(metrics?.rows)
  const millions = (n: number): string => (n / 1e6).toFixed(1)
  console.log(`${pipelines} pipelines with an input and two outputs, ${seconds} s: ${millions(rowsADay)} million metric rows a day (${(rowsADay / pipelines / 1e6).toFixed(2)} a pipeline)`)
  console.log(`in ClickHouse ${bytesARow.toFixed(1)} bytes a row, so ${millions(rowsADay * bytesARow)} MB a day and ${millions(rowsADay * bytesARow * 30)} MB in 30 days; small parts compress worse than those of a whole day`)
  console.log(`in the topic ${millions((after.topicBytes - before.topicBytes) / seconds * DAY_SECONDS)} MB a day, of which it keeps 268 MB`)
} finally {
  await platform.stop()
  rmSync(folder, { recursive: true, force: true })
}

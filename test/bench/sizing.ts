// How large a machine has to be: processor time, memory and disk that a row and a pipeline take, and what a number of
// rows a day costs a month by config/cost.yaml.
//   node test/bench/sizing.ts [million rows] [pipelines]

import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openBroker } from '../../runtime/broker/open.ts'
import { fromRows } from '../../runtime/batch.ts'
import { connectClickHouse } from '../../runtime/clickhouse/client.ts'
import { startEmbedded } from '../../runtime/clickhouse/embedded.ts'
import { readTopic } from '../../runtime/schema-file.ts'
import { Store } from '../../runtime/store.ts'
import { Supervisor } from '../../runtime/supervisor.ts'
import { makeProject, startPlatform } from '../system/project.ts'
import { line, residentMiB, stopwatch } from './measure.ts'
import { assumptions, readPrices, size } from './prices.ts'
import { quotesSchema } from './quotes.ts'
import { walk } from './walk.ts'
import type { Size } from './prices.ts'
import type { Usage } from './measure.ts'

const rows = Number(process.argv[2] ?? 1) * 1_000_000
const pipelines = Number(process.argv[3] ?? 5)
const BATCH = 1000
const SETTLE_MS = 5000
const ROWS_A_DAY = [1e6, 1e7, 1e8, 1e9]
const quiet = { error: (fields: object, message: string) => console.error(message, fields), warn: () => {}, info: () => {}, debug: () => {} }

const folder = mkdtempSync(join(tmpdir(), 'twolane-bench-'))
const dataFolder = join(folder, 'data')
const engine = await startEmbedded({ folder: join(folder, 'clickhouse'), log: quiet })
const enginePid = engine.pid as number
// Of this process, which is the platform while it catches up.
let platformMiB = 0

try {
  const idle = [await idleMiB(1), await idleMiB(pipelines)] as const
  const engineMiB = residentMiB(enginePid)
  const append = await fill()
  const database = await run('database', 'transforms: [mapping: quotes]\n', '  - streaming-database: {}\n')
  const lake = await run('lake', '', '  - lake: {}\n    flush: { rows: 250000, ms: 1000, megabytes: 64 }\n')
  const engineBusyMiB = residentMiB(enginePid)
  const disk = { topicBytes: bytesIn(join(dataFolder, 'topics')) / rows, tableBytes: await tableBytes(), lakeBytes: bytesIn(join(dataFolder, 'lake')) / rows }

  const rowsACore = (usage: Usage): string => `${(rows / (usage.ownCpuSeconds + usage.otherCpuSeconds) / 1000).toFixed(0)} k rows/s a core`
  console.log(`${line('connector ▶ topic', rows, append)}   ${rowsACore(append)}`)
  console.log(`${line('topic ▶ mapping ▶ embedded ClickHouse', rows, database)}   ${rowsACore(database)}`)
  console.log(`${line('topic ▶ lake', rows, lake)}   ${rowsACore(lake)}`)
  console.log(`memory: runtime with 1 pipeline ${idle[0].toFixed(0)} MiB, each further one ${((idle[1] - idle[0]) / (pipelines - 1)).toFixed(0)} MiB (${pipelines}: ${idle[1].toFixed(0)} MiB); engine ${engineMiB.toFixed(0)} MiB; during catch-up ${platformMiB.toFixed(0)} and ${engineBusyMiB.toFixed(0)} MiB`)
  console.log(`bytes on disk a row of ten fields, ${bytesAsJson().toFixed(0)} as JSON: topic ${disk.topicBytes.toFixed(1)}, table ${disk.tableBytes.toFixed(1)} (merged), lake ${disk.lakeBytes.toFixed(1)}`)

  const cpuSecondsAMillion = [append, database, lake].reduce((sum, { ownCpuSeconds, otherCpuSeconds }) => sum + ownCpuSeconds + otherCpuSeconds, 0) / rows * 1e6
  printCosts({ ...disk, cpuSecondsAMillion, memoryMiB: platformMiB + engineBusyMiB })
} finally {
  await engine.close()
  rmSync(folder, { recursive: true, force: true })
}
process.exit()

/** Resident memory of a platform that runs `count` pipelines and has nothing to do. */
async function idleMiB (count: number): Promise<number> {
  const ids = Array.from({ length: count }, (_, i) => `idle${i}`)
  const project = makeProject(mkdtempSync(join(folder, 'project-')), Object.fromEntries(ids.flatMap(id => [
    [`schemas/${id}.yaml`, quotesSchema],
    [`pipelines/${id}.yaml`, `topic: ${id}\ntransforms: [mapping: ${id}]\noutputs:\n  - streaming-database: { database: idle }\n`]
  ])))
  const platform = await startPlatform(project, { TWOLANE_CLICKHOUSE: engine.url })
  await new Promise(resolve => setTimeout(resolve, SETTLE_MS))
  const resident = residentMiB(platform.process.pid as number)
  await platform.stop()
  return resident
}

async function fill (): Promise<Usage> {
  const broker = await openBroker({ dataFolder, kafka: undefined })
  const topic = readTopic('schemas/quotes.yaml', quotesSchema)
  const producer = await broker.producer(topic, 'bench')
  const next = walk()
  let [seconds, ownCpuSeconds] = [0, 0]
  for (let i = 0; i < rows; i += BATCH) {
    const quotes = Array.from({ length: BATCH }, next)
    const stop = stopwatch()
    await producer.append([fromRows(topic, quotes)], { checkpoint: i + BATCH })
    const usage = stop()
    seconds += usage.seconds
    ownCpuSeconds += usage.ownCpuSeconds
  }
  await producer.close()
  await broker.close()
  return { seconds, ownCpuSeconds, otherCpuSeconds: 0 }
}

async function run (id: string, transforms: string, outputs: string): Promise<Usage> {
  const project = makeProject(mkdtempSync(join(folder, 'project-')), { 'schemas/quotes.yaml': quotesSchema, [`pipelines/${id}.yaml`]: `topic: quotes\n${transforms}outputs:\n${outputs}` })
  const store = new Store(project.data)
  const supervisor = new Supervisor({ root: project.folder, dataFolder, clickhouse: engine.url, logLevel: 'error', store, log: quiet, onLog: text => process.stderr.write(text) })
  const broker = await openBroker({ dataFolder, kafka: undefined })
  try {
    const stop = stopwatch([enginePid])
    await supervisor.start()
    while ((await broker.inspect('quotes'))?.groups.find(({ group }) => group.startsWith(`${id}.`))?.offset !== rows) {
      await new Promise(resolve => setTimeout(resolve, 20))
      platformMiB = Math.max(platformMiB, residentMiB(process.pid))
    }
    return stop()
  } finally {
    await supervisor.close()
    await broker.close()
    store.close()
  }
}

/** Of a row in the table, when its parts are merged. */
async function tableBytes (): Promise<number> {
  const client = await connectClickHouse(engine.url)
  try {
    await client.command('OPTIMIZE TABLE streaming.quotes FINAL')
    const [found] = await client.rows<{ bytes: string, n: string }>("SELECT sum(bytes_on_disk) AS bytes, sum(rows) AS n FROM system.parts WHERE active AND database = 'streaming' AND table = 'quotes'")
    if (Number(found?.n) !== rows) throw new Error(`${found?.n} rows of ${rows} are in the table`)
    return Number(found?.bytes) / rows
  } finally {
    await client.close()
  }
}

function bytesIn (path: string): number {
  return readdirSync(path, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile()).reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0)
}

function bytesAsJson (): number {
  const next = walk()
  return Array.from({ length: BATCH }, () => JSON.stringify(next()).length).reduce((sum, bytes) => sum + bytes) / BATCH
}

function printCosts (measured: Parameters<typeof size>[1]): void {
  const prices = readPrices()
  const { daysInTopic, daysInTable, daysInLake, sessionHours, peak, coresShare, diskSpare } = assumptions
  console.log(`\n${prices.currency} a month (${prices.provider}, list prices of ${prices.prices_of}; budget ${prices.budget_a_month}): ${daysInTopic} days in the topic, ${daysInTable} in the table, disk ${diskSpare} times that, ${daysInLake} days in the lake; the day's rows within ${sessionHours} h, the busiest second ${peak} times the mean, at most ${coresShare * 100} % of the cores`)
  const columns = ['rows a day', 'cores at peak', 'disk GB', 'lake GB', 'machine', 'machine', 'disk', 'lake', 'all']
  console.log(`| ${columns.join(' | ')} |\n|${'---|'.repeat(columns.length)}`)
  for (const rowsADay of ROWS_A_DAY) console.log(costLine(size(rowsADay, measured, prices)))
}

function costLine ({ rowsADay, coresAtPeak, diskGigabytes, lakeGigabytes, machine, costs }: Size): string {
  const cells = [rowsADay.toLocaleString('en-US'), coresAtPeak.toFixed(2), diskGigabytes.toFixed(0), lakeGigabytes.toFixed(0), machine?.name ?? 'none is large enough', ...[costs.machine, costs.disk, costs.lake, costs.all].map(cost => Number.isNaN(cost) ? '–' : cost.toFixed(0))]
  return `| ${cells.join(' | ')} |`
}

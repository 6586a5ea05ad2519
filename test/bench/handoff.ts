// A day of millions of rows goes to the warehouse: how long, how much memory, and what queries on both databases notice.
// Then what reading through the views costs, and how fast the output loads the warehouse.
//
//   node test/bench/handoff.ts [millions of rows]

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import plugin from '../../plugins/outputs/warehouse/index.ts'
import { startEmbedded } from '../../runtime/clickhouse/embedded.ts'
import { configure } from '../conform/configure.ts'
import { fakeContext } from '../conform/context.ts'
import { batchOf, topic } from '../plugins/outputs/streaming-database/rows.ts'
import { openDays } from '../runtime/warehouse/days.ts'
import { median, residentMiB } from './measure.ts'
import type { Days } from '../runtime/warehouse/days.ts'

const rows = Number(process.argv[2] ?? 10) * 1e6
const recentRows = 1_000_000
const insertRows = 500_000

/** Latencies in ms of the same small query on each side, until the signal. */
async function ask ({ streaming, topic: { name } }: Days, signal: AbortSignal): Promise<Record<string, number[]>> {
  const asked: Record<string, number[]> = { realtime: [], history: [], data: [] }
  while (!signal.aborted) {
    for (const [database, took] of Object.entries(asked)) {
      const began = performance.now()
      await streaming.rows(`SELECT symbol, max(price) FROM ${database}.${name} WHERE symbol = 'S3' AND at >= toDateTime64('2024-03-05', 3, 'UTC') GROUP BY symbol`)
      took.push(performance.now() - began)
    }
    await sleep(100)
  }
  return asked
}

/** The most that this process and the engine held, MiB. */
async function watch (pid: number, signal: AbortSignal): Promise<{ readonly own: number, readonly engine: number }> {
  let [own, engine] = [0, 0]
  while (!signal.aborted) {
    own = Math.max(own, residentMiB(process.pid))
    engine = Math.max(engine, residentMiB(pid))
    await sleep(50)
  }
  return { own, engine }
}

function latencies (asked: Record<string, number[]>): string {
  const part = (took: number[], share: number): string => (took.toSorted((a, b) => a - b)[Math.floor(took.length * share)] ?? NaN).toFixed(0)
  return Object.entries(asked).map(([database, took]) => `${database} ${part(took, 0.5)} ms, p95 ${part(took, 0.95)}`).join('; ')
}

async function measured<T> (days: Days, pid: number, what: string, work: () => Promise<T>): Promise<T> {
  const over = new AbortController()
  const both = Promise.all([ask(days, over.signal), watch(pid, over.signal)])
  const began = performance.now()
  const result = await work()
  const seconds = (performance.now() - began) / 1000
  over.abort()
  const [asked, { own, engine }] = await both
  console.log(`${what}: ${seconds.toFixed(1)} s; memory at most: engine ${engine.toFixed(0)} MiB, platform ${own.toFixed(0)} MiB; queries meanwhile: ${latencies(asked)}`)
  return result
}

async function readCost ({ streaming, topic: { name } }: Days, table: string): Promise<string> {
  const took: number[] = []
  for (let i = 0; i < 5; i++) {
    const began = performance.now()
    await streaming.rows(`SELECT count(), sum(price) FROM ${table}.${name}`)
    took.push(performance.now() - began)
  }
  return `${table} ${median(took).toFixed(0)} ms`
}

async function load (url: string): Promise<void> {
  const sink = await plugin.open(configure(plugin, { table: 'loaded', models: 'none' }), fakeContext({ topic, services: { clickhouse: url, warehouse: url } }))
  const [flushRows, batchRows, all] = [200_000, 10_000, 1_000_000]
  const batches = Array.from({ length: all / batchRows }, (_, i) => batchOf(i * batchRows, (i + 1) * batchRows))
  await sink.own?.({ partition: 0, epoch: 1 })
  const began = performance.now()
  for (let from = 0; from < all; from += flushRows) {
    for (const batch of batches.slice(from / batchRows, (from + flushRows) / batchRows)) await sink.write(batch)
    await sink.flush({ partition: 0, from, to: from + flushRows })
  }
  const seconds = (performance.now() - began) / 1000
  console.log(`the output warehouse: ${(all / seconds / 1000).toFixed(0)} k rows/s in flushes of ${flushRows} rows`)
  await sink.close()
}

const folder = mkdtempSync(join(tmpdir(), 'twolane-bench-'))
const engine = await startEmbedded({ folder, log: { info () {}, warn () {}, error () {} } })
const days = await openDays('bench', { clickhouse: engine.url })
try {
  const pid = engine.pid as number
  for (let from = 0; from < rows; from += insertRows) await days.put(0, from, from + insertRows)
  for (let from = rows; from < rows + recentRows; from += insertRows) await days.put(4, from, from + insertRows)
  console.log(`one query over ${((rows + recentRows) / 1e6).toFixed(0)} M rows without any handoff: ${await readCost(days, 'streaming')}, ${await readCost(days, 'realtime')}`)
  await measured(days, pid, 'nothing, for comparison', () => sleep(3000))
  await measured(days, pid, `handoff of a day of ${rows / 1e6} M rows`, () => days.run(4))
  await measured(days, pid, 'its clean-up', () => days.run(4))
  console.log(`the same query after it: ${await readCost(days, 'history')}, ${await readCost(days, 'realtime')}, ${await readCost(days, 'data')}`)
  const { realtime, history } = await days.count()
  if (realtime !== recentRows || history !== rows) throw new Error(`${realtime} + ${history} rows are not ${recentRows} + ${rows}`)
  await load(engine.url)
} finally {
  await days.close()
  await engine.close()
  rmSync(folder, { recursive: true })
}

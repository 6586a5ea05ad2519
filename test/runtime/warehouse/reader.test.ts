// Readers while days are handed over, and while everything is killed.

import t from 'tap'
import { setImmediate } from 'node:timers/promises'
import { startEmbedded } from '../../../runtime/clickhouse/embedded.ts'
import { newestSeq, readFlips } from '../../../runtime/warehouse/boundary.ts'
import { until } from '../../conform/context.ts'
import { openDays, random } from './days.ts'
import type { Days } from './days.ts'

const silent = { info () {}, warn () {}, error () {} }

/** Reads all the time until `over`; returns how many reads there were, and those that were wrong. */
async function readOn (days: Days, rows: () => number, over: AbortSignal): Promise<{ readonly reads: number, readonly wrong: unknown[] }> {
  const wrong: unknown[] = []
  let reads = 0
  while (!over.aborted) {
    const least = rows()
    try {
      const read = await days.read('data')
      // Rows may have come while it read, none may have gone.
      if (read.rows !== read.positions || read.rows < least || read.rows > rows()) wrong.push({ ...read, least, most: rows() })
      reads++
    } catch {
      // The engine was killed: no answer is no wrong answer.
      await setImmediate()
    }
  }
  return { reads, wrong }
}

await t.test('a reader sees each row once at every moment, over many flips (S51)', async t => {
  const engine = await startEmbedded({ folder: t.testdir(), log: silent })
  t.teardown(() => engine.close())
  const days = await openDays('steady', { clickhouse: engine.url })
  t.teardown(() => days.close())
  for (let day = 0; day < 6; day++) await days.put(day, day * 300, (day + 1) * 300)
  const over = new AbortController()
  t.teardown(() => over.abort())
  let unpinned = 0
  const reading = readOn(days, () => 1800, over.signal)
  const unpinnedReading = (async () => {
    while (!over.signal.aborted) {
      const [row] = await days.streaming.rows<{ n: string }>('SELECT count() AS n FROM data.steady')
      if (row?.n !== '1800') unpinned++
    }
  })()
  for (let today = 2; today < 9; today++) await days.run(today, { grace_seconds: 0.2 })
  over.abort()
  const { reads, wrong } = await reading
  await unpinnedReading
  t.strictSame(wrong, [])
  t.equal(unpinned, 0, 'a single view is of one boundary, pinned or not')
  t.ok(reads > 5, `${reads} reads`)
  t.strictSame(await days.count(), { realtime: 0, history: 1800, positions: 1800 })
})

await t.test('whatever is killed, each row stays visible once, and the next run repairs it', async t => {
  const engine = await startEmbedded({ folder: t.testdir(), log: silent })
  t.teardown(() => engine.close())
  const days = await openDays('killed', { clickhouse: engine.url })
  t.teardown(() => days.close())
  const next = random(7)
  let rows = 0
  for (let day = 0; day < 4; day++) {
    await days.put(day, rows, rows + 400)
    rows += 400
  }
  const over = new AbortController()
  const reading = readOn(days, () => rows, over.signal)
  let killed = 0
  t.teardown(() => over.abort())
  for (let round = 0; round < 9; round++) {
    await until(async () => engine.pid !== undefined && await days.read('data').then(() => true, () => false), 'the engine is back')
    const stop = new AbortController()
    const timer = setTimeout(() => {
      if (round % 3 === 2 && engine.pid !== undefined) {
        process.kill(engine.pid, 'SIGKILL')
        killed++
      } else {
        stop.abort()
      }
    }, 30 + next() * 500)
    await days.run(2 + round % 5, {}, { signal: stop.signal }).catch(() => {})
    clearTimeout(timer)
  }
  await until(async () => engine.pid !== undefined && await days.read('data').then(() => true, () => false), 'the engine is back')
  await days.run(8, {})
  await days.run(8, {})
  over.abort()
  const { reads, wrong } = await reading
  t.strictSame(wrong, [])
  t.ok(reads > 5 && killed > 0, `${reads} reads, ${killed} kills`)
  t.strictSame(await days.count(), { realtime: 0, history: rows, positions: rows })
  t.ok(await newestSeq(days.warehouse) >= 4)
  t.ok((await readFlips(days.warehouse)).every(({ cleanedAt }) => cleanedAt !== undefined))
  const versions = await days.warehouse.rows<{ n: string }>('SELECT uniqExact(_version) AS n FROM warehouse.killed')
  t.equal(versions[0]?.n, '4', 'nothing is left of versions that failed')
})

// The handoff with a fault at its statements in turn: one never got to the engine, or its answer was lost.

import t from 'tap'
import { startEmbedded } from '../../../runtime/clickhouse/embedded.ts'
import { PlatformError } from '../../../runtime/errors.ts'
import { readFlips } from '../../../runtime/warehouse/boundary.ts'
import { openDays } from './days.ts'
import { startProxy } from './proxy.ts'
import type { Fate } from './proxy.ts'

/** A question does nothing: whether it never came or its answer was lost is the same. One in so many has a fault. */
const QUESTIONS = 8
const asks = (sql: string): boolean => /^\s*(SELECT|WITH)/.test(sql)
/** What only makes tables and views sure is sent again by every run. */
const makes = (sql: string): boolean => /^\s*CREATE/.test(sql)

const engine = await startEmbedded({ folder: t.testdir(), log: { info () {}, warn () {}, error () {} } })
t.teardown(() => engine.close())

await t.test('whichever statement fails, each row stays visible once, and the next run goes on', async t => {
  const days = await openDays('swept', { clickhouse: engine.url })
  let sent: string[] = []
  let [faultAt, fault] = [Infinity, 'pass' as Fate]
  const proxy = await startProxy(engine.url, sql => sent.push(sql) === faultAt ? fault : 'pass')
  t.teardown(async () => {
    await proxy.close()
    await days.close()
  })
  /** Cleans up after the version before, and makes the next one of the same day. Returns its statements. */
  const run = async (at = Infinity, fate: Fate = 'pass'): Promise<string[]> => {
    [sent, faultAt, fault] = [[], at, fate]
    await days.run(3, {}, { more: { clickhouse: proxy.url, warehouse: proxy.url } })
    return sent
  }
  let rows = 0
  const more = async (): Promise<void> => { await days.put(0, rows, rows += 3) }
  const wrong: unknown[] = []
  const check = async (when: string): Promise<void> => {
    const [pinned, data, unpinned] = [await days.count(), await days.read('data'), await days.streaming.rows<{ n: string, u: string }>('SELECT count() AS n, uniqExact(_offset) AS u FROM data.swept')]
    const seen = [pinned.realtime + pinned.history, pinned.positions, data.rows, data.positions, Number(unpinned[0]?.n), Number(unpinned[0]?.u)]
    if (seen.some(n => n !== rows)) wrong.push({ when, rows, seen })
  }
  await more()
  await run()
  await more()
  const plan = await run()
  let faults = 0
  for (const [i, planned] of plan.entries()) {
    if (makes(planned) || (asks(planned) && i % QUESTIONS !== 0)) continue
    for (const fate of asks(planned) ? ['unsent'] as const : ['unsent', 'unanswered'] as const) {
      await more()
      const error: unknown = await run(i + 1, fate).then(() => undefined, (reason: unknown) => reason)
      const when = `${fate} ${i + 1}: ${sent[i]?.slice(0, 200)}`
      if (!(error instanceof PlatformError) || !error.retryable) wrong.push({ when, error })
      await check(when)
      await run()
      await check(`after ${when}`)
      faults++
    }
  }
  t.strictSame(wrong, [])
  t.ok(faults > 10, `${faults} faults in ${plan.length} statements`)
  await run()
  await run()
  t.strictSame(await days.count(), { realtime: 0, history: rows, positions: rows })
  const current = (await readFlips(days.warehouse, { dataset: 'swept' })).at(-1)
  t.ok(current?.cleanedAt)
  t.strictSame(await days.warehouse.rows('SELECT _version, count() AS n FROM warehouse.swept GROUP BY _version'), [{ _version: current?.version, n: String(rows) }], 'nothing is left of versions that failed')
  t.strictSame(await days.streaming.rows('SELECT count() AS n FROM streaming.swept'), [{ n: '0' }])
})

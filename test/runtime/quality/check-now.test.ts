import t from 'tap'
import { checkNow } from '../../../runtime/quality/check-now.ts'
import { calendarsOf } from '../../../runtime/quality/calendars.ts'
import { openGround, topicWith } from './ground.ts'
import type { Row } from '../../../runtime/plugin.ts'
import type { QualityResult } from '../../../runtime/quality/result.ts'

const ground = await openGround(t)
const at = (text: string): number => Date.parse(`2024-07-${text}Z`)
const minute = 60_000

/** The rules about now, at each of the given moments, over the same rows. */
async function check (rules: string, rows: readonly Row[], moments: readonly number[], spanMs = 5 * minute): Promise<Array<Record<string, QualityResult>>> {
  const schema = topicWith(rules)
  const table = await ground.store(schema, rows.map(row => ({ symbol: 'A', ...row })))
  const results: Array<Record<string, QualityResult>> = []
  for (const now of moments) {
    const found = await checkNow(ground.client, { schema, topic: schema.name, table, lane: 'streaming', url: undefined }, { span: { from: now - spanMs, to: now }, calendars: calendarsOf(process.cwd()) })
    results.push(Object.fromEntries(found.map(result => [result.rule, result])))
  }
  return results
}

await t.test('what is older than the threshold is not fresh, and a row from the future does not hide it', async t => {
  const rules = '  - { name: fresh, metric: freshness, warn: { mustBeLessThan: 1m }, error: { mustBeLessOrEqualTo: 5m } }'
  const found = await check(rules, [{ time: at('03T15:00:00') }, { time: at('03T23:00:00') }], ['03T15:00:59', '03T15:01:00', '03T15:05:01', '03T14:59:59'].map(at))
  t.match(found.map(({ fresh }) => fresh), [
    { level: 'ok', value: 59, unit: 'seconds' },
    { level: 'warn', value: 60, examples: [{ newest: '2024-07-03 15:00:00.000', age_seconds: 60 }] },
    { level: 'error', value: 301, message: 'fresh: freshness is 301 s and must be less or equal to 300' },
    // Nothing came in all the time that it looks back.
    { level: 'error', value: 4 * 86_400, examples: [{ newest: null }] }
  ])
})

await t.test('while the market is closed nothing has to come, and the age counts from the opening', async t => {
  const rules = `
  - { name: fresh, metric: freshness, error: { mustBeLessThan: 2m }, during: XNYS }
  - { name: rows, metric: rowCount, arguments: { interval: 1m }, error: { mustBeGreaterThan: 0 }, during: XNYS }`
  // The day before Independence Day ends at 17:00 UTC; the next session opens on July 5, at 13:30.
  const rows = Array.from({ length: 210 }, (_, i) => ({ time: at('03T13:30:00') + i * minute }))
  const found = await check(rules, rows, ['03T13:29:59', '03T16:59:59', '03T17:06:00', '04T15:00:00', '05T13:31:00', '05T13:32:00'].map(at))
  t.match(found.map(({ fresh }) => fresh), [
    { level: 'ok', value: undefined, message: 'XNYS is closed' },
    { level: 'ok', value: 59 },
    { level: 'ok', message: 'XNYS is closed' },
    { level: 'ok', message: 'XNYS is closed' },
    { level: 'ok', value: 60 },
    { level: 'error', value: 120 }
  ])
  t.match(found.map(({ rows }) => rows?.level), ['ok', 'ok', 'ok', 'ok', 'ok', 'error'])
})

await t.test('each key is as fresh as its own newest row; one that is long gone is forgotten', async t => {
  const rules = '  - { name: fresh, metric: freshness, arguments: { lookback: 1d }, by: [symbol], warn: { mustBeLessThan: 1m } }'
  const [found] = await check(rules, [{ time: at('03T15:00:00') }, { symbol: 'B', time: at('03T14:00:00') }, { symbol: 'C', time: at('01T14:00:00') }], [at('03T15:00:30')])
  t.match(found?.['fresh'], { level: 'warn', value: 3630, failing: 1, rows: 2, message: 'fresh: freshness of symbol B is 3630 s and must be less than 60', examples: [{ symbol: 'B', age_seconds: 3630 }] })
  const [none] = await check(rules, [], [at('03T15:00:30')])
  t.match(none?.['fresh'], { level: 'ok', value: undefined })
})

await t.test('an interval counts once it has ended and its rows had time to arrive', async t => {
  const rules = '  - { name: rows, metric: rowCount, arguments: { interval: 10m }, error: { mustBeGreaterThan: 1 } }'
  const rows = [{ time: at('03T15:00:00') }, { time: at('03T15:09:59') }, { time: at('03T15:10:00') }, { time: at('03T15:40:00') }]
  const found = await check(rules, rows, ['03T15:10:30', '03T15:11:00', '03T15:17:00', '03T15:21:00'].map(at))
  t.match(found.map(({ rows }) => rows), [undefined, { level: 'ok', value: 2 }, undefined, { level: 'error', value: 1, examples: [{ interval: '2024-07-03 15:10:00.000', rows: '1' }] }])
  const [rest] = await check(rules, rows, [at('03T15:31:00')], 20 * minute)
  t.match(rest?.['rows'], { level: 'error', value: 0, failing: 2 })
})

await t.test('jumps of the last minutes are found; what a whole day is needed for is left to the day', async t => {
  const found = await check(`
  - { name: jumps, metric: priceJumps, field: price, arguments: { changePercent: 10 }, warn: { mustBe: 0 } }
  - { name: nulls, metric: nullValues, field: bid, mustBe: 0 }
  - { name: rows, metric: rowCount, mustBeGreaterThan: 100 }`, [{ time: at('03T15:00:00'), price: '1' }, { time: at('03T15:00:01'), price: '2' }], ['03T15:03:00', '03T15:30:00'].map(at))
  t.match(found, [{ jumps: { level: 'warn', value: 1 } }, { jumps: { level: 'ok', value: 0 } }])
  t.same(found.map(one => Object.keys(one)), [['jumps'], ['jumps']])
})

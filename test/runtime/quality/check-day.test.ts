import t from 'tap'
import { checkDay, worst } from '../../../runtime/quality/check-day.ts'
import { readTopic } from '../../../runtime/schema-file.ts'
import { openGround, topicWith } from './ground.ts'
import type { Row } from '../../../runtime/plugin.ts'
import type { QualityResult } from '../../../runtime/quality/check-day.ts'

const ground = await openGround(t)
const day = '2024-07-03'
const noon = Date.parse(`${day}T12:00:00Z`)

/** Checks rows of `day`; the results by the names of the rules. */
async function check (rules: string, rows: readonly Row[], { on = day, where = 'true' } = {}): Promise<Record<string, QualityResult>> {
  const topic = topicWith(rules)
  const table = await ground.store(topic, rows.map((row, i) => ({ symbol: 'A', time: noon + i * 1000, ...row })))
  // The cast lets no NaN and no infinity in; a table may have them all the same.
  for (const [stand, value] of [[-1e300, 'nan'], [-2e300, 'inf']]) if (rows.some(({ bid }) => bid === stand)) await ground.client.command(`ALTER TABLE streaming.${table.table} UPDATE bid = ${value} WHERE bid = ${stand} SETTINGS mutations_sync = 2`)
  const results = await checkDay(ground.client, topic, { table, day: on, where, root: process.cwd() })
  return Object.fromEntries(results.map(result => [result.rule, result]))
}

const levels = (results: Record<string, QualityResult>): Record<string, string> => Object.fromEntries(Object.entries(results).map(([rule, { level }]) => [rule, level]))

await t.test('a share of nulls passes, warns or errs, and the failing rows are named', async t => {
  const rows = Array.from({ length: 100 }, (_, i) => ({ price: i < 5 ? null : '1.5', bid: i === 7 ? null : 1 }))
  const found = await check(`
  - { name: passes, metric: nullValues, field: bid, unit: percent, warn: { mustBeLessThan: 2 } }
  - { name: warns, metric: nullValues, field: price, unit: percent, warn: { mustBeLessThan: 2 }, error: { mustBeLessThan: 10 } }
  - { name: errs, metric: nullValues, field: price, error: { mustBeLessOrEqualTo: 4 } }
  - { name: never, metric: nullValues, field: symbol, mustBe: 0 }`, rows)
  t.same(levels(found), { passes: 'ok', warns: 'warn', errs: 'error', never: 'ok' })
  t.match(found['warns'], { topic: 'trades', metric: 'nullValues', value: 5, unit: 'percent', threshold: 'must be less than 2', rows: 100, failing: 5, message: 'warns: nullValues of price is 5 % and must be less than 2' })
  t.match(found['errs'], { value: 5, unit: 'rows', threshold: 'must be less or equal to 4' })
  t.equal(found['errs']?.examples.length, 5)
  t.match(found['errs']?.examples[0], { symbol: 'A', _partition: 0, _offset: '0', time: '2024-07-03 12:00:00.000', price: null })
  t.match(found['passes'], { failing: 1, examples: [] })
  t.same([worst(Object.values(found)), worst([]), worst([{ level: 'warn' }, { level: 'ok' }])], ['error', 'ok', 'warn'])
})

await t.test('missing is what is null, not a number, empty, or called so', async t => {
  const found = await check(`
  - { name: venue, metric: missingValues, field: venue, arguments: { missingValues: [none] }, mustBe: 3 }
  - { name: bid, metric: missingValues, field: bid, mustBe: 2 }`, [{ venue: 'none', bid: -1e300 }, { venue: '', bid: 1 }, { venue: null }, { venue: 'Q', bid: 0 }])
  t.match(found, { venue: { value: 3, level: 'ok' }, bid: { value: 2, level: 'ok' } })
})

await t.test('a range holds for huge numbers, and neither NaN nor infinity is in it; null is', async t => {
  const found = await check(`
  - { name: price, metric: invalidValues, field: price, arguments: { exclusiveMinimum: 0, maximum: 1e+25 }, warn: { mustBe: 0 } }
  - { name: bid, metric: invalidValues, field: bid, arguments: { minimum: 0 }, warn: { mustBe: 0 } }
  - { name: crossed, metric: invalidValues, field: ask, arguments: { minimum: bid }, warn: { mustBe: 0 } }
  - { name: number, metric: invalidValues, field: number, arguments: { maximum: 1e+19 }, warn: { mustBe: 0 } }
  - { name: venue, metric: invalidValues, field: venue, arguments: { validValues: [Q, "it's"] }, warn: { mustBe: 0 } }
  - { name: pattern, metric: invalidValues, field: venue, arguments: { pattern: '^[A-Z]$' }, warn: { mustBe: 0 } }
  - { name: seq, metric: invalidValues, field: seq, arguments: { validValues: [1, 2] }, warn: { mustBe: 0 } }`, [
    { price: '99999999999999999999999999999.5', bid: -1e300, ask: 1, number: '18446744073709551615', venue: 'Q', seq: 1 },
    { price: '-0.00000001', bid: -2e300, ask: 1, number: '10000000000000000000', venue: 'it\'s', seq: '-9223372036854775808' },
    { price: '0', bid: 2, ask: 1, number: 0, venue: 'q', seq: 2 },
    { price: null, bid: null, ask: 5, number: null, venue: null, seq: null },
    { price: '0.00000001', bid: 1e300, ask: null, number: 1, venue: 'Q', seq: 3 }
  ])
  t.same(Object.fromEntries(Object.entries(found).map(([rule, { value }]) => [rule, value])), { price: 3, bid: 2, crossed: 2, number: 1, venue: 1, pattern: 2, seq: 2 })
  t.match(found['crossed']?.examples, [{ _offset: '1', ask: 1, bid: 'inf' }, { _offset: '2', ask: 1, bid: 2 }])
})

await t.test('a row beyond the first with the same values is a duplicate; with a null it is none', async t => {
  const rows = [{ seq: 1 }, { seq: 1 }, { seq: 1 }, { seq: 2 }, { seq: null }, { seq: null }, { symbol: 'B', seq: 1 }]
  const found = await check(`
  - { name: together, metric: duplicateValues, arguments: { properties: [symbol, seq] }, warn: { mustBeLessThan: 2 }, error: { mustBeLessThan: 3 } }
  - { name: alone, metric: duplicateValues, field: seq, unit: percent, error: { mustBeLessThan: 60 } }
  - { name: each, metric: duplicateValues, field: seq, by: [symbol], error: { mustBe: 0 } }`, rows)
  t.match(found['together'], { level: 'warn', value: 2, rows: 5, failing: 2, examples: [{ symbol: 'A', seq: '1', rows: '3' }] })
  t.match(found['alone'], { level: 'error', value: 60 })
  t.match(found['each'], { level: 'error', value: 2, failing: 1, message: 'each: duplicateValues of seq of symbol A is 2 and must be 0' })
})

await t.test('missing numbers of a sequence are counted, across all of 64 bits, and the widest gaps are shown', async t => {
  const rows = [1, 2, 5, 6, 6, 9].map(seq => ({ seq, number: '18446744073709551610' })).concat([{ seq: 100, number: '18446744073709551615' }].map(row => ({ ...row, symbol: 'B' })))
  const found = await check(`
  - { name: each, metric: sequenceGaps, field: seq, warn: { mustBeLessThan: 4 } }
  - { name: one, metric: sequenceGaps, field: seq, arguments: { series: [] }, unit: percent, error: { mustBeLessThan: 50 } }
  - { name: wide, metric: sequenceGaps, field: number, arguments: { series: [] }, error: { mustBe: 0 } }
  - { name: worst, metric: sequenceGaps, field: seq, by: [symbol], error: { mustBe: 0 } }`, rows)
  t.match(found['each'], { level: 'warn', value: 4, failing: 4 })
  t.same(found['each']?.examples.map(({ after, before, missing }) => [after, before, missing]), [['2', '5', '2'], ['6', '9', '2']])
  t.match(found['one'], { level: 'error', value: 94, failing: 94 })
  t.match(found['wide'], { level: 'error', value: 4 })
  t.match(found['worst'], { value: 4, failing: 1, examples: [{ symbol: 'A' }, { symbol: 'A' }] })
})

await t.test('a price that moves by more than so many percent is a jump, up and down, within its series', async t => {
  const rows = [{ price: '100' }, { price: '109' }, { price: '121' }, { price: null }, { price: '100' }, { symbol: 'B', price: '5' }, { price: '0' }, { price: '7' }]
  const found = await check(`
  - { name: jumps, metric: priceJumps, field: price, arguments: { changePercent: 10 }, warn: { mustBe: 0 }, error: { mustBeLessOrEqualTo: 3 } }`, rows)
  t.match(found['jumps'], { level: 'warn', value: 3, rows: 7 })
  t.same(found['jumps']?.examples.map(({ before, price, change_percent: change }) => [before, price, change]), [[100, '0', 100], [121, '100', 17.3554], [109, '121', 11.0092]])
})

await t.test('rows of an interval are counted where none came, too', async t => {
  const rows = Array.from({ length: 24 }, (_, hour) => Array.from({ length: hour === 5 ? 0 : 10 }, (_, i) => ({ symbol: i < 9 ? 'A' : 'B', time: Date.parse(`${day}T00:00:00Z`) + hour * 3_600_000 + i }))).flat()
  const rules = `
  - { name: day, metric: rowCount, warn: { mustBeGreaterThan: 230 } }
  - { name: hour, metric: rowCount, arguments: { interval: 1h }, error: { mustBeGreaterThan: 0 } }
  - { name: most, metric: rowCount, arguments: { interval: 1h }, error: { mustBeLessOrEqualTo: 10 } }
  - { name: each, metric: rowCount, arguments: { interval: 1h }, by: [symbol], warn: { mustBeBetween: [1, 9] } }`
  const found = await check(rules, rows)
  t.same(levels(found), { day: 'warn', hour: 'error', most: 'ok', each: 'warn' })
  t.match(found['hour'], { value: 0, failing: 1, rows: 230, examples: [{ interval: '2024-07-03 05:00:00.000', rows: '0' }] })
  t.match(found['most'], { value: 10 })
  t.match(found['each'], { value: 0, failing: 2 })
})

await t.test('only the sessions of the calendar count: not what comes after an early close, and nothing on a holiday', async t => {
  const at = (time: string): number => Date.parse(`2024-07-${time}Z`)
  const rules = `
  - { name: nulls, metric: nullValues, field: bid, during: XNYS, mustBe: 0 }
  - { name: minutes, metric: rowCount, arguments: { interval: 1m }, during: XNYS, error: { mustBeGreaterThan: 0 } }`
  // New York closes at 13:00, 17:00 UTC, on the day before Independence Day.
  const minutes = Array.from({ length: 210 }, (_, i) => ({ bid: 1, time: at('03T13:30:00') + i * 60_000 }))
  const outside = [{ bid: null, time: at('03T13:29:59.999') }, { bid: null, time: at('03T17:00:00') }, { bid: null, time: at('04T15:00:00') }]
  const early = await check(rules, [...minutes, ...outside])
  t.match(early, { nulls: { level: 'ok', value: 0, rows: 210 }, minutes: { level: 'ok', value: 1, rows: 210 } })
  const silent = await check(rules, [...minutes.slice(0, 209), ...outside])
  t.match(silent['minutes'], { level: 'error', value: 0, examples: [{ interval: '2024-07-03 16:59:00.000', rows: '0' }] })
  const holiday = await check(rules, outside, { on: '2024-07-04' })
  t.match(holiday, { nulls: { level: 'ok', value: undefined, message: 'There is no session of XNYS' }, minutes: { level: 'ok', value: undefined } })
  await t.rejects(check(rules.replaceAll('XNYS', 'XNOWHERE'), []), { code: 'CONFIG_INVALID' })
})

await t.test('an empty day has no share, and its rows are none', async t => {
  const found = await check(`
  - { name: nulls, metric: nullValues, field: bid, unit: percent, mustBeLessThan: 1 }
  - { name: twice, metric: duplicateValues, field: seq, mustBe: 0 }
  - { name: gaps, metric: sequenceGaps, field: seq, mustBe: 0 }
  - { name: jumps, metric: priceJumps, field: price, arguments: { changePercent: 1 }, by: [symbol], mustBe: 0 }
  - { name: rows, metric: rowCount, mustBeGreaterThan: 0 }
  - { name: hours, metric: rowCount, arguments: { interval: 1h }, severity: warning, mustBeGreaterThan: 0 }
  - { name: fresh, metric: freshness, mustBeLessThan: 1m }`, [])
  t.same(levels(found), { nulls: 'ok', twice: 'ok', gaps: 'ok', jumps: 'ok', rows: 'error', hours: 'warn' })
  t.match(found['nulls'], { value: undefined, rows: 0, message: 'There are no rows to measure' })
  t.match(found['hours'], { value: 0, failing: 24 })
})

await t.test('only the rows that are handed over are looked at', async t => {
  const found = await check('  - { name: nulls, metric: nullValues, field: bid, mustBe: 0 }', [{ bid: 1 }, { bid: 1 }, { bid: null }], { where: '_partition = 0 AND _offset < 2 OR false' })
  t.match(found['nulls'], { level: 'ok', rows: 2 })
  await t.rejects(check('  - { metric: rowCount, mustBe: 0 }', [], { on: '2024-02-30' }), RangeError)
})

await t.test('a name or a value cannot get out of its quotes', async t => {
  const found = await check(`
  - { name: venue, metric: invalidValues, field: venue, arguments: { validValues: ["') OR true --", '\\'], pattern: "^[')(]" }, mustBe: 1, by: [venue] }`, [{ venue: '\') OR true --' }, { venue: 'x\'"\\`\n' }])
  t.match(found['venue'], { level: 'error', failing: 1, value: 0 })
})

await t.test('a field may be called as anything that a query makes', async t => {
  const names = ['key', 'value', 'rows', 'failing', 'number', 'before', 'missing']
  const odd = readTopic('schemas/odd.yaml', `
key: [key]
event_time: time
fields:
  time: { type: timestamp(ms), cast: { unit: ms } }
${names.map(name => `  ${name}: { type: ${name === 'key' ? 'string' : 'int64'} }`).join('\n')}
quality:
${names.slice(1).map(name => `
  - { metric: nullValues, field: ${name}, by: [${name}], mustBe: 0 }
  - { metric: invalidValues, field: ${name}, by: [key], arguments: { maximum: 1 }, mustBe: 0 }
  - { metric: duplicateValues, field: ${name}, by: [key], mustBe: 0 }
  - { metric: sequenceGaps, field: ${name}, by: [key], mustBe: 0 }
  - { metric: priceJumps, field: ${name}, by: [key], arguments: { changePercent: 10 }, mustBe: 0 }
  - { name: hours_${name}, metric: rowCount, by: [${name}], arguments: { interval: 12h }, mustBeGreaterThan: 0 }`).join('')}
`)
  const table = await ground.store(odd, [1, 1, 4].map((value, i) => ({ time: noon + i, ...Object.fromEntries(names.map(name => [name, name === 'key' ? 'A' : value])) })))
  const results = await checkDay(ground.client, odd, { table, day, where: 'true', root: process.cwd() })
  const values: Readonly<Record<string, number>> = { nullValues: 0, invalidValues: 1, duplicateValues: 1, sequenceGaps: 2, priceJumps: 1, rowCount: 0 }
  for (const { metric, rule, value, examples } of results) {
    t.equal(value, values[metric], rule)
    t.equal(examples.length > 0, value !== 0 || metric === 'rowCount', rule)
  }
})

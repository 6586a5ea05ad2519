import t from 'tap'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PlatformError } from '../../../runtime/errors.ts'
import { readSchemaFolder, readTopic } from '../../../runtime/schema-file.ts'
import { topicWith } from './ground.ts'

function problemsOf (rules: string): string[] {
  try {
    topicWith(rules)
  } catch (error) {
    if (error instanceof PlatformError) return error.message.split('\n')
    throw error
  }
  return []
}

await t.test('a rule has all its defaults filled in, and a schema without rules the hash it had', async t => {
  const [first, second, third, fourth] = topicWith(`
  - { metric: nullValues, field: price, unit: percent, warn: { mustBeLessThan: 1 }, error: { mustBeLessThan: 10 }, dimension: completeness }
  - { metric: invalidValues, field: price, arguments: { exclusiveMinimum: 0 }, action: reject }
  - { name: fresh, metric: freshness, warn: { mustBeLessThan: 90s }, during: XNYS }
  - { metric: rowCount, type: library, arguments: { interval: 1m }, mustBeBetween: [1, 100], severity: warning, by: [symbol] }`).quality ?? []
  const common = { description: '', dimension: '', during: '', by: [], reject: false }
  t.same(first, { ...common, name: 'null_values_price', dimension: 'completeness', unit: 'percent', warn: { operator: 'mustBeLessThan', values: [1] }, error: { operator: 'mustBeLessThan', values: [10] }, metric: 'nullValues', field: 'price' })
  t.same(second, { ...common, name: 'invalid_values_price', unit: 'rows', error: { operator: 'mustBe', values: [0] }, reject: true, metric: 'invalidValues', field: 'price', valid: { exclusiveMinimum: 0 } })
  t.same(third, { ...common, name: 'fresh', unit: 'seconds', warn: { operator: 'mustBeLessThan', values: [90] }, during: 'XNYS', metric: 'freshness', lookbackMs: 4 * 86_400_000 })
  t.same(fourth, { ...common, name: 'row_count', unit: 'rows', warn: { operator: 'mustBeBetween', values: [1, 100] }, by: ['symbol'], metric: 'rowCount', intervalMs: 60_000 })
  const plain = readTopic('schemas/plain.yaml', 'fields: { a: { type: string } }')
  t.equal(readTopic('schemas/plain.yaml', 'fields: { a: { type: string } }\nquality: []').hash, plain.hash)
  t.equal('quality' in plain, false)
  t.not(readTopic('schemas/plain.yaml', 'fields: { a: { type: string } }\nquality: [{ metric: rowCount, mustBeGreaterThan: 0 }]').hash, plain.hash)
})

await t.test('what is wrong with a rule is said with line and column, all of it at once', async t => {
  t.same(problemsOf(`
  - { metric: nullValues, field: prices, error: { mustBe: 0 } }
  - { metric: nullValues, field: tags, error: { mustBe: 0 } }
  - { metric: nullValues, error: { mustBe: 0 } }
  - { metric: invalidValues, field: price, arguments: { minimum: aks }, mustBe: 0 }
  - { metric: invalidValues, field: venue, arguments: { minimum: 1, validValues: [1], pattern: '(?<x' }, mustBe: 0 }
  - { metric: invalidValues, field: seq, mustBe: 0 }
  - { metric: rowCount, field: price, arguments: { interval: 100ms, series: [symbol] }, mustBeGreaterThan: 0, unit: percent }
  - { metric: sequenceGaps, field: price, mustBe: 0 }
  - { metric: priceJumps, field: price, by: [tags], mustBe: 0, action: reject }`), [
    'schemas/trades.yaml:17:27 quality[0].field: the schema has no field "prices"; did you mean "price"?',
    'schemas/trades.yaml:18:27 quality[1].field: tags is list and is never null in a table: an absent list is an empty one',
    'schemas/trades.yaml:19:5 quality[2].field: is missing: the field that is looked at',
    'schemas/trades.yaml:20:57 quality[3].arguments.minimum: the schema has no field "aks"; did you mean "ask"?',
    'schemas/trades.yaml:21:57 quality[4].arguments.minimum: is for numbers, and venue is string',
    'schemas/trades.yaml:21:83 quality[4].arguments.validValues[0]: is a number, and the values are texts: quote it',
    'schemas/trades.yaml:21:87 quality[4].arguments.pattern: "(?<x" looks around, refers back, or has an escape that the engine reads in another way; write it without',
    'schemas/trades.yaml:22:5 quality[5].arguments: is missing: what a valid value is, such as { minimum: 0 }',
    'schemas/trades.yaml:23:25 quality[6].field: rowCount is about rows, not about a field',
    'schemas/trades.yaml:23:52 quality[6].arguments.interval: must be from 1s to 1d',
    'schemas/trades.yaml:23:69 quality[6].arguments.series: is for sequenceGaps and priceJumps, not for rowCount',
    'schemas/trades.yaml:23:111 quality[6].unit: of rowCount is rows',
    'schemas/trades.yaml:24:29 quality[7].field: price is decimal and has no sequence; it must be a whole number',
    'schemas/trades.yaml:25:5 quality[8].arguments.changePercent: is missing: the change in percent above which it is a jump',
    'schemas/trades.yaml:25:46 quality[8].by[0]: tags is list and cannot group rows',
    'schemas/trades.yaml:25:64 quality[8].action: is for nullValues, missingValues and invalidValues: priceJumps is not about one row'
  ])
})

await t.test('a threshold says one thing, and both ask the same', async t => {
  t.same(problemsOf(`
  - { metric: rowCount }
  - { name: a, metric: rowCount, warn: {}, error: { mustBe: 1, mustNotBe: 2 } }
  - { name: b, metric: rowCount, warn: { mustBeLessThan: 2 }, error: { mustBeGreaterThan: 1 } }
  - { name: c, metric: rowCount, mustBeBetween: [3, 1] }
  - { name: d, metric: rowCount, mustBe: 1, error: { mustBe: 2 } }
  - { name: e, metric: rowCount, mustBe: many }
  - { name: f, metric: freshness, mustBeGreaterThan: 5 }
  - { name: f, metric: freshness, mustBeLessThan: 5m }
  - { name: g, metric: nullValues, field: bid, warn: { mustBe: 0 }, action: reject }
  - { name: h, metric: rowCount, warn: { mustBeLessThan: 2 }, error: { mustBe: 0 } }
  - { name: i, metric: rowCount, warn: { mustBe: 0 }, error: { mustBeLessThan: 2 } }
  - { name: j, metric: rowCount, warn: { mustBeLessThan: 2 }, error: { mustBeBetween: [1, 2] } }`), [
    'schemas/trades.yaml:17:5 quality[0]: has no threshold; add one, such as mustBeLessThan: 5, or warn: and error: with one each',
    'schemas/trades.yaml:18:34 quality[1].warn: says nothing; write what the value must be, such as { mustBeLessThan: 5 }',
    'schemas/trades.yaml:18:64 quality[1].error.mustNotBe: stands beside mustBe; a threshold has one of them',
    'schemas/trades.yaml:19:63 quality[2].error: has mustBeGreaterThan, which does not go with mustBeLessThan of warn: both must be upper limits, lower limits or mustBeBetween',
    'schemas/trades.yaml:20:34 quality[3].mustBeBetween: begins with the greater one',
    'schemas/trades.yaml:21:5 quality[4]: there is another threshold for error',
    'schemas/trades.yaml:22:34 quality[5].mustBe: must be a number',
    'schemas/trades.yaml:23:35 quality[6].mustBeGreaterThan: is not for an age; use mustBeLessThan or mustBeLessOrEqualTo',
    'schemas/trades.yaml:23:35 quality[6].mustBeGreaterThan: "5" is no duration; write one such as 60s or 5m',
    'schemas/trades.yaml:24:7 quality[7].name: there is already a rule "f"; give it a name of its own',
    'schemas/trades.yaml:25:69 quality[8].action: needs the severity error: what is only a warning is not rejected',
    'schemas/trades.yaml:26:34 quality[9].warn: is broken later than error; the warning has to come first',
    'schemas/trades.yaml:28:63 quality[11].error: has mustBeBetween, which does not go with mustBeLessThan of warn: both must be upper limits, lower limits or mustBeBetween'
  ])
})

await t.test('a rule that follows the clock needs a time, and a calendar that is there', async t => {
  t.match(throws(() => readTopic('schemas/d.yaml', 'event_time: day\nfields: { day: { type: date } }\nquality: [{ metric: freshness, mustBeLessThan: 1d }, { metric: rowCount, arguments: { interval: 1h }, mustBe: 1 }]')), /quality\[0\]\.metric: needs to know the time, and day, the event time, is a date\n.*quality\[1\]\.arguments\.interval: needs/)
  const folder = join(t.testdir(), 'project')
  await mkdir(join(folder, 'schemas'), { recursive: true })
  await mkdir(join(folder, 'config/calendars'), { recursive: true })
  await writeFile(join(folder, 'schemas/a.yaml'), 'fields: { a: { type: string } }\nquality:\n  - { metric: rowCount, mustBe: 1, during: XNYSE }\n')
  const { schemas, problems } = await readSchemaFolder(join(folder, 'schemas'))
  t.equal(schemas.size, 0)
  t.match(problems[0]?.error.message, /^schemas\/a\.yaml:3:36 quality\[0\]\.during: there is no market calendar "XNYSE"/)
})

function throws (work: () => unknown): string {
  try {
    work()
  } catch (error) {
    return (error as Error).message
  }
  return ''
}

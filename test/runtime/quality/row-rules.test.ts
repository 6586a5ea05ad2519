import t from 'tap'
import mapping from '../../../plugins/transforms/mapping/index.ts'
import { Batch, fromRows } from '../../../runtime/batch.ts'
import { quoteText } from '../../../runtime/clickhouse/sql.ts'
import { checkDay } from '../../../runtime/quality/check-day.ts'
import { LinearPattern } from '../../../runtime/quality/pattern.ts'
import { fakeContext } from '../../conform/context.ts'
import { throughTopic } from '../cast/shapes.ts'
import fc from '../../properties.ts'
import { pattern, text } from './expressions.ts'
import { openGround, topicWith } from './ground.ts'
import type { Row, Topic } from '../../../runtime/plugin.ts'
import type { FakeContext } from '../../conform/context.ts'

const time = Date.parse('2024-07-03T15:00:00Z')

function batchOf (topic: Topic, rows: readonly Row[]): Batch {
  const { columns, length } = fromRows(topic, rows.map(row => ({ symbol: 'A', time, ...row })))
  return new Batch(topic, length, columns, { position: { partition: 1, offset: 100, time } })
}

/** The rows through the mapping, in both shapes that a batch comes in. */
async function through (topic: Topic, rows: readonly Row[]): Promise<Array<{ readonly batch: Batch, readonly context: FakeContext }>> {
  const results: Array<{ readonly batch: Batch, readonly context: FakeContext }> = []
  for (const batch of [batchOf(topic, rows), throughTopic(batchOf(topic, rows))]) {
    const context = fakeContext({ topic })
    const step = await mapping.open({ schema: null }, context)
    results.push({ batch: step.map(batch), context })
  }
  return results
}

await t.test('a row that breaks a rejecting rule goes, with the rule\'s name; its neighbours keep their offsets', async t => {
  const topic = topicWith(`
  - { name: positive, metric: invalidValues, field: price, arguments: { exclusiveMinimum: 0 }, action: reject }
  - { name: has_venue, metric: missingValues, field: venue, arguments: { missingValues: [none] }, action: reject }
  - { name: crossed, metric: invalidValues, field: ask, arguments: { minimum: bid }, mustBeLessThan: 5, severity: warning }`)
  const rows = [{ price: '1', venue: 'Q', bid: 2, ask: 1 }, { price: '-1', venue: 'none' }, { price: '0', venue: 'Q' }, { price: 'x', venue: '' }, { price: null, venue: 'Q', bid: 1, ask: null }]
  for (const { batch, context } of await through(topic, rows)) {
    t.same(context.rejected, [
      { row: 1, reason: 'price: "-1.00000000" breaks the rule positive: it must be above 0; venue: "none" breaks the rule has_venue: it must not be missing' },
      { row: 2, reason: 'price: "0.00000000" breaks the rule positive: it must be above 0' },
      { row: 3, reason: 'price: "x" is not a number' }
    ])
    t.same([batch.length, batch.offsetAt(0), batch.offsetAt(1)], [2, 100, 104])
    t.same(context.counts, { quality_failures_positive: 2, quality_failures_has_venue: 1, quality_failures_crossed: 1 })
  }
})

await t.test('a rule for the session lets through what comes outside of it', async t => {
  const topic = topicWith('  - { name: bid, metric: nullValues, field: bid, during: XNYS, action: reject }')
  const at = (text: string): number => Date.parse(`2024-07-${text}Z`)
  // New York closed at 17:00 UTC on July 3, and all of July 4.
  const times = [at('03T13:29:59.999'), at('03T13:30:00'), at('03T16:59:59.999'), at('03T17:00:00'), at('04T15:00:00'), at('05T15:00:00'), at('06T15:00:00')]
  for (const { context } of await through(topic, times.map(time => ({ time, bid: null })))) {
    t.same(context.rejected.map(({ row }) => row), [1, 2, 5])
    t.equal(context.rejected[0]?.reason, 'bid: null breaks the rule bid: it must not be missing')
    t.same(context.counts, { quality_failures_bid: 3 })
  }
})

await t.test('a counter is there before a row breaks the rule, and without rules there is none', async t => {
  const context = fakeContext({ topic: topicWith('  - { name: a, metric: nullValues, field: bid, mustBe: 0 }\n  - { metric: rowCount, mustBe: 1 }') })
  await mapping.open({ schema: null }, context)
  t.same(context.counts, { quality_failures_a: 0 })
  const none = fakeContext({ topic: { ...topicWith('  []') } })
  await mapping.open({ schema: null }, none)
  t.same(none.counts, {})
  await t.rejects(async () => mapping.open({ schema: null }, fakeContext({ topic: topicWith('  - { metric: nullValues, field: bid, during: XNO, mustBe: 0 }') })), { code: 'CONFIG_INVALID' })
})

const texts: readonly unknown[] = ['Q', 'q', '', 'none', 'it\'s', 'ünï', 'Q\nQ', null]
const doubles: readonly unknown[] = [0, -0, 1, -1, 1e-300, -1e300, 1.7e308, 0.1, '0.30000000000000004', null]
const decimals: readonly unknown[] = ['0', '-0.00000001', '0.00000001', '99.99999999', '100', '100.00000001', '999999999999999999999999999999.99999999', '-999999999999999999999999999999', '-92233720368.54775808', '-92233720368.54775809', '184467440737.09551616', null]
const integers: readonly unknown[] = ['0', '-1', '9007199254740993', '9223372036854775807', '-9223372036854775808', '-4294967296', '4294967295', null]
const naturals: readonly unknown[] = ['0', '18446744073709551615', '9223372036854775808', '4294967296', null]

await t.test('the mapping and the engine find the same rows, whatever the values', async t => {
  const ground = await openGround(t)
  const topic = topicWith(`
  - { name: least, metric: invalidValues, field: price, arguments: { minimum: 0 }, mustBe: 0 }
  - { name: above, metric: invalidValues, field: price, arguments: { exclusiveMinimum: 0, exclusiveMaximum: 100 }, mustBe: 0 }
  - { name: most, metric: invalidValues, field: price, arguments: { maximum: -1e+29 }, mustBe: 0 }
  - { name: edge, metric: invalidValues, field: price, arguments: { minimum: -92233720368.54775808 }, mustBe: 0 }
  - { name: doubles, metric: invalidValues, field: bid, arguments: { minimum: 0.1, maximum: 1e+300 }, mustBe: 0 }
  - { name: crossed, metric: invalidValues, field: ask, arguments: { exclusiveMinimum: bid }, mustBe: 0 }
  - { name: mixed, metric: invalidValues, field: price, arguments: { maximum: seq }, mustBe: 0 }
  - { name: integers, metric: invalidValues, field: seq, arguments: { minimum: -4294967296, maximum: 4294967295 }, mustBe: 0 }
  - { name: naturals, metric: invalidValues, field: number, arguments: { maximum: 9223372036854775000 }, mustBe: 0 }
  - { name: few, metric: invalidValues, field: seq, arguments: { validValues: [0, -1] }, mustBe: 0 }
  - { name: venues, metric: invalidValues, field: venue, arguments: { validValues: [Q, "it's", none] }, mustBe: 0 }
  - { name: like, metric: invalidValues, field: venue, arguments: { pattern: '^Q.?' }, mustBe: 0 }
  - { name: missing, metric: missingValues, field: venue, arguments: { missingValues: [none] }, mustBe: 0 }
  - { name: missing_bid, metric: missingValues, field: bid, mustBe: 0 }
  - { name: nulls, metric: nullValues, field: number, mustBe: 0 }`.replace('9223372036854775000', '9.2e+18'))
  let seed = 7
  const pick = (values: readonly unknown[]): unknown => {
    // The lower bits of such numbers repeat too soon.
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0
    return values[(seed >>> 12) % values.length]
  }
  const rows = Array.from({ length: 2000 }, () => ({ symbol: 'A', time, price: pick(decimals), bid: pick(doubles), ask: pick(doubles), seq: pick(integers), number: pick(naturals), venue: pick(texts) }))
  const table = await ground.store(topic, rows)
  const results = await checkDay(ground.client, topic, { table, day: '2024-07-03', where: 'true', root: process.cwd() })
  const found = Object.fromEntries(results.map(({ rule, failing }) => [`quality_failures_${rule}`, failing]))
  for (const { context } of await through(topic, rows)) t.same(context.counts, found)
  t.same(results.filter(({ failing, rows }) => failing === 0 || failing === rows), [])

  await t.test('a pattern finds in a text what the engine finds', async t => {
    const texts = fc.sample(text.filter(text => text.isWellFormed()), 30)
    const list = `[${texts.map(quoteText).join()}]`
    const patterns = fc.sample(pattern, Number(process.env['TWOLANE_FUZZ_RUNS'] ?? 300))
    for (let from = 0; from < patterns.length; from += 50) {
      const some = patterns.slice(from, from + 50)
      const [found] = await ground.client.rows<{ all: number[][] }>(`SELECT [${some.map(pattern => `arrayMap(t -> toUInt8(match(t, ${quoteText(pattern)})), ${list})`).join()}] AS all`)
      for (const [i, pattern] of some.entries()) {
        const linear = new LinearPattern(pattern)
        const wrong = texts.filter((text, j) => Number(linear.test(text)) !== found?.all[i]?.[j])
        if (wrong.length > 0) t.fail(`${pattern} ${JSON.stringify(wrong)}`)
      }
    }
  })
})

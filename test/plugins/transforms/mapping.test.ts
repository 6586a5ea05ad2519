import t from 'tap'
import mapping from '../../../plugins/transforms/mapping/index.ts'
import { Batch, fromRows } from '../../../runtime/batch.ts'
import { NOT_PRESENT, field, plainCast } from '../../../runtime/schema.ts'
import { fakeContext, fakeTopic } from '../../conform/context.ts'
import { throughTopic } from '../../runtime/cast/shapes.ts'
import type { Row, Topic } from '../../../runtime/plugin.ts'
import type { CastRule } from '../../../runtime/schema.ts'
import type { FakeContext } from '../../conform/context.ts'

const cast = (rule: Partial<CastRule>): { readonly cast: CastRule } => ({ cast: { ...plainCast, ...rule } })

const quotes = fakeTopic('quotes', [
  field('symbol', { kind: 'string' }, { required: true, mandatory: true }),
  field('event_time', { kind: 'timestamp', unit: 'ms' }, { required: true, mandatory: true, ...cast({ unit: 'ms' }) }),
  field('last', { kind: 'float64' }, cast({ prefixes: ['C'] })),
  field('volume', { kind: 'int64' }, cast({ suffixes: { K: 1000 } })),
  field('exchange', { kind: 'string' }, { required: true })
])

const good = { symbol: 'AAPL', event_time: '1763800000000', last: 'C100.12', volume: '17K', exchange: NOT_PRESENT }
const mapped = { symbol: 'AAPL', event_time: '2025-11-22T08:26:40.000Z', last: 100.12, volume: 17000, exchange: null }

async function run (batch: Batch, topic: Topic = quotes): Promise<{ readonly batch: Batch, readonly context: FakeContext }> {
  const context = fakeContext({ topic })
  const step = await mapping.open({ schema: null }, context)
  return { batch: step.map(batch), context }
}

function batchOf (rows: readonly Row[], offset = 500): Batch {
  const { columns, length } = fromRows(quotes, rows)
  return new Batch(quotes, length, columns, { position: { partition: 2, offset, time: 7 }, bytes: 1000 })
}

await t.test('a row becomes the types of its topic, whatever shape its columns have', async t => {
  const rows = Array.from({ length: 20 }, () => good)
  for (const input of [batchOf(rows), throughTopic(batchOf(rows))]) {
    const { batch, context } = await run(input)
    t.same([...batch.rows()], rows.map(() => mapped))
    t.same(Object.keys(batch.columns), quotes.fields.map(({ name }) => name))
    t.same(Object.values(batch.columns).map(({ type }) => type), quotes.fields.map(({ type }) => type))
    t.same([batch.position, batch.bytes, batch.offsets], [{ partition: 2, offset: 500, time: 7 }, 1000, undefined])
    t.same(context.rejected, [])
  }
})

await t.test('a bad row is rejected with all its bad fields, and its neighbours keep their offsets', async t => {
  const rows = [good, { ...good, symbol: null, last: 'abc', volume: '1.5' }, good, { ...good, event_time: NOT_PRESENT }, good]
  for (const input of [batchOf(rows), throughTopic(batchOf(rows))]) {
    const { batch, context } = await run(input)
    t.same(context.rejected, [
      { row: 1, reason: 'symbol: null is no value, and the field is mandatory; last: "abc" is not a number; volume: "1.5" has a fraction, and int64 has none' },
      { row: 3, reason: 'event_time: "not present in source system" is no value, and the field is mandatory' }
    ])
    t.same([...batch.rows()], [mapped, mapped, mapped])
    t.same([0, 1, 2].map(i => batch.offsetAt(i)), [500, 502, 504])
    t.same(batch.position, input.position)
  }
})

await t.test('rows that an earlier transform took out stay out, and rows are named by where they stand now', async t => {
  const input = batchOf([good, { ...good, last: 'x' }, good, { ...good, last: 'y' }]).select(Int32Array.of(0, 2, 3))
  const { batch, context } = await run(input)
  t.same(context.rejected, [{ row: 2, reason: 'last: "y" is not a number' }])
  t.same([batch.offsetAt(0), batch.offsetAt(1), batch.length], [500, 502, 2])
})

await t.test('all rows may be bad, and there may be none', async t => {
  const bad = await run(batchOf([{}, {}]))
  t.equal(bad.batch.length, 0)
  t.same(bad.context.rejected.map(({ row }) => row), [0, 1])
  t.same(bad.batch.columns['last']?.type, { kind: 'float64' })
  const none = await run(batchOf([]))
  t.equal(none.batch.length, 0)
  t.same(none.context.rejected, [])
})

await t.test('an absent field is null, and unknown ones are kept in extra', async t => {
  const extra = { conid: 265598, nested: { b: [1], a: '2' } }
  const { batch } = await run(batchOf([{ symbol: 'A', event_time: 0, extra }, { symbol: 'B', event_time: 1 }]))
  t.same([...batch.rows()], [
    { symbol: 'A', event_time: '1970-01-01T00:00:00.000Z', last: null, volume: null, exchange: null, extra },
    { symbol: 'B', event_time: '1970-01-01T00:00:00.001Z', last: null, volume: null, exchange: null, extra: null }
  ])
  t.same([batch.columns['extra']?.kind, batch.columns['extra']?.type], ['text', { kind: 'json' }])
})

await t.test('names of JavaScript\'s own properties are names like any other', async t => {
  const topic = fakeTopic('odd', ['constructor', 'toString', 'a'])
  const { batch } = await run(fromRows(topic, [{ a: '1' }]), topic)
  t.same([batch.columns['constructor']?.valid, batch.columns['toString']?.valid], [Uint8Array.of(0), Uint8Array.of(0)])
  const polluting = JSON.parse('{"symbol":"A","event_time":0,"extra":{"__proto__":{"polluted":1}}}') as Row
  const kept = await run(batchOf([polluting, { symbol: 'B', event_time: 0 }]))
  t.same(JSON.stringify(kept.batch.row(0)['extra']), '{"__proto__":{"polluted":1}}')
  t.equal(({} as Record<string, unknown>)['polluted'], undefined)
})

await t.test('a bad value cannot write its own lines into the reason', async t => {
  const { context } = await run(batchOf([{ ...good, last: 'x\n2026-01-01 ERROR \u001b[31m; volume: "1" is bad' }, { ...good, last: 'y'.repeat(10 ** 6) }]))
  t.equal(context.rejected[0]?.reason, 'last: "x\\n2026-01-01 ERROR \\u001b[31m; volume: \\"1\\" is bad" is not a number')
  t.equal(context.rejected[1]?.reason, `last: "${'y'.repeat(80)}…" is not a number`)
})

await t.test('the same batch gives the same rows each time, and none belongs to a batch before', async t => {
  const step = await mapping.open({ schema: 'quotes' }, fakeContext({ topic: quotes }))
  const input = throughTopic(batchOf([good, { ...good, symbol: 'MSFT' }, good, good]))
  const first = step.map(input)
  const kept = structuredClone(first.columns)
  step.map(throughTopic(batchOf([{ ...good, symbol: 'X', last: '1', volume: '9' }])))
  t.same(first.columns, kept)
  t.same(step.map(input).columns, kept)
})

await t.test('another topic\'s schema may be named', async t => {
  const raw = fakeTopic('raw', ['symbol'])
  const context = fakeContext({ topic: raw, topics: [quotes] })
  const step = await mapping.open({ schema: 'quotes' }, context)
  const batch = step.map(batchOf([good]))
  t.equal(batch.topic, quotes)
  t.same(batch.row(0), mapped)
  await t.rejects(async () => mapping.open({ schema: 'nowhere' }, context))
})

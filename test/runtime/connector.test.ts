import t from 'tap'
import { checkNames, connect } from '../../runtime/connector.ts'
import { fromRows } from '../../runtime/plugin.ts'
import { field, NOT_PRESENT } from '../../runtime/schema.ts'
import { fakeTopic } from '../conform/context.ts'
import type { Row } from '../../runtime/plugin.ts'

const topic = fakeTopic('rows', [
  field('n', { kind: 'int64' }, { required: true, aliases: ['number', 'no'] }),
  field('constructor', { kind: 'string' }, { required: true }),
  field('last', { kind: 'float64' })
])

function connected (rows: readonly Row[], ...names: ReadonlyArray<Readonly<Record<string, string>>>): Row[] {
  const batch = connect(topic, ...names)(fromRows(topic, rows))
  checkNames(topic, batch)
  return [...batch.rows()]
}

await t.test('later names win over earlier ones, names over aliases, and unknown fields are no target', async t => {
  const rows = [{ 31: 5, number: 6, n: 7, constructor: 'c' }]
  t.same(connected(rows, { 31: 'last' }), [{ n: 6, constructor: 'c', last: 5, extra: { n: 7 } }], 'the first of two columns for one field stays, the other is kept aside')
  t.same(connected([{ 31: 5, constructor: 'c' }], { 31: 'last' }, { 31: 'n' }), [{ n: 5, constructor: 'c' }])
  t.same(connected([{ 31: 5, constructor: 'c' }], { 31: 'nowhere' }), [{ n: NOT_PRESENT, constructor: 'c', extra: { 31: 5 } }])
})

await t.test('a field may have any name, also one that every object has', async t => {
  const row: Row = JSON.parse('{"n": 1, "__proto__": {"a": 1}, "toString": "t", "hasOwnProperty": 2}')
  const [found] = connected([row]) as [Row]
  t.equal(found['constructor'], NOT_PRESENT, 'it is missing here')
  t.strictSame(Object.entries(found['extra'] as object).sort(), [['__proto__', { a: 1 }], ['hasOwnProperty', 2], ['toString', 't']])
})

await t.test('nothing is cleaned, cast or formatted', async t => {
  const values = ['', ' 1 ', 'C12', null, 0, -0, NaN, false, [], {}, '1e5', '0x10']
  const found = connected(values.map(value => ({ n: 1, constructor: 'c', last: value })))
  t.strictSame(found.map(({ last }) => last), values)
  t.ok(Object.is(found[5]?.['last'], -0))
})

await t.test('what is required and null, missing or undefined is filled in every shape of column', async t => {
  t.same(connected([{ n: null, constructor: 'c' }, { n: 0, constructor: 'c' }, { constructor: 'c' }]).map(({ n }) => n), [NOT_PRESENT, 0, NOT_PRESENT])
  const batch = fromRows(topic, [{ n: 1 }, { n: 2 }])
  const shapes = {
    dictionary: { kind: 'dictionary', codes: Uint8Array.of(0, 1), values: ['a', null] },
    numbers: { kind: 'numbers', numbers: Float64Array.of(5, 6), valid: Uint8Array.of(1, 0) }
  } as const
  for (const [name, column] of Object.entries(shapes)) {
    const [, second] = [...connect(topic)(batch.with({ constructor: column })).rows()] as [Row, Row]
    t.equal(second['constructor'], NOT_PRESENT, name)
  }
})

await t.test('the topic check names what does not fit', async t => {
  t.throws(() => checkNames(topic, fromRows(topic, [{ n: 1 }])), { code: 'ROW_INVALID', message: /required field constructor is missing/ })
  t.throws(() => checkNames(topic, fromRows(topic, [{ n: 1, constructor: '', other: 1 }])), { code: 'ROW_INVALID', message: /field other is not in the schema/ })
  const batch = fromRows(topic, [{ n: 1, constructor: '' }, { n: 2, constructor: '' }])
  t.throws(() => checkNames(topic, batch.with({ ...batch.columns, n: { kind: 'text', offsets: Int32Array.of(0, 1), bytes: new Uint8Array(1) } })), { code: 'ROW_INVALID', message: /n has 1 values for 2 rows/ })
})

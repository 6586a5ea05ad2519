import t from 'tap'
import { Caster } from '../../../runtime/cast/cast.ts'
import fc from '../../properties.ts'
import type { Column, TextColumn } from '../../../runtime/batch.ts'
import type { Type } from '../../../runtime/schema.ts'
import { cast, castAll, castColumn, fieldOf, textColumn } from './shapes.ts'

const json: Type = { kind: 'json' }
const list = (of: Type): Type => ({ kind: 'list', of })
const notList = { refused: 'is not a list' }

/** The JSON text that the column holds. */
function textOf (value: unknown): string {
  const column = new Caster(fieldOf(json)).cast({ kind: 'values', values: [value] }, 1, { add: (_, __, fault) => { throw new Error(fault) } }) as Column & TextColumn
  return Buffer.from(column.bytes.subarray(column.offsets[0], column.offsets[1])).toString()
}

function nested (depth: number): unknown {
  let value: unknown = 1
  for (let i = 0; i < depth; i++) value = i % 2 === 0 ? [value] : { a: value }
  return value
}

await t.test('equal values have the same JSON text, whatever the order of their keys', async t => {
  for (const [value, expected] of [
    [{ b: 1, a: [true, null, 'x'] }, '{"a":[true,null,"x"],"b":1}'], ['{ "b" : 1,\n "a" : [ ] }', '{"a":[],"b":1}'], ['[1, 2.50, 1e3]', '[1,2.5,1000]'], [{}, '{}'], [[], '[]'],
    ['plain', '"plain"'], ['12', '"12"'], ['true', '"true"'], ['', '""'], [12, '12'], [-0, '0'], [false, 'false'], ['{no json}', '"{no json}"'], ['[1,', '"[1,"'], ['é👍', '"é👍"'], ['a"\\\n\0', '"a\\"\\\\\\n\\u0000"'],
    [{ 2: 'b', 10: 'a', é: 1, z: 2 }, '{"10":"a","2":"b","z":2,"é":1}'], [[undefined, { a: undefined }], '[null,{}]'], [{ at: new Date(0) }, '{"at":"1970-01-01T00:00:00.000Z"}'], [5n, '5']
  ] as const) t.equal(textOf(value), expected)
  fc.assert(fc.property(fc.jsonValue({ noUnicodeString: false }), value => {
    if (value === null) return true
    const text = textOf(value)
    return textOf(typeof value === 'object' ? JSON.stringify(value) : value) === text && textOf(JSON.parse(text)) === text
  }), { numRuns: 40 })
})

await t.test('digits that a double does not hold are kept where the value came as text', async t => {
  t.equal(textOf('{"id":9007199254740993,"price":0.12345678901234567890,"big":1e400}'), '{"big":1e400,"id":9007199254740993,"price":0.12345678901234567890}')
})

await t.test('keys such as __proto__ are data', async t => {
  for (const text of ['{"__proto__":{"polluted":1}}', '{"constructor":{"prototype":{"polluted":1}}}']) {
    t.equal(textOf(text), text)
    t.equal(textOf(JSON.parse(text)), text)
  }
  t.equal(({} as Record<string, unknown>)['polluted'], undefined)
})

await t.test('a value may be nested 50 deep', async t => {
  t.same(cast(json, nested(50)), nested(50))
  for (const depth of [51, 60, 5000]) t.same(cast(json, nested(depth)), { refused: 'is nested deeper than 50' })
  t.same(cast(json, `${'['.repeat(20_000)}${']'.repeat(20_000)}`), { refused: 'is nested deeper than 50' })
  t.same(cast(json, `${'['.repeat(20_000)}9007199254740993${']'.repeat(20_000)}`), { refused: 'is nested deeper than 50' })
  const circle: unknown[] = []
  circle.push(circle)
  t.same(castColumn(new Caster(fieldOf(json)), { kind: 'values', values: [circle] }, 1), [{ refused: 'is nested deeper than 50' }])
})

await t.test('what JSON cannot hold is refused', async t => {
  const cannot = { refused: 'holds something that JSON cannot' }
  for (const value of [{ a: NaN }, [Infinity], { a: () => 1 }, [Symbol('a')], new Map(), new Set([1]), Buffer.alloc(0).buffer]) t.same(castColumn(new Caster(fieldOf(json)), { kind: 'values', values: [value] }, 1), [cannot])
  for (const value of [{ a: '\ud800' }, { '\ud800': 1 }, ['\udc00']]) t.same(cast(json, value), { refused: 'has half of a surrogate pair, which is no text' })
})

await t.test('a value of 10 MB passes, and is quickly no number', async t => {
  const long = 'é'.repeat(5 * 2 ** 20)
  const castOne = (type: Type, column: Column): unknown => castColumn(new Caster(fieldOf(type)), column, 1)[0]
  for (const column of [{ kind: 'values', values: [long] }, textColumn([long]), { kind: 'dictionary', codes: Uint8Array.of(0), values: [long] }] as const) {
    t.ok((castOne({ kind: 'string' }, column) as { cell: string }).cell === long)
    t.same(castOne({ kind: 'float64' }, column), { refused: 'is not a number' })
  }
  t.ok((castOne(json, { kind: 'values', values: [{ long }] }) as { cell: { long: string } }).cell.long === long)
  t.same(castOne({ kind: 'float64' }, textColumn(['1'.repeat(10 * 2 ** 20)])), { refused: 'is not a number' })
})

await t.test('a list is one, or JSON text of one, and its items are cast', async t => {
  for (const [of, value, expected] of [
    [{ kind: 'float64' }, [1, '2.5', null], [1, 2.5, null]], [{ kind: 'float64' }, '[1, "2.5", null]', [1, 2.5, null]], [{ kind: 'float64' }, [], []], [{ kind: 'float64' }, ' []', []],
    [{ kind: 'string' }, ['a', 1, true, { b: 1 }, ''], ['a', '1', 'true', '{"b":1}', '']], [{ kind: 'int64' }, '[9007199254740993]', ['9007199254740993']], [{ kind: 'string' }, '[9007199254740993]', ['9007199254740993']],
    [{ kind: 'timestamp', unit: 's' }, ['2024-03-10'], ['2024-03-10T00:00:00Z']], [{ kind: 'bool' }, ['yes', 0], [true, false]], [{ kind: 'decimal', precision: 5, scale: 2 }, ['1.5', 2], ['1.50', '2.00']], [{ kind: 'enum', values: ['a', 'b'] }, ['b', 'a'], ['b', 'a']],
    [{ kind: 'list', of: { kind: 'int8' } }, [[1, 2], [], null, [3]], [[1, 2], [], null, [3]]], [{ kind: 'json' }, '[{"a":9},[1],"x",null]', [{ a: 9 }, [1], 'x', null]],
    [{ kind: 'float64' }, '1', notList], [{ kind: 'float64' }, 1, notList], [{ kind: 'float64' }, true, notList], [{ kind: 'float64' }, { 0: 1 }, notList], [{ kind: 'float64' }, '[1', notList], [{ kind: 'float64' }, '{}', notList], [{ kind: 'float64' }, '', notList], [{ kind: 'float64' }, 'null', notList], [{ kind: 'float64' }, '[[1]]', { refused: '[0] is not a number' }]
  ] as const) t.same(cast(list(of), value), expected, JSON.stringify(value))
})

await t.test('a bad item refuses its row and names its place', async t => {
  const outcomes = castAll(list({ kind: 'list', of: { kind: 'int8' } }), [[[1], [2, 'x', 300]], [], [[5]], null, [[1.5]], [[], [6]]])
  t.same(outcomes, [
    { refused: '[1][1] is not a number; [1][2] is outside int8, which holds -128 to 127' }, { cell: [] }, { cell: [[5]] }, { cell: null }, { refused: '[0][0] has a fraction, and int8 has none' }, { cell: [[], [6]] }
  ])
})

await t.test('lists of a dictionary are repeated for each row', async t => {
  const column: Column = { kind: 'dictionary', codes: Uint8Array.of(1, 0, 1, 2, 3), values: ['[1,null]', '[]', '["x"]', null] }
  t.same(castColumn(new Caster(fieldOf(list({ kind: 'int64' }))), column, 5), [{ cell: [] }, { cell: [1, null] }, { cell: [] }, { refused: '[0] is not a number' }, { cell: null }])
})

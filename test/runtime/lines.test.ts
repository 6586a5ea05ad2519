import t from 'tap'
import { Batch, cell, fromRows } from '../../runtime/batch.ts'
import { csvHeader, csvLines, jsonLines, jsonRows } from '../../runtime/lines.ts'
import { fakeTopic } from '../conform/context.ts'
import fc from '../properties.ts'
import type { Column } from '../../runtime/batch.ts'

const topic = fakeTopic('rows', ['a', 'b'])

function textColumn (texts: readonly string[]): Column {
  const bytes = texts.map(text => Buffer.from(text))
  const offsets = new Int32Array(texts.length + 1)
  for (const [i, part] of bytes.entries()) offsets[i + 1] = (offsets[i] as number) + part.length
  return { kind: 'text', offsets, bytes: Buffer.concat(bytes) }
}

function decimals (values: readonly bigint[]): BigUint64Array {
  return BigUint64Array.from(values.flatMap(value => [BigInt.asUintN(64, value), BigInt.asUintN(64, value >> 64n)]))
}

const wellFormed = fc.string({ unit: 'binary', maxLength: 20 })
const shapes: ReadonlyArray<[string, fc.Arbitrary<Column>]> = [
  ['values', fc.array(fc.jsonValue({ noUnicodeString: false }), { minLength: 6, maxLength: 6 }).map(values => ({ kind: 'values', values }))],
  ['dictionary', fc.tuple(fc.array(fc.jsonValue(), { minLength: 2, maxLength: 2 }), fc.array(fc.integer({ min: 0, max: 1 }), { minLength: 6, maxLength: 6 }))
    .map(([values, codes]) => ({ kind: 'dictionary', values, codes: Uint8Array.from(codes) }))],
  ['text', fc.array(wellFormed, { minLength: 6, maxLength: 6 }).map(textColumn)],
  ['ASCII text', fc.array(fc.string({ unit: 'grapheme-ascii' }), { minLength: 6, maxLength: 6 }).map(textColumn)],
  ['numbers', fc.array(fc.double(), { minLength: 6, maxLength: 6 }).map(numbers => ({ kind: 'numbers', numbers: Float64Array.from(numbers) }))],
  ['64-bit integers', fc.array(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), { minLength: 6, maxLength: 6 })
    .map(numbers => ({ kind: 'numbers', type: { kind: 'int64' }, numbers: BigInt64Array.from(numbers) }))],
  ['booleans', fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }).map(values => ({ kind: 'numbers', type: { kind: 'bool' }, numbers: Uint8Array.from(values, Number) }))],
  ['dates', fc.array(fc.integer({ min: -10_000, max: 40_000 }), { minLength: 6, maxLength: 6 }).map(days => ({ kind: 'numbers', type: { kind: 'date' }, numbers: Int32Array.from(days) }))],
  ...(['s', 'ms', 'us', 'ns'] as const).map((unit, i): [string, fc.Arbitrary<Column>] => [`timestamps in ${unit}`,
    fc.array(fc.bigInt({ min: -(10n ** BigInt(10 + 2 * i)), max: 2n * 10n ** BigInt(9 + 3 * i) }), { minLength: 6, maxLength: 6 })
      .map(units => ({ kind: 'numbers', type: { kind: 'timestamp', unit }, numbers: BigInt64Array.from(units) }))]),
  ...[0, 2, 18].map((scale): [string, fc.Arbitrary<Column>] => [`decimals of scale ${scale}`,
    fc.array(fc.oneof(fc.bigInt({ min: -(2n ** 126n), max: 2n ** 126n }), fc.bigInt({ min: -1000n, max: 2n ** 54n })), { minLength: 6, maxLength: 6 })
      .map(values => ({ kind: 'decimal', type: { kind: 'decimal', precision: 38, scale }, words: decimals(values) }))]),
  ['lists', fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { minLength: 6, maxLength: 6 })
    .map(numbers => ({ kind: 'list', offsets: Int32Array.of(0, 2, 2, 3, 6, 6, 6), items: { kind: 'numbers', numbers: Float64Array.from(numbers) } }))]
]

await t.test('JSON lines are those that JSON.stringify makes of the rows, for every shape of column', async t => {
  for (const [name, shape] of shapes) {
    fc.assert(fc.property(shape, fc.option(fc.array(fc.integer({ min: 0, max: 1 }), { minLength: 6, maxLength: 6 }), { nil: undefined }), (column, valid) => {
      const nullable = valid === undefined ? column : { ...column, valid: Uint8Array.from(valid) }
      const batch = new Batch(topic, 6, { a: nullable, 'b "quoted"': nullable })
      const wanted = Array.from(batch.rows(), row => `${JSON.stringify(row)}\n`).join('')
      return jsonLines(batch) === wanted
    }), { numRuns: 200 })
    t.pass(name)
  }
})

await t.test('JSON text of a typed column goes as it is, on one line', async t => {
  const json = (...texts: string[]): string => jsonLines(new Batch(topic, texts.length, { a: { ...textColumn(texts), type: { kind: 'json' } } as Column }))
  t.equal(json('{"x": 9007199254740993}'), '{"a":{"x": 9007199254740993}}\n', 'no digit is lost')
  t.equal(json('{\n"x": 1}', '[1]'), '{"a":{"x":1}}\n{"a":[1]}\n')
  t.equal(json('"株"'), '{"a":"株"}\n')
})

await t.test('a row without columns is an empty object, and big integers lose no digit', async t => {
  t.equal(jsonLines(new Batch(topic, 2, {})), '{}\n{}\n')
  t.equal(jsonRows(fromRows(topic, [{ a: 9007199254740993n, b: 5n }]))(0), '{"a":"9007199254740993","b":5}')
})

await t.test('CSV keeps null and the empty text apart, and quotes what needs it', async t => {
  const batch = fromRows(topic, [{ a: null, b: '' }, { a: 'x,y', b: 'say "hi"' }, { a: 'two\nlines', b: 1.5 }, { a: true, b: { x: [1] } }, { a: [], b: '\r' }])
  t.equal(csvHeader(['a', 'b,c']) + csvLines(batch, ['a', 'b']), 'a,"b,c"\n,""\n"x,y","say ""hi"""\n"two\nlines",1.5\ntrue,"{""x"":[1]}"\n[],"\r"\n')
  t.equal(csvLines(batch.select(Int32Array.of(3)), ['missing', 'a', 'toString']), ',true,\n')
})

await t.test('CSV of every shape of column reads back as the cell', async t => {
  for (const [name, shape] of shapes) {
    fc.assert(fc.property(shape, column => {
      const batch = new Batch(topic, 6, { a: column, b: { kind: 'dictionary', codes: new Uint8Array(6), values: ['end'] } })
      const wanted = Array.from({ length: 6 }, (_, i) => `${csvOf(cell(column, i))},end\n`).join('')
      return csvLines(batch, ['a', 'b']) === wanted
    }), { numRuns: 100 })
    t.pass(name)
  }
})

function csvOf (value: unknown): string {
  if (value === null || value === undefined || (typeof value === 'number' && !Number.isFinite(value))) return ''
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return text === '' || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

import t from 'tap'
import { tableFromIPC } from 'apache-arrow'
import type { Table } from 'apache-arrow'
import { encodeArrow, rawArrow } from '../../runtime/arrow.ts'
import { Batch, fromRows } from '../../runtime/batch.ts'
import type { Column } from '../../runtime/batch.ts'
import { PlatformError } from '../../runtime/errors.ts'
import { field } from '../../runtime/schema.ts'
import type { Field, Topic, Type } from '../../runtime/schema.ts'

const topic = { name: 'things', fields: [] as Field[] } as unknown as Topic

function batch (length: number, columns: Record<string, Column>, offset = 0, partition = 0): Batch {
  return new Batch(topic, length, columns, { position: { partition, offset, time: 1_700_000_000_123 + offset } })
}

function column (table: Table, name: string): unknown[] {
  return [...table.getChild(name) as Iterable<unknown>]
}

const text = (texts: string[], type?: Type): Column => ({
  kind: 'text',
  ...(type !== undefined && { type }),
  bytes: Buffer.from(texts.join('')),
  offsets: Int32Array.from([0, ...texts.map((_, i) => Buffer.byteLength(texts.slice(0, i + 1).join('')))])
})

await t.test('numbers of every width come back as they went in, over several batches and with nulls', async t => {
  const cases: Array<[Type, ArrayLike<number | bigint>, ArrayLike<number | bigint>]> = [
    [{ kind: 'int8' }, Int8Array.of(-128, 127), Float64Array.of(0, 1)],
    [{ kind: 'int16' }, Int16Array.of(-32768, 32767), Int8Array.of(-1, 1)],
    [{ kind: 'int32' }, Int32Array.of(-(2 ** 31), 2 ** 31 - 1), Float64Array.of(5, 6)],
    [{ kind: 'int64' }, BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n), Float64Array.of(-1, 2 ** 53)],
    [{ kind: 'uint8' }, Uint8Array.of(0, 255), Float64Array.of(7, 8)],
    [{ kind: 'uint16' }, Uint16Array.of(0, 65535), Uint8Array.of(7, 8)],
    [{ kind: 'uint32' }, Uint32Array.of(0, 2 ** 32 - 1), Float64Array.of(7, 8)],
    [{ kind: 'uint64' }, BigUint64Array.of(0n, 2n ** 64n - 1n), Float64Array.of(7, 2 ** 53 - 1)],
    [{ kind: 'float32' }, Float32Array.of(-0, 1.5), Float64Array.of(0.5, -2)],
    [{ kind: 'float64' }, Float64Array.of(-0, 5e-324), Float64Array.of(Number.MAX_VALUE, Infinity)]
  ]
  for (const [type, first, second] of cases) {
    const a = batch(2, { n: { kind: 'numbers', type, numbers: first as Float64Array } })
    const b = batch(2, { n: { kind: 'numbers', type, numbers: second as Float64Array, valid: Uint8Array.of(1, 0) } }, 2)
    const back = column(tableFromIPC(encodeArrow([a, b], [field('n', type)])), 'n')
    const wide = type.kind.endsWith('64') && type.kind !== 'float64'
    const wanted = [first[0], first[1], second[0]].map(value => wide ? BigInt(value as number) : value)
    t.strictSame(back, [...wanted, null], type.kind)
  }
})

await t.test('whole numbers as doubles become exact 64-bit integers, below zero too', async t => {
  const values = [0, -1, 1, -(2 ** 32), 2 ** 32 - 1, -(2 ** 53), 2 ** 53, 1_700_000_000_123]
  const type: Type = { kind: 'int64' }
  const table = tableFromIPC(encodeArrow([batch(values.length, { n: { kind: 'numbers', type, numbers: Float64Array.from(values) } })], [field('n', type)]))
  t.strictSame(column(table, 'n'), values.map(BigInt))
})

await t.test('timestamps keep their unit and are in UTC, dates are days, truth values are bits', async t => {
  for (const [unit, name] of [['s', 'SECOND'], ['ms', 'MILLISECOND'], ['us', 'MICROSECOND'], ['ns', 'NANOSECOND']] as const) {
    const type: Type = { kind: 'timestamp', unit }
    const table = tableFromIPC(encodeArrow([batch(1, { at: { kind: 'numbers', type, numbers: BigInt64Array.of(-1n) } })], [field('at', type)]))
    t.equal(String(table.schema.fields[0]?.type), `Timestamp<${name}, UTC>`)
    t.equal((table.batches[0]?.data.children[0]?.values as BigInt64Array)[0], -1n)
  }
  const bool: Type = { kind: 'bool' }
  const date: Type = { kind: 'date' }
  const bits = Array.from({ length: 70 }, (_, i) => i % 3 === 0)
  const columns: Record<string, Column> = {
    yes: { kind: 'numbers', type: bool, numbers: Uint8Array.from(bits, Number) },
    day: { kind: 'numbers', type: date, numbers: new Int32Array(70).fill(-719_162) }
  }
  const table = tableFromIPC(encodeArrow([batch(70, columns)], [field('yes', bool), field('day', date)]))
  t.strictSame(column(table, 'yes'), bits)
  t.equal(String(table.schema.fields[1]?.type), 'Date32<DAY>')
  t.equal((table.batches[0]?.data.children[1]?.values as Int32Array)[69], -719_162)
})

await t.test('decimals keep their two words', async t => {
  const type: Type = { kind: 'decimal', precision: 38, scale: 18 }
  const words = BigUint64Array.of(1n, 0n, 2n ** 64n - 1n, 2n ** 64n - 1n)
  const part: Column = { kind: 'decimal', type, words }
  const table = tableFromIPC(encodeArrow([batch(2, { d: part }), batch(2, { d: part }, 2)], [field('d', type)]))
  t.equal(String(table.schema.fields[0]?.type), 'Decimal[38e+18]')
  const values = table.batches[0]?.data.children[0]?.values as Uint32Array
  t.strictSame([...values], [...Array(2)].flatMap(() => [1, 0, 0, 0, 4294967295, 4294967295, 4294967295, 4294967295]))
})

await t.test('dictionaries of many batches become one, whatever their codes', async t => {
  const type: Type = { kind: 'string' }
  const parts: Column[] = [
    { kind: 'dictionary', type, codes: Uint8Array.of(0, 1, 0), values: ['AAPL', 'MSFT'] },
    { kind: 'dictionary', type, codes: Int32Array.of(1, 0, 2), values: ['MSFT', 'IBM', null] },
    { kind: 'values', type, values: ['IBM', 'Ω', null] },
    { ...text(['AAPL', 'AAPL', 'new'], type), valid: Uint8Array.of(1, 0, 1) }
  ]
  const table = tableFromIPC(encodeArrow(parts.map((s, i) => batch(3, { s }, i * 3)), [field('s', type, { lowCardinality: true })]))
  t.strictSame(column(table, 's'), ['AAPL', 'MSFT', 'AAPL', 'IBM', 'MSFT', null, 'IBM', 'Ω', null, 'AAPL', null, 'new'])
  t.equal(table.getChild('s')?.nullCount, 3)
  t.equal(table.getChild('s')?.data[0]?.dictionary?.length, 5)
})

await t.test('texts of every shape become one column of UTF-8', async t => {
  const type: Type = { kind: 'string' }
  const parts: Array<Column | undefined> = [
    text(['', 'a', 'übér🙂'], type),
    { kind: 'dictionary', type, codes: Uint8Array.of(1, 0, 1), values: ['x\0y', '日本'] },
    { kind: 'values', type, values: ['plain', null, 'ascii'] },
    { kind: 'values', type, values: ['\u{1F600}', 'ß', null] },
    undefined
  ]
  const batches = parts.map((s, i) => batch(3, s === undefined ? {} : { s }, i * 3))
  const table = tableFromIPC(encodeArrow(batches, [field('s', type)]))
  t.strictSame(column(table, 's'), ['', 'a', 'übér🙂', '日本', 'x\0y', '日本', 'plain', null, 'ascii', '\u{1F600}', 'ß', null, null, null, null])
})

await t.test('a large text column grows as it must', async t => {
  const type: Type = { kind: 'string' }
  const long = 'é'.repeat(100_000)
  const table = tableFromIPC(encodeArrow([batch(2, { s: { kind: 'values', type, values: [long, 'b'] } })], [field('s', type)]))
  t.strictSame(column(table, 's'), [long, 'b'])
})

await t.test('lists keep their rows, also where a batch takes a stretch out of a longer column', async t => {
  const type: Type = { kind: 'list', of: { kind: 'float64' } }
  const of: Type = { kind: 'float64' }
  const a: Column = { kind: 'list', type, offsets: Int32Array.of(1, 3, 3), items: { kind: 'numbers', type: of, numbers: Float64Array.of(9, 1, 2, 9) } }
  const b: Column = { kind: 'list', type, offsets: Int32Array.of(0, 1, 2), items: { kind: 'numbers', type: of, numbers: Float64Array.of(3, 4), valid: Uint8Array.of(1, 0) }, valid: Uint8Array.of(1, 1) }
  const table = tableFromIPC(encodeArrow([batch(2, { l: a }), batch(1, {}, 2), batch(2, { l: b }, 3)], [field('l', type)]))
  const lists = column(table, 'l').map(list => list === null ? null : [...list as Iterable<unknown>])
  t.strictSame(lists, [[1, 2], [], null, [3], [null]])
})

await t.test('json becomes its text', async t => {
  const type: Type = { kind: 'json' }
  const table = tableFromIPC(encodeArrow([batch(3, { j: { kind: 'values', type, values: [{ a: 1 }, 'x', null] } }), batch(1, { j: text(['{"b":2}'], type) }, 3)], [field('j', type)]))
  t.strictSame(column(table, 'j'), ['{"a":1}', '"x"', null, '{"b":2}'])
})

await t.test('every row carries its position', async t => {
  const type: Type = { kind: 'int32' }
  const n: Column = { kind: 'numbers', type, numbers: Int32Array.of(1, 2, 3) }
  const first = batch(3, { n }, 10, 1).select(Int32Array.of(0, 2))
  const table = tableFromIPC(encodeArrow([first, batch(3, { n }, 2 ** 40, 2)], [field('n', type)], { topic: 'raw' }))
  t.strictSame(column(table, '_topic'), Array(5).fill('raw'))
  t.strictSame(column(table, '_partition'), [1, 1, 2, 2, 2])
  t.strictSame(column(table, '_offset'), [10n, 12n, 2n ** 40n, 2n ** 40n + 1n, 2n ** 40n + 2n])
  t.equal(String(table.getChild('_ingest_time')?.type), 'Timestamp<MILLISECOND, UTC>')
  t.equal((table.getChild('_ingest_time')?.data[0]?.values as BigInt64Array)[0], 1_700_000_000_133n)
  t.strictSame(column(tableFromIPC(encodeArrow([first], [field('n', type)])), '_topic'), ['things', 'things'])
})

await t.test('a flush is one record batch', async t => {
  const type: Type = { kind: 'int32' }
  const batches = Array.from({ length: 20 }, (_, i) => batch(1, { n: { kind: 'numbers', type, numbers: Int32Array.of(i) } }, i))
  const table = tableFromIPC(encodeArrow(batches, [field('n', type)]))
  t.equal(table.batches.length, 1)
  t.equal(table.numRows, 20)
  t.equal(tableFromIPC(encodeArrow([], [field('n', type)])).numRows, 0)
})

await t.test('a column that is not of its field\'s type is refused, because its values would change without a word', async t => {
  const wanted = field('price', { kind: 'decimal', precision: 18, scale: 8 })
  const words = BigUint64Array.of(1n, 0n)
  const refused = (column: Column, message: RegExp): void => {
    t.throws(() => encodeArrow([batch(1, { price: column })], [wanted]), { message } as unknown as Error)
  }
  refused({ kind: 'values', values: ['1'] }, /has no type/)
  refused({ kind: 'decimal', type: { kind: 'decimal', precision: 18, scale: 4 }, words }, /and the table's is/)
  refused({ kind: 'values', type: wanted.type, values: ['1'] }, /comes as values/)
  t.doesNotThrow(() => encodeArrow([batch(1, { price: { kind: 'decimal', type: { ...wanted.type }, words } })], [wanted]))
  try {
    encodeArrow([batch(1, { price: { kind: 'values', values: ['1'] } })], [wanted])
  } catch (error) {
    t.ok(error instanceof PlatformError && error.code === 'CONFIG_INVALID')
    t.match(String(error), 'Add a mapping')
  }
  for (const [type, column] of [
    [{ kind: 'int8' }, text(['1'], { kind: 'int8' })],
    [{ kind: 'list', of: { kind: 'int8' } }, text(['1'], { kind: 'list', of: { kind: 'int8' } })],
    [{ kind: 'string' }, { kind: 'values', type: { kind: 'string' }, values: [1] }]
  ] as Array<[Type, Column]>) t.throws(() => encodeArrow([batch(1, { x: column })], [field('x', type)]), { code: 'PLUGIN_FAILED' })
})

await t.test('raw values become text: strings as they are, all else as JSON', async t => {
  const rows = [{ a: 'AAPL', b: 3, c: { d: [1] } }, { a: '', b: null, c: true }, { b: 1.5, c: 'x' }]
  const numbers: Column = { kind: 'numbers', numbers: Float64Array.of(0.1, 0.1, NaN), valid: Uint8Array.of(1, 1, 1) }
  const more = batch(3, {
    a: { kind: 'dictionary', codes: Uint8Array.of(0, 1, 0), values: ['Q', 7] },
    b: numbers,
    c: text(['u', 'v', 'ü']),
    e: { kind: 'list', offsets: Int32Array.of(0, 2, 2, 2), items: { kind: 'values', values: [1, 'z'] }, valid: Uint8Array.of(1, 1, 0) }
  }, 3)
  const table = tableFromIPC(rawArrow([fromRows(topic, rows), more]))
  t.strictSame(column(table, 'a'), ['AAPL', '', null, 'Q', '7', 'Q'])
  t.strictSame(column(table, 'b'), ['3', null, '1.5', '0.1', '0.1', null])
  t.strictSame(column(table, 'c'), ['{"d":[1]}', 'true', 'x', 'u', 'v', 'ü'])
  t.strictSame(column(table, 'e'), [null, null, null, '[1,"z"]', '[]', null])
  t.strictSame(table.schema.fields.map(({ name }) => name), ['a', 'b', 'c', 'e', '_topic', '_partition', '_offset', '_ingest_time'])
  t.strictSame(tableFromIPC(rawArrow([more], ['c', 'none'])).schema.fields.map(({ name, type }) => `${name} ${String(type)}`).slice(0, 2), ['c Utf8', 'none Utf8'])
})

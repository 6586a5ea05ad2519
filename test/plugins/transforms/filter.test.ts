import t from 'tap'
import fc from '../../properties.ts'
import filter from '../../../plugins/transforms/filter/index.ts'
import { pattern } from '../../../plugins/transforms/filter/condition.ts'
import { Batch, fromRows } from '../../../runtime/batch.ts'
import { NOT_PRESENT, field } from '../../../runtime/schema.ts'
import { configure } from '../../conform/configure.ts'
import { fakeContext, fakeTopic } from '../../conform/context.ts'
import { conformTransform } from '../../conform/transform.ts'
import type { Column } from '../../../runtime/batch.ts'
import type { Json, Mapping, Row } from '../../../runtime/plugin.ts'
import type { Type } from '../../../runtime/schema.ts'

const topic = fakeTopic('quotes', ['symbol', 'price', 'flag'])
type Conditions = ReadonlyArray<Readonly<Record<string, Json>>>

function open (where: Conditions, any: Conditions = [], context = fakeContext({ topic })): Mapping {
  return filter.open(configure(filter, { where, any }), context) as Mapping
}

/** Indexes of the rows that stay. */
function kept (batch: Batch, where: Conditions, any: Conditions = []): number[] {
  const mapped = open(where, any).map(batch)
  return Array.from({ length: mapped.length }, (_, i) => mapped.offsetAt(i))
}

function raw (rows: readonly Row[]): Batch {
  return fromRows(topic, rows)
}

function typed (type: Type, column: Omit<Column, 'type'>): Batch {
  const rows = 'words' in column ? (column.words as BigUint64Array).length / 2 : 'numbers' in column ? (column.numbers as Float64Array).length : 0
  return new Batch(topic, rows, { price: { ...column, type } as Column })
}

await t.test('as a transform', t => conformTransform(t, {
  plugin: filter,
  topic,
  config: { where: [{ field: 'symbol', in: ['AAPL', 'MSFT'] }, { field: 'price', above: 3 }], any: [{ field: 'flag', present: true }, { field: 'price', below: 100 }] },
  batches: () => [0, 40].map(offset => new Batch(topic, 40, raw(Array.from({ length: 40 }, (_, i) => ({
    symbol: ['AAPL', 'MSFT', 'SPY', NOT_PRESENT][i % 4], price: i % 5 === 0 ? i : String(i / 2), flag: i % 3 === 0 ? null : `f${i}`
  }))).columns, { position: { partition: 0, offset, time: 1 } })),
  broken: { config: { where: [{ field: 'prise', above: 3 }] }, says: /no field "prise".*symbol, price, flag/ }
}))

await t.test('raw values: a number looks at numbers and at texts that are numbers', async t => {
  const batch = raw([{ price: '190.10' }, { price: 190.1 }, { price: 'C190.10' }, { price: '' }, { price: null }, { price: NOT_PRESENT }, { price: '1e3' }, { price: true }, { price: [1] }])
  t.strictSame(kept(batch, [{ field: 'price', equals: 190.1 }]), [0, 1])
  t.strictSame(kept(batch, [{ field: 'price', above: 190.1 }]), [6])
  t.strictSame(kept(batch, [{ field: 'price', at_most: 190.1 }]), [0, 1])
  t.strictSame(kept(batch, [{ field: 'price', not_equals: 190.1 }]), [2, 3, 4, 5, 6, 7, 8])
})

await t.test('raw values: a text looks at texts', async t => {
  const batch = raw([{ symbol: 'AAPL' }, { symbol: 'aapl' }, { symbol: '1' }, { symbol: 1 }, { symbol: true }, { symbol: { a: 1 } }, { symbol: null }])
  t.strictSame(kept(batch, [{ field: 'symbol', equals: 'AAPL' }]), [0])
  t.strictSame(kept(batch, [{ field: 'symbol', in: ['1', 'aapl'] }]), [1, 2, 3])
  t.strictSame(kept(batch, [{ field: 'symbol', equals: true }]), [4])
  t.strictSame(kept(batch, [{ field: 'symbol', equals: '{"a":1}' }]), [5])
  t.strictSame(kept(batch, [{ field: 'symbol', not_in: ['AAPL', '1'] }]), [1, 4, 5, 6])
  t.strictSame(kept(batch, [{ field: 'symbol', at_least: 'A', below: 'B' }]), [0])
})

await t.test('a field without a value fits nothing but its absence and what it is not', async t => {
  const batch = raw([{ symbol: null, price: 1 }, { symbol: NOT_PRESENT, price: 1 }, { symbol: '', price: 1 }])
  t.strictSame(kept(batch, [{ field: 'symbol', present: true }]), [2])
  t.strictSame(kept(batch, [{ field: 'symbol', present: false }]), [0, 1])
  t.strictSame(kept(batch, [{ field: 'flag', present: false }]), [0, 1, 2], 'a column that no row has')
  t.strictSame(kept(batch, [{ field: 'flag', not_equals: 'x' }]), [0, 1, 2])
  t.strictSame(kept(batch, [{ field: 'flag', below: 5 }]), [])
  t.strictSame(kept(batch, [{ field: 'symbol', equals: NOT_PRESENT }]), [])
})

await t.test('all of where and one of any have to hold', async t => {
  const batch = raw([{ symbol: 'A', price: 1 }, { symbol: 'A', price: 5 }, { symbol: 'B', price: 5 }, { symbol: 'B', price: 9 }])
  t.strictSame(kept(batch, [{ field: 'symbol', equals: 'A' }, { field: 'price', above: 2 }]), [1])
  t.strictSame(kept(batch, [], [{ field: 'symbol', equals: 'A' }, { field: 'price', above: 5 }]), [0, 1, 3])
  t.strictSame(kept(batch, [{ field: 'price', equals: 5 }], [{ field: 'symbol', equals: 'B' }]), [2])
})

await t.test('typed numbers compare exactly', async t => {
  const big = typed({ kind: 'int64' }, { kind: 'numbers', numbers: BigInt64Array.of(9_007_199_254_740_992n, 9_007_199_254_740_993n) } as Column)
  t.strictSame(kept(big, [{ field: 'price', equals: '9007199254740993' }]), [1])
  t.strictSame(kept(big, [{ field: 'price', above: '9007199254740992' }]), [1])
  const float = typed({ kind: 'float64' }, { kind: 'numbers', numbers: Float64Array.of(1.5, NaN, -1), valid: Uint8Array.of(1, 1, 0) } as Column)
  t.strictSame(kept(float, [{ field: 'price', at_least: 1.5 }]), [0])
  t.strictSame(kept(float, [{ field: 'price', not_equals: 1.5 }]), [1, 2])
  t.strictSame(kept(float, [{ field: 'price', present: true }]), [0, 1])
  const bool = typed({ kind: 'bool' }, { kind: 'numbers', numbers: Uint8Array.of(1, 0) } as Column)
  t.strictSame(kept(bool, [{ field: 'price', equals: true }]), [0])
  t.strictSame(kept(bool, [{ field: 'price', equals: 'false' }]), [1])
})

await t.test('decimals compare exactly, whatever the digits of the condition', async t => {
  const type: Type = { kind: 'decimal', precision: 18, scale: 2 }
  const words = (...cents: bigint[]): BigUint64Array => BigUint64Array.from(cents.flatMap(value => [BigInt.asUintN(64, value), BigInt.asUintN(64, value >> 64n)]))
  const batch = typed(type, { kind: 'decimal', words: words(19010n, 19011n, -5n, 0n, 10n ** 20n) } as Column)
  t.strictSame(kept(batch, [{ field: 'price', equals: 190.1 }]), [0])
  t.strictSame(kept(batch, [{ field: 'price', equals: '190.10' }]), [0])
  t.strictSame(kept(batch, [{ field: 'price', above: '190.105' }]), [1, 4])
  t.strictSame(kept(batch, [{ field: 'price', below: '190.105' }]), [0, 2, 3])
  t.strictSame(kept(batch, [{ field: 'price', at_most: -0.05 }]), [2])
  t.strictSame(kept(batch, [{ field: 'price', equals: '1000000000000000000' }]), [4])
  t.strictSame(kept(batch, [{ field: 'price', above: 1e-7 }]), [0, 1, 4])
})

await t.test('times compare with ISO 8601, to the nanosecond', async t => {
  const at = (ns: bigint): bigint => BigInt(Date.UTC(2024, 0, 2, 14, 30)) * 1_000_000n + ns
  const ns = typed({ kind: 'timestamp', unit: 'ns' }, { kind: 'numbers', numbers: BigInt64Array.of(at(0n), at(1n), at(-1n)) } as Column)
  t.strictSame(kept(ns, [{ field: 'price', equals: '2024-01-02T14:30:00Z' }]), [0])
  t.strictSame(kept(ns, [{ field: 'price', above: '2024-01-02T14:30:00' }]), [1])
  t.strictSame(kept(ns, [{ field: 'price', at_most: '2024-01-02T15:30:00.000000000+01:00' }]), [0, 2])
  t.strictSame(kept(ns, [{ field: 'price', at_least: '2024-01-02 14:30:00.000000001' }]), [1])
  const ms = typed({ kind: 'timestamp', unit: 'ms' }, { kind: 'numbers', numbers: BigInt64Array.of(1000n, 1001n) } as Column)
  t.strictSame(kept(ms, [{ field: 'price', above: '1970-01-01T00:00:01.0005Z' }]), [1])
  t.strictSame(kept(ms, [{ field: 'price', below: '1970-01-01T00:00:01.0005Z' }]), [0])
  const date = typed({ kind: 'date' }, { kind: 'numbers', numbers: Int32Array.of(19723, 19724) } as Column)
  t.strictSame(kept(date, [{ field: 'price', at_least: '2024-01-02' }]), [1])
})

await t.test('a condition that cannot be compared with the column says so', async t => {
  const says = (type: Type, column: Column, equals: Json, message: RegExp): void => {
    t.throws(() => kept(typed(type, column), [{ field: 'price', equals }]), { code: 'CONFIG_INVALID', remedy: message })
  }
  const numbers: Column = { kind: 'numbers', numbers: Float64Array.of(1) }
  says({ kind: 'timestamp', unit: 'ns' }, numbers, 'yesterday', /ISO 8601/)
  says({ kind: 'date' }, numbers, 5, /ISO 8601/)
  says({ kind: 'float64' }, numbers, 'many', /a number/)
  says({ kind: 'bool' }, numbers, 'maybe', /true or false/)
  says({ kind: 'decimal', precision: 9, scale: 2 }, { kind: 'decimal', words: BigUint64Array.of(1n, 0n) }, '1,5', /a number/)
})

await t.test('a value of a dictionary is looked at once, and lists as JSON', async t => {
  const batch = new Batch(topic, 4, {
    symbol: { kind: 'dictionary', codes: Uint8Array.of(0, 1, 2, 0), values: ['AAPL', 'MSFT', null] },
    flag: { kind: 'list', offsets: Int32Array.of(0, 1, 1, 2, 2), items: { kind: 'numbers', numbers: Float64Array.of(1, 2) } }
  })
  t.strictSame(kept(batch, [{ field: 'symbol', equals: 'AAPL' }]), [0, 3])
  t.strictSame(kept(batch, [{ field: 'symbol', present: false }]), [2])
  t.strictSame(kept(batch, [{ field: 'flag', equals: '[2]' }]), [2])
})

await t.test('text that is no ASCII compares as text', async t => {
  const texts = ['Łódź', 'AAPL', '株🚀']
  const bytes = Buffer.from(texts.join(''))
  const offsets = Int32Array.from([0, ...texts.map((_, i) => Buffer.byteLength(texts.slice(0, i + 1).join('')))])
  const batch = new Batch(topic, 3, { symbol: { kind: 'text', offsets, bytes } })
  t.strictSame(kept(batch, [{ field: 'symbol', in: ['Łódź', '株🚀'] }]), [0, 2])
  t.strictSame(kept(batch, [{ field: 'symbol', matches: '*🚀' }]), [2])
})

await t.test('a pattern fits as a regular expression with .* would, and is never slow', async t => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 8 })
  const texts = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 12 })
  fc.assert(fc.property(letters, texts, (glob, text) => {
    const wanted = new RegExp(`^${glob.replaceAll(/\*+/g, '.*')}$`).test(text)
    return pattern(glob)(text) === wanted
  }), { numRuns: 2000 })
  t.equal(pattern('*a*a*a*a*a*a*a*a*a*a*b')('a'.repeat(1_000_000)), false)
  t.equal(pattern('a*')(5), false)
})

await t.test('a filter without a condition, and a condition without an operator, are errors', async t => {
  t.throws(() => open([]), { code: 'CONFIG_INVALID', message: /keeps everything/ })
  t.throws(() => open([{ field: 'price' }]))
  t.throws(() => open([{ field: 'price', over: 5 }]))
  t.throws(() => open([{ equals: 5 }]))
})

await t.test('rows that are taken out are counted', async t => {
  const context = fakeContext({ topic: fakeTopic('quotes', [field('price', { kind: 'string' })]) })
  open([{ field: 'price', above: 1 }], [], context).map(raw([{ price: 1 }, { price: 2 }, { price: 0 }]))
  t.equal(context.counts['rows_filtered'], 2)
})

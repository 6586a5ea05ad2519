import t from 'tap'
import { fromRows } from '../../../../runtime/batch.ts'
import { crc32c } from '../../../../runtime/broker/kafka/crc32c.ts'
import { murmur2 } from '../../../../runtime/broker/kafka/partitioner.ts'
import { decodeBatches, encodeBatch, encodeHeaders, RecordPacker } from '../../../../runtime/broker/kafka/records.ts'
import { decodeRows, valuesOf } from '../../../../runtime/broker/kafka/rows.ts'
import { fakeTopic } from '../../../conform/context.ts'
import fc from '../../../properties.ts'
import type { Row } from '../../../../runtime/batch.ts'
import type { Decoded } from '../../../../runtime/broker/kafka/rows.ts'

const topic = fakeTopic('quotes', ['a', 'b', 'c'])
const headers = encodeHeaders({ 'twolane-producer': 'test' })
const all = { from: 0, to: Infinity }

function decode (values: readonly string[], range = all, compression: 'none' | 'gzip' | 'zstd' = 'none'): Decoded {
  const packer = new RecordPacker()
  for (const value of values) packer.add(Buffer.from('key'), value, headers)
  const bytes = Buffer.concat(encodeBatch(packer.take(compression), { producerId: 7n, epoch: 1, sequence: 0, transactional: false, time: 1_700_000_000_000 }))
  const [batch] = [...decodeBatches(bytes, 'here')]
  return decodeRows(topic, 3, batch!, range)
}

/** Rows by offset, each one with its fields that are not null. */
function rowsOf ({ batches }: Decoded): Array<[number, Row]> {
  return batches.flatMap(batch => Array.from({ length: batch.length }, (_, i) => [batch.offsetAt(i), Object.fromEntries(Object.entries(batch.row(i)).filter(([, value]) => value !== null))] as [number, Row]))
}

await t.test('checksums and partitions are those of Kafka', async t => {
  t.equal(crc32c(Buffer.from('123456789')), 0xe3069283)
  t.equal(crc32c(Buffer.from('6789'), crc32c(Buffer.from('12345'))), 0xe3069283)
  for (const [key, hash] of [['21', -973932308], ['foobar', -790332482], ['a-little-bit-long-string', -985981536]] as const) t.equal(murmur2(Buffer.from(key)), hash)
})

await t.test('rows come back from records as they were, whatever their columns look like', async t => {
  const text = fc.oneof(fc.constantFrom('', 'AAPL', 'MSFT', 'ü 株 🐙', 'a"b', 'a\\b', '\ud800'), fc.string())
  const number = fc.oneof(fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.constantFrom(0, -0, 0.1, 1e21, 1e-7, 123456789012345, 2 ** 53, -1.005))
  const column = fc.constantFrom(text, number, fc.oneof(text, number), fc.oneof(fc.constant(null), text, fc.boolean(), fc.constant([1, { b: null }])))
  const rows = fc.tuple(column, column, column).chain(([a, b, c]) => fc.array(fc.record({ a, b, c }), { minLength: 1, maxLength: 80 }))
  fc.assert(fc.property(rows, fc.constantFrom('none', 'gzip', 'zstd'), (rows, compression) => {
    const batch = fromRows(topic, rows as Row[])
    const valueAt = valuesOf(batch)
    const decoded = decode(rows.map((_, i) => valueAt(i)), all, compression)
    if (decoded.refused.length > 0) throw new Error(JSON.stringify(decoded.refused))
    const found = decoded.batches.flatMap(batch => [...batch.rows()])
    for (const [i, row] of rows.entries()) for (const name of ['a', 'b', 'c'] as const) if (!same(row[name], found[i]?.[name])) throw new Error(`${name} of row ${i}: ${JSON.stringify(row[name])} became ${JSON.stringify(found[i]?.[name])}`)
  }), { numRuns: 500 })
  t.pass('in 500 batches')
})

await t.test('a damaged value is refused or read as JSON says, and its neighbours are as they were', async t => {
  const good = (n: number): string => JSON.stringify({ a: `S${n % 3}`, b: n / 4, c: `${n}` })
  const damage = fc.record({ at: fc.nat(40), removed: fc.nat(3), put: fc.constantFrom('', '"', '{', '}', '[', ']', ',', ':', '\\', '0', '-', '.', 'e5', ' ', '\u0001', 'é', ',"a":"twice"', '"b":1,', 'null') })
  fc.assert(fc.property(fc.array(damage, { minLength: 1, maxLength: 6 }), fc.nat(20), (damages, first) => {
    const values = Array.from({ length: 30 }, (_, n) => good(n))
    for (const [i, { at, removed, put }] of damages.entries()) {
      const n = (first + i * 5) % 30
      const value = values[n] as string
      values[n] = value.slice(0, at) + put + value.slice(at + removed)
    }
    const decoded = decode(values)
    const found = new Map(rowsOf(decoded))
    const refused = new Set(decoded.refused.map(({ offset }) => offset))
    for (const [n, value] of values.entries()) {
      const row = parsed(value)
      if (row === undefined ? !refused.has(n) || found.has(n) : refused.has(n) || !found.has(n)) throw new Error(`${value} at ${n}`)
      if (row === undefined) continue
      for (const name of ['a', 'b', 'c']) if (!same(row[name] ?? null, found.get(n)?.[name] ?? null)) throw new Error(`${value} became ${JSON.stringify(found.get(n))}`)
    }
  }), { numRuns: 2000 })
  t.pass('in 2000 batches')
})

await t.test('a range of a batch has the offsets that the rows had', async t => {
  const values = Array.from({ length: 10 }, (_, n) => n === 4 ? '' : JSON.stringify({ a: `${n}` }))
  const found = decode(values, { from: 2, to: 7 })
  t.strictSame(rowsOf(found), [2, 3, 5, 6].map(n => [n, { a: `${n}` }]))
  t.strictSame(found.refused, [{ offset: 4, reason: 'the record is empty', row: { record: '' } }])
  t.match(found.batches[0]?.position, { partition: 3, offset: 2, time: 1_700_000_000_000 })
})

await t.test('columns of few different texts are kept once each, others as bytes, numbers as numbers', async t => {
  const { batches: [batch] } = decode(Array.from({ length: 100 }, (_, n) => JSON.stringify({ a: `S${n % 30}`, b: `${n}`, c: n / 8 })))
  t.strictSame(Object.values(batch?.columns ?? {}).map(({ kind }) => kind), ['dictionary', 'text', 'numbers'])
})

function parsed (value: string): Row | undefined {
  try {
    const row = JSON.parse(value) as unknown
    return typeof row === 'object' && row !== null && !Array.isArray(row) ? row as Row : undefined
  } catch {
    return undefined
  }
}

function same (a: unknown, b: unknown): boolean {
  return typeof a === 'object' && a !== null ? JSON.stringify(a) === JSON.stringify(b) : Object.is(a, b)
}

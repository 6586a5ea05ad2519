import { crc32 } from 'node:zlib'
import t from 'tap'
import { Batch, cell, fromRows } from '../../../runtime/batch.ts'
import { decodeFrame, FrameWriter } from '../../../runtime/broker/frame.ts'
import { PlatformError } from '../../../runtime/errors.ts'
import { fakeTopic } from '../../conform/context.ts'
import fc from '../../properties.ts'
import type { Column, Columns } from '../../../runtime/batch.ts'

const topic = fakeTopic()
const writer = new FrameWriter()

function encode (columns: Columns, rows: number): Buffer {
  return Buffer.from(writer.encode(new Batch(topic, rows, columns)))
}

function valuesOf (columns: Columns, name: string, rows: number): unknown[] {
  return Array.from({ length: rows }, (_, i) => cell(columns[name] as Column, i))
}

/** What a value is after it was in a topic: what JSON cannot hold is a text. */
function kept (value: unknown): unknown {
  if (value === undefined) return null
  if (typeof value === 'bigint') return String(value)
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value)
  if (Array.isArray(value)) return value.map(kept)
  if (typeof value === 'object' && value !== null) return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, kept(item)]))
  return value
}

/** A column of numbers alone keeps NaN and the infinities as they are. */
function same (found: unknown, value: unknown): boolean {
  return Object.is(found, value) || fc.stringify(found) === fc.stringify(kept(value))
}

const scalar = fc.oneof(
  fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }), fc.constantFrom('', '\ud800', '\udc00', 'a\udfff', '\u0000', '\ufeff', '2024-01-01', '1e5', '__proto__'),
  fc.double(), fc.integer(), fc.constantFrom(0, -0, NaN, Infinity, -Infinity, 2 ** 53, 5e-324), fc.bigInt(), fc.boolean(), fc.constant(null), fc.constant(undefined)
)
const name = fc.oneof(fc.string({ unit: 'grapheme' }), fc.constantFrom('__proto__', 'constructor', 'toString', '', 'a"b', '株'))
const nested = fc.letrec(tie => ({
  value: fc.oneof({ depthSize: 'small' }, scalar.filter(value => value !== undefined), fc.array(tie('value'), { maxLength: 4 }), fc.dictionary(name, tie('value'), { maxKeys: 4 }))
})).value

await t.test('columns of any JSON-like values come back as they were', async t => {
  const kinds = [
    scalar, nested, fc.double(), fc.string({ unit: 'binary' }), fc.constantFrom('AAPL', 'MSFT', 'x'), fc.constantFrom(0, -0, 1), fc.constantFrom(0, -0, NaN, 'NaN', null, 1n, '1')
  ]
  const column = fc.oneof(...kinds.map(kind => fc.array(kind, { minLength: 20, maxLength: 20 })))
  fc.assert(fc.property(fc.dictionary(name, column, { maxKeys: 6 }), fc.integer({ min: 0, max: 20 }), (given, rows) => {
    const columns: Record<string, Column> = Object.create(null)
    for (const [key, values] of Object.entries(given)) columns[key] = { kind: 'values', values: values.slice(0, rows) }
    const frame = decodeFrame(encode(columns, rows), 'a test')
    if (frame.rows !== rows) return false
    return Object.entries(given).every(([key, values]) => valuesOf(frame.columns, key, rows).every((found, i) => same(found, values[i])))
  }), { numRuns: Number(process.env['TWOLANE_FUZZ_RUNS'] ?? 400) })
  t.pass('for random frames')
})

await t.test('columns of every shape come back as they were', async t => {
  const text = Buffer.from('AAPLü株')
  const columns: Columns = {
    text: { kind: 'text', offsets: Int32Array.of(0, 4, 6, 9), bytes: text },
    longer: { kind: 'text', offsets: Int32Array.of(0, 0, 4, 4, 9), bytes: text },
    numbers: { kind: 'numbers', numbers: Float64Array.of(1, -0, NaN, 4) },
    integers: { kind: 'numbers', numbers: Int32Array.of(1, -2, 3) },
    big: { kind: 'numbers', numbers: BigInt64Array.of(1n, -2n, 2n ** 62n) },
    codes: { kind: 'dictionary', codes: Uint8Array.of(1, 0, 1), values: ['A', { b: [NaN] }] },
    wide: { kind: 'dictionary', codes: Int32Array.of(1, 0, 1), values: ['A', null] },
    one: { kind: 'dictionary', codes: Uint8Array.of(0, 0, 0), values: ['same'] },
    nulls: { kind: 'numbers', numbers: Float64Array.of(1, 2, 3), valid: Uint8Array.of(1, 0, 1) },
    list: { kind: 'list', offsets: Int32Array.of(0, 2, 2, 3), items: { kind: 'numbers', numbers: Float64Array.of(1, 2, 3) } },
    decimal: { kind: 'decimal', words: BigUint64Array.of(12_345n, 0n, 0n, 0n, 1n, 0n), type: { kind: 'decimal', precision: 18, scale: 2 } }
  }
  const { columns: found } = decodeFrame(encode(columns, 3), 'a test')
  t.strictSame(Object.fromEntries(Object.keys(columns).map(name => [name, valuesOf(found, name, 3)])), {
    text: ['AAPL', 'ü', '株'],
    longer: ['', 'AAPL', ''],
    numbers: [1, -0, NaN],
    integers: [1, -2, 3],
    big: [1, -2, '4611686018427387904'],
    codes: [{ b: ['NaN'] }, 'A', { b: ['NaN'] }],
    wide: [null, 'A', null],
    one: ['same', 'same', 'same'],
    nulls: [1, null, 3],
    list: [[1, 2], [], [3]],
    decimal: ['123.45', '0.00', '0.01']
  })
})

await t.test('more than 256 different texts, and rows of all sizes, come back as they were', async t => {
  for (const rows of [0, 1, 2, 3, 255, 256, 257, 1023, 1024, 5000]) {
    for (const different of [1, 255, 256, 257, 5000]) {
      const values = Array.from({ length: rows }, (_, i) => `value ${i % different} ü`)
      const { columns } = decodeFrame(encode({ a: { kind: 'values', values } }, rows), 'a test')
      t.ok(valuesOf(columns, 'a', rows).every((value, i) => value === values[i]), `${rows} rows of ${different}`)
    }
  }
})

await t.test('a frame is the same whatever the writer wrote before', async t => {
  const small = fromRows(topic, [{ symbol: 'AAPL', price: 1 }, { symbol: 'MSFT', price: 2 }])
  const large = fromRows(topic, Array.from({ length: 5000 }, (_, i) => ({ symbol: `S${i}`, price: i / 3 })))
  const first = Buffer.from(writer.encode(small))
  writer.encode(large)
  t.ok(first.equals(writer.encode(small)))
})

await t.test('a frame at an odd address is read', async t => {
  const frame = encode({ n: { kind: 'numbers', numbers: Float64Array.of(1.5, 2.5) } }, 2)
  const shifted = Buffer.alloc(frame.length + 3)
  frame.copy(shifted, 3)
  t.strictSame(valuesOf(decodeFrame(shifted.subarray(3), 'a test').columns, 'n', 2), [1.5, 2.5])
})

const example = encode(fromRows(topic, Array.from({ length: 50 }, (_, i) => ({ symbol: i % 2 ? 'AAPL' : 'MSFT', price: 100 + i / 3, text: `row ${i}`, mixed: i % 3 ? i : { i } }))).columns, 50)

await t.test('no flipped bit goes unnoticed', async t => {
  let seed = 7
  const next = (below: number): number => (seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31) % below
  const bits = [...Array.from({ length: 16 * 8 }, (_, bit) => bit), ...Array.from({ length: 500 }, () => next(example.length * 8))]
  for (const bit of bits) {
    const damaged = Buffer.from(example)
    damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7))
    if (!isCorrupt(damaged)) t.fail(`bit ${bit} is flipped`)
  }
  t.pass(`${bits.length} flips are all seen`)
})

await t.test('a frame that is cut off, empty or something else is damaged', async t => {
  for (let bytes = 0; bytes < example.length; bytes += 7) if (!isCorrupt(example.subarray(0, bytes))) t.fail(`${bytes} bytes`)
  for (const other of [Buffer.alloc(0), Buffer.alloc(16), Buffer.alloc(4096), Buffer.from('{"rows": 1}'), Buffer.concat([example, Buffer.alloc(8)])]) t.ok(isCorrupt(other), `${other.length} other bytes`)
})

await t.test('a frame with a right checksum whose parts do not fit together is damaged', async t => {
  const headers = [
    '', '{', 'null', '{}', '[1]', '[["a"]]', '[["a","x",8]]', '[["a","n",8]]', '[["a","n",1e9]]', '[["a","n",-8]]', '[["a","d",1,2]]', '[["a","d",50]]', '[["a","t",204,1e6]]', '[["a","j",0]]', '[["a","j",3]]', '[["a","n","8"]]'
  ]
  for (const header of headers) t.ok(isCorrupt(frameOf(50, header)), header)
  t.notOk(isCorrupt(frameOf(0, '[]')), 'no columns are fine')
})

/** A frame with that header and 512 bytes behind it. */
function frameOf (rows: number, header: string): Buffer {
  const frame = Buffer.alloc((16 + header.length + 7 & ~7) + 512)
  frame.write('TLF1')
  frame.writeUInt32LE(rows, 4)
  frame.writeUInt32LE(header.length, 8)
  frame.write(header, 16)
  frame.writeUInt32LE(crc32(frame.subarray(16), crc32(frame.subarray(0, 12))), 12)
  return frame
}

function isCorrupt (frame: Uint8Array): boolean {
  try {
    decodeFrame(frame, 'trades offset 5')
    return false
  } catch (error) {
    return error instanceof PlatformError && error.code === 'BROKER_FRAME_CORRUPT' && error.where === 'trades offset 5'
  }
}

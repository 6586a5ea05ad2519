// Typed and raw batches to Arrow: the cost of one flush of 100,000 rows and 12 columns, in 100 batches of 1,000.

import { encodeArrow, rawArrow } from '../../runtime/arrow.ts'
import { Batch } from '../../runtime/batch.ts'
import type { Column } from '../../runtime/batch.ts'
import { field, plainCast } from '../../runtime/schema.ts'
import type { Field, Topic, Type } from '../../runtime/schema.ts'

const rows = 1000
const batches = 100
const symbols = Array.from({ length: 50 }, (_, i) => `SYM${i}`)

const float: Type = { kind: 'float64' }
const fields: Field[] = [
  field('symbol', { kind: 'string' }, { lowCardinality: true, mandatory: true }),
  field('event_time', { kind: 'timestamp', unit: 'ms' }, { mandatory: true, cast: { ...plainCast, unit: 'ms' } }),
  ...['last', 'bid', 'ask', 'bid_size', 'ask_size', 'volume'].map(name => field(name, float)),
  field('exchange', { kind: 'string' }, { lowCardinality: true }),
  field('price', { kind: 'decimal', precision: 18, scale: 8 }),
  field('note', { kind: 'string' }),
  field('trades', { kind: 'int64' })
]
const topic = { name: 'quotes', fields } as unknown as Topic

function typedColumn ({ type, name }: Field, seed: number): Column {
  const valid = new Uint8Array(rows).map((_, i) => i % 7 === 0 ? 0 : 1)
  switch (type.kind) {
    case 'timestamp': return { kind: 'numbers', type, numbers: Float64Array.from({ length: rows }, (_, i) => 1.7e12 + seed * rows + i) }
    case 'int64': return { kind: 'numbers', type, valid, numbers: Float64Array.from({ length: rows }, (_, i) => i * 1e9) }
    case 'decimal': return { kind: 'decimal', type, valid, words: new BigUint64Array(2 * rows).map((_, i) => i % 2 === 0 ? BigInt(i) * 100_000_000n : 0n) }
    case 'string': return name === 'note'
      ? { kind: 'text', type, valid, offsets: Int32Array.from({ length: rows + 1 }, (_, i) => i * 12), bytes: new Uint8Array(rows * 12).fill(97) }
      : { kind: 'dictionary', type, codes: new Uint8Array(rows).map((_, i) => (i + seed) % 50), values: symbols }
    default: return { kind: 'numbers', type, valid, numbers: Float64Array.from({ length: rows }, (_, i) => 100 + (i % 97) / 8) }
  }
}

function rawColumn ({ name, type }: Field, seed: number): Column {
  if (name === 'symbol' || name === 'exchange') return { kind: 'dictionary', codes: new Uint8Array(rows).map((_, i) => (i + seed) % 50), values: symbols }
  if (type.kind === 'timestamp') return { kind: 'numbers', numbers: Float64Array.from({ length: rows }, (_, i) => 1.7e12 + seed * rows + i) }
  return { kind: 'values', values: Array.from({ length: rows }, (_, i) => i % 7 === 0 ? 'not present in source system' : String(100 + (i % 97) / 8)) }
}

function make (column: (field: Field, seed: number) => Column): Batch[] {
  return Array.from({ length: batches }, (_, b) => new Batch(topic, rows, Object.fromEntries(fields.map(f => [f.name, column(f, b)])), {
    position: { partition: 0, offset: b * rows, time: 1.7e12 }
  }))
}

function print (name: string, encode: () => Uint8Array): void {
  const times: number[] = []
  let bytes = 0
  for (let i = 0; i < 15; i++) {
    const start = performance.now()
    bytes = encode().length
    times.push(performance.now() - start)
  }
  const ms = times.sort((a, b) => a - b)[7] as number
  console.log(`${name}: ${ms.toFixed(1)} ms a flush of ${batches * rows} rows, ${(batches * rows / ms / 1000).toFixed(1)} M rows/s, ${(bytes / 2 ** 20).toFixed(1)} MiB`)
}

const typed = make(typedColumn)
const raw = make(rawColumn)
print('arrow, typed', () => encodeArrow(typed, fields))
print('arrow, raw as text', () => rawArrow(raw))

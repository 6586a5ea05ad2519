// Typed rows for the suite of outputs, numbered in the field `n`: what the mapping makes of a topic. They span three
// days, so that an insert writes several parts and can be interrupted between them.

import { Batch } from '../../../../runtime/batch.ts'
import type { Column } from '../../../../runtime/batch.ts'
import { field } from '../../../../runtime/schema.ts'
import type { Topic } from '../../../../runtime/schema.ts'
import { fakeTopic } from '../../../conform/context.ts'

const symbols = ['AAPL', 'MSFT', 'IBM']

export const topic: Topic = {
  ...fakeTopic('rows', [
    field('symbol', { kind: 'string' }, { mandatory: true, lowCardinality: true }),
    field('at', { kind: 'timestamp', unit: 'ms' }, { mandatory: true }),
    field('n', { kind: 'int64' }),
    field('price', { kind: 'decimal', precision: 18, scale: 8 })
  ]),
  key: ['symbol'],
  eventTime: 'at'
}

export function batchOf (from: number, to: number): Batch {
  const length = to - from
  const each = <A>(make: (offset: number) => A): A[] => Array.from({ length }, (_, i) => make(from + i))
  const types = Object.fromEntries(topic.fields.map(({ name, type }) => [name, type]))
  const columns: Record<string, Column> = {
    symbol: { kind: 'dictionary', codes: Uint8Array.from(each(offset => offset % 3)), values: symbols, type: types['symbol']! },
    at: { kind: 'numbers', numbers: Float64Array.from(each(offset => Date.UTC(2024, 0, 2 + offset % 3) + offset)), type: types['at']! },
    n: { kind: 'numbers', numbers: Float64Array.from(each(offset => offset)), type: types['n']! },
    price: { kind: 'decimal', words: BigUint64Array.from(each(offset => [BigInt(offset) * 100_000_000n, 0n]).flat()), type: types['price']! }
  }
  return new Batch(topic, length, columns, { position: { partition: 0, offset: from, time: Date.UTC(2024, 0, 5) }, bytes: length * 50 })
}

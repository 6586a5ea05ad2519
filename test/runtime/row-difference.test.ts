import t from 'tap'
import { Batch } from '../../runtime/batch.ts'
import type { Column, Columns } from '../../runtime/batch.ts'
import { rowDifferences } from '../../runtime/row-difference.ts'
import { field } from '../../runtime/schema.ts'
import type { Json } from '../../runtime/plugin.ts'
import type { Type } from '../../runtime/schema.ts'
import { fakeTopic } from '../conform/context.ts'

const topic = fakeTopic('quotes', [field('x', { kind: 'string' })])

function batchOf (columns: Columns, length = 1): Batch {
  return new Batch(topic, length, columns)
}

function same (expected: Json, column: Column): boolean {
  return rowDifferences([{ x: expected }], [batchOf({ x: column })], false).length === 0
}

function decimal (unscaled: bigint, scale: number): Column {
  return { kind: 'decimal', words: new BigUint64Array([BigInt.asUintN(64, unscaled), BigInt.asUintN(64, unscaled >> 64n)]), type: { kind: 'decimal', precision: 38, scale } }
}

function timestamp (units: bigint, unit: 's' | 'ms' | 'us' | 'ns'): Column {
  return { kind: 'numbers', numbers: new BigInt64Array([units]), type: { kind: 'timestamp', unit } }
}

function number (kind: 'int64' | 'uint64' | 'float32' | 'float64', value: number | bigint): Column {
  const numbers = kind === 'int64' ? new BigInt64Array([BigInt(value)]) : kind === 'uint64' ? new BigUint64Array([BigInt(value)]) : kind === 'float32' ? new Float32Array([Number(value)]) : new Float64Array([Number(value)])
  return { kind: 'numbers', numbers, type: { kind } }
}

await t.test('values are compared as what they mean', async t => {
  const table: Array<[boolean, Json, Column]> = [
    [true, 193.18, decimal(19_318_000_000n, 8)],
    [true, '193.18', decimal(19_318_000_000n, 8)],
    [false, 193.19, decimal(19_318_000_000n, 8)],
    [true, 1e-8, decimal(1n, 8)],
    [true, 1e21, decimal(10n ** 21n, 0)],
    [true, -0.5, decimal(-5n, 1)],
    [true, 0, decimal(0n, 8)],
    [false, 5, decimal(-5n, 0)],
    [true, '100', decimal(100n, 0)],
    [true, '12345678901234567890.123456789012345678', decimal(12345678901234567890123456789012345678n, 18)],
    [false, 'abc', decimal(0n, 0)],
    [false, null, decimal(0n, 0)],
    [true, '2026-01-02', timestamp(1_767_312_000n, 's')],
    [true, '2026-01-02T00:00:00Z', timestamp(1_767_312_000_000n, 'ms')],
    [true, '2026-01-02T01:00:00.5+01:00', timestamp(1_767_312_000_500_000_000n, 'ns')],
    [true, '2026-01-02T00:00:00.000000001Z', timestamp(1_767_312_000_000_000_001n, 'ns')],
    [false, '2026-01-02T00:00:00.000000002Z', timestamp(1_767_312_000_000_000_001n, 'ns')],
    [false, 'soon', timestamp(0n, 's')],
    [true, 5, number('int64', 5n)],
    [true, '9007199254740993', number('int64', 9007199254740993n)],
    [false, '9007199254740992', number('int64', 9007199254740993n)],
    [true, '18446744073709551615', number('uint64', 18446744073709551615n)],
    [true, 0.1, number('float32', 0.1)],
    [true, 0.1, number('float64', 0.1)],
    [false, '0.1', number('float64', 0.1)],
    [true, 'text', { kind: 'values', values: ['text'] }],
    [true, { a: [1, { b: null }] }, { kind: 'values', values: [Object.assign(Object.create(null), { a: [1, { b: null }] })] }],
    [false, { a: 1 }, { kind: 'values', values: [{ a: 2 }] }],
    [true, null, { kind: 'values', values: [undefined] }],
    [false, '', { kind: 'values', values: [null] }],
    [true, ['1.50', 2], { kind: 'list', offsets: new Int32Array([0, 2]), items: { kind: 'decimal', words: new BigUint64Array([150n, 0n, 200n, 0n]), type: { kind: 'decimal', precision: 9, scale: 2 } }, type: { kind: 'list', of: { kind: 'decimal', precision: 9, scale: 2 } as Type } }],
    [false, [1.5], { kind: 'list', offsets: new Int32Array([0, 0]), items: { kind: 'values', values: [] }, type: { kind: 'list', of: { kind: 'float64' } } }]
  ]
  for (const [equal, expected, column] of table) t.equal(same(expected, column), equal, `${JSON.stringify(expected)} and ${column.kind}`)
})

await t.test('rows over several batches are one list, and only a few of those too many are shown', async t => {
  const values = (...all: unknown[]): Columns => ({ x: { kind: 'values', values: all } })
  t.strictSame(rowDifferences([{ x: 1 }, { x: 2 }, { x: 3 }], [batchOf(values(1, 2), 2), batchOf(values(3))], true), [])
  t.equal(rowDifferences([], [batchOf(values(...Array(50)), 50)], false).length, 6)
})

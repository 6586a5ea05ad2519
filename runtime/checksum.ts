import { crc32 } from 'node:zlib'
import type { Batch, Column } from './batch.ts'

/** Over the values of batches: tells whether a repeated mapping gave the same rows. It detects errors, not intent. */
export function checksum (batches: readonly Batch[]): string {
  let sum = 0
  for (const batch of batches) {
    for (const [name, column] of Object.entries(batch.columns)) sum = columnSum(column, crc32(name, sum))
    if (batch.offsets !== undefined) sum = arraySum(batch.offsets, sum)
  }
  return sum.toString(16).padStart(8, '0')
}

function columnSum (column: Column, sum: number): number {
  const seed = column.valid === undefined ? sum : arraySum(column.valid, sum)
  switch (column.kind) {
    case 'values': return crc32(jsonOf(column.values), seed)
    case 'dictionary': return crc32(jsonOf(column.values), arraySum(column.codes, seed))
    case 'text': return arraySum(column.bytes, arraySum(column.offsets, seed))
    case 'numbers': return arraySum(column.numbers, seed)
    case 'decimal': return arraySum(column.words, seed)
    case 'list': return columnSum(column.items, arraySum(column.offsets, seed))
  }
}

function jsonOf (values: readonly unknown[]): string {
  return JSON.stringify(values, (_, value: unknown) => typeof value === 'bigint' ? String(value) : value)
}

function arraySum (array: ArrayBufferView, sum: number): number {
  return crc32(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), sum)
}

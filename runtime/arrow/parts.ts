// What the columns of many batches share while they become one Arrow column.

import type { Column } from '../batch.ts'

/** A stretch of one batch's column and where it goes in the merged one. */
export interface Part {
  /** undefined: the batch lacks the field, so its rows are null. */
  readonly column: Column | undefined
  /** The first row to take. */
  readonly from: number
  readonly length: number
  /** The first row in the merged column. */
  readonly at: number
}

export interface Validity {
  readonly nullCount: number
  /** One bit a row, lowest bit first; null: every row has a value. */
  readonly nullBitmap: Uint8Array | null
}

const allValid: Validity = { nullCount: 0, nullBitmap: null }

/** One byte a row for the merged column; undefined where no part has a null. */
export function mergeValid (parts: readonly Part[], length: number): Uint8Array | undefined {
  if (parts.every(({ column }) => column !== undefined && column.valid === undefined)) return undefined
  const valid = new Uint8Array(length).fill(1)
  for (const { column, from, length: rows, at } of parts) {
    if (column === undefined) valid.fill(0, at, at + rows)
    else if (column.valid !== undefined) valid.set(column.valid.subarray(from, from + rows), at)
  }
  return valid
}

/** Bytes to Arrow's bitmap. */
export function packValid (valid: Uint8Array | undefined): Validity {
  if (valid === undefined) return allValid
  const nullBitmap = packBits(valid)
  let nullCount = valid.length
  for (let i = 0; i < valid.length; i++) if (valid[i] !== 0) nullCount--
  return nullCount === 0 ? allValid : { nullCount, nullBitmap }
}

/** One bit for each byte: set where the byte is not 0. */
export function packBits (bytes: Uint8Array): Uint8Array {
  // Arrow pads buffers to 8 bytes.
  const bits = new Uint8Array((bytes.length + 63) >> 6 << 3)
  for (let i = 0; i < bytes.length; i++) if (bytes[i] !== 0) bits[i >> 3] = (bits[i >> 3] as number) | (1 << (i & 7))
  return bits
}

const lowWord = 2 ** 32

/** Whole numbers as 64-bit integers, through 32-bit words: a BigInt a row would cost ten times as much. */
export function int64 (numbers: ArrayLike<number>, into = new BigInt64Array(numbers.length), at = 0): BigInt64Array {
  const words = new Uint32Array(into.buffer, into.byteOffset, into.length * 2)
  let word = at * 2
  for (let i = 0; i < numbers.length; i++) {
    const number = numbers[i] as number
    const high = Math.floor(number / lowWord)
    words[word++] = number - high * lowWord
    words[word++] = high
  }
  return into
}

import type { Codes, Column, DecimalColumn, ListColumn, NumberArray, NumbersColumn, TextColumn } from '../batch.ts'

/** The cells that a dictionary's codes name: row i gets cell `codes[i]`. Nulls are the caller's. */
export function gather (cells: Column, codes: Codes, rows: number): Column {
  const { type } = cells
  const typed = type === undefined ? {} : { type }
  switch (cells.kind) {
    case 'numbers': return { kind: 'numbers', numbers: gatherNumbers(cells, codes, rows), ...typed }
    case 'dictionary': {
      const picked = new (cells.codes.constructor as new (rows: number) => Codes)(rows)
      for (let i = 0; i < rows; i++) picked[i] = cells.codes[codes[i] as number] as number
      return { kind: 'dictionary', codes: picked, values: cells.values, ...typed }
    }
    case 'decimal': return { kind: 'decimal', words: gatherWords(cells, codes, rows), ...typed }
    case 'text': return { kind: 'text', ...gatherText(cells, codes, rows), ...typed }
    case 'list': return { kind: 'list', ...gatherList(cells, codes, rows), ...typed }
    case 'values': return { kind: 'values', values: Array.from({ length: rows }, (_, i) => cells.values[codes[i] as number]), ...typed }
  }
}

function gatherNumbers ({ numbers }: NumbersColumn, codes: Codes, rows: number): NumberArray {
  if (numbers instanceof BigInt64Array || numbers instanceof BigUint64Array) {
    const wide = numbers instanceof BigInt64Array ? new BigInt64Array(rows) : new BigUint64Array(rows)
    copyWords(numbers, wide, codes, rows, 2)
    return wide
  }
  const picked = new (numbers.constructor as new (rows: number) => typeof numbers)(rows)
  for (let i = 0; i < rows; i++) picked[i] = numbers[codes[i] as number] as number
  return picked
}

function gatherWords ({ words }: DecimalColumn, codes: Codes, rows: number): BigUint64Array {
  const picked = new BigUint64Array(2 * rows)
  copyWords(words, picked, codes, rows, 4)
  return picked
}

/** Copies by 32-bit words: reading a 64-bit element would make a BigInt. */
function copyWords (from: BigInt64Array | BigUint64Array, to: BigInt64Array | BigUint64Array, codes: Codes, rows: number, wordsEach: number): void {
  const source = new Uint32Array(from.buffer, from.byteOffset, from.byteLength / 4)
  const target = new Uint32Array(to.buffer)
  for (let i = 0; i < rows; i++) {
    const at = (codes[i] as number) * wordsEach
    for (let word = 0; word < wordsEach; word++) target[i * wordsEach + word] = source[at + word] as number
  }
}

function gatherText ({ offsets, bytes }: TextColumn, codes: Codes, rows: number): { offsets: Int32Array, bytes: Uint8Array } {
  const ends = sizes(offsets, codes, rows)
  const picked = new Uint8Array(ends[rows] as number)
  for (let i = 0; i < rows; i++) {
    const code = codes[i] as number
    picked.set(bytes.subarray(offsets[code], offsets[code + 1]), ends[i])
  }
  return { offsets: ends, bytes: picked }
}

function gatherList ({ offsets, items }: ListColumn, codes: Codes, rows: number): { offsets: Int32Array, items: Column } {
  const ends = sizes(offsets, codes, rows)
  const indexes = new Int32Array(ends[rows] as number)
  for (let i = 0; i < rows; i++) {
    const first = offsets[codes[i] as number] as number
    const from = ends[i] as number
    const to = ends[i + 1] as number
    for (let at = from; at < to; at++) indexes[at] = first + at - from
  }
  return { offsets: ends, items: withValid(gather(items, indexes, indexes.length), validOf(items.valid, indexes)) }
}

function sizes (offsets: Int32Array, codes: Codes, rows: number): Int32Array {
  const ends = new Int32Array(rows + 1)
  for (let i = 0; i < rows; i++) {
    const code = codes[i] as number
    ends[i + 1] = (ends[i] as number) + (offsets[code + 1] as number) - (offsets[code] as number)
  }
  return ends
}

function validOf (valid: Uint8Array | undefined, indexes: Int32Array): Uint8Array | undefined {
  return valid === undefined ? undefined : Uint8Array.from(indexes, i => valid[i] as number)
}

/** `valid` undefined: all rows have a value. */
export function withValid (column: Column, valid: Uint8Array | undefined): Column {
  return valid === undefined ? column : { ...column, valid }
}

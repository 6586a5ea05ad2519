// Typed columns of numbers as doubles, to compare them. 64-bit words are read in halves: reading a whole one would make
// a BigInt a row.

import { cell } from '../batch.ts'
import type { Column, DecimalColumn, NumbersColumn } from '../batch.ts'

const two32 = 2 ** 32
const two64 = 2 ** 64

/** The column's numbers: its own array where it is one of doubles, else `into`. What stands at a null means nothing. */
export function doublesOf (column: Column, rows: number, into: Float64Array): Float64Array {
  if (column.kind === 'numbers') return numbersOf(column, rows, into)
  if (column.kind === 'decimal') decimals(column, rows, into)
  else for (let i = 0; i < rows; i++) into[i] = Number(cell(column, i))
  return into
}

function numbersOf ({ numbers }: NumbersColumn, rows: number, into: Float64Array): Float64Array {
  if (numbers instanceof Float64Array) return numbers
  if (numbers instanceof BigInt64Array || numbers instanceof BigUint64Array) wide(numbers, rows, into)
  else for (let i = 0; i < rows; i++) into[i] = numbers[i] as number
  return into
}

function wide (numbers: BigInt64Array | BigUint64Array, rows: number, into: Float64Array): void {
  const halves = new Uint32Array(numbers.buffer, numbers.byteOffset, 2 * rows)
  const signed = numbers instanceof BigInt64Array
  for (let i = 0; i < rows; i++) {
    const high = halves[2 * i + 1] as number
    into[i] = (signed ? high | 0 : high) * two32 + (halves[2 * i] as number)
  }
}

function decimals ({ words, type }: DecimalColumn, rows: number, into: Float64Array): void {
  const quarters = new Uint32Array(words.buffer, words.byteOffset, 4 * rows)
  const unit = 10 ** (type?.kind === 'decimal' ? type.scale : 0)
  for (let i = 0; i < rows; i++) {
    const low = quarters[4 * i] as number
    const second = quarters[4 * i + 1] as number
    const third = quarters[4 * i + 2] as number
    const top = (quarters[4 * i + 3] as number) | 0
    // A small negative number has ones in all its upper bits; taken as one large sum, its digits would be lost.
    const small = top === -1 && third === 0xffff_ffff && second > 0x7fff_ffff
    const unscaled = small ? (second | 0) * two32 + low : (top * two32 + third) * two64 + (second * two32 + low)
    into[i] = unscaled / unit
  }
}

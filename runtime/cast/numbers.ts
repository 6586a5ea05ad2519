import type { Column, NumberArray } from '../batch.ts'
import type { IntegerKind, Type } from '../schema.ts'
import { beyondSafe } from './cells.ts'
import type { Cells, Fault } from './cells.ts'
import type { NumberScanner } from './scanner.ts'
import { WordRange } from './words.ts'

const notNumber: Fault = 'is not a number'
const notFinite: Fault = 'is not a finite number'

/** float64 and float32: the nearest value, as `Number()` reads it. NaN and infinities are refused. */
export class FloatCells implements Cells {
  readonly #type: Type
  readonly #scanner: NumberScanner
  readonly #numbers: Float64Array | Float32Array
  readonly #max: number
  readonly #tooLarge: Fault

  constructor (type: Type, scanner: NumberScanner, rows: number) {
    this.#type = type
    this.#scanner = scanner
    this.#numbers = type.kind === 'float32' ? new Float32Array(rows) : new Float64Array(rows)
    // From half a step above the largest float32 on, the nearest one is infinity.
    this.#max = type.kind === 'float32' ? (2 - 2 ** -24) * 2 ** 127 : Infinity
    this.#tooLarge = `is too large for ${type.kind}`
  }

  text (bytes: Uint8Array, from: number, to: number, i: number): Fault | undefined {
    const scanner = this.#scanner
    if (!scanner.scan(bytes, from, to)) return notNumber
    return this.#put(scanner.double, i)
  }

  number (value: number, i: number): Fault | undefined {
    return Number.isFinite(value) ? this.#put(value, i) : notFinite
  }

  other (value: unknown, i: number): Fault | undefined {
    return typeof value === 'bigint' ? this.#put(Number(value), i) : notNumber
  }

  #put (value: number, i: number): Fault | undefined {
    if (value >= this.#max || value <= -this.#max) return this.#tooLarge
    this.#numbers[i] = value
  }

  column (valid: Uint8Array | undefined): Column {
    return { kind: 'numbers', numbers: this.#numbers, type: this.#type, ...(valid !== undefined && { valid }) }
  }
}

interface IntegerShape {
  readonly bits: number
  readonly signed: boolean
  make (rows: number): NumberArray
}

const shapes: Readonly<Record<IntegerKind, IntegerShape>> = {
  int8: { bits: 8, signed: true, make: rows => new Int8Array(rows) },
  int16: { bits: 16, signed: true, make: rows => new Int16Array(rows) },
  int32: { bits: 32, signed: true, make: rows => new Int32Array(rows) },
  int64: { bits: 64, signed: true, make: rows => new BigInt64Array(rows) },
  uint8: { bits: 8, signed: false, make: rows => new Uint8Array(rows) },
  uint16: { bits: 16, signed: false, make: rows => new Uint16Array(rows) },
  uint32: { bits: 32, signed: false, make: rows => new Uint32Array(rows) },
  uint64: { bits: 64, signed: false, make: rows => new BigUint64Array(rows) }
}

export function isIntegerKind (kind: Type['kind']): kind is IntegerKind {
  return Object.hasOwn(shapes, kind)
}

/** Integers of 8 to 64 bits: never wrapped, never cut. `12.0` and `1e3` are integers, `12.5` is refused. */
export class IntegerCells implements Cells {
  readonly #type: Type
  readonly #scanner: NumberScanner
  readonly #numbers: NumberArray
  /** The 64-bit numbers as pairs of words; undefined: they are narrower. */
  readonly #words: Uint32Array | undefined
  readonly #range: WordRange
  readonly #outside: Fault
  readonly #fraction: Fault

  constructor (kind: IntegerKind, type: Type, scanner: NumberScanner, rows: number) {
    const { bits, signed, make } = shapes[kind]
    const lowest = signed ? -(2n ** BigInt(bits - 1)) : 0n
    const highest = 2n ** BigInt(signed ? bits - 1 : bits) - 1n
    this.#type = type
    this.#scanner = scanner
    this.#numbers = make(rows)
    this.#words = bits === 64 ? new Uint32Array(this.#numbers.buffer) : undefined
    this.#range = new WordRange(lowest, highest)
    this.#outside = `is outside ${kind}, which holds ${lowest} to ${highest}`
    this.#fraction = `has a fraction, and ${kind} has none`
  }

  text (bytes: Uint8Array, from: number, to: number, i: number): Fault | undefined {
    return this.#scanner.scan(bytes, from, to) ? this.#put(i) : notNumber
  }

  number (value: number, i: number): Fault | undefined {
    if (!Number.isFinite(value)) return notFinite
    if (!Number.isInteger(value)) return this.#fraction
    if (!Number.isSafeInteger(value)) return beyondSafe
    this.#scanner.take(value)
    return this.#put(i)
  }

  other (value: unknown, i: number): Fault | undefined {
    if (typeof value !== 'bigint') return notNumber
    return this.#scanner.words.setBig(value) ? this.#store(i) : this.#outside
  }

  #put (i: number): Fault | undefined {
    switch (this.#scanner.integer(0, false)) {
      case 'excess': return this.#fraction
      case 'overflow': return this.#outside
      case 'exact': return this.#store(i)
    }
  }

  #store (i: number): Fault | undefined {
    const words = this.#scanner.words
    if (!this.#range.holds(words)) return this.#outside
    if (this.#words === undefined) this.#numbers[i] = words.number
    else words.store(this.#words, 2 * i)
  }

  column (valid: Uint8Array | undefined): Column {
    return { kind: 'numbers', numbers: this.#numbers, type: this.#type, ...(valid !== undefined && { valid }) }
  }
}

import type { Column } from '../batch.ts'
import type { CastRule, Type } from '../schema.ts'
import { beyondSafe, textCell } from './cells.ts'
import type { Cells, Fault } from './cells.ts'
import type { NumberScanner } from './scanner.ts'
import { WordRange } from './words.ts'
import type { Words } from './words.ts'

/** Digits that fit 64 bits for sure. */
const wordDigitsMax = 19

/** decimal(precision, scale): exact. Digits beyond the scale are refused or rounded half even, as the cast rule says. */
export class DecimalCells implements Cells {
  readonly #type: Type
  readonly #scanner: NumberScanner
  readonly #scale: number
  readonly #round: boolean
  readonly #words: BigUint64Array
  readonly #halves: Uint32Array
  readonly #limit: bigint
  /** Undefined: whatever fits 64 bits fits the precision. */
  readonly #range: WordRange | undefined
  readonly #excess: Fault
  readonly #outside: Fault

  constructor (type: Type & { kind: 'decimal' }, { excess }: CastRule, scanner: NumberScanner, rows: number) {
    const { precision, scale } = type
    this.#type = type
    this.#scanner = scanner
    this.#scale = scale
    this.#round = excess === 'round'
    this.#words = new BigUint64Array(2 * rows)
    this.#halves = new Uint32Array(this.#words.buffer)
    this.#limit = 10n ** BigInt(precision)
    this.#range = precision <= wordDigitsMax ? new WordRange(1n - this.#limit, this.#limit - 1n) : undefined
    this.#excess = `has more than the ${scale} decimals of decimal(${precision}, ${scale})`
    this.#outside = `does not fit decimal(${precision}, ${scale})`
  }

  text (bytes: Uint8Array, from: number, to: number, i: number): Fault | undefined {
    return this.#scanner.scan(bytes, from, to) ? this.#put(i) : 'is not a number'
  }

  number (value: number, i: number): Fault | undefined {
    if (!Number.isFinite(value)) return 'is not a finite number'
    if (Number.isInteger(value) && !Number.isSafeInteger(value)) return beyondSafe
    this.#scanner.take(value)
    return this.#put(i)
  }

  other (value: unknown, i: number): Fault | undefined {
    return typeof value === 'bigint' ? textCell(this, String(value), i) : 'is not a number'
  }

  #put (i: number): Fault | undefined {
    const scanner = this.#scanner
    switch (scanner.integer(this.#scale, this.#round)) {
      case 'excess': return this.#excess
      case 'overflow': return this.#putBig(i)
      case 'exact': return this.#putWords(scanner.words, i)
    }
  }

  #putWords (words: Words, i: number): Fault | undefined {
    if (this.#range !== undefined && !this.#range.holds(words)) return this.#outside
    words.store(this.#halves, 4 * i)
    if (words.negative && (words.low !== 0 || words.high !== 0)) this.#halves.fill(0xffff_ffff, 4 * i + 2, 4 * i + 4)
  }

  #putBig (i: number): Fault | undefined {
    const unscaled = this.#scanner.bigInteger(this.#scale, this.#round) as bigint
    if (unscaled >= this.#limit || unscaled <= -this.#limit) return this.#outside
    this.#words[2 * i] = BigInt.asUintN(64, unscaled)
    this.#words[2 * i + 1] = BigInt.asUintN(64, unscaled >> 64n)
  }

  column (valid: Uint8Array | undefined): Column {
    return { kind: 'decimal', words: this.#words, type: this.#type, ...(valid !== undefined && { valid }) }
  }
}

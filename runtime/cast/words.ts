/** `[1, 10, 100, …]`: the powers of ten that a double holds exactly. */
export const powersOfTen: readonly number[] = Array.from({ length: 23 }, (_, power) => Number(`1e${power}`))

const two32 = 2 ** 32
const powerMax = 6

/**
 * A 64-bit integer as sign and two 32-bit words, so that the loops make no BigInts. Products stay below 2^53: the
 * words are multiplied by 10^6 at most, in steps.
 */
export class Words {
  negative = false
  /** Of the magnitude, 0 to 2^32 - 1. */
  high = 0
  low = 0

  /** Takes `±(head × 10^power + tail)`; `head` up to 2^53, `tail` below 10^15. False: it has more than 64 bits. */
  set (negative: boolean, head: number, power: number, tail: number): boolean {
    this.negative = negative
    this.high = Math.floor(head / two32)
    this.low = head - this.high * two32
    for (; power > powerMax; power -= powerMax) if (!this.#multiply(1_000_000, 0)) return false
    return this.#multiply(powersOfTen[power] as number, tail)
  }

  #multiply (factor: number, plus: number): boolean {
    const low = this.low * factor + plus
    const carry = Math.floor(low / two32)
    this.low = low - carry * two32
    this.high = this.high * factor + carry
    return this.high < two32
  }

  setBig (value: bigint): boolean {
    this.negative = value < 0n
    const magnitude = this.negative ? -value : value
    if (magnitude >> 64n !== 0n) return false
    this.high = Number(magnitude >> 32n)
    this.low = Number(magnitude & 0xffff_ffffn)
    return true
  }

  /** Whether the magnitude is at most that of `high` and `low`. */
  atMost (high: number, low: number): boolean {
    return this.high < high || (this.high === high && this.low <= low)
  }

  /** Exact for magnitudes up to 2^53. */
  get number (): number {
    const magnitude = this.high * two32 + this.low
    return this.negative ? -magnitude : magnitude
  }

  /** Writes 64 bits, two's complement, as two 32-bit elements of a little-endian machine. */
  store (into: Uint32Array, at: number): void {
    if (this.negative && this.low !== 0) {
      into[at] = two32 - this.low
      into[at + 1] = ~this.high
    } else {
      into[at] = this.low
      into[at + 1] = this.negative ? -this.high : this.high
    }
  }
}

/** Smallest and largest 64-bit integer of a type. */
export class WordRange {
  readonly #lowest: Words
  readonly #highest: Words

  constructor (lowest: bigint, highest: bigint) {
    this.#lowest = wordsOf(lowest)
    this.#highest = wordsOf(highest)
  }

  /** The range holds 0 or negative numbers below, positive ones above. */
  holds (words: Words): boolean {
    const limit = words.negative ? this.#lowest : this.#highest
    return words.atMost(limit.high, limit.low)
  }
}

function wordsOf (value: bigint): Words {
  const words = new Words()
  words.setBig(value)
  return words
}

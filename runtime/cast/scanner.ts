// Reads a number from UTF-8 bytes without a text in between: `C1,234.50K`, `-1.5e3`, `12.5%`.
//
//   spaces  prefix  sign  digits (thousands)  . digits  e exponent  suffix or %  spaces
//
// The result is ± (head × 10^tailDigits + tail) × factor × 10^exponent, exactly. Of more than 30 digits only `exact`
// knows the value.

import { PlatformError } from '../errors.ts'
import { plainCast } from '../schema.ts'
import type { CastRule } from '../schema.ts'
import { isDigit, isSpace, startsWith } from './cells.ts'
import { Words, powersOfTen } from './words.ts'

const headDigitsMax = 15
const tailDigitsMax = 15
/** A text beyond that is no number; it bounds the exact arithmetic. */
const numberBytesMax = 1000
const exponentMax = 99_999
/** Powers of ten beyond that make any number too large, or leave none of its digits. */
const exactPowerMax = 2000

interface Suffix { readonly bytes: Uint8Array, readonly factor: number, readonly exponent: number }

/** How a scaled number becomes an integer. */
export type Outcome = 'exact' | 'excess' | 'overflow'

/** Reads one number after the other by one cast rule; the fields hold the last one. */
export class NumberScanner {
  negative = false
  /** The first 15 digits from the first one that is not 0. */
  head = 0
  /** The next 15. */
  tail = 0
  tailDigits = 0
  exponent = 0
  /** What a suffix that is no power of ten multiplies by, besides the exponent. */
  factor = 1
  /** More than 30 digits. */
  long = false
  /** The integer that `integer` made. */
  readonly words = new Words()
  readonly #prefixes: readonly Uint8Array[]
  readonly #suffixes: readonly Suffix[]
  readonly #thousands: Uint8Array
  #bytes: Uint8Array = new Uint8Array(0)
  #digitsFrom = 0
  #digitsTo = 0

  constructor ({ prefixes, suffixes, thousands, percent }: CastRule) {
    const longestFirst = (a: Uint8Array, b: Uint8Array): number => b.length - a.length
    this.#prefixes = prefixes.filter(prefix => prefix !== '').map(prefix => Buffer.from(prefix)).sort(longestFirst)
    const ends = Object.entries(suffixes).map(([suffix, factor]) => suffixOf(suffix, factor))
    if (percent !== '') ends.push({ bytes: Buffer.from('%'), factor: 1, exponent: percent === 'fraction' ? -2 : 0 })
    this.#suffixes = ends.sort((a, b) => longestFirst(a.bytes, b.bytes))
    this.#thousands = Buffer.from(thousands)
  }

  /**
   * Takes a finite JavaScript number. One with a fraction is the decimal that JavaScript prints: the shortest one that
   * reads back as the same double. The rule for texts (prefixes, thousands, …) does not concern it.
   */
  take (value: number): void {
    this.factor = 1
    this.long = false
    if (Number.isSafeInteger(value)) {
      this.negative = value < 0
      this.head = Math.abs(value)
      this.tail = this.tailDigits = this.exponent = 0
    } else {
      const printed = digits.write(String(value), 'latin1')
      plain.scan(digits, 0, printed)
      this.negative = plain.negative
      this.head = plain.head
      this.tail = plain.tail
      this.tailDigits = plain.tailDigits
      this.exponent = plain.exponent
    }
  }

  /** False: the bytes are no number. */
  scan (bytes: Uint8Array, from: number, to: number): boolean {
    while (from < to && isSpace(bytes[from] as number)) from++
    while (from < to && isSpace(bytes[to - 1] as number)) to--
    if (from === to || to - from > numberBytesMax) return false
    this.factor = 1
    this.exponent = 0
    if (!isDigit(bytes[from] as number)) from = this.#afterPrefix(bytes, from, to)
    if (!isDigit(bytes[to - 1] as number)) to = this.#beforeSuffix(bytes, from, to)
    const sign = bytes[from]
    this.negative = sign === 45
    if (sign === 45 || sign === 43) from++
    return this.#digits(bytes, from, to)
  }

  #digits (bytes: Uint8Array, from: number, to: number): boolean {
    let head = 0
    let headDigits = 0
    let tail = 0
    let tailDigits = 0
    let dropped = 0
    let seen = 0
    let pointAt = -1
    let groups = 0
    let groupFrom = 0
    let i = from
    for (; i < to; i++) {
      const byte = bytes[i] as number
      if (isDigit(byte)) {
        seen++
        if (headDigits < headDigitsMax) {
          head = head * 10 + byte - 48
          if (head !== 0) headDigits++
        } else if (tailDigits < tailDigitsMax) {
          tail = tail * 10 + byte - 48
          tailDigits++
        } else {
          dropped++
        }
      } else if (pointAt < 0 && this.#separatorAt(bytes, i, to)) {
        const group = seen - groupFrom
        if (groups === 0 ? group === 0 || group > 3 : group !== 3) return false
        groups++
        groupFrom = seen
        i += this.#thousands.length - 1
      } else if (byte === 46 && pointAt < 0) {
        pointAt = seen
      } else {
        break
      }
    }
    if (seen === 0) return false
    // Groups of thousands have three digits each: `1,23` is a typing error or another country's 1.23.
    if (groups > 0 && (pointAt < 0 ? seen : pointAt) - groupFrom !== 3) return false
    this.head = head
    this.tail = tail
    this.tailDigits = tailDigits
    this.long = dropped > 0
    if (this.long) {
      this.#bytes = bytes
      this.#digitsFrom = from
      this.#digitsTo = i
    }
    if (pointAt >= 0) this.exponent -= seen - pointAt
    return i === to || this.#power(bytes, i, to)
  }

  #power (bytes: Uint8Array, from: number, to: number): boolean {
    if (((bytes[from] as number) | 32) !== 101) return false
    const sign = bytes[++from]
    if (sign === 45 || sign === 43) from++
    if (from >= to) return false
    let power = 0
    for (; from < to; from++) {
      const byte = bytes[from] as number
      if (!isDigit(byte)) return false
      power = Math.min(exponentMax, power * 10 + byte - 48)
    }
    this.exponent += sign === 45 ? -power : power
    return true
  }

  #separatorAt (bytes: Uint8Array, at: number, to: number): boolean {
    const size = this.#thousands.length
    return size > 0 && at + size <= to && startsWith(bytes, at, this.#thousands)
  }

  #afterPrefix (bytes: Uint8Array, from: number, to: number): number {
    for (const prefix of this.#prefixes) {
      if (from + prefix.length <= to && startsWith(bytes, from, prefix)) return from + prefix.length
    }
    return from
  }

  #beforeSuffix (bytes: Uint8Array, from: number, to: number): number {
    for (const { bytes: suffix, factor, exponent } of this.#suffixes) {
      if (from + suffix.length <= to && startsWith(bytes, to - suffix.length, suffix)) {
        this.factor = factor
        this.exponent = exponent
        return to - suffix.length
      }
    }
    return to
  }

  /** The nearest double; ±Infinity beyond its range. */
  get double (): number {
    const { head, exponent } = this
    let value: number
    if (this.long || this.factor !== 1 || this.tailDigits > 0) value = Number(`${this.exact()}e${exponent}`)
    // Both sides are exact doubles, so one operation rounds once: this is what Number() of the text gives.
    else if (exponent < 0 && exponent >= -22) value = head / (powersOfTen[-exponent] as number)
    else if (exponent >= 0 && exponent <= 22) value = head * (powersOfTen[exponent] as number)
    else value = Number(`${head}e${exponent}`)
    return this.negative ? -value : value
  }

  /** All digits and the factor, without sign and exponent. */
  exact (): bigint {
    if (!this.long) return (BigInt(this.head) * 10n ** BigInt(this.tailDigits) + BigInt(this.tail)) * BigInt(this.factor)
    const digits = Buffer.from(this.#bytes.subarray(this.#digitsFrom, this.#digitsTo)).toString('latin1').replace(/\D/g, '')
    return BigInt(digits) * BigInt(this.factor)
  }

  /** Sets `words` to the number × 10^shift. Digits below 1 are `excess`, unless `round` says half even. */
  integer (shift: number, round: boolean): Outcome {
    const power = this.exponent + shift
    if (!this.long && this.factor === 1) {
      if (power === 0 && this.tailDigits <= 6) return this.words.set(this.negative, this.head, this.tailDigits, this.tail) ? 'exact' : 'overflow'
      if (this.tailDigits === 0 && power > 0 && power <= 18) return this.words.set(this.negative, this.head, power, 0) ? 'exact' : 'overflow'
      if (this.tailDigits === 0 && power < 0 && power >= -22) return this.#shortened(powersOfTen[-power] as number, round)
    }
    const exact = this.bigInteger(shift, round)
    if (exact === undefined) return 'excess'
    return this.words.setBig(exact) ? 'exact' : 'overflow'
  }

  #shortened (divisor: number, round: boolean): Outcome {
    const rest = this.head % divisor
    if (rest !== 0 && !round) return 'excess'
    let quotient = (this.head - rest) / divisor
    if (rest * 2 > divisor || (rest * 2 === divisor && quotient % 2 === 1)) quotient++
    this.words.set(this.negative, quotient, 0, 0)
    return 'exact'
  }

  /** Like `integer`, of any size; undefined: digits in excess. */
  bigInteger (shift: number, round: boolean): bigint | undefined {
    const digits = this.exact()
    const power = this.exponent + shift
    const signed = (magnitude: bigint): bigint => this.negative ? -magnitude : magnitude
    if (digits === 0n) return 0n
    if (power >= 0) return signed(digits * 10n ** BigInt(Math.min(power, exactPowerMax)))
    const divisor = 10n ** BigInt(Math.min(-power, exactPowerMax))
    const rest = digits % divisor
    if (rest !== 0n && !round) return undefined
    const quotient = digits / divisor
    const up = rest * 2n > divisor || (rest * 2n === divisor && quotient % 2n === 1n)
    return signed(up ? quotient + 1n : quotient)
  }
}

/** For JavaScript numbers, of which none prints more than 25 characters. */
const plain = new NumberScanner(plainCast)
const digits = Buffer.alloc(32)

function suffixOf (suffix: string, multiplier: number): Suffix {
  const [, whole = '', fraction = '', power = '0'] = /^(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/.exec(String(multiplier)) ?? []
  let factor = Number(whole + fraction)
  if (suffix === '' || factor === 0 || !Number.isSafeInteger(factor)) {
    throw new PlatformError('CONFIG_INVALID', `The suffix "${suffix}" cannot multiply by ${multiplier}`, { remedy: 'Give letters and a positive number of at most 15 digits, such as `K: 1000`.' })
  }
  let exponent = Number(power) - fraction.length
  for (; factor !== 0 && factor % 10 === 0; factor /= 10) exponent++
  return { bytes: Buffer.from(suffix), factor, exponent }
}

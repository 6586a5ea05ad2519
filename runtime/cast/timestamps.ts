import type { Column } from '../batch.ts'
import type { CastRule, TimeUnit, Type } from '../schema.ts'
import { beyondSafe, isDigit, textCell } from './cells.ts'
import type { Cells, Fault } from './cells.ts'
import { IsoReader, notIso } from './iso.ts'
import type { NumberScanner } from './scanner.ts'
import { WordRange, Words, powersOfTen } from './words.ts'
import type { Zone } from './zone.ts'

const unitDigits: Readonly<Record<TimeUnit, number>> = { s: 0, ms: 3, us: 6, ns: 9 }
const daySeconds = 86_400
const firstSecond = -2_208_988_800n // 1900-01-01, the first that ClickHouse holds.
const endSecond = 10_413_792_000n // 2300-01-01, the first that it does not.
const nanosMax = 2n ** 63n - 1n // 2262-04-11.

const notTime: Fault = 'is not a time'
const neither: Fault = 'is neither a number nor an ISO 8601 date or time'
const ambiguous: Fault = 'is a number without a unit: set `unit` of the field\'s cast rule to s, ms, us or ns'

/** timestamp(unit): units since 1970, UTC, from a number of `cast.unit` or from ISO 8601. */
export class TimestampCells implements Cells {
  readonly #type: Type
  readonly #digits: number
  /** Powers of ten from the unit of numbers to that of the column; undefined: numbers are not taken. */
  readonly #shift: number | undefined
  readonly #round: boolean
  readonly #zone: Zone
  readonly #scanner: NumberScanner
  readonly #iso = new IsoReader()
  readonly #isoWords = new Words()
  readonly #numbers: BigInt64Array
  readonly #halves: Uint32Array
  readonly #range: WordRange
  readonly #outside: Fault
  readonly #excess: Fault

  constructor (type: Type & { kind: 'timestamp' }, { unit, excess }: CastRule, zone: Zone, scanner: NumberScanner, rows: number) {
    this.#type = type
    this.#digits = unitDigits[type.unit]
    this.#shift = unit === 'iso' ? undefined : this.#digits - unitDigits[unit]
    this.#round = excess === 'round'
    this.#zone = zone
    this.#scanner = scanner
    this.#numbers = new BigInt64Array(rows)
    this.#halves = new Uint32Array(this.#numbers.buffer)
    this.#range = rangeOf(type.unit)
    this.#outside = type.unit === 'ns' ? 'is outside 1900-01-01 to 2262-04-11' : 'is outside the years 1900 to 2299'
    this.#excess = `has more digits than timestamp(${type.unit}) holds`
  }

  text (bytes: Uint8Array, from: number, to: number, i: number): Fault | undefined {
    if (this.#shift !== undefined && this.#scanner.scan(bytes, from, to)) return this.#put(this.#shift, i)
    const iso = this.#iso
    const fault = iso.read(bytes, from, to)
    if (fault !== undefined) return explained(fault, bytes, from, to, this.#shift === undefined)
    const local = iso.days * daySeconds + iso.second
    const offset = Number.isNaN(iso.offset) ? this.#zone.offsetOfLocal(local) : iso.offset
    if (typeof offset === 'string') return offset
    const units = this.#fractionUnits()
    if (Number.isNaN(units)) return this.#excess
    return this.#putIso(local - offset, units, i)
  }

  number (value: number, i: number): Fault | undefined {
    if (this.#shift === undefined) return ambiguous
    return take(this.#scanner, value) ?? this.#put(this.#shift, i)
  }

  other (value: unknown, i: number): Fault | undefined {
    return otherCell(this, value, this.#shift, i)
  }

  #put (shift: number, i: number): Fault | undefined {
    const scanner = this.#scanner
    switch (scanner.integer(shift, this.#round)) {
      case 'excess': return this.#excess
      case 'overflow': return this.#outside
      case 'exact': return this.#store(scanner.words, i)
    }
  }

  /** `units`: less than a second, or one that rounding made. */
  #putIso (seconds: number, units: number, i: number): Fault | undefined {
    const perSecond = powersOfTen[this.#digits] as number
    // Before 1970 the second is negative and its fraction is not.
    const borrow = seconds < 0 && units > 0
    const whole = Math.abs(borrow ? seconds + 1 : seconds)
    const fits = this.#isoWords.set(seconds < 0, whole, this.#digits, borrow ? perSecond - units : units)
    return fits ? this.#store(this.#isoWords, i) : this.#outside
  }

  #store (words: Words, i: number): Fault | undefined {
    if (!this.#range.holds(words)) return this.#outside
    words.store(this.#halves, 2 * i)
  }

  /** The fraction of the second in the column's unit; NaN: it has more digits. */
  #fractionUnits (): number {
    const { fraction, fractionDigits, more } = this.#iso
    if (fractionDigits <= this.#digits) return fraction * (powersOfTen[this.#digits - fractionDigits] as number)
    const divisor = powersOfTen[fractionDigits - this.#digits] as number
    const rest = fraction % divisor
    const units = (fraction - rest) / divisor
    if (rest === 0 && !more) return units
    if (!this.#round) return NaN
    const half = rest * 2 === divisor && !more
    return rest * 2 < divisor || (half && units % 2 === 0) ? units : units + 1
  }

  column (valid: Uint8Array | undefined): Column {
    return { kind: 'numbers', numbers: this.#numbers, type: this.#type, ...(valid !== undefined && { valid }) }
  }
}

/** date: days since 1970, from ISO 8601 or from a number of `cast.unit`; a time must be midnight. */
export class DateCells implements Cells {
  readonly #type: Type
  readonly #shift: number | undefined
  readonly #zone: Zone
  readonly #scanner: NumberScanner
  readonly #iso = new IsoReader()
  readonly #days: Int32Array

  constructor (type: Type, { unit }: CastRule, zone: Zone, scanner: NumberScanner, rows: number) {
    this.#type = type
    this.#shift = unit === 'iso' ? undefined : -unitDigits[unit]
    this.#zone = zone
    this.#scanner = scanner
    this.#days = new Int32Array(rows)
  }

  text (bytes: Uint8Array, from: number, to: number, i: number): Fault | undefined {
    if (this.#shift !== undefined && this.#scanner.scan(bytes, from, to)) return this.#put(this.#shift, i)
    const iso = this.#iso
    const fault = iso.read(bytes, from, to)
    if (fault !== undefined) return explained(fault, bytes, from, to, this.#shift === undefined)
    // The day as it is written, whatever the offset: midnight in New York is the day it begins there.
    return iso.second === 0 && iso.fraction === 0 && !iso.more ? this.#store(iso.days, i) : notMidnight
  }

  number (value: number, i: number): Fault | undefined {
    if (this.#shift === undefined) return ambiguous
    return take(this.#scanner, value) ?? this.#put(this.#shift, i)
  }

  other (value: unknown, i: number): Fault | undefined {
    return otherCell(this, value, this.#shift, i)
  }

  #put (shift: number, i: number): Fault | undefined {
    const scanner = this.#scanner
    switch (scanner.integer(shift, false)) {
      case 'excess': return notMidnight
      case 'overflow': return outsideDates
      case 'exact': return this.#putInstant(scanner.words.number, i)
    }
  }

  #putInstant (instant: number, i: number): Fault | undefined {
    if (Math.abs(instant) > Number(endSecond)) return outsideDates
    const local = instant + this.#zone.offsetAt(instant)
    return local % daySeconds === 0 ? this.#store(local / daySeconds, i) : notMidnight
  }

  #store (days: number, i: number): Fault | undefined {
    if (days < firstDay || days >= endDay) return outsideDates
    this.#days[i] = days
  }

  column (valid: Uint8Array | undefined): Column {
    return { kind: 'numbers', numbers: this.#days, type: this.#type, ...(valid !== undefined && { valid }) }
  }
}

const firstDay = Number(firstSecond) / daySeconds
const endDay = Number(endSecond) / daySeconds
const notMidnight: Fault = 'is not midnight, so it is no date'
const outsideDates: Fault = 'is outside the years 1900 to 2299'

/** Hands the scanner a number that is a time in some unit. */
function take (scanner: NumberScanner, value: number): Fault | undefined {
  if (!Number.isFinite(value)) return notTime
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) return beyondSafe
  scanner.take(value)
}

/** Of all that is neither text nor number, a big integer may be a time: one in the unit that `shift` stands for. */
function otherCell (cells: Cells, value: unknown, shift: number | undefined, i: number): Fault | undefined {
  if (typeof value !== 'bigint') return notTime
  return shift === undefined ? ambiguous : textCell(cells, String(value), i)
}

function rangeOf (unit: TimeUnit): WordRange {
  const perSecond = 10n ** BigInt(unitDigits[unit])
  return new WordRange(firstSecond * perSecond, unit === 'ns' ? nanosMax : endSecond * perSecond - 1n)
}

const basicDateBytes = 8

/** Digits alone, such as a number of milliseconds in a text, ask for a unit; eight of them are a date that does not exist. */
function explained (fault: Fault, bytes: Uint8Array, from: number, to: number, isoOnly: boolean): Fault {
  if (!isoOnly) return fault === notIso ? neither : fault
  let at = from
  while (at < to && isDigit(bytes[at] as number)) at++
  return at === to && to > from && to - from !== basicDateBytes ? ambiguous : fault
}

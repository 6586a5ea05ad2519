// ISO 8601 in UTF-8 bytes:
//
//   2024-03-10              a date
//   20240310                the same, basic form
//   2024-03-10T14:30        `T`, `t` or a space; seconds and their fraction may be left out
//   2024-03-10T14:30:15.123456789Z
//   2024-03-10 14:30:15,123+05:30     also +0530 and +05; `-00:00` is UTC
//   20240310T143015Z        basic form throughout

import { isDigit, isSpace } from './cells.ts'
import type { Fault } from './cells.ts'

/** Nothing of the above. Who knows other forms of a time may say it better. */
export const notIso: Fault = 'is not an ISO 8601 date or time, such as 2024-03-10 or 2024-03-10T14:30:00Z'
const noSuchDay: Fault = 'is a day or time that does not exist'
const leapSecond: Fault = 'is a leap second, which no timestamp can hold'

const monthDays = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
const fractionDigitsMax = 15

/** Reads one time after the other; the fields hold the last one. */
export class IsoReader {
  /** Days since 1970 of the day as it is written. */
  days = 0
  /** Seconds of the day as it is written. */
  second = 0
  /** Digits after the point, at most 15. */
  fraction = 0
  fractionDigits = 0
  /** There are digits beyond those that are not 0. */
  more = false
  /** Seconds ahead of UTC; NaN: the text does not say. */
  offset = NaN
  #bytes: Uint8Array = new Uint8Array(0)
  #at = 0
  #end = 0

  read (bytes: Uint8Array, from: number, to: number): Fault | undefined {
    while (from < to && isSpace(bytes[from] as number)) from++
    while (from < to && isSpace(bytes[to - 1] as number)) to--
    this.#bytes = bytes
    this.#at = from
    this.#end = to
    this.second = this.fraction = this.fractionDigits = 0
    this.more = false
    this.offset = NaN
    return this.#date() ?? (this.#at < to ? this.#time() : undefined)
  }

  #date (): Fault | undefined {
    const year = this.#number(4)
    const extended = this.#skip(45)
    const month = this.#number(2)
    if (extended && !this.#skip(45)) return notIso
    const day = this.#number(2)
    if (year < 0 || month < 0 || day < 0) return notIso
    if (month < 1 || month > 12 || day < 1 || day > daysOf(year, month)) return noSuchDay
    this.days = daysSince1970(year, month, day)
  }

  #time (): Fault | undefined {
    if (!this.#skip(84) && !this.#skip(116) && !this.#skip(32)) return notIso
    const hour = this.#number(2)
    const extended = this.#skip(58)
    const minute = this.#number(2)
    let second = 0
    if (extended ? this.#skip(58) : this.#digit()) {
      second = this.#number(2)
      if (second >= 0 && (this.#skip(46) || this.#skip(44)) && !this.#fraction()) return notIso
    }
    if (hour < 0 || minute < 0 || second < 0 || !this.#offset() || this.#at < this.#end) return notIso
    if (second === 60) return leapSecond
    if (hour > 23 || minute > 59 || second > 59) return noSuchDay
    this.second = hour * 3600 + minute * 60 + second
  }

  #fraction (): boolean {
    const from = this.#at
    for (; this.#digit(); this.#at++) {
      const digit = (this.#bytes[this.#at] as number) - 48
      if (this.fractionDigits < fractionDigitsMax) {
        this.fraction = this.fraction * 10 + digit
        this.fractionDigits++
      } else if (digit > 0) {
        this.more = true
      }
    }
    return this.#at > from
  }

  /** False: what stands there is no offset. Nothing may stand there. */
  #offset (): boolean {
    if (this.#at === this.#end) return true
    if (this.#skip(90) || this.#skip(122)) {
      this.offset = 0
      return true
    }
    const west = this.#skip(45)
    if (!west && !this.#skip(43)) return false
    const hours = this.#number(2)
    const minutes = this.#skip(58) || this.#digit() ? this.#number(2) : 0
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return false
    this.offset = (west ? -1 : 1) * (hours * 3600 + minutes * 60)
    return true
  }

  #digit (): boolean {
    return this.#at < this.#end && isDigit(this.#bytes[this.#at] as number)
  }

  #skip (byte: number): boolean {
    if (this.#at >= this.#end || this.#bytes[this.#at] !== byte) return false
    this.#at++
    return true
  }

  /** So many digits; -1: they are not there. */
  #number (digits: number): number {
    if (this.#at + digits > this.#end) return -1
    let number = 0
    for (let i = 0; i < digits; i++) {
      const byte = this.#bytes[this.#at + i] as number
      if (!isDigit(byte)) return -1
      number = number * 10 + byte - 48
    }
    this.#at += digits
    return number
  }
}

function daysOf (year: number, month: number): number {
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
  return month === 2 && leap ? 29 : monthDays[month - 1] as number
}

/** Days since 1970 in the Gregorian calendar. */
function daysSince1970 (year: number, month: number, day: number): number {
  // Years that begin in March have their leap day at the end; 400 years have 146,097 days.
  const marchYear = month <= 2 ? year - 1 : year
  const marchMonth = (month + 9) % 12
  const leapDays = Math.floor(marchYear / 4) - Math.floor(marchYear / 100) + Math.floor(marchYear / 400)
  return marchYear * 365 + leapDays + Math.floor((marchMonth * 153 + 2) / 5) + day - 719_469
}

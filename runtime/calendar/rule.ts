// On which days a holiday falls. The texts that `on` takes:
//
//   2012-10-29                      one day
//   december 25                     the same day every year
//   third monday of january         first to fifth, or last
//   easter - 2                      days from Easter Sunday of the western churches
//   fourth thursday of november + 1   days from any of them

import { suggest } from '../problems.ts'
import { dayOf, easterOf, parseDay, weekdayOf, yearOf } from './day.ts'

export const weekdays = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'] as const
export type Weekday = typeof weekdays[number]
const months = ['january', 'february', 'march', 'april', 'may', 'june', 'july', 'august', 'september', 'october', 'november', 'december'] as const
const ordinals = ['first', 'second', 'third', 'fourth', 'fifth', 'last'] as const

/** What becomes of a holiday that falls on a weekend. */
export const observances = {
  same: 'nothing: it stays where it falls',
  nearest: 'from Saturday to Friday, from Sunday to Monday',
  after_sunday: 'from Sunday to Monday; on a Saturday it stays',
  next: 'to the next weekday that is no holiday yet',
  previous: 'to the Friday before'
} as const
export type Observance = keyof typeof observances

/** The day in a year; undefined: not in that year. */
export type DayRule = (year: number) => number | undefined

const daysMax = 366

/** Throws an Error that says what is wrong with the text. */
export function parseRule (text: string): DayRule {
  const words = text.toLowerCase().replace(/\s+/g, ' ').trim()
  const date = parseDay(words)
  if (date !== undefined) return year => yearOf(date) === year ? date : undefined
  if (/^\d{4}-\d\d-\d\d$/.test(words)) throw new Error('there is no such day')
  const [, name = words, sign, number] = /^(.*?)(?: ?([+-]) ?(\d+))?$/.exec(words) ?? []
  const days = number === undefined ? 0 : Number(`${sign}${number}`)
  if (Math.abs(days) > daysMax) throw new Error(`at most ${daysMax} days can be added`)
  const rule = parseName(name)
  return year => {
    const day = rule(year)
    return day === undefined ? undefined : day + days
  }
}

function parseName (name: string): DayRule {
  if (name === 'easter') return easterOf
  const [, ordinal, weekday, month] = /^(\S+) (\S+) of (\S+)$/.exec(name) ?? []
  if (ordinal !== undefined) return nthWeekday(indexOf(ordinals, ordinal), indexOf(weekdays, weekday as string), indexOf(months, month as string))
  const [, fixedMonth, number] = /^(\S+) (\d{1,2})$/.exec(name) ?? []
  if (fixedMonth !== undefined) return fixedDay(indexOf(months, fixedMonth), Number(number))
  throw new Error('write a day (2012-10-29), a day of a month (december 25), a weekday (third monday of january) or easter, with days to add (easter - 2)')
}

function indexOf (names: readonly string[], name: string): number {
  const i = names.indexOf(name)
  if (i < 0) throw new Error(`"${name}" is not allowed${suggest(name, names)}`)
  return i
}

function fixedDay (month: number, day: number): DayRule {
  // A leap year, so that February has all its days.
  if (day < 1 || dayOf(2000, month + 1, day) >= dayOf(2000, month + 2, 1)) throw new Error(`${months[month]} has no day ${day}`)
  return year => {
    const at = dayOf(year, month + 1, day)
    return at < dayOf(year, month + 2, 1) ? at : undefined
  }
}

function nthWeekday (ordinal: number, weekday: number, month: number): DayRule {
  return year => {
    const end = dayOf(year, month + 2, 1)
    if (ordinals[ordinal] === 'last') return end - 1 - (weekdayOf(end - 1) - weekday + 7) % 7
    const first = dayOf(year, month + 1, 1)
    const day = first + (weekday - weekdayOf(first) + 7) % 7 + 7 * ordinal
    return day < end ? day : undefined
  }
}

/** A day and the name of what falls on it. */
export interface Named {
  readonly name: string
  readonly rules: readonly DayRule[]
  readonly observed: Observance
  /** First and last year, both included. */
  readonly from: number
  readonly to: number
  readonly except: readonly number[]
  /** It counts only where it falls on one of these; empty: on any. */
  readonly weekdays: readonly number[]
}

/** The days of a year's rules by day. Those that move to a free weekday come last, as they need to know the others. */
export function daysOf<N extends Named> (all: readonly N[], year: number): Map<number, N> {
  const found = new Map<number, N>()
  const moving: Array<readonly [number, N]> = []
  for (const named of all) {
    if (year < named.from || year > named.to || named.except.includes(year)) continue
    for (const rule of named.rules) {
      const day = rule(year)
      if (day === undefined) continue
      const weekday = weekdayOf(day)
      if (named.weekdays.length > 0 && !named.weekdays.includes(weekday)) continue
      if (named.observed === 'next' && weekday > 4) moving.push([day, named])
      else found.set(day + shift(named.observed, weekday), named)
    }
  }
  for (const [day, named] of moving.sort(([a], [b]) => a - b)) {
    let at = day
    while (weekdayOf(at) > 4 || found.has(at)) at++
    found.set(at, named)
  }
  return found
}

function shift (observed: Observance, weekday: number): number {
  if (weekday === 5) return observed === 'nearest' || observed === 'previous' ? -1 : 0
  if (weekday === 6) return observed === 'previous' ? -2 : observed === 'nearest' || observed === 'after_sunday' ? 1 : 0
  return 0
}

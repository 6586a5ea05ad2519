// Market calendars: when a market is open, from config/calendars/<name>.yaml, which a user can replace.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DateTime } from 'luxon'
import { PlatformError } from '../errors.ts'
import { quote, suggest } from '../problems.ts'
import { filesOf } from '../schema-file.ts'
import { parseCalendar } from './calendar-file.ts'
import type { CalendarRules } from './calendar-file.ts'
import { dayOf, formatDay, parseDay, weekdayOf, yearOf } from './day.ts'
import { daysOf } from './rule.ts'

export interface Session {
  /** The day that it belongs to in the market's own time, such as `2024-07-03`; an overnight session opens on the day before. */
  readonly day: string
  /** ms since 1970, UTC. */
  readonly openMs: number
  /** The first moment after it. */
  readonly closeMs: number
}

const folder = 'config/calendars'
const namePattern = /^[A-Za-z0-9][\w-]{0,63}$/
const dayMs = 86_400_000
/** Years whose sessions are remembered; bad timestamps must not fill the memory. */
const yearsMax = 64
/** How far `nextOpen` looks. */
const closedYearsMax = 2
/** What the engine and the file formats have no dates beyond. */
const timeMsMax = dayOf(2300, 1, 1) * dayMs
const timeMsMin = dayOf(1900, 1, 1) * dayMs

/** Reads config/calendars/<name>.yaml below the project's folder. Throws CONFIG_INVALID: there is none, or all that is wrong with it. */
export async function readCalendar (root: string, name: string): Promise<Calendar> {
  const file = `${folder}/${name}.yaml`
  const text = namePattern.test(name) ? await readFile(join(root, file), 'utf8').catch(absent) : undefined
  if (text !== undefined) return new Calendar(name, parseCalendar(file, text))
  const names = await calendarNames(root)
  throw new PlatformError('CONFIG_INVALID', `there is no market calendar ${quote(name)}${suggest(name, names)}`, { remedy: `A calendar is a file of ${folder}.` })
}

/** The names that `readCalendar` takes, sorted. */
export async function calendarNames (root: string): Promise<string[]> {
  return (await filesOf(join(root, folder))).filter(file => file.endsWith('.yaml')).map(file => file.slice(0, -'.yaml'.length))
}

function absent (error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error
}

/** The sessions of one market. Daylight saving time is that of the market's zone. */
export class Calendar {
  readonly name: string
  readonly description: string
  readonly timeZone: string
  /** First and last day for which the file is right; outside of them its rules are followed, and one-off closures are missing. */
  readonly covers: { readonly from: string, readonly to: string }
  readonly #rules: CalendarRules
  readonly #years = new Map<number, Year>()

  constructor (name: string, rules: CalendarRules) {
    this.name = name
    this.description = rules.description
    this.timeZone = rules.timeZone
    this.covers = { from: formatDay(rules.from), to: formatDay(rules.to) }
    this.#rules = rules
  }

  /** The sessions of the days `fromDay` to `toDay`, both included, in order. Throws REQUEST_INVALID for what is no day. */
  sessions (fromDay: string, toDay: string): Session[] {
    const [from, to] = [dayNumber(fromDay), dayNumber(toDay)]
    const sessions: Session[] = []
    for (let year = yearOf(from); year <= yearOf(to); year++) {
      for (const session of this.#year(year).sessions) if (session.day >= fromDay && session.day <= toDay) sessions.push(session)
    }
    return sessions
  }

  /** Whether the market is open at that moment, in ms since 1970. */
  isOpen (ms: number): boolean {
    return this.sessionAt(ms) !== undefined
  }

  /** The session that is held at that moment, in ms since 1970. */
  sessionAt (ms: number): Session | undefined {
    if (!isTime(ms)) return undefined
    for (const year of yearsAround(ms)) {
      const { sessions } = this.#year(year)
      const session = sessions[firstFrom(sessions, ms + 1) - 1]
      if (session !== undefined && ms < session.closeMs) return session
    }
    return undefined
  }

  /** When the next session opens: at `ms` or after it, in ms since 1970; undefined: not within the next two years. */
  nextOpen (ms: number): number | undefined {
    if (!isTime(ms)) return undefined
    const [first = 0] = yearsAround(ms)
    for (let year = first; year <= first + 1 + closedYearsMax; year++) {
      const { sessions } = this.#year(year)
      const next = sessions[firstFrom(sessions, ms)]
      if (next !== undefined) return next.openMs
    }
    return undefined
  }

  /** The name of the holiday on that day, such as `Good Friday`. Throws REQUEST_INVALID for what is no day. */
  holiday (day: string): string | undefined {
    return this.#year(yearOf(dayNumber(day))).holidays.get(dayNumber(day))
  }

  #year (year: number): Year {
    const known = this.#years.get(year)
    if (known !== undefined) return known
    if (this.#years.size >= yearsMax) this.#years.clear()
    const made = makeYear(this.#rules, year)
    this.#years.set(year, made)
    return made
  }
}

interface Year {
  /** In order; none overlaps another. */
  readonly sessions: readonly Session[]
  readonly holidays: ReadonlyMap<number, string>
}

function makeYear (rules: CalendarRules, year: number): Year {
  // A holiday may be kept in the year before or after the one that it belongs to.
  const around = [year - 1, year, year + 1]
  const holidays = new Map(around.flatMap(at => [...daysOf(rules.holidays, at)].map(([day, { name }]) => [day, name] as const)))
  const earlyCloses = new Map(around.flatMap(at => [...daysOf(rules.earlyCloses, at)].map(([day, { close }]) => [day, close] as const)))
  const sessions: Session[] = []
  for (let day = dayOf(year, 1, 1); day < dayOf(year + 1, 1, 1); day++) {
    if (holidays.has(day)) continue
    const weekday = weekdayOf(day)
    for (const { weekdays, open, close, overnight, from, to } of rules.sessions) {
      if (!weekdays.includes(weekday) || day < from || day > to) continue
      const openMs = instant(overnight ? day - 1 : day, open, rules.timeZone)
      const closeMs = instant(day, Math.min(close, earlyCloses.get(day) ?? Infinity), rules.timeZone)
      // A session that would open after the early close is not held.
      if (openMs < closeMs) sessions.push({ day: formatDay(day), openMs, closeMs })
    }
  }
  return { sessions, holidays }
}

/** A time that the zone skips is taken as the one after the gap; of one that comes twice, the first counts. */
function instant (day: number, minutes: number, zone: string): number {
  const [year, month, date] = formatDay(day + Math.floor(minutes / 1440)).split('-').map(Number) as [number, number, number]
  return DateTime.fromObject({ year, month, day: date, hour: Math.floor(minutes % 1440 / 60), minute: minutes % 60 }, { zone }).toMillis()
}

/** Position of the first session that opens at `ms` or later. */
function firstFrom (sessions: readonly Session[], ms: number): number {
  let low = 0
  let high = sessions.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((sessions[middle] as Session).openMs < ms) low = middle + 1
    else high = middle
  }
  return low
}

/** Near New Year the session of a moment may belong to the year before or after: zones differ, and sessions begin the day before. */
function yearsAround (ms: number): number[] {
  const day = Math.floor(ms / dayMs)
  return [...new Set([yearOf(day - 2), yearOf(day + 2)])]
}

function isTime (ms: number): boolean {
  return ms >= timeMsMin && ms < timeMsMax
}

function dayNumber (text: string): number {
  const day = parseDay(text)
  if (day === undefined) throw new PlatformError('REQUEST_INVALID', `${quote(text)} is no day; write it as 2024-07-03`)
  return day
}

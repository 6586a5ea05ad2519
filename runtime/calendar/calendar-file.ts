// config/calendars/<name>.yaml to rules: when a market is open, and on which days it is not.

import { IANAZone } from 'luxon'
import { configInvalid, quote } from '../problems.ts'
import type { Path, Problem } from '../problems.ts'
import { checkYaml, readYaml } from '../yaml.ts'
import type { YamlFile } from '../yaml.ts'
import { calendarForm } from './calendar-form.ts'
import type { CalendarText, HolidayText, SessionText } from './calendar-form.ts'
import { parseDay } from './day.ts'
import { parseRule, weekdays } from './rule.ts'
import type { DayRule, Named } from './rule.ts'

/** Times are minutes of the day, days are numbers (day.ts). */
export interface SessionRule {
  /** 0: Monday. */
  readonly weekdays: readonly number[]
  readonly open: number
  /** Up to 1440, the end of the day. */
  readonly close: number
  readonly overnight: boolean
  readonly from: number
  readonly to: number
}
export interface EarlyClose extends Named {
  readonly close: number
}

/** A calendar file, checked. */
export interface CalendarRules {
  readonly description: string
  readonly timeZone: string
  readonly from: number
  readonly to: number
  /** In the order in which they open. */
  readonly sessions: readonly SessionRule[]
  readonly holidays: readonly Named[]
  readonly earlyCloses: readonly EarlyClose[]
}

const minutesPerDay = 1440

/** Throws one CONFIG_INVALID that lists all that is wrong with the file. */
export function parseCalendar (file: string, text: string): CalendarRules {
  const yaml = readYaml(file, text)
  const found = checkYaml<CalendarText>(yaml, calendarForm)
  const problems: Problem[] = []
  const reader = new Reader(yaml, problems)
  if (!IANAZone.isValidZone(found.time_zone)) reader.refuse(['time_zone'], `${quote(found.time_zone)} is no time zone; write an IANA name such as America/New_York or UTC`)
  const rules = {
    description: found.description ?? '',
    timeZone: found.time_zone,
    ...reader.days([], found),
    sessions: found.sessions.map((session, i) => reader.session(['sessions', i], session)).sort((a, b) => opensAt(a) - opensAt(b)),
    holidays: found.holidays.map((holiday, i) => reader.holiday(['holidays', i], holiday)),
    earlyCloses: found.early_closes.map((early, i) => ({ ...reader.holiday(['early_closes', i], early), close: minutesOf(early.close) }))
  }
  if (problems.length === 0) checkOverlaps(rules.sessions, message => reader.refuse(['sessions'], message))
  if (problems.length > 0) throw configInvalid(problems)
  return rules
}

/** Reads the parts and notes what is wrong with them; what it returns then is not used. */
class Reader {
  readonly #yaml: YamlFile
  readonly #problems: Problem[]

  constructor (yaml: YamlFile, problems: Problem[]) {
    this.#yaml = yaml
    this.#problems = problems
  }

  refuse (path: Path, message: string): void {
    this.#problems.push(this.#yaml.problem(path, message))
  }

  days (path: Path, { from, to }: { readonly from?: string, readonly to?: string }): { readonly from: number, readonly to: number } {
    const days = { from: this.#day([...path, 'from'], from) ?? -Infinity, to: this.#day([...path, 'to'], to) ?? Infinity }
    if (days.from > days.to) this.refuse([...path, 'to'], 'must not be before from')
    return days
  }

  session (path: Path, { days, open, close, overnight, from, to }: SessionText): SessionRule {
    const rule = {
      weekdays: days.map(day => weekdays.indexOf(day as typeof weekdays[number])),
      open: minutesOf(open),
      close: minutesOf(close),
      overnight,
      ...this.days(path, { ...(from !== undefined && { from }), ...(to !== undefined && { to }) })
    }
    const lengthMinutes = rule.close - opensAt(rule)
    if (lengthMinutes <= 0) this.refuse([...path, 'close'], `must be after open (${open}); a session that opens on the day before has overnight: true`)
    else if (lengthMinutes > minutesPerDay) this.refuse([...path, 'close'], 'the session is longer than a day')
    return rule
  }

  holiday (path: Path, { name, on, observed, weekdays: only = [], from = -Infinity, to = Infinity, except = [] }: HolidayText): Named {
    if (from > to) this.refuse([...path, 'to'], 'must not be before from')
    const rules = typeof on === 'string' ? [this.#rule([...path, 'on'], on)] : on.map((text, i) => this.#rule([...path, 'on', i], text))
    return { name, rules, observed, from, to, except, weekdays: only.map(day => weekdays.indexOf(day as typeof weekdays[number])) }
  }

  #rule (path: Path, text: string): DayRule {
    try {
      return parseRule(text)
    } catch (error) {
      this.refuse(path, (error as Error).message)
      return () => undefined
    }
  }

  #day (path: Path, text: string | undefined): number | undefined {
    if (text === undefined) return undefined
    const day = parseDay(text)
    if (day === undefined) this.refuse(path, `there is no such day as ${text}`)
    return day
  }
}

function minutesOf (time: string): number {
  const [hours = 0, minutes = 0] = time.split(':').map(Number)
  return hours * 60 + minutes
}

/** In minutes of the day that the session belongs to; before it where it is negative. */
function opensAt ({ open, overnight }: Pick<SessionRule, 'open' | 'overnight'>): number {
  return overnight ? open - minutesPerDay : open
}

/** Two sessions at once would make a moment belong to two days. */
function checkOverlaps (sessions: readonly SessionRule[], refuse: (message: string) => void): void {
  const week = sessions.flatMap(rule => rule.weekdays.map(weekday => ({ rule, weekday, open: weekday * minutesPerDay + opensAt(rule), close: weekday * minutesPerDay + rule.close })))
  for (const [i, one] of week.entries()) {
    for (const other of week.slice(i + 1)) {
      if (one.rule.from > other.rule.to || other.rule.from > one.rule.to) continue
      // The week goes round: Monday's session may begin on Sunday.
      if (![-7, 0, 7].some(days => one.open < other.close + days * minutesPerDay && other.open + days * minutesPerDay < one.close)) continue
      return refuse(`the sessions of ${weekdays[one.weekday]} and ${weekdays[other.weekday]} overlap`)
    }
  }
}

// When a schedule fires, and the data intervals between its fires. An interval begins at one fire and ends at the next
// one, so that all of them together leave no time out and hold none twice.

import { Cron } from 'croner'
import type { Schedule } from './schedule.ts'

export type When = Schedule['when']

/** [from, to), ms since 1970. */
export interface Interval {
  readonly from: number
  readonly to: number
}

/** Parsed expressions: the clock asks for them all the time. */
const crons = new Map<string, Cron>()
const CRONS_MAX = 1000

/** The first fire after `ms`; undefined: there is none. */
export function fireAfter (when: When, ms: number): number | undefined {
  switch (when.kind) {
    case 'manual': return undefined
    case 'every': return (Math.floor(ms / when.ms) + 1) * when.ms
    case 'cron': return cronOf(when.expression, when.timeZone).nextRun(new Date(ms))?.getTime()
  }
}

/** The fire at `first` and those behind it, `count` at most. */
export function firesFrom (when: When, first: number | undefined, count: number): number[] {
  const fires: number[] = []
  for (let at = first; at !== undefined && fires.length < count; at = fireAfter(when, at)) fires.push(at)
  return fires
}

/** The last fire at `ms` or before it; undefined: there is none. */
export function fireUpTo (when: When, ms: number): number | undefined {
  switch (when.kind) {
    case 'manual': return undefined
    case 'every': return Math.floor(ms / when.ms) * when.ms
    // croner gives those before a moment, and knows whole seconds.
    case 'cron': return cronOf(when.expression, when.timeZone).previousRuns(1, new Date(Math.floor(ms / 1000) * 1000 + 1000))[0]?.getTime()
  }
}

/** The intervals that [from, to) is cut into at the fires, the first and the last one shorter where none falls there; undefined: more than `max`. */
export function intervalsOf (when: When, { from, to }: Interval, max: number): Interval[] | undefined {
  const intervals: Interval[] = []
  for (let start = from; start < to;) {
    if (intervals.length === max) return undefined
    const end = Math.min(to, fireAfter(when, start) ?? to)
    intervals.push({ from: start, to: end })
    start = end
  }
  return intervals
}

/** Throws croner's own words where the expression or the zone is none. */
export function cronOf (expression: string, timeZone: string): Cron {
  const key = `${timeZone} ${expression}`
  let cron = crons.get(key)
  if (cron === undefined) {
    if (crons.size >= CRONS_MAX) crons.clear()
    crons.set(key, cron = new Cron(expression, { timezone: timeZone, paused: true }))
  }
  return cron
}

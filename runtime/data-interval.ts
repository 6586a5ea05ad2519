// Which part of a source's time a reading is for, and how a request or a statement names it.

import { PlatformError } from './errors.ts'
import type { Logger, Run } from './plugin.ts'

/** Clocks of two machines may differ by so much. */
const CLOCK_MS_MAX = 60_000

/** [from, to), ms since 1970, UTC. */
export interface Interval {
  readonly from: number
  readonly to: number
}

export interface IntervalOptions {
  readonly run: Run | undefined
  /** Up to where earlier readings took everything; undefined: there were none. */
  readonly end: number | undefined
  /** Where the first reading begins that is no backfill; undefined: where its run does. */
  readonly start: number | undefined
  readonly now: number
}

/**
 * What a reading is for. Readings follow each other without a gap: what a failed run left is read by the next one, and
 * what was read is read again by a backfill only, whose checkpoint is its own. undefined: nothing is left to read, or,
 * without a run, nobody says where to begin. Nothing is read beyond now, because the next reading would begin there.
 * Throws where earlier ones have: the clock was ahead then, or is behind now.
 */
export function intervalOf ({ run, end, start, now }: IntervalOptions): Interval | undefined {
  if (end !== undefined && end > now + CLOCK_MS_MAX && run?.kind !== 'backfill') {
    throw new PlatformError('SOURCE_UNAVAILABLE', `An earlier reading went up to ${new Date(end).toISOString()}, and it is ${new Date(now).toISOString()} only: the clock was ahead then, or is behind now`, {
      remedy: 'Set the clock right. Readings go on when that time has come; make a backfill of the time in between then.'
    })
  }
  const first = run?.kind === 'backfill' ? run.from : start ?? run?.from
  const from = end ?? first
  const to = run === undefined ? now : run.kind === 'backfill' ? run.to : Math.min(run.to, now)
  return from === undefined || from >= to ? undefined : { from, to }
}

/** For a run that somebody has asked for and that finds nothing left to read. */
export function sayReadBefore (log: Logger, run: Run | undefined): void {
  if (run?.kind === 'manual') log.warn({ from: run.from, to: run.to }, 'This interval was read before, nothing is left of it; a backfill reads it again')
}

export const timeFormats = ['iso', 'date', 'sql', 'unix_s', 'unix_ms', 'unix_us', 'unix_ns'] as const
export type TimeFormat = typeof timeFormats[number]

const unitMs: Readonly<Record<TimeFormat, number>> = { iso: 1, date: 86_400_000, sql: 1, unix_s: 1000, unix_ms: 1, unix_us: 1, unix_ns: 1 }

/** A time as a source wants it: 2024-03-10T14:30:00.000Z, 2024-03-10, 2024-03-10 14:30:00.000, or units since 1970; a coarser format cuts. */
export function formatTime (ms: number, format: TimeFormat): string {
  const iso = new Date(ms).toISOString()
  switch (format) {
    case 'iso': return iso
    case 'date': return iso.slice(0, 10)
    case 'sql': return iso.slice(0, -1).replace('T', ' ')
    case 'unix_s': return String(Math.floor(ms / 1000))
    case 'unix_ms': return String(ms)
    case 'unix_us': return `${ms}000`
    case 'unix_ns': return `${ms}000000`
  }
}

/** The last time before `ms` that a format can say: for sources that include the end of an interval. */
export function formatLast (ms: number, format: TimeFormat): string {
  return formatTime(ms - unitMs[format], format)
}

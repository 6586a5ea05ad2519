// Which days a job has worked through, for a grid of days: by the intervals of its runs, in UTC.

import { PlatformError } from '../errors.ts'
import { hasEnded } from './record.ts'
import type { Interval } from './clock.ts'
import type { RunRecord } from './record.ts'

const DAY_MS = 86_400_000
/** Of one answer. */
export const DAYS_MAX = 800

export interface JobDay {
  /** 2024-01-02 */
  readonly day: string
  /** `done`: runs that succeeded cover all of it, or all of it up to now. */
  readonly state: 'done' | 'failed' | 'running' | 'missing'
  /** The newest run that touches the day; null: none. */
  readonly run: string | null
  /** Of the runs whose interval ends on the day. */
  readonly rows: number
}

/** Throws REQUEST_INVALID where [from, to) is too long. `runs` newest first. */
export function jobDays (runs: readonly RunRecord[], { from, to }: Interval, now: number): JobDay[] {
  const first = Math.floor(from / DAY_MS)
  const end = Math.ceil(to / DAY_MS)
  if (end - first > DAYS_MAX) throw new PlatformError('REQUEST_INVALID', `That are ${end - first} days, and ${DAYS_MAX} may be asked for at a time`, { remedy: 'Ask for a shorter time.' })
  return Array.from({ length: end - first }, (_, i) => dayOf(runs, (first + i) * DAY_MS, now))
}

function dayOf (runs: readonly RunRecord[], start: number, now: number): JobDay {
  const end = start + DAY_MS
  const touching = runs.filter(({ from, to, state }) => from < end && to > start && state !== 'cancelled')
  const rows = runs.filter(({ to }) => to > start && to <= end).reduce((sum, run) => sum + run.rows, 0)
  const [newest] = touching
  const state = touching.some(run => !hasEnded(run)) ? 'running' : isCovered(touching, start, Math.min(end, now)) ? 'done' : touching.some(run => run.state === 'failed') ? 'failed' : 'missing'
  return { day: new Date(start).toISOString().slice(0, 10), state, run: newest?.id ?? null, rows }
}

/** Up to the end of the last run: what a schedule has still before it is no gap. */
function isCovered (runs: readonly RunRecord[], start: number, end: number): boolean {
  const done = runs.filter(({ state }) => state === 'succeeded').sort((a, b) => a.from - b.from)
  if (done.length === 0) return false
  let at = start
  for (const { from, to } of done) {
    if (from > at) return false
    at = Math.max(at, to)
  }
  // The day that goes on is done as far as its runs have come.
  return at >= end || end < start + DAY_MS
}

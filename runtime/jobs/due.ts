// Which run of a schedule is due. The place in time is remembered, never reckoned from the clock: a clock that is set back
// runs nothing twice, and one that jumps ahead has missed runs, like a platform that was down.

import { fireAfter, fireUpTo } from './clock.ts'
import type { Interval } from './clock.ts'
import type { JobState } from './runs.ts'
import type { Schedule } from './schedule.ts'

/** A fire that is found so late was missed: the platform was down, the clock jumped, or another run was in the way. */
export const LATE_MS = 30_000

export interface Due {
  /** Undefined: the fires are passed over. */
  readonly interval: Interval | undefined
  readonly missed: boolean
  readonly state: JobState
}

/** Of a job that is seen for the first time, or under another schedule: what is past stays so, and what was not covered yet goes into the first interval. */
export function beginState ({ when }: Schedule, now: number, before?: JobState): JobState {
  return {
    when: JSON.stringify(when),
    covered: before?.covered ?? fireUpTo(when, now) ?? now,
    after: Math.max(now, before?.covered ?? 0),
    succeeded: before?.succeeded ?? 0
  }
}

/** The next fire; undefined: there is none. */
export function nextFire ({ when }: Schedule, { covered, after }: JobState): number | undefined {
  return fireAfter(when, Math.max(covered, after))
}

/** Undefined: nothing is. `busy`: a run of the job is waiting or at work. */
export function dueOf (schedule: Schedule, state: JobState, { now, busy }: { readonly now: number, readonly busy: boolean }): Due | undefined {
  const { when, catchUp } = schedule
  const next = nextFire(schedule, state)
  if (next === undefined || next > now) return undefined
  const latest = Math.max(next, fireUpTo(when, now) ?? next)
  const until = (covered: number): JobState => ({ ...state, covered, after: covered })
  if (catchUp === 'none') {
    if (busy || now - latest > LATE_MS) return { interval: undefined, missed: true, state: until(latest) }
    const from = latest === next ? state.covered : fireUpTo(when, latest - 1) ?? state.covered
    return { interval: { from, to: latest }, missed: false, state: until(latest) }
  }
  if (busy) return undefined
  const to = catchUp === 'each' ? next : latest
  return { interval: { from: state.covered, to }, missed: now - next > LATE_MS, state: until(to) }
}

/** The state once a run up to `to` has succeeded; undefined: it does not change. */
export function succeededTo (state: JobState | undefined, to: number): JobState | undefined {
  return state === undefined || state.succeeded >= to ? undefined : { ...state, succeeded: to }
}

// What a run or a backfill is asked for, and why it is refused.

import { PlatformError } from '../errors.ts'
import { quote, suggest } from '../problems.ts'
import { fireAfter, intervalsOf } from './clock.ts'
import type { Interval, When } from './clock.ts'
import type { Job } from './jobs.ts'
import type { Params } from './record.ts'

/** Throws REQUEST_INVALID where it is upside down. */
export function checkInterval ({ from, to }: Interval): void {
  if (from > to) throw new PlatformError('REQUEST_INVALID', 'The interval ends before it begins', { remedy: 'Give a "to" that is after "from".' })
}

/** NOT_FOUND with the name that may have been meant. */
export function unknownJob (id: string, jobs: readonly Job[]): PlatformError {
  return new PlatformError('NOT_FOUND', `There is no job ${quote(id)}${suggest(id, jobs.map(({ task }) => task.id))}`, { remedy: 'A pipeline becomes one by the key schedule. npx twolane job list shows them.' })
}

/** Throws REQUEST_INVALID where a pipeline is given what only a task takes, and where a task is not given what it needs. */
export function checkParams ({ kind, task }: Job, params: Params): void {
  if (kind === 'pipeline' && Object.keys(params).length > 0) throw new PlatformError('REQUEST_INVALID', `${task.id} is a pipeline and takes no params`, { remedy: 'What it reads stands in its file.' })
  const missing = (task.needs ?? []).filter(name => params[name] === undefined)
  if (missing.length > 0) throw new PlatformError('REQUEST_INVALID', `A run of ${task.id} needs ${missing.join(' and ')}`, { remedy: `Give them as params, or start it by npx twolane ${task.id}.` })
  task.check?.(params)
}

/** The intervals of a job's schedule in a time; throws REQUEST_INVALID where the job cannot read them, or where they are more than `max`. */
export function backfillIntervals ({ task: { id, schedule: { when } }, wholeInput }: Job, interval: Interval, max: number): readonly Interval[] {
  if (wholeInput !== undefined) {
    throw new PlatformError('REQUEST_INVALID', `The input ${wholeInput} of ${id} does not read an interval: each run would take everything again`, {
      remedy: `npx twolane job run ${id} takes what is new. Which inputs read an interval, and by which options, their READMEs say.`
    })
  }
  checkInterval(interval)
  if (interval.from === interval.to) throw new PlatformError('REQUEST_INVALID', 'The interval is empty', { remedy: 'Give a "to" that is after "from".' })
  const intervals = intervalsOf(when, interval, max)
  if (intervals === undefined) throw tooMany(when, interval, max)
  return intervals
}

function tooMany (when: When, { from, to }: Interval, max: number): PlatformError {
  let end = from
  for (let i = 0; i < max; i++) end = fireAfter(when, end) ?? to
  // All fires of an expression over many years would take long to find, so those that were looked at stand for the others.
  const count = when.kind === 'every' ? String(Math.ceil(to / when.ms) - Math.floor(from / when.ms)) : `about ${Math.round(max * (to - from) / (end - from))}`
  return new PlatformError('REQUEST_INVALID', `The schedule has ${count} intervals in that time, more than the ${max} of one backfill`, {
    remedy: `Ask for the time up to ${new Date(end).toISOString()}, and for what is left once its runs have ended.`
  })
}

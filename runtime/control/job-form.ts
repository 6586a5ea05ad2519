// Jobs and runs as the API shows them.

import { firesFrom } from '../jobs/clock.ts'
import { formatWhen } from '../jobs/schedule-file.ts'
import { wordsOf, zoneOf } from '../jobs/words.ts'
import { hasEnded } from '../jobs/record.ts'
import type { JobStatus } from '../jobs/jobs.ts'
import type { RunRecord } from '../jobs/record.ts'

/** Fires that a job shows. */
const FIRES_SHOWN = 3

const time = (description: string): object => ({ type: 'integer', description: `${description}, ms since 1970, UTC` })

const runProperties = {
  id: { type: 'string' },
  job: { type: 'string' },
  kind: { type: 'string', enum: ['scheduled', 'manual', 'backfill'] },
  state: { type: 'string', enum: ['queued', 'running', 'succeeded', 'failed', 'cancelled', 'interrupted'], description: 'interrupted: the platform ended meanwhile, it is resumed' },
  from: time('Begin of its data interval'),
  to: time('End of its data interval, exclusive'),
  started_by: { type: 'string', description: 'schedule, catch_up (of missed runs), or who asked for it' },
  params: { type: 'object', additionalProperties: true },
  queued: time('When it was asked for'),
  started: time('When its first attempt began, 0: not yet'),
  ended: time('When it ended for good, 0: not yet'),
  retry_at: time('When it is tried again, 0: it does not wait for that'),
  attempt: { type: 'integer', description: 'The one that is under way, or the last one; 0: none yet' },
  rows: { type: 'integer' },
  bytes: { type: 'integer' },
  rejected: { type: 'integer' },
  share: { type: 'number', description: 'How much is done, 0 to 1, where that is known' },
  error: { type: 'string', description: 'Why it, or its last attempt, failed; empty: it did not' },
  step: { type: 'string', description: 'The step that failed, where it is known' }
}
export const runForm = { type: 'object', properties: runProperties }

const logLine = {
  type: 'object',
  properties: { time: time('When'), level: { type: 'string' }, message: { type: 'string' }, fields: { type: 'object', additionalProperties: true } }
}

export const runDetailForm = {
  type: 'object',
  properties: {
    ...runProperties,
    steps: {
      type: 'array',
      description: 'What each step of a pipeline has done',
      items: { type: 'object', properties: { step: { type: 'string' }, rows: { type: 'integer' }, bytes: { type: 'integer' }, rejected: { type: 'integer' } } }
    },
    attempts: {
      type: 'array',
      items: { type: 'object', properties: { started: time('Begin'), ended: time('End, 0: not yet'), outcome: { type: 'string' }, error: { type: 'string' } } }
    },
    log: {
      type: 'array',
      description: 'The last lines, of the newest runs only',
      items: logLine
    }
  }
}

export const jobForm = {
  type: 'object',
  properties: {
    id: { type: 'string' },
    kind: { type: 'string', enum: ['pipeline', 'task'], description: 'task: one that the platform brings along' },
    description: { type: 'string' },
    schedule: { type: 'string', description: 'manual, every 15m, or the cron expression and its time zone' },
    words: { type: 'string', description: 'The schedule in words, without its time zone' },
    zone: { type: 'string', description: 'Time zone that the schedule goes by' },
    needs: { type: 'array', items: { type: 'string' }, description: 'Params without which no run is started' },
    catch_up: { type: 'string', enum: ['none', 'once', 'each'] },
    retries: { type: 'integer' },
    timeout_seconds: { type: 'number' },
    paused: { type: 'boolean', description: 'Its schedule begins nothing: it, or all jobs, were paused' },
    healthy: { type: 'boolean', description: 'Whether its last run did not fail' },
    next: { type: 'array', items: time('Fire'), description: `The next ${FIRES_SHOWN} fires; empty: there is none, or it is paused` },
    queued: { type: 'integer', description: 'Runs that wait' },
    running: { ...runForm, description: 'The run that is under way' },
    last: { ...runForm, description: 'The last run that ended and was not cancelled' }
  }
}

export const dayForm = {
  type: 'object',
  properties: {
    day: { type: 'string', description: 'Day in UTC' },
    state: { type: 'string', enum: ['done', 'failed', 'running', 'missing'], description: 'done: runs that succeeded cover it' },
    run: { type: ['string', 'null'], description: 'The newest run that touches it' },
    rows: { type: 'integer', description: 'Of the runs whose interval ends on the day' }
  }
}

export const intervalForm = { type: 'object', properties: { from: time('Begin'), to: time('End, exclusive') } }

export function showJob ({ task, kind, paused, next, running, queued, last }: JobStatus): object {
  const { id, description, schedule } = task
  return {
    id,
    kind,
    description,
    schedule: formatWhen(schedule.when),
    words: wordsOf(schedule.when),
    zone: zoneOf(schedule.when),
    needs: task.needs ?? [],
    catch_up: schedule.catchUp,
    retries: schedule.retries,
    timeout_seconds: schedule.timeoutMs / 1000,
    paused,
    healthy: last?.state !== 'failed',
    queued,
    next: firesFrom(schedule.when, next, FIRES_SHOWN),
    ...(running !== undefined && { running: showRun(running) }),
    ...(last !== undefined && { last: showRun(last) })
  }
}

export function showRun (record: RunRecord): object {
  const { seq: _seq, startedBy, retryAt, share, attempts, steps: _steps, ...rest } = record
  return { ...rest, started_by: startedBy, retry_at: retryAt, attempt: attempts.length, ...(share !== undefined && !hasEnded(record) && { share }) }
}

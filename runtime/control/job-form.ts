// Jobs and runs as the API shows them.

import { formatWhen } from '../jobs/schedule-file.ts'
import { hasEnded } from '../jobs/record.ts'
import type { JobStatus } from '../jobs/jobs.ts'
import type { RunRecord } from '../jobs/record.ts'

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
      items: { type: 'object', properties: { time: time('When'), level: { type: 'string' }, message: { type: 'string' }, fields: { type: 'object', additionalProperties: true } } }
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
    catch_up: { type: 'string', enum: ['none', 'once', 'each'] },
    retries: { type: 'integer' },
    timeout_seconds: { type: 'number' },
    paused: { type: 'boolean' },
    healthy: { type: 'boolean', description: 'Whether its last run did not fail' },
    next: time('Next fire; left out: there is none'),
    queued: { type: 'integer', description: 'Runs that wait' },
    running: { ...runForm, description: 'The run that is under way' },
    last: { ...runForm, description: 'The last run that ended and was not cancelled' }
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
    catch_up: schedule.catchUp,
    retries: schedule.retries,
    timeout_seconds: schedule.timeoutMs / 1000,
    paused,
    healthy: last?.state !== 'failed',
    queued,
    ...(next !== undefined && { next }),
    ...(running !== undefined && { running: showRun(running) }),
    ...(last !== undefined && { last: showRun(last) })
  }
}

export function showRun (record: RunRecord): object {
  const { seq: _seq, startedBy, retryAt, share, attempts, steps: _steps, ...rest } = record
  return { ...rest, started_by: startedBy, retry_at: retryAt, attempt: attempts.length, ...(share !== undefined && !hasEnded(record) && { share }) }
}

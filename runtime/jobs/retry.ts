// What becomes of a run after an attempt.

import { closeAttempt } from './record.ts'
import { manual } from './schedule.ts'
import type { Outcome } from './active-run.ts'
import type { RunRecord } from './record.ts'
import type { Schedule } from './schedule.ts'

const RETRY_DELAY_MS_MAX = 3_600_000
/** A run that takes the platform down each time is given up. */
export const INTERRUPTIONS_MAX = 20

export interface AfterAttempt {
  readonly record: RunRecord
  /** Undefined: it is not tried again, or at once. */
  readonly retryDelayMs: number | undefined
}

export function afterAttempt (running: RunRecord, outcome: Outcome, now: number, { retries, retryDelayMs }: Pick<Schedule, 'retries' | 'retryDelayMs'> = manual): AfterAttempt {
  const error = outcome.how === 'succeeded' ? '' : outcome.error
  const record = closeAttempt(running, outcome.how, outcome.how === 'cancelled' ? '' : error, now)
  const ended = { ended: now, retryAt: 0, share: undefined }
  switch (outcome.how) {
    case 'succeeded': return { record: { ...record, ...ended, state: 'succeeded', error: '', step: '' }, retryDelayMs: undefined }
    case 'cancelled': return { record: { ...record, ...ended, state: 'cancelled' }, retryDelayMs: undefined }
    case 'timed out': return { record: { ...record, ...ended, state: 'failed', error }, retryDelayMs: undefined }
    case 'interrupted': {
      const times = record.attempts.filter(({ outcome }) => outcome === 'interrupted').length
      if (times > INTERRUPTIONS_MAX) return { record: { ...record, ...ended, state: 'failed', error: `It was interrupted ${times} times` }, retryDelayMs: undefined }
      return { record: { ...record, state: 'interrupted', error, share: undefined }, retryDelayMs: undefined }
    }
    case 'failed': {
      const { step, lasting } = outcome
      const failures = record.attempts.filter(({ outcome }) => outcome === 'failed').length
      if (lasting || failures > retries) return { record: { ...record, ...ended, state: 'failed', error, step }, retryDelayMs: undefined }
      const delayMs = Math.min(RETRY_DELAY_MS_MAX, retryDelayMs * 2 ** (failures - 1))
      return { record: { ...record, state: 'queued', error, step, share: undefined, retryAt: now + delayMs }, retryDelayMs: delayMs }
    }
  }
}

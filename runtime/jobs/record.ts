// What is remembered of a run.
//
//   queued ─▶ running ─▶ succeeded | failed | cancelled
//     ▲          │
//     └── retry ─┤
//                └─▶ interrupted ─▶ running      the platform stopped or died meanwhile; a new attempt of the same run

import { randomBytes } from 'node:crypto'
import type { Json, Run } from '../plugin.ts'
import type { Interval } from './clock.ts'
import type { Progress } from './task.ts'

export type RunState = 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled' | 'interrupted'
export type Params = Readonly<Record<string, Json>>

export interface Attempt {
  /** ms since 1970. */
  readonly started: number
  /** 0: it has not ended. */
  readonly ended: number
  readonly outcome: 'running' | 'succeeded' | 'failed' | 'cancelled' | 'interrupted' | 'timed out'
  /** Why it failed; empty: it did not. */
  readonly error: string
}

/** Of one step of a pipeline, over all attempts. */
export interface StepCount {
  readonly step: string
  readonly rows: number
  readonly bytes: number
  readonly rejected: number
}

export interface RunRecord extends Run, Progress {
  /** Grows with each run of all jobs. */
  readonly seq: number
  readonly job: string
  readonly state: RunState
  /** `schedule`, `catch_up`, or who asked for it. */
  readonly startedBy: string
  readonly params: Params
  /** ms since 1970; 0: not yet. */
  readonly queued: number
  readonly started: number
  readonly ended: number
  /** When it is tried again, ms since 1970; 0: it does not wait for that. */
  readonly retryAt: number
  /** Why it failed, or why its last attempt did; empty: it did not. */
  readonly error: string
  /** The step that failed; empty: none, or it is not known. */
  readonly step: string
  readonly steps: readonly StepCount[]
  readonly attempts: readonly Attempt[]
}

export interface NewRun extends Interval {
  readonly job: string
  readonly kind: Run['kind']
  readonly startedBy: string
  readonly params: Params
}

/** Of a run that was just asked for. */
export function newRecord (run: NewRun, now: number): Omit<RunRecord, 'seq'> {
  return {
    ...run,
    id: `${now.toString(36)}${randomBytes(4).toString('hex')}`,
    state: 'queued',
    queued: now,
    started: 0,
    ended: 0,
    retryAt: 0,
    error: '',
    step: '',
    rows: 0,
    bytes: 0,
    rejected: 0,
    share: undefined,
    steps: [],
    attempts: []
  }
}

/** It will not go on. */
export function hasEnded ({ state }: Pick<RunRecord, 'state'>): boolean {
  return state === 'succeeded' || state === 'failed' || state === 'cancelled'
}

/** The record with its last attempt closed. */
export function closeAttempt (record: RunRecord, outcome: Attempt['outcome'], error: string, now: number): RunRecord {
  const last = record.attempts.at(-1)
  if (last === undefined) return record
  return { ...record, attempts: [...record.attempts.slice(0, -1), { ...last, ended: now, outcome, error }] }
}

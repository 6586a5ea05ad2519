// A job that the platform brings along, such as the handoff or the compaction of the lake: it is scheduled, run, shown
// and cancelled as a pipeline with a `schedule` is. It runs on the control side only.

import type { Json, Logger, Run } from '../plugin.ts'
import type { Schedule } from './schedule.ts'

export interface Task {
  /** The job's id; no pipeline may have it. */
  readonly id: string
  /** One sentence. */
  readonly description: string
  readonly schedule: Schedule
  /** Params without which a run says nothing: it is started by a command that asks for them. */
  readonly needs?: readonly string[]
  /** Throws what keeps a run with such params from beginning, such as a place that is not set; runs of the schedule do not ask. */
  check? (params: Readonly<Record<string, Json>>): void
  /** One run. Repeatable: it may have been killed anywhere before. Throws when it failed; ends soon after `signal`. */
  run (context: TaskContext): Promise<void>
}

export interface TaskContext {
  /** `run.to` stands for now: what is older or younger is told by it, so that a run can be made for any moment. */
  readonly run: Run
  /** What was asked for when it was started by hand, such as `{ topic: 'quotes' }`; empty: everything. */
  readonly params: Readonly<Record<string, Json>>
  /** Aborted to cancel it. */
  readonly signal: AbortSignal
  /** Lines are kept with the run. */
  readonly log: Logger
  /** Adds to what the run shows. */
  progress (done: Partial<Progress>): void
}

/** What a run has done so far. */
export interface Progress {
  readonly rows: number
  readonly bytes: number
  readonly rejected: number
  /** Share that is done, 0 to 1; undefined: not known. */
  readonly share: number | undefined
}

// Every bound on jobs, in one place (invariant 7). Tests make them smaller.

export interface JobLimits {
  /** At once, of all pipelines; as many of the tasks. */
  readonly runsMax: number
  /** Intervals of one backfill, and runs of one job that wait. */
  readonly queuedMax: number
  /** How often the clock is looked at. */
  readonly lookMs: number
  /** How often what a run has done is written down. */
  readonly saveMs: number
}

export const jobLimits: JobLimits = { runsMax: 4, queuedMax: 1000, lookMs: 250, saveMs: 5000 }

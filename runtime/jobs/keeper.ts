import type { PipelineStatus } from '../managed.ts'

/** What the supervisor needs of whoever runs the jobs. */
export interface JobKeeper {
  /** How the job that is a pipeline is: what its steps do while a run is at work, and why its last run failed. */
  status (id: string): Pick<PipelineStatus, 'state' | 'reasons' | 'since'>
  /** Cancels the run of a job that there will be no more, and waits for its end. */
  end (id: string): Promise<void>
}

export const noJobs: JobKeeper = { status: () => ({ state: 'scheduled', reasons: [], since: 0 }), end: async () => {} }

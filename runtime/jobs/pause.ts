// Pauses of schedules, kept over restarts. A pipeline that is a job pauses as any pipeline does, on all runtimes; a task
// and the pause of all belong to the control side, where the runs are known.

import { everywhere } from '../peers.ts'
import type { Platform } from '../platform.ts'
import type { Store } from '../store.ts'

/** Stands for all jobs among the names that are paused: no pipeline can be called so. */
const ALL = '*'

/** Which jobs begin nothing by themselves. */
export interface Pauses {
  readonly all: boolean
  has (job: string): boolean
}

export function pausesOf (store: Pick<Store, 'paused'>): Pauses {
  const names = store.paused()
  const all = names.has(ALL)
  return { all, has: job => all || names.has(job) }
}

/** Of one job; runs that are started by hand still begin. Throws NOT_FOUND where there is none of that name. */
export async function pauseJob (platform: Platform, id: string, paused: boolean): Promise<void> {
  const { kind } = platform.jobs.job(id)
  if (kind === 'pipeline') await everywhere(platform, { verb: paused ? 'pause' : 'resume', pipeline: id })
  else platform.store.setPaused(id, paused)
}

/** Of all, those to come included. Jobs that were paused one by one stay so when all are resumed. */
export function pauseAllJobs (store: Pick<Store, 'setPaused'>, paused: boolean): void {
  store.setPaused(ALL, paused)
}

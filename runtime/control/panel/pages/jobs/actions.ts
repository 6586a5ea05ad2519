import { act } from '../../parts/toast.ts'
import { post } from '../../kit/api.ts'
import { go } from '../../kit/route.ts'
import { refresh } from '../../kit/resource.ts'
import type { Run } from '../../kit/shapes.ts'

/** Starts a run of a job now. */
export function startRun (id: string): Promise<boolean> {
  return act(async () => {
    await post<Run>(`/v1/jobs/${id}/runs`, {})
    await refresh('/v1/jobs')
  }, `A run of ${id} was started.`)
}

/** Does again what a run did, and shows the new one. */
export function retryRun ({ job, id }: Run): Promise<boolean> {
  return act(async () => {
    const started = await post<Run>(`/v1/jobs/${job}/runs/${id}/retry`)
    await refresh('/v1/jobs')
    go(['jobs', job, 'runs', started.id])
  }, `A run of ${job} with the same interval was started.`)
}

export function cancelRun ({ job, id }: Run): Promise<boolean> {
  return act(async () => {
    await post(`/v1/jobs/${job}/runs/${id}/cancel`)
    await refresh('/v1/jobs')
  }, 'The run is cancelled once what is in flight is settled.')
}

// The jobs of a platform: its pipelines that have a schedule, and its tasks.

import { PlatformError } from '../errors.ts'
import { masker } from '../mask.ts'
import { Jobs } from './jobs.ts'
import { pausesOf } from './pause.ts'
import { pipelineTask } from './pipeline-run.ts'
import { Runs } from './runs.ts'
import { taskIds } from './task-ids.ts'
import { tasksOf } from './tasks.ts'
import type { Fleet } from '../fleet.ts'
import type { Opening, Platform } from '../platform.ts'
import type { Pipeline } from '../pipeline.ts'
import type { Job } from './jobs.ts'
import type { Pauses } from './pause.ts'

/** They begin with `open`. `forward` takes lines of pipelines' threads. */
export function openJobs (platform: Opening, fleet: Pick<Fleet, 'isControl'>, forward: (line: string) => void): Jobs {
  const { supervisor, store, config, log } = platform
  const tasks = tasksOf(platform).map((task): Job => {
    if (!(taskIds as readonly string[]).includes(task.id)) throw new Error(`The task ${task.id} is missing in task-ids.ts: a pipeline could have its id`)
    return { task, kind: 'task', paused: false }
  })
  const jobs = new Jobs({
    runs: new Runs(store.database),
    jobs: () => {
      const pauses = pausesOf(store)
      return [...tasks.map(job => ({ ...job, paused: pauses.has(job.task.id) })), ...pipelineJobs(supervisor, pauses)]
    },
    noJob: id => noJob(supervisor.files.pipelines.get(id)),
    isControl: () => fleet.isControl,
    log,
    forward,
    mask: masker(config.secrets)
  })
  supervisor.jobs = {
    status (id) {
      const { running, last } = jobs.job(id)
      const failed = last?.state === 'failed' ? last : undefined
      return {
        state: running === undefined ? 'scheduled' : 'running',
        reasons: failed === undefined ? [] : [failureOf(failed)],
        since: running?.started ?? last?.ended ?? 0
      }
    },
    end: id => jobs.end(id)
  }
  return jobs
}

/** Tasks whose last run failed; those of pipelines are among the pipelines. */
export function failingTasks (jobs: Jobs): Array<{ readonly name: string, readonly reasons: readonly string[] }> {
  return jobs.list().flatMap(({ kind, task, last }) => kind === 'task' && last?.state === 'failed' ? [{ name: task.id, reasons: [failureOf(last)] }] : [])
}

/** What a reload replaces: asked for at each look, so made once for each pipeline. */
const made = new WeakMap<object, Job['task']>()

function pipelineJobs (supervisor: Platform['supervisor'], pauses: Pauses): Job[] {
  return [...supervisor.files.pipelines.values()].flatMap((pipeline): Job[] => {
    if (pipeline.schedule === undefined || !pipeline.enabled) return []
    const task = made.get(pipeline) ?? pipelineTask(supervisor, pipeline)
    if (task === undefined) return []
    made.set(pipeline, task)
    const { input } = pipeline
    return [{ task, kind: 'pipeline', paused: pauses.has(pipeline.id), wholeInput: input?.readsInterval === true ? undefined : input?.plugin }]
  })
}

function noJob (pipeline: Pipeline | undefined): PlatformError | undefined {
  if (pipeline === undefined) return undefined
  const { id, file, schedule } = pipeline
  if (schedule === undefined) return new PlatformError('NOT_FOUND', `${id} is a stream: it runs all the time; a job has a schedule`, { remedy: `npx twolane status shows how it is; the key schedule in ${file} makes it a job.` })
  return new PlatformError('NOT_FOUND', `${id} is disabled`, { remedy: `Take "enabled: false" out of ${file}, then: npx twolane reload.` })
}

function failureOf ({ id, step, error }: { readonly id: string, readonly step: string, readonly error: string }): string {
  return `Its last run ${id} failed: ${step === '' || error.startsWith(step) ? '' : `${step}: `}${error}`
}

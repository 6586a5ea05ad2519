import { jobDays } from '../jobs/days.ts'
import { pauseAllJobs, pauseJob, pausesOf } from '../jobs/pause.ts'
import { followRunLines } from '../jobs/run-lines.ts'
import { parseLine } from '../jobs/run-log.ts'
import { eventStreamResponse, Places, sendEvents } from './event-stream.ts'
import { notControl, principalOf } from './guard.ts'
import { dayForm, intervalForm, jobForm, runDetailForm, runForm, showJob, showRun } from './job-form.ts'
import { momentOf, spanOf, spanParameters } from './moment.ts'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Jobs } from '../jobs/jobs.ts'
import type { Params } from '../jobs/record.ts'
import type { Platform } from '../platform.ts'
import type { Followed } from './event-stream.ts'

const DAY_MS = 86_400_000
/** Runs that a grid of days is made from. */
const DAYS_RUNS_MAX = 10_000
/** Who follows a run at a time. */
const FOLLOWERS_MAX = 20

interface ById { readonly Params: { readonly id: string } }
interface ByRun { readonly Params: { readonly id: string, readonly run: string } }
type Instant = string | number
interface Asked { readonly from?: Instant, readonly to?: Instant, readonly params?: Params }

const id = { type: 'string', pattern: '^[a-z0-9][a-z0-9_-]{0,63}$' }
const run = { type: 'string', pattern: '^[a-z0-9]{1,64}$' }
const byId = { type: 'object', properties: { id } }
const byRun = { type: 'object', properties: { id, run } }
const instant = (description: string): object => ({ anyOf: [{ type: 'integer' }, { type: 'string' }], description: `${description}: ms since 1970, or as 2024-01-02 or 2024-01-02T06:00:00Z` })
const asked = {
  from: instant('Begin of the data interval'),
  to: instant('Its end, exclusive'),
  params: { type: 'object', additionalProperties: true, description: 'Of a task: what it is to work on' }
}

export function jobRoutes (app: FastifyInstance, platform: Platform): void {
  app.get('/v1/jobs', {
    config: { access: 'platform:read' },
    schema: { summary: 'Jobs: pipelines with a schedule, and the tasks of the platform', tags: ['jobs'], response: { 200: { type: 'object', properties: { paused: { type: 'boolean', description: 'All schedules are paused' }, jobs: { type: 'array', items: jobForm } } } } }
  }, async () => ({ paused: pausesOf(platform.store).all, jobs: (await jobsOf(platform)).list().map(showJob) }))

  app.get<ById>('/v1/jobs/:id', {
    config: { access: 'platform:read' },
    schema: { summary: 'One job', tags: ['jobs'], params: byId, response: { 200: jobForm } }
  }, async request => showJob((await jobsOf(platform)).job(request.params.id)))

  app.post<ById & { Body: Asked | undefined }>('/v1/jobs/:id/runs', {
    config: { access: 'jobs:run', action: 'job.run' },
    schema: {
      summary: 'Starts a run',
      description: 'Its data interval goes from the end of the last one that succeeded to now, unless the body says otherwise. 409 JOB_RUNNING names the run that is waiting or under way.',
      tags: ['jobs'],
      params: byId,
      body: { type: ['object', 'null'], additionalProperties: false, properties: asked },
      response: { 202: runForm }
    }
  }, async (request, reply) => {
    const { from, to, params } = request.body ?? {}
    const started = platform.jobs.start(request.params.id, { from: instantOf('from', from), to: instantOf('to', to), startedBy: askedBy(request), ...(params !== undefined && { params }) })
    return reply.code(202).send(showRun(started))
  })

  app.get<ById & { Querystring: { limit: number, before?: string } }>('/v1/jobs/:id/runs', {
    config: { access: 'platform:read' },
    schema: {
      summary: 'Runs of a job, newest first',
      tags: ['jobs'],
      params: byId,
      querystring: { type: 'object', additionalProperties: false, properties: { limit: { type: 'integer', minimum: 1, maximum: 1000, default: 50 }, before: { ...run, description: 'Those that were asked for before this run' } } },
      response: { 200: { type: 'object', properties: { runs: { type: 'array', items: runForm } } } }
    }
  }, async request => ({ runs: (await jobsOf(platform)).history(request.params.id, request.query).map(showRun) }))

  oneRun(app, platform)
  runLog(app, platform)
  backfills(app, platform)
  pauses(app, platform)
}

function oneRun (app: FastifyInstance, platform: Platform): void {
  app.get<ByRun>('/v1/jobs/:id/runs/:run', {
    config: { access: 'platform:read' },
    schema: { summary: 'One run, with its attempts and its log', tags: ['jobs'], params: byRun, response: { 200: runDetailForm } }
  }, async request => {
    const { id, run } = request.params
    const jobs = await jobsOf(platform)
    const record = jobs.run(id, run)
    return { ...showRun(record), steps: record.steps, attempts: record.attempts, log: jobs.lines(id, run).map(parseLine) }
  })

  app.post<ByRun>('/v1/jobs/:id/runs/:run/cancel', {
    config: { access: 'jobs:run', action: 'job.cancel' },
    schema: { summary: 'Cancels a run; one that is under way ends once it has settled what is in flight', tags: ['jobs'], params: byRun, response: { 202: runForm } }
  }, async (request, reply) => reply.code(202).send(showRun(platform.jobs.cancel(request.params.id, request.params.run))))
}

function runLog (app: FastifyInstance, platform: Platform): void {
  const places = new Places(FOLLOWERS_MAX)

  app.get<ByRun>('/v1/jobs/:id/runs/:run/log', {
    config: { access: 'platform:read' },
    schema: {
      summary: 'The log of a run, followed until its end',
      description: `Events named line, with a heartbeat every ten seconds; JSON lines where the request does not accept text/event-stream. ${FOLLOWERS_MAX} may follow at a time.`,
      tags: ['jobs'],
      params: byRun,
      response: { 200: eventStreamResponse }
    }
  }, async (request, reply) => {
    const { id, run } = request.params
    const jobs = await jobsOf(platform)
    // Before the answer begins: one that there is not is a 404.
    jobs.run(id, run)
    return sendEvents(request, reply, places, async function * (signal): AsyncGenerator<Followed> {
      for await (const line of followRunLines(jobs, id, run, signal)) yield { event: 'line', value: line }
    })
  })

  app.post<ByRun>('/v1/jobs/:id/runs/:run/retry', {
    config: { access: 'jobs:run', action: 'job.retry' },
    schema: {
      summary: 'Starts a run that does again what one did that has ended',
      description: 'It has the same interval and params. 409 JOB_RUNNING where that run, or another one, is waiting or under way.',
      tags: ['jobs'],
      params: byRun,
      response: { 202: runForm }
    }
  }, async (request, reply) => {
    const { id, run } = request.params
    return reply.code(202).send(showRun(platform.jobs.again(id, run, `again ${run}, ${askedBy(request)}`)))
  })
}

function pauses (app: FastifyInstance, platform: Platform): void {
  for (const [action, paused] of [['pause', true], ['resume', false]] as const) {
    app.post<ById>(`/v1/jobs/:id/${action}`, {
      config: { access: 'jobs:run', action: `job.${action}` },
      schema: {
        summary: paused ? 'Lets the schedule of a job begin nothing until it is resumed, also over restarts' : 'Lets the schedule of a job begin runs again',
        description: paused ? 'Runs that are started by hand still begin.' : 'What was missed follows the catch_up of the schedule. While all jobs are paused it begins nothing.',
        tags: ['jobs'],
        params: byId,
        response: { 200: jobForm }
      }
    }, async ({ params: { id } }) => {
      await pauseJob(platform, id, paused)
      return showJob(platform.jobs.job(id))
    })

    app.post(`/v1/jobs/${action}`, {
      config: { access: 'jobs:run', action: `jobs.${action}` },
      schema: {
        summary: paused ? 'Pauses the schedules of all jobs, also over restarts' : 'Takes the pause of all jobs back',
        description: 'Jobs that were paused one by one stay so.',
        tags: ['jobs'],
        response: { 200: { type: 'object', properties: { paused: { type: 'boolean' } } } }
      }
    }, async () => {
      pauseAllJobs(platform.store, paused)
      platform.log.warn({ paused }, paused ? 'All jobs are paused' : 'The jobs are resumed')
      return { paused: pausesOf(platform.store).all }
    })
  }
}

function backfills (app: FastifyInstance, platform: Platform): void {
  app.get<ById & { Querystring: { from?: string, to?: string, last?: string } }>('/v1/jobs/:id/days', {
    config: { access: 'platform:read' },
    schema: {
      summary: 'Which days a job has worked through, by the intervals of its runs',
      description: 'The last 90 days unless a time is given; days are those of UTC. Runs that are no longer remembered are missing.',
      tags: ['jobs'],
      params: byId,
      querystring: { type: 'object', additionalProperties: false, properties: spanParameters },
      response: { 200: { type: 'object', properties: { days: { type: 'array', items: dayForm } } } }
    }
  }, async ({ params: { id }, query }) => {
    const runs = (await jobsOf(platform)).history(id, { limit: DAYS_RUNS_MAX })
    return { days: jobDays(runs, spanOf(query, 90 * DAY_MS), Date.now()) }
  })

  app.post<ById & { Body: Required<Pick<Asked, 'from' | 'to'>> & Asked & { readonly dry_run?: boolean } }>('/v1/jobs/:id/backfills', {
    config: { access: 'jobs:run', action: 'job.backfill' },
    schema: {
      summary: 'Queues a run for each interval of the schedule in [from, to), in their order; those of a manual job are one',
      description: 'A backfill reads its interval whatever was read before; an input that reads no interval would take everything in each run, so it is refused. With dry_run it only says which intervals there are.',
      tags: ['jobs'],
      params: byId,
      body: { type: 'object', additionalProperties: false, required: ['from', 'to'], properties: { ...asked, dry_run: { type: 'boolean', default: false } } },
      response: { 202: { type: 'object', properties: { dry_run: { type: 'boolean' }, intervals: { type: 'array', items: intervalForm }, runs: { type: 'array', items: runForm } } } }
    }
  }, async (request, reply) => {
    const { from, to, dry_run: dryRun = false, params } = request.body
    const interval = { from: instantOf('from', from) as number, to: instantOf('to', to) as number }
    const { intervals, runs } = platform.jobs.backfill(request.params.id, interval, { dryRun, startedBy: askedBy(request), ...(params !== undefined && { params }) })
    return reply.code(202).send({ dry_run: dryRun, intervals, runs: runs.map(showRun) })
  })
}

/** Another runtime knows nothing of them. */
async function jobsOf ({ fleet, jobs }: Platform): Promise<Jobs> {
  if (!fleet.isControl) throw await notControl(fleet)
  return jobs
}

/** Who started a run. */
export function askedBy (request: FastifyRequest): string {
  return principalOf(request).user
}

function instantOf (name: string, given: Instant | undefined): number | undefined {
  return given === undefined ? undefined : momentOf(name, given)
}

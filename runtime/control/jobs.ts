import { PlatformError } from '../errors.ts'
import { parseLine } from '../jobs/run-log.ts'
import { notControl } from './guard.ts'
import { intervalForm, jobForm, runDetailForm, runForm, showJob, showRun } from './job-form.ts'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Jobs } from '../jobs/jobs.ts'
import type { Params } from '../jobs/record.ts'
import type { Platform } from '../platform.ts'

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
    schema: { summary: 'Jobs: pipelines with a schedule, and the tasks of the platform', tags: ['jobs'], response: { 200: { type: 'object', properties: { jobs: { type: 'array', items: jobForm } } } } }
  }, async () => ({ jobs: (await jobsOf(platform)).list().map(showJob) }))

  app.get<ById>('/v1/jobs/:id', {
    config: { access: 'platform:read' },
    schema: { summary: 'One job', tags: ['jobs'], params: byId, response: { 200: jobForm } }
  }, async request => showJob((await jobsOf(platform)).job(request.params.id)))

  app.post<ById & { Body: Asked | undefined }>('/v1/jobs/:id/runs', {
    config: { access: 'jobs:run' },
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
  backfills(app, platform)
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
    config: { access: 'jobs:run' },
    schema: { summary: 'Cancels a run; one that is under way ends once it has settled what is in flight', tags: ['jobs'], params: byRun, response: { 202: runForm } }
  }, async (request, reply) => reply.code(202).send(showRun(platform.jobs.cancel(request.params.id, request.params.run))))
}

function backfills (app: FastifyInstance, platform: Platform): void {
  app.post<ById & { Body: Required<Pick<Asked, 'from' | 'to'>> & Asked & { readonly dry_run?: boolean } }>('/v1/jobs/:id/backfills', {
    config: { access: 'jobs:run' },
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

/** Who started a run, for people. */
export function askedBy ({ ip, headers }: FastifyRequest): string {
  return headers['user-agent'] === 'twolane' ? 'command line' : `api ${ip}`
}

function instantOf (name: string, given: Instant | undefined): number | undefined {
  if (given === undefined) return undefined
  // Without a zone, Date.parse would mean that of the machine.
  const text = typeof given === 'string' && /^\d{4}-\d\d-\d\dT[\d:.]+$/.test(given) ? `${given}Z` : given
  const ms = typeof text === 'number' ? text : /^\d+$/.test(text) ? Number(text) : /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : NaN
  if (Number.isSafeInteger(ms) && ms >= 0) return ms
  throw new PlatformError('REQUEST_INVALID', `${name} is no moment`, { remedy: 'Give ms since 1970, or write it as 2024-01-02 or 2024-01-02T06:00:00Z.' })
}

// `twolane job …`: jobs and their runs on the running platform.

import { parseArgs } from 'node:util'
import { adminOptions, connect } from './admin.ts'
import { follow } from './job-progress.ts'
import { cancelLine, dayLines, intervalLines, jobLines, jobTable, logLine, runLine, runLines } from './job-lines.ts'
import { lines } from './lines.ts'
import { UsageError } from './terminal.ts'
import type { Admin } from './admin.ts'
import type { Json } from '../plugin.ts'
import type { Terminal } from './terminal.ts'

export interface ShownRun {
  readonly id: string
  readonly job: string
  readonly kind: string
  readonly state: 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled' | 'interrupted'
  readonly from: number
  readonly to: number
  readonly started_by: string
  readonly queued: number
  readonly started: number
  readonly ended: number
  readonly retry_at: number
  readonly attempt: number
  readonly rows: number
  readonly bytes: number
  readonly rejected: number
  readonly share?: number
  readonly error: string
  readonly step: string
}
export interface ShownJob {
  readonly id: string
  readonly kind: string
  readonly description: string
  readonly schedule: string
  readonly catch_up: string
  readonly paused: boolean
  readonly healthy: boolean
  readonly words: string
  readonly zone: string
  /** ms since 1970. */
  readonly next: readonly number[]
  readonly queued: number
  readonly running?: ShownRun
  readonly last?: ShownRun
}
export interface ShownDay {
  readonly day: string
  readonly state: 'done' | 'failed' | 'running' | 'missing'
  readonly run: string | null
  readonly rows: number
}
export interface RunDetail extends ShownRun {
  readonly steps: ReadonlyArray<{ readonly step: string, readonly rows: number, readonly bytes: number, readonly rejected: number }>
  readonly attempts: ReadonlyArray<{ readonly started: number, readonly ended: number, readonly outcome: string, readonly error: string }>
  readonly log: ReadonlyArray<{ readonly time: number, readonly level: string, readonly message: string, readonly fields: Readonly<Record<string, Json>> }>
}

/** Runs that `show` lists. */
const RUNS_SHOWN = 20

interface Call {
  readonly admin: Admin
  readonly terminal: Terminal
  readonly values: Values
  readonly names: readonly string[]
}
interface Values {
  readonly token?: string | undefined
  readonly json: boolean
  readonly 'no-wait': boolean
  readonly 'dry-run': boolean
  readonly all: boolean
  readonly from?: string | undefined
  readonly to?: string | undefined
  readonly param?: readonly string[] | undefined
}

/** What each takes: names, at least and at most. */
const verbs: Readonly<Record<string, readonly [call: (call: Call) => Promise<number>, min: number, max: number]>> = {
  list: [list, 0, 0],
  show: [show, 1, 2],
  run: [start, 1, 1],
  backfill: [backfill, 1, 1],
  cancel: [cancel, 1, 2],
  retry: [retry, 1, 2],
  pause: [call => setPaused(call, 'pause'), 0, 1],
  resume: [call => setPaused(call, 'resume'), 0, 1],
  days: [days, 1, 1],
  log: [log, 1, 2]
}

/** Resolves to 1 where a run that was waited for did not succeed. */
export async function run (args: readonly string[], terminal: Terminal): Promise<number> {
  const { values, positionals: [verb = 'list', ...names] } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      ...adminOptions,
      json: { type: 'boolean', default: false },
      'no-wait': { type: 'boolean', default: false },
      'dry-run': { type: 'boolean', default: false },
      all: { type: 'boolean', default: false },
      from: { type: 'string' },
      to: { type: 'string' },
      param: { type: 'string', multiple: true }
    }
  })
  const [call, min, max] = verbs[verb] ?? []
  if (call === undefined || min === undefined || max === undefined) throw new UsageError(`There is no "job ${verb}"; there are ${Object.keys(verbs).join(', ')}`)
  if (names.length < min || names.length > max) throw new UsageError(max === 0 ? `"job ${verb}" takes no name` : `"job ${verb}" takes the name of a job${max === 2 ? ', and of a run' : ''}`)
  return call({ admin: await connect(terminal, values.token), terminal, values, names })
}

async function list ({ admin, terminal, values }: Call): Promise<number> {
  const { jobs, paused } = await admin.json<{ jobs: ShownJob[], paused: boolean }>('GET', '/v1/jobs')
  if (paused && !values.json) terminal.print('All jobs are paused: npx twolane job resume --all')
  for (const line of values.json ? [JSON.stringify(jobs)] : jobs.length === 0 ? ['There are no jobs'] : jobTable(jobs)) terminal.print(line)
  return 0
}

async function show ({ admin, terminal, values, names: [job = '', run] }: Call): Promise<number> {
  if (run !== undefined) {
    const detail = await admin.json<RunDetail>('GET', pathOf(job, run))
    for (const line of values.json ? [JSON.stringify(detail)] : runLines(detail)) terminal.print(line)
    return 0
  }
  const [shown, { runs }] = await Promise.all([
    admin.json<ShownJob>('GET', `/v1/jobs/${encodeURIComponent(job)}`),
    admin.json<{ runs: ShownRun[] }>('GET', `/v1/jobs/${encodeURIComponent(job)}/runs?limit=${RUNS_SHOWN}`)
  ])
  for (const line of values.json ? [JSON.stringify({ ...shown, runs })] : jobLines(shown, runs)) terminal.print(line)
  return 0
}

async function start ({ admin, terminal, values, names: [job = ''] }: Call): Promise<number> {
  const params = paramsOf(values.param ?? [])
  const begun = await admin.json<ShownRun>('POST', `/v1/jobs/${encodeURIComponent(job)}/runs`, 202, {
    ...(values.from !== undefined && { from: values.from }), ...(values.to !== undefined && { to: values.to }), ...(params !== undefined && { params })
  })
  return answer([begun], { admin, terminal, values })
}

async function backfill ({ admin, terminal, values, names: [job = ''] }: Call): Promise<number> {
  const { from, to } = values
  if (from === undefined || to === undefined) throw new UsageError('A backfill needs --from and --to')
  const params = paramsOf(values.param ?? [])
  const dryRun = values['dry-run']
  const { intervals, runs } = await admin.json<{ intervals: Array<{ from: number, to: number }>, runs: ShownRun[] }>('POST', `/v1/jobs/${encodeURIComponent(job)}/backfills`, 202, {
    from, to, dry_run: dryRun, ...(params !== undefined && { params })
  })
  if (!dryRun) return answer(runs, { admin, terminal, values })
  if (values.json) terminal.print(JSON.stringify(intervals))
  else for (const line of intervalLines(intervals, await admin.json<ShownJob>('GET', `/v1/jobs/${encodeURIComponent(job)}`))) terminal.print(line)
  return 0
}

async function cancel ({ admin, terminal, values, names: [job = '', run] }: Call): Promise<number> {
  const id = run ?? (await admin.json<ShownJob>('GET', `/v1/jobs/${encodeURIComponent(job)}`)).running?.id
  if (id === undefined) {
    terminal.complain(`No run of ${job} is under way`)
    return 1
  }
  const cancelled = await admin.json<ShownRun>('POST', `${pathOf(job, id)}/cancel`, 202)
  terminal.print(values.json ? JSON.stringify(cancelled) : cancelLine(cancelled))
  return 0
}

/** The run that is named, or else the last one that ended. */
async function retry ({ admin, terminal, values, names: [job = '', run] }: Call): Promise<number> {
  const id = run ?? (await admin.json<ShownJob>('GET', `/v1/jobs/${encodeURIComponent(job)}`)).last?.id
  if (id === undefined) {
    terminal.complain(`No run of ${job} has ended yet`)
    return 1
  }
  return answer([await admin.json<ShownRun>('POST', `${pathOf(job, id)}/retry`, 202)], { admin, terminal, values })
}

async function setPaused ({ admin, terminal, values, names: [job] }: Call, action: 'pause' | 'resume'): Promise<number> {
  if ((job === undefined) !== values.all) throw new UsageError(`"job ${action}" takes the name of a job, or --all`)
  const path = job === undefined ? '/v1/jobs' : `/v1/jobs/${encodeURIComponent(job)}`
  const { paused } = await admin.json<{ readonly paused: boolean }>('POST', `${path}/${action}`)
  if (values.json) terminal.print(JSON.stringify({ job: job ?? null, paused }))
  else terminal.print(`${job ?? 'All jobs'} ${job === undefined ? 'are' : 'is'} ${paused ? 'paused' : 'resumed'}${paused && action === 'resume' ? ', and all jobs are still paused: npx twolane job resume --all' : ''}`)
  return 0
}

async function days ({ admin, terminal, values: { from, to, json }, names: [job = ''] }: Call): Promise<number> {
  const query = new URLSearchParams({ ...(from !== undefined && { from }), ...(to !== undefined && { to }) })
  const { days } = await admin.json<{ days: ShownDay[] }>('GET', `/v1/jobs/${encodeURIComponent(job)}/days?${query}`)
  for (const line of json ? [JSON.stringify(days)] : dayLines(days)) terminal.print(line)
  return 0
}

/** Of the run that is named, of the one under way, or of the last one: until its end or Ctrl-C. */
async function log ({ admin, terminal, values, names: [job = '', run] }: Call): Promise<number> {
  const shown = run === undefined ? await admin.json<ShownJob>('GET', `/v1/jobs/${encodeURIComponent(job)}`) : undefined
  const id = run ?? shown?.running?.id ?? shown?.last?.id
  if (id === undefined) {
    terminal.complain(`There were no runs of ${job} yet`)
    return 1
  }
  for await (const line of lines(await admin.follow(`${pathOf(job, id)}/log`, terminal.signal))) {
    terminal.print(values.json ? line : logLine(JSON.parse(line) as RunDetail['log'][number]))
  }
  return 0
}

async function answer (runs: readonly ShownRun[], { admin, terminal, values }: Omit<Call, 'names'>): Promise<number> {
  if (values['no-wait']) {
    for (const run of runs) terminal.print(values.json ? JSON.stringify(run) : runLine(run))
    return 0
  }
  let code = 0
  for (const run of runs) {
    const ended = await follow(() => admin.json<RunDetail>('GET', pathOf(run.job, run.id)), values.json ? { ...terminal, print: () => {} } : terminal)
    // Ctrl-C: it goes on without being watched.
    if (ended === undefined) return 130
    if (values.json) terminal.print(JSON.stringify(ended))
    if (ended.state !== 'succeeded') code = 1
  }
  return code
}

/** `--param topic=quotes`; a value that is JSON is taken as that. */
function paramsOf (given: readonly string[]): Record<string, Json> | undefined {
  if (given.length === 0) return undefined
  return Object.fromEntries(given.map(text => {
    const at = text.indexOf('=')
    if (at < 1) throw new UsageError(`--param is written name=value, not ${JSON.stringify(text)}`)
    return [text.slice(0, at), valueOf(text.slice(at + 1))]
  }))
}

function valueOf (text: string): Json {
  try {
    return JSON.parse(text) as Json
  } catch {
    // Not every text is JSON: it stands for itself.
    return text
  }
}

function pathOf (job: string, run: string): string {
  return `/v1/jobs/${encodeURIComponent(job)}/runs/${encodeURIComponent(run)}`
}

// `twolane status`: pipelines with their steps, and topics, as the running platform sees them.

import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { adminOptions, connect } from './admin.ts'
import { describe } from '../errors.ts'
import { jobTable } from './job-lines.ts'
import { count, duration, size, table } from './table.ts'
import type { Admin } from './admin.ts'
import type { TopicState } from '../broker/broker.ts'
import type { ShownJob } from './job.ts'
import type { PipelineStatus } from '../managed.ts'
import type { Terminal } from './terminal.ts'

const WATCH_MS = 2000

interface MeasuredStep {
  readonly step: string
  readonly ok: boolean
  readonly state: string
  readonly reason?: string
  readonly rows_per_second?: number
  readonly lag_rows?: number
  readonly lag_seconds?: number
}
type Pipeline = Omit<PipelineStatus, 'steps'> & { readonly steps: readonly MeasuredStep[] }
interface Runtime { readonly runtime: string, readonly control: boolean, readonly url: string, readonly since: number, readonly same_files: boolean, readonly failing: ReadonlyArray<{ readonly name: string }> }
interface Report {
  readonly runtimes: readonly Runtime[]
  readonly pipelines: readonly Pipeline[]
  /** Empty where another runtime is the control side: only that one knows them. */
  readonly jobs: readonly ShownJob[]
  readonly problems: ReadonlyArray<{ readonly file: string, readonly message: string }>
  readonly topics: readonly TopicState[]
  /** Why they are not known. */
  readonly topicsMissing?: string
}

/** Resolves to 1 where something is not healthy. */
export async function run (args: readonly string[], terminal: Terminal): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: { ...adminOptions, watch: { type: 'boolean', default: false }, json: { type: 'boolean', default: false } } })
  const admin = await connect(terminal, values.token)
  while (true) {
    const report = await reportOf(admin)
    // Clears the screen, but not what was there before the first look.
    if (values.watch && !values.json) terminal.print('\u001b[2J\u001b[H')
    for (const line of values.json ? [JSON.stringify(report)] : lines(report)) terminal.print(line)
    if (!values.watch || terminal.signal?.aborted === true) return [...report.pipelines, ...report.jobs].every(({ healthy }) => healthy) ? 0 : 1
    await sleep(WATCH_MS, undefined, { ...(terminal.signal !== undefined && { signal: terminal.signal }) }).catch(() => {})
  }
}

async function reportOf (admin: Admin): Promise<Report> {
  const [{ pipelines, problems }, { topics, topicsMissing }, { runtimes }, { jobs }] = await Promise.all([
    admin.json<Pick<Report, 'pipelines' | 'problems'>>('GET', '/v1/pipelines'),
    // A broker that does not answer hides no pipeline, which says why it stands still.
    admin.json<Pick<Report, 'topics' | 'topicsMissing'>>('GET', '/v1/topics').catch((error: unknown) => ({ topics: [], topicsMissing: describe(error) })),
    admin.json<Pick<Report, 'runtimes'>>('GET', '/v1/runtimes'),
    admin.json<Partial<Pick<Report, 'jobs'>>>('GET', '/v1/jobs', 421)
  ])
  return { runtimes, pipelines, jobs: jobs ?? [], problems, topics, ...(topicsMissing !== undefined && { topicsMissing }) }
}

function lines ({ runtimes, pipelines, jobs, problems, topics, topicsMissing }: Report): string[] {
  const streams = pipelines.filter(({ id }) => !jobs.some(job => job.id === id))
  const rows = streams.flatMap(pipeline => [summary(pipeline), ...pipeline.steps.map(stepRow)])
  const broken = problems.filter(({ file }) => !pipelines.some(({ id, state }) => state === 'broken' && file === `pipelines/${id}.yaml`))
  return [
    ...(runtimes.length < 2 ? [] : [...table(['RUNTIME', 'SIDE', 'UP', 'URL', 'REASON'], runtimes.map(runtimeRow), ['UP']), '']),
    ...(rows.length === 0 ? [jobs.length === 0 ? 'There are no pipelines' : 'No pipeline runs all the time'] : table(['PIPELINE', 'STATE', 'ROWS/S', 'LAG', 'AGE', 'RESTARTS', 'REASON'], rows, ['ROWS/S', 'LAG', 'AGE', 'RESTARTS'])),
    ...(jobs.length === 0 ? [] : ['', ...jobTable(jobs)]),
    '',
    ...(topicsMissing !== undefined ? [`Topics are not known: ${topicsMissing}`] : topics.length === 0 ? ['There are no topics'] : table(['TOPIC', 'ROWS', 'SIZE', 'NEWEST'], topics.map(topicRow), ['ROWS', 'SIZE', 'NEWEST'])),
    ...broken.flatMap(({ message }) => ['', 'Files that wait to be mended; what ran before runs on:', ...message.split('\n').map(line => `  ${line}`)])
  ]
}

function runtimeRow ({ runtime, control, url, since, same_files: same, failing }: Runtime): string[] {
  return [runtime, control ? 'control' : 'worker', duration(Math.max(0, Date.now() - since) / 1000), url, [...same ? [] : ['other files: reload'], ...failing.map(({ name }) => `${name} is not healthy`)].join(', ')]
}

function summary ({ id, state, healthy, reasons, steps, since, restarts }: Pipeline): string[] {
  const fault = healthy ? '' : steps.some(({ ok }) => !ok) ? 'see below' : reasons[0] ?? ''
  return [id, healthy || state !== 'running' ? state : 'not healthy', '', '', since === 0 ? '' : duration((Date.now() - since) / 1000), count(restarts), fault]
}

function stepRow ({ step, ok, state, reason, rows_per_second: rate = 0, lag_rows: lagRows, lag_seconds: lagSeconds = 0 }: MeasuredStep): string[] {
  const lag = lagRows === undefined ? '' : lagRows === 0 ? '0' : `${count(lagRows)} (${duration(lagSeconds)})`
  return [`  ${step}`, state, count(rate), lag, '', '', ok ? '' : reason ?? '']
}

function topicRow ({ name, bytes, partitions }: TopicState): string[] {
  const rows = partitions.reduce((sum, { first, next }) => sum + next - first, 0)
  const newest = Math.max(0, ...partitions.map(({ time }) => time))
  return [name, count(rows), size(bytes), newest === 0 ? '' : `${duration(Math.max(0, Date.now() - newest) / 1000)} ago`]
}

// What is wrong, and what it follows from. Every finding may name others as its cause, in order: the first of them that is
// there hides it. So a database that is down is one problem, and not one for each of its pipelines.

import { CANARY } from './canary-hops.ts'
import { freshnessOf } from './freshness.ts'
import { fireAfter } from '../jobs/clock.ts'
import type { PipelineStatus } from '../managed.ts'
import type { Pipeline } from '../pipeline.ts'
import type { DatasetHealth } from './freshness.ts'
import type { Facts } from './facts.ts'

export type Severity = 'error' | 'warning' | 'notice'

/** What a person may do about it with one click: a request to the API. */
export interface Action {
  readonly title: string
  readonly method: 'GET' | 'POST'
  readonly path: string
}

export interface Finding {
  /** The same as long as it is the same fault: `pipeline/quotes/input`. */
  readonly id: string
  /** What it is about: `clickhouse`, `pipeline quotes`, `dataset quotes`. */
  readonly part: string
  readonly severity: Severity
  /** One sentence. */
  readonly cause: string
  readonly remedy: string
  readonly actions: readonly Action[]
  /** Ids of findings that explain this one, the deepest first. */
  readonly follows: readonly string[]
  /** Names of datasets whose rows it holds up. */
  readonly datasets: readonly string[]
}

const GIGABYTE = 2 ** 30
/** Below that the engine may be left with broken parts. */
const FREE_BYTES_MIN = 2 * GIGABYTE
const FREE_SHARE_MIN = 0.05
const CLOCK_MS_MAX = 2000
/** A day may wait for late rows of a source that stands still for some minutes. */
const WAITING_MS_MAX = 3_600_000
/** A fire is begun within a second where nothing is in the way. */
const LATE_MS_MAX = 300_000
const STILL_MS_MAX = 60_000

/** All findings. `datasets`: as `freshnessOf` tells them. */
export function findingsOf (facts: Facts, datasets: readonly DatasetHealth[] = freshnessOf(facts)): Finding[] {
  return [
    ...ofResources(facts, datasets),
    ...facts.broken.map(({ file, message }) => finding(`file/${file}`, file, 'error', `${file} cannot be used: ${firstLine(message)}`, { remedy: 'Correct what npx twolane lint says, and reload.' })),
    ...facts.pipelines.filter(({ healthy, id }) => !healthy && !isJob(facts, id)).flatMap(status => ofPipeline(facts, status, datasets)),
    ...datasets.flatMap(ofDataset),
    ...ofRefused(facts, datasets),
    ...ofJobs(facts, datasets),
    ...ofSchedules(facts),
    ...ofWaiting(facts),
    ...ofQuality(facts, datasets),
    ...ofCanary(facts),
    ...facts.notes.map(({ part, severity, cause, remedy }) => finding(`note/${part}`, part, severity, cause, { remedy, follows: ['engine', 'broker', 'disk'] }))
  ]
}

type Rest = Partial<Pick<Finding, 'remedy' | 'actions' | 'follows' | 'datasets'>>

function finding (id: string, part: string, severity: Severity, cause: string, { remedy = '', actions = [], follows = [], datasets = [] }: Rest = {}): Finding {
  return { id, part, severity, cause, remedy, actions, follows, datasets }
}

function ofResources ({ engine, warehouse, topics, disk, runtimes }: Facts, datasets: readonly DatasetHealth[]): Finding[] {
  const all = datasets.map(({ dataset }) => dataset)
  const found: Finding[] = []
  found.push(...ofDisk(disk, all))
  if (!topics.known) found.push(finding('broker', 'broker', 'error', `The broker does not answer: ${topics.reason}`, { remedy: 'Look at the broker; everything goes on by itself when it is back, and rows wait at their sources.', follows: ['disk'], datasets: all }))
  if (!engine.known) found.push(finding('engine', 'clickhouse', 'error', `The streaming database does not answer: ${engine.reason}`, { remedy: 'Where it is embedded it is started again by itself, also when it hangs for a minute; look at the server otherwise. Rows wait in their topics.', follows: ['disk'], datasets: all }))
  if (warehouse?.known === false) found.push(finding('warehouse', 'warehouse', 'error', `The warehouse does not answer: ${warehouse.reason}`, { remedy: 'Look at that server; days wait for their handoff meanwhile.', datasets: all }))
  found.push(...ofDatabases(engine, warehouse, all))
  for (const reason of runtimes) found.push(finding(`runtime/${reason.split(' for ')[0]}`, 'runtimes', 'error', reason, { remedy: 'Look at that machine; its work goes to the others.', follows: ['broker'] }))
  return found
}

function ofDisk (disk: Facts['disk'], all: readonly string[]): Finding[] {
  if (!disk.known) return [finding('disk', 'disk', 'error', `Nobody knows how full the disk is: ${disk.reason}`, { remedy: 'Look whether the data folder is mounted.' })]
  const { freeBytes, totalBytes, reserveBytes } = disk.value
  const left = `The disk of the data folder has ${(freeBytes / GIGABYTE).toFixed(1)} of ${(totalBytes / GIGABYTE).toFixed(0)} GB left`
  const remedy = 'Free some space, shorten the retention of topics, or take a larger disk.'
  if (freeBytes < reserveBytes) return [finding('disk', 'disk', 'error', `${left}, and ${(reserveBytes / GIGABYTE).toPrecision(2)} GB stay free: inputs wait`, { remedy: `${remedy} Inputs go on by themselves when there is room; outputs go on meanwhile. disk_reserve_gigabytes says how much stays free.`, datasets: all })]
  if (freeBytes < Math.min(FREE_BYTES_MIN, totalBytes) / 4) return [finding('disk', 'disk', 'error', left, { remedy, datasets: all })]
  // Under a name of its own: a disk with some room is the cause of nothing.
  return freeBytes < FREE_BYTES_MIN || freeBytes < FREE_SHARE_MIN * totalBytes ? [finding('disk/low', 'disk', 'warning', left, { remedy })] : []
}

/** What those that answer say. */
function ofDatabases (engine: Facts['engine'], warehouse: Facts['warehouse'], all: readonly string[]): Finding[] {
  const found: Finding[] = []
  for (const [part, server] of [['clickhouse', engine], ['warehouse', warehouse]] as const) {
    if (server?.known === true && server.value.unreadable > 0) found.push(finding(`unreadable/${part}`, part, 'error', `The database could not read what it has stored ${server.value.unreadable} times lately: a part of a table is damaged`, { remedy: 'The embedded engine is restarted by itself, which mends it as long as it has what the damaged part was merged from: eight minutes. Where it stays, CHECK TABLE names the part; runtime/health/README.md says how its rows are read from the topic again.', datasets: all }))
  }
  for (const server of [engine, warehouse]) {
    if (server?.known === true && Math.abs(server.value.clockMs) > CLOCK_MS_MAX) found.push(finding('clock', 'clock', 'warning', `The clock of the database is ${(server.value.clockMs / 1000).toFixed(1)} s ${server.value.clockMs > 0 ? 'ahead of' : 'behind'} that of this machine`, { remedy: 'Let both follow a time server (NTP).' }))
  }
  return found
}

/** The step that fails decides what it follows from: an input from its source, an output from the database that it writes to. */
function ofPipeline (facts: Facts, { id, state, reasons, steps }: PipelineStatus, datasets: readonly DatasetHealth[]): Finding[] {
  const pipeline = facts.definitions.find(one => one.id === id)
  const actions: Action[] = state === 'broken' ? [] : [{ title: 'Restart', method: 'POST', path: `/v1/pipelines/${id}/restart` }]
  const failing = steps.filter(({ ok }) => !ok)
  // Another output, such as a file, holds up nobody who reads a dataset.
  const stores = (step: string): boolean => pipeline?.outputs.some(({ name, plugin }) => name === step && (plugin === 'streaming-database' || plugin === 'warehouse')) === true
  const touched = (step: string): string[] => datasets.filter(({ inputs, outputs }) => step === pipeline?.input?.name ? inputs.includes(id) : stores(step) && outputs.includes(id)).map(({ dataset }) => dataset)
  if (failing.length === 0) return [finding(`pipeline/${id}`, `pipeline ${id}`, 'error', `The pipeline ${id} is ${state}: ${firstLine(reasons.join('; '))}`, { remedy: 'Its log says more.', actions, follows: ['disk', 'broker', `file/pipelines/${id}.yaml`], datasets: datasets.filter(({ inputs, outputs }) => inputs.includes(id) || outputs.includes(id)).map(({ dataset }) => dataset) })]
  return failing.map(({ step, reason = '' }) => finding(`pipeline/${id}/${step}`, `pipeline ${id}`, 'error', `${step} of ${id}: ${firstLine(reason)}`, {
    remedy: step === pipeline?.input?.name ? 'Look at the source; nothing is lost that it keeps.' : 'Rows wait in the topic, and go on by themselves when it works again.',
    actions,
    follows: causesOf(pipeline, step),
    datasets: touched(step)
  }))
}

function causesOf (pipeline: Pipeline | undefined, step: string): string[] {
  const output = pipeline?.outputs.find(({ name }) => name === step)
  if (output === undefined) return ['disk', 'broker']
  const own = output.config['url'] ?? null
  return ['disk', 'broker', ...own === null && output.plugin === 'streaming-database' ? ['engine'] : [], ...own === null && output.plugin === 'warehouse' ? ['warehouse', 'engine'] : []]
}

function ofDataset ({ dataset, state, reason, severity, inputs, outputs }: DatasetHealth): Finding[] {
  if (state !== 'stale' && state !== 'behind' && state !== 'unknown') return []
  const sources = state === 'stale' ? inputs : outputs
  return [finding(`dataset/${dataset}`, `dataset ${dataset}`, severity, `${dataset} is ${state === 'unknown' ? 'of unknown age' : state}: ${reason}`, {
    remedy: state === 'stale' ? `Look at its source${inputs.length === 0 ? '' : `: ${inputs.join(', ')}`}.` : 'Look at the output that stores it.',
    follows: ['disk', 'broker', 'engine', ...sources.flatMap(id => [`pipeline/${id}`, `pipeline/${id}/*`, `job/${id}`])],
    datasets: [dataset]
  })]
}

/** From a half on hardly anything arrives; below that bad input is the normal case, and worth a look. */
const REFUSED_SHARE_MAX = 0.5

function ofRefused ({ refused }: Facts, datasets: readonly DatasetHealth[]): Finding[] {
  return refused.map(({ topic, refused, rows, reason }) => finding(`refused/${topic}`, `topic ${topic}`, refused >= REFUSED_SHARE_MAX * rows ? 'error' : 'warning', `${Math.round(100 * refused / rows)}% of the newest rows of ${topic} were refused (${refused} of ${rows})${reason === '' ? '' : `: ${firstLine(reason)}`}`, {
    remedy: `They wait in ${topic}.rejected: npx twolane rejected ${topic} counts them by reason. Correct the cast in schemas/${topic}.yaml or the source, reload, and take them in: npx twolane redeliver ${topic}.`,
    datasets: datasets.filter(one => one.topic === topic).map(({ dataset }) => dataset)
  }))
}

function ofJobs ({ jobs, definitions }: Facts, datasets: readonly DatasetHealth[]): Finding[] {
  return jobs.flatMap(({ task: { id }, last, kind }) => {
    if (last?.state !== 'failed') return []
    const path = `/v1/jobs/${id}/runs`
    const touched = datasets.filter(({ inputs, outputs }) => inputs.includes(id) || outputs.includes(id)).map(({ dataset }) => dataset)
    const follows = kind === 'task' ? ['disk', 'broker', 'engine', 'warehouse'] : ['disk', 'broker', ...definitions.find(one => one.id === id)?.outputs.flatMap(({ name }) => causesOf(definitions.find(one => one.id === id), name)) ?? []]
    return [finding(`job/${id}`, `job ${id}`, 'error', `The last run of ${id} failed: ${firstLine(last.error)}`, { remedy: 'Its run has the log.', actions: [{ title: 'Run again', method: 'POST', path }, { title: 'See the run', method: 'GET', path: `${path}/${last.id}` }], follows, datasets: touched })]
  })
}

/** A schedule goes by the places that it has passed, so that a clock that is set back begins nothing twice: it stands still until the clock is there again. */
function ofSchedules ({ jobs, now }: Facts): Finding[] {
  const still = jobs.filter(({ task: { schedule }, next, paused }) => !paused && next !== undefined && next - (fireAfter(schedule.when, now) ?? next) > STILL_MS_MAX)
  const late = jobs.filter(({ next, running, queued, paused }) => !paused && next !== undefined && now - next > LATE_MS_MAX && running === undefined && queued === 0)
  const until = Math.max(...still.map(({ next = 0 }) => next))
  return [
    ...still.length === 0 ? [] : [finding('schedules', 'clock', 'error', `The clock was set back: the schedules of ${listed(still.map(({ task }) => task.id))} stand still until ${new Date(until).toISOString()}`, { remedy: 'Set the clock right and let it follow a time server (NTP). Where it is right now, run the jobs by hand until then: npx twolane job run <job>.' })],
    ...late.map(({ task: { id }, next = 0 }) => finding(`late/${id}`, `job ${id}`, 'error', `${id} should have begun at ${new Date(next).toISOString()} and has not`, { remedy: 'Look at npx twolane logs for the clock of the jobs; it tries again by itself.', actions: [{ title: 'Run now', method: 'POST', path: `/v1/jobs/${id}/runs` }], follows: ['disk', 'note/control.db', 'broker'] }))
  ]
}

function listed (names: readonly string[]): string {
  return names.length <= 3 ? names.join(', ') : `${names.slice(0, 3).join(', ')} and ${names.length - 3} more jobs`
}

function ofWaiting ({ waiting, now }: Facts): Finding[] {
  const long = waiting.filter(({ since }) => now - since > WAITING_MS_MAX)
  return [...new Set(long.map(({ dataset }) => dataset))].map(dataset => {
    const days = long.filter(one => one.dataset === dataset)
    return finding(`handoff/${dataset}`, `dataset ${dataset}`, 'warning', `${days.length} ${days.length === 1 ? 'day' : 'days'} of ${dataset} ${days.length === 1 ? 'waits' : 'wait'} to be handed over to the warehouse, ${days[0]?.day} first: ${days[0]?.reason}`, {
      remedy: 'Readers see all rows meanwhile; the streaming database keeps more than it should.', actions: [{ title: 'Hand over now', method: 'POST', path: '/v1/jobs/handoff/runs' }], follows: ['disk', 'engine', 'warehouse', 'job/handoff'], datasets: [dataset]
    })
  })
}

function ofQuality ({ quality }: Facts, datasets: readonly DatasetHealth[]): Finding[] {
  return quality.filter(({ level, metric, scope }) => level !== 'ok' && metric !== 'freshness' && scope === 'now').map(({ topic, rule, level, message, threshold }) => {
    const touched = datasets.filter(one => one.topic === topic)
    return finding(`quality/${topic}/${rule}`, `dataset ${touched[0]?.dataset ?? topic}`, level === 'error' ? 'error' : 'warning', `${topic} breaks its rule ${rule}: ${message === '' ? threshold : message}`, { remedy: 'The page Quality shows the rows.', follows: touched.flatMap(({ dataset, inputs }) => [`dataset/${dataset}`, ...inputs.map(id => `pipeline/${id}/*`)]), datasets: touched.map(({ dataset }) => dataset) })
  })
}

function ofCanary ({ canary }: Facts): Finding[] {
  const late = canary.hops.filter(({ state }) => state === 'late')
  const [first] = late
  if (first === undefined) return canary.state === 'absent' ? [finding('canary', 'canary', 'notice', 'No canary is sent, so nobody knows whether a row would arrive', { remedy: 'Take pipelines/canary.yaml and schemas/canary.yaml of the project as they were shipped.' })] : []
  return [finding(`canary/${first.hop}`, 'canary', 'error', `The canary has not arrived at the hop "${first.hop}": ${first.reason}`, {
    remedy: `Look at ${first.step} of ${first.pipeline}.`,
    follows: ['disk', 'broker', ...late.some(({ hop }) => hop !== 'connector' && hop !== 'topic' && hop !== 'lake') ? ['engine', 'warehouse'] : [], ...late.flatMap(({ pipeline }) => [`pipeline/${pipeline}`, `pipeline/${pipeline}/*`])],
    datasets: [CANARY]
  })]
}

function isJob ({ jobs }: Facts, id: string): boolean {
  return jobs.some(({ task }) => task.id === id)
}

function firstLine (text: string): string {
  return text.split('\n')[0]?.slice(0, 500) ?? ''
}

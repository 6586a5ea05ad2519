// The inside of the thread that tests a connection.

import { describe, PlatformError } from '../errors.ts'
import { interpolate } from '../interpolate.ts'
import { limits } from '../limits.ts'
import { loadPlugin } from '../loader.ts'
import { masker } from '../mask.ts'
import { PipelineMetrics } from '../metrics.ts'
import { serveSide } from '../side-worker.ts'
import { readSteps } from '../step-file.ts'
import { makeContext } from '../steps.ts'
import { configInvalid } from '../problems.ts'
import { readYaml } from '../yaml.ts'
import { workerData } from 'node:worker_threads'
import { addressPolicy } from './address-policy.ts'
import { guardNetwork } from './network-guard.ts'
import { takeSample } from './sample.ts'
import type { Pipeline } from '../pipeline.ts'
import type { Context, Health, InputPlugin, OutputPlugin, Row } from '../plugin.ts'
import type { Problem } from '../problems.ts'
import type { SideData } from '../side-thread.ts'
import type { SideWork } from '../side-worker.ts'
import type { Step } from '../step-file.ts'
import type { Topic } from '../schema.ts'
import type { CheckResult, CheckStep, CheckTask } from './connection-check.ts'
import type { NetworkWatch } from './network-guard.ts'

/** How long a source may take to send its first rows. */
const FIRST_ROWS_MS = 10_000
const data = workerData as Omit<SideData<CheckTask>, 'request'>

async function check (task: CheckTask, work: SideWork): Promise<CheckResult> {
  let mask = (text: string): string => text
  const began = performance.now()
  try {
    const yaml = interpolate(readYaml('request', task.text), process.env)
    const problems: Problem[] = []
    const [found] = await readSteps(data.root, yaml, task.kind, problems)
    if (found === undefined || problems.length > 0) throw configInvalid(problems)
    const hidden = found.step.hidden.flatMap(path => texts(path.reduce<unknown>((at, key) => (at as Record<string | number, unknown> | undefined)?.[key], found.step.config)))
    mask = masker([...yaml.secrets, ...hidden])
    const { plugin } = await loadPlugin(data.root, task.kind, found.step.plugin)
    const result = await tryStep(task, work, found.step, plugin as InputPlugin | OutputPlugin)
    return JSON.parse(mask(JSON.stringify(result))) as CheckResult
  } catch (error) {
    return { ok: false, steps: [{ name: 'options', ok: false, ms: Math.round(performance.now() - began), detail: mask(sentence(error)) }], sample: [] }
  }
}

async function tryStep (task: CheckTask, work: SideWork, step: Step, plugin: InputPlugin | OutputPlugin): Promise<CheckResult> {
  const watch = guardNetwork({ policy: addressPolicy(task.connectAllow), own: ownPlaces(task, step) })
  const health: Health[] = []
  const stop = new AbortController()
  const context = contextOf(task, work, step, { signal: AbortSignal.any([stop.signal, work.signal]), health: one => health.push(one) })
  const steps: CheckStep[] = []
  let sample: readonly Row[] = []
  const attempt = async (name: CheckStep['name'], act: () => Promise<string>): Promise<boolean> => {
    const since = performance.now()
    const [ok, detail] = await act().then(detail => [true, detail] as const, (error: unknown) => [false, sentence(error)] as const)
    steps.push({ name, ok, ms: Math.round(performance.now() - since), detail })
    return ok
  }
  try {
    const { probe } = plugin
    let ok = await attempt('log in', async () => {
      if (probe === undefined) return 'The plugin has no test of its own; its options are right'
      await probe.call(plugin, step.config, context)
      return 'It answers with these options'
    })
    if (ok && plugin.kind === 'input') {
      ok = await attempt('first rows', async () => {
        const taken = await takeSample(plugin, step.config, context, { rows: task.rows, ms: FIRST_ROWS_MS })
        sample = task.showsRows ? taken.rows : []
        const ill = health.find(({ ok }) => !ok)
        if (taken.rows.length === 0 && ill !== undefined) throw new PlatformError('SOURCE_UNAVAILABLE', `${ill.state}: ${ill.reason ?? 'it is not ready'}`)
        return `${taken.found}${task.showsRows ? '' : '; to see them needs the scope topics:read'}`
      })
    }
    return { ok, steps: [...networkSteps(watch, ok), ...steps], sample }
  } finally {
    stop.abort()
    watch.stop()
  }
}

/** What the sockets did, as steps before those of the plugin. */
function networkSteps ({ events }: NetworkWatch, ok: boolean): CheckStep[] {
  const first = (...kinds: string[]): CheckStep['detail'] | undefined => events.find(({ what }) => kinds.includes(what))?.detail
  const ms = (what: string): number => events.find(event => event.what === what)?.ms ?? 0
  const refused = first('refused')
  if (refused !== undefined) return [{ name: 'resolve', ok: false, ms: ms('refused'), detail: refused }]
  const [resolved, connected, failed] = [first('resolved'), first('connected'), first('failed')]
  return [
    ...resolved === undefined ? [] : [{ name: 'resolve', ok: true, ms: ms('resolved'), detail: resolved } as const],
    ...connected !== undefined ? [{ name: 'connect', ok: true, ms: ms('connected'), detail: connected } as const] : failed !== undefined && !ok ? [{ name: resolved === undefined && /has no address/.test(failed) ? 'resolve' : 'connect', ok: false, ms: ms('failed'), detail: failed } as const] : []
  ]
}

function contextOf (task: CheckTask, { broker }: SideWork, step: Step, { signal, health }: { readonly signal: AbortSignal, readonly health: Context['health'] }): Context {
  const topic = task.topic === undefined ? noTopic : data.schemas.get(task.topic) ?? noTopic
  const pipeline = { id: 'connection-test', secrets: [] } as unknown as Pipeline
  const quiet = (): void => {}
  const log = { error: quiet, warn: quiet, info: quiet, debug: quiet }
  const around = { ...data, pipeline, broker, clock: { now: Date.now }, metrics: new PipelineMetrics(), watch: { enter: quiet, leave: quiet, begin: quiet, end: quiet }, limits, log: () => log, health: quiet }
  const context = makeContext(around, { step: step.name, topic, signal, checkpoint: undefined, reject: quiet })
  const { producer: _, ...services } = context.services
  const now = Date.now()
  // What is read to its end by a job is read as by a run for the last day.
  return { ...context, services, health, topicNamed: name => data.schemas.get(name) ?? noTopic, run: step.name.startsWith('input.') ? { id: `connection-test-${now}`, from: now - 86_400_000, to: now, kind: 'manual' } : undefined }
}

/** Names of no fields: a source whose schema is still to be made. */
const noTopic: Topic = { name: 'connection_test', description: '', owner: '', fields: [], key: [], eventTime: '', partitions: 1, retention: { ms: 0, bytes: 0, beyondOutputs: false }, hash: '' }

/** The platform's own databases, for the outputs that are given them. */
function ownPlaces ({ kind }: CheckTask, { plugin, config }: Step): ReadonlySet<string> {
  if (kind !== 'output' || config['url'] !== null || !['streaming-database', 'warehouse'].includes(plugin)) return new Set()
  return new Set([data.clickhouse, data.warehouse].flatMap(url => url === undefined ? [] : url.replace(/^https?:\/\/(?:[^@/]*@)?/, '').replace(/[/?].*$/, '').split(',')))
}

function sentence (error: unknown): string {
  return error instanceof PlatformError ? error.toString() : describe(error)
}

function texts (value: unknown): string[] {
  if (typeof value === 'string') return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(texts) : []
}

// Behind all that it needs.
await serveSide<CheckTask, CheckResult>(check)

// The test of a connection before it is saved: it is really made, in a thread of its own, with a limit of time. An input
// gives its first rows, which are acknowledged to nobody; an output is only asked whether it can be reached.

import { parse, stringify } from 'yaml'
import { checkDefinition, restoreSecrets } from '../control/definition.ts'
import { PlatformError } from '../errors.ts'
import { runSide } from '../side-thread.ts'
import { bindingsOf, pluginRefusal, stepProblems } from './policy.ts'
import { groups, stepName } from './step-name.ts'
import type { Principal } from '../access/principal.ts'
import type { Platform } from '../platform.ts'
import type { Json, Row } from '../plugin.ts'

/** The whole test. */
const CHECK_MS_MAX = 30_000
export const SAMPLE_ROWS_MAX = 100
/** How many of them run at once: each is a thread. */
const CHECKS_MAX = 4

export interface CheckRequest {
  readonly kind: 'input' | 'output'
  readonly plugin: string
  readonly options: Readonly<Record<string, Json>>
  /** A schema, for inputs that look at one. */
  readonly topic?: string
  /** The step that *** in the options stands for the secrets of. */
  readonly saved?: { readonly pipeline: string, readonly step: string }
  readonly rows?: number
}

export interface CheckStep {
  readonly name: 'options' | 'resolve' | 'connect' | 'log in' | 'first rows'
  readonly ok: boolean
  readonly ms: number
  /** What was found, or what is wrong and what to do. */
  readonly detail: string
}

export interface CheckResult {
  readonly ok: boolean
  readonly steps: readonly CheckStep[]
  readonly sample: readonly Row[]
}

/** Plain data for the thread. */
export interface CheckTask {
  /** The pipeline that has only this step. */
  readonly text: string
  readonly kind: 'input' | 'output'
  readonly topic: string | undefined
  readonly rows: number
  readonly connectAllow: readonly string[]
  /** Inputs that read what the platform holds show rows to those only who may see topics. */
  readonly showsRows: boolean
}

const holdRowsOfTopics = new Set(['lake', 'replay'])
let running = 0

/** Never throws for what the connection says. Throws REQUEST_REFUSED for what whoever asks may not name. */
export async function checkConnection (platform: Platform, principal: Principal, request: CheckRequest): Promise<CheckResult> {
  const { kind, plugin, topic, rows = 20 } = request
  checkDefinition(request.options)
  const refusal = pluginRefusal(principal, plugin)
  if (refusal !== undefined) throw new PlatformError('REQUEST_REFUSED', refusal)
  const text = withSecrets(platform, request)
  const options = parse(text) as Readonly<Record<string, Json>>
  const step = kind === 'input' ? options['input'] as Json : (options['outputs'] as readonly Json[])[0] as Json
  const problems = await stepProblems(platform, principal, { kind, plugin, options: (step as Readonly<Record<string, Json>>)[plugin] ?? {} }, await bindingsOf(platform))
  if (problems.length > 0) return { ok: false, steps: problems.map(detail => ({ name: 'options', ok: false, ms: 0, detail })), sample: [] }
  if (running >= CHECKS_MAX) throw new PlatformError('TOO_MANY_REQUESTS', `${CHECKS_MAX} connections are being tested already`, { remedy: 'Try again when one has ended.' })
  running++
  const stop = new AbortController()
  const task: CheckTask = { text, kind, topic, rows: Math.min(rows, SAMPLE_ROWS_MAX), connectAllow: platform.config.connectAllow, showsRows: !holdRowsOfTopics.has(plugin) || principal.scopes.has('topics:read') }
  try {
    return await runSide<CheckTask, CheckResult>({ module: new URL('check-worker.ts', import.meta.url), request: task, pipelines: [], platform, log: platform.log, signal: stop.signal, msMax: CHECK_MS_MAX })
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error
    const late = error.code === 'PLUGIN_STUCK'
    return { ok: false, steps: [{ name: 'connect', ok: false, ms: late ? CHECK_MS_MAX : 0, detail: late ? `There was no answer within ${CHECK_MS_MAX / 1000} s` : error.toString() }], sample: [] }
  } finally {
    running--
  }
}

function withSecrets ({ supervisor }: Platform, { kind, plugin, options, saved }: CheckRequest): string {
  const group = groups[kind]
  const step: Json = { [plugin]: options }
  if (saved === undefined) return restoreSecrets('request', undefined, stringify({ [group]: kind === 'input' ? step : [step] }))
  const pipeline = supervisor.files.pipelines.get(saved.pipeline)
  if (pipeline === undefined) throw new PlatformError('NOT_FOUND', `There is no pipeline "${saved.pipeline}"`)
  const name = saved.step.replace(/^(?:outputs|input)\./, '')
  const named = kind === 'output' && stepName('output', step) !== name ? { name, ...step as object } : step
  return restoreSecrets('request', pipeline.text, stringify({ [group]: kind === 'input' ? named : [named] }))
}

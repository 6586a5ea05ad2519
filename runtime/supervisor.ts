// All running pipelines. A reload is a transaction: everything new is read, checked and prepared beside the old; then
// one pipeline after the other is swapped at a batch boundary; if a new one fails to begin, all old ones run again.

import { createHash } from 'node:crypto'
import { describe, PlatformError } from './errors.ts'
import { readFiles } from './files.ts'
import { limits } from './limits.ts'
import { ManagedPipeline } from './managed.ts'
import { MetricTotals } from './metric-totals.ts'
import { PipelineWorker } from './pipeline-worker.ts'
import type { FileProblem, Files } from './files.ts'
import type { Limits } from './limits.ts'
import type { Logger } from './plugin.ts'
import type { Pipeline } from './pipeline.ts'
import type { PipelineStatus } from './managed.ts'
import type { Ending } from './pipeline-worker.ts'
import type { AppliedChange, Change, Outcome, Plan, Receipt } from './receipt.ts'
import type { MetricObjectWithValues } from './row-rate.ts'
import type { Topic } from './schema.ts'
import type { Store } from './store.ts'

export interface SupervisorOptions {
  readonly root: string
  readonly dataFolder: string
  readonly clickhouse: string | undefined
  readonly logLevel: string
  readonly store: Store
  readonly log: Logger
  /** A line of a worker's log, as JSON. */
  readonly onLog: (line: string) => void
  /** Where they differ from the platform's own. */
  readonly limits?: Partial<Limits>
}

/** A change of files that belongs to a reload: made when no other change is under way, undone where the reload does not apply it. */
export interface Edit {
  make (): Promise<void>
  undo (): Promise<void>
}

export interface ReloadOptions {
  /** Nothing is applied when the plan would be another one by now. */
  readonly planHash?: string
  readonly edit?: Edit
  /** The only pipeline that changes: what is wrong in the files of others, or new in them, waits for its own reload. */
  readonly only?: string
}

/** What one step of a swap did, so that it can be undone. */
interface Swap {
  readonly id: string
  readonly old: ManagedPipeline | undefined
  readonly applied: AppliedChange
}

export class Supervisor {
  readonly #options: SupervisorOptions
  readonly #limits: Limits
  readonly #running = new Map<string, ManagedPipeline>()
  #files: Files = { pipelines: new Map(), schemas: new Map(), problems: [] }
  /** Starts after failures, by pipeline. */
  readonly #restarts = new Map<string, number>()
  readonly #totals = new MetricTotals()
  #changing: Promise<unknown> | undefined
  #closing = false

  constructor (options: SupervisorOptions) {
    this.#options = options
    this.#limits = { ...limits, ...options.limits }
  }

  get files (): Files {
    return this.#files
  }

  get schemas (): ReadonlyMap<string, Topic> {
    return this.#files.schemas
  }

  /** Starts all pipelines of the files. One that cannot run is shown by `status` and tried again; it holds up no other. */
  async start (files: Promise<Files> = readFiles(this.#options.root)): Promise<void> {
    this.#files = await files
    for (const { file, message } of this.#files.problems) this.#options.log.error({ file, problems: message }, 'File cannot be used')
    const paused = this.#options.store.paused()
    const starting = [...this.#files.pipelines.values()].filter(pipeline => pipeline.enabled && !paused.has(pipeline.id)).map(pipeline => this.#launch(pipeline))
    await Promise.all(starting)
  }

  /** What a reload would do now. */
  async plan (): Promise<Plan> {
    return this.#planFor(await readFiles(this.#options.root))
  }

  /** Reads the files again and applies them. Never throws for what is wrong in them: the receipt says it. */
  async reload (options: ReloadOptions = {}): Promise<Receipt> {
    return this.#exclusively(async () => {
      const { edit } = options
      if (edit === undefined) return this.#reload(options)
      let receipt: Receipt | undefined
      try {
        await edit.make()
        receipt = await this.#reload(options)
        return receipt
      } finally {
        if (receipt?.outcome !== 'applied' && receipt?.outcome !== 'unchanged') await edit.undo()
      }
    })
  }

  async #reload ({ planHash, edit, only }: ReloadOptions): Promise<Receipt> {
    const began = performance.now()
    const read = await readFiles(this.#options.root)
    const files = only === undefined ? read : this.#changedIn(only, read)
    const plan = this.#planFor(files)
    if (planHash !== undefined && plan.hash !== planHash) throw new PlatformError('STALE_PLAN', 'The files or the running pipelines have changed since the plan was made', { remedy: 'Make a new plan.' })
    const { outcome, reason, changes } = await this.#apply(files, plan)
    if (outcome === 'applied' || outcome === 'unchanged') this.#files = { ...files, problems: read.problems }
    // An edit that was refused is undone: what was wrong with it is in no file any more.
    else if (edit === undefined) this.#files = { ...this.#files, problems: read.problems }
    const receipt = this.#options.store.addReceipt({ time: Date.now(), outcome, reason, problems: files.problems, changes, ms: Math.round(performance.now() - began) })
    this.#options.log.info({ revision: receipt.revision, outcome, reason, changes: changes.length, ms: receipt.ms }, 'Reloaded')
    return receipt
  }

  /** The files as they were loaded, but for one pipeline and the schemas, which are as they were read now. */
  #changedIn (id: string, read: Files): Files {
    const pipelines = new Map(this.#files.pipelines)
    const pipeline = read.pipelines.get(id)
    if (pipeline === undefined) pipelines.delete(id)
    else pipelines.set(id, pipeline)
    return { pipelines, schemas: new Map([...this.#files.schemas, ...read.schemas]), problems: read.problems.filter(({ file }) => file === fileOf(id)) }
  }

  async pause (id: string): Promise<void> {
    await this.#exclusively(async () => {
      this.#known(id)
      this.#options.store.setPaused(id, true)
      await this.#running.get(id)?.stop()
      this.#running.delete(id)
    })
  }

  async resume (id: string): Promise<void> {
    await this.#exclusively(async () => {
      const pipeline = this.#runnable(id)
      this.#options.store.setPaused(id, false)
      if (!this.#running.has(id)) await this.#launch(pipeline)
    })
  }

  async restart (id: string): Promise<void> {
    await this.#exclusively(async () => {
      const pipeline = this.#runnable(id)
      await this.#running.get(id)?.stop()
      this.#running.delete(id)
      this.#options.store.setPaused(id, false)
      await this.#launch(pipeline)
    })
  }

  /** All pipelines: those that run, rest, or cannot run because of their file. */
  status (): PipelineStatus[] {
    const running = [...this.#running.values()].map(managed => managed.status(this.#restartsOf(managed.pipeline.id)))
    const resting = [...this.#files.pipelines.values()].filter(({ id }) => !this.#running.has(id)).map(({ id, enabled, revision, topic }): PipelineStatus => ({
      id, state: enabled ? 'paused' : 'disabled', healthy: true, reasons: [], revision, topic, steps: [], restarts: this.#restartsOf(id), lastFailure: '', since: 0
    }))
    // A file that was broken by a later change leaves its pipeline running as it was.
    const broken = this.#files.problems.map(problem => ({ id: idOf(problem.file), ...problem })).filter(({ id }) => id !== undefined && !this.#running.has(id) && !this.#files.pipelines.has(id)).map(({ id = '', message }): PipelineStatus => ({
      id, state: 'broken', healthy: false, reasons: message.split('\n'), revision: '', topic: '', steps: [], restarts: this.#restartsOf(id), lastFailure: '', since: 0
    }))
    return [...running, ...resting, ...broken].sort((a, b) => a.id < b.id ? -1 : 1)
  }

  /** Of all pipelines. Counters only grow, over restarts and reloads, until the platform ends or the pipeline is removed. */
  metrics (): MetricObjectWithValues[] {
    return this.#totals.with([...this.#running.values()].map(managed => managed.metrics))
  }

  /** Of one step, over the last ten seconds. */
  rowsPerSecond (pipeline: string, step: string): number {
    return this.#running.get(pipeline)?.rowsPerSecond(step) ?? 0
  }

  /** Pipelines that run, as they run; a file may say something else meanwhile. */
  definitions (): Pipeline[] {
    return [...this.#running.values()].map(managed => managed.pipeline)
  }

  /** Stops all pipelines, by force after `msMax`. A change that is under way ends first, but starts nothing any more. */
  async close (msMax?: number): Promise<Ending[]> {
    this.#closing = true
    const stopAll = (): Promise<Ending[]> => Promise.all([...this.#running.values()].map(managed => managed.stop(msMax)))
    const endings = await stopAll()
    await this.#changing?.catch(() => {})
    await stopAll()
    this.#running.clear()
    return endings
  }

  #planFor (files: Files): Plan {
    const changes: Change[] = []
    const unchanged: string[] = []
    const paused = this.#options.store.paused()
    const broken = new Set(files.problems.map(({ file }) => file))
    const wanted = [...files.pipelines.values()].filter(pipeline => pipeline.enabled && !paused.has(pipeline.id))
    for (const { id, revision } of wanted) {
      const from = this.#running.get(id)?.pipeline.revision
      if (from === revision) unchanged.push(id)
      else changes.push({ pipeline: id, change: from === undefined ? 'added' : 'changed', from, to: revision })
    }
    for (const { pipeline } of this.#running.values()) {
      // A file that cannot be read is no wish to remove its pipeline.
      if (broken.has(pipeline.file)) unchanged.push(pipeline.id)
      else if (!wanted.some(({ id }) => id === pipeline.id)) changes.push({ pipeline: pipeline.id, change: 'removed', from: pipeline.revision, to: undefined })
    }
    const hash = createHash('sha256').update(JSON.stringify([changes, unchanged.sort(), files.problems.map(({ message }) => message)])).digest('hex').slice(0, 16)
    return { hash, changes, unchanged, problems: files.problems }
  }

  async #apply (files: Files, plan: Plan): Promise<{ outcome: Outcome, reason: string, changes: AppliedChange[] }> {
    if (plan.problems.length > 0) return { outcome: 'rejected', reason: reasonOf(plan.problems), changes: [] }
    if (plan.changes.length === 0) return { outcome: 'unchanged', reason: '', changes: [] }
    const fresh = new Map<string, ManagedPipeline>()
    const preparing = await Promise.allSettled(plan.changes.map(async ({ pipeline: id, change }) => {
      const pipeline = files.pipelines.get(id)
      if (pipeline === undefined || change === 'removed') return
      await this.#options.store.keepRevision(pipeline, files.schemas)
      const managed = this.#manage(pipeline, files.schemas)
      fresh.set(id, managed)
      const failure = await inTime(managed.prepared, this.#limits.prepareMsMax, () => `it was not prepared within ${this.#limits.prepareMsMax / 1000} s`)
      if (failure !== undefined) throw new Error(`${id}: ${failure}`)
    }))
    const failures = preparing.filter(result => result.status === 'rejected').map(({ reason }) => describe(reason))
    if (failures.length > 0) {
      await Promise.all([...fresh.values()].map(managed => managed.stop()))
      return { outcome: 'rejected', reason: failures.join('\n'), changes: [] }
    }
    // What is removed goes first: another pipeline may take over its port or its file.
    return this.#swapAll(files, plan.changes.toSorted((a, b) => Number(b.change === 'removed') - Number(a.change === 'removed')), fresh)
  }

  async #swapAll (files: Files, changes: readonly Change[], fresh: ReadonlyMap<string, ManagedPipeline>): Promise<{ outcome: Outcome, reason: string, changes: AppliedChange[] }> {
    const swaps: Swap[] = []
    for (const change of changes) {
      const began = performance.now()
      const old = this.#running.get(change.pipeline)
      const wasHealthy = old?.healthy ?? true
      const ending = await old?.stop()
      this.#running.delete(change.pipeline)
      const inFlight = ending === undefined ? 'none' : ending.how === 'stopped' ? 'drained' : 'redelivered'
      const managed = fresh.get(change.pipeline)
      let failure: string | undefined
      if (managed !== undefined) {
        this.#running.set(change.pipeline, managed)
        failure = await this.#begins(managed)
      }
      swaps.push({ id: change.pipeline, old, applied: { ...change, inFlight, ms: Math.round(performance.now() - began) } })
      // A pipeline that was ill before, say because its source is down, may be ill afterwards.
      if (failure !== undefined && wasHealthy) {
        await this.#rollBack(swaps, fresh)
        return { outcome: 'rolled_back', reason: `${change.pipeline}: ${failure}`, changes: swaps.map(({ applied }) => applied) }
      }
    }
    for (const { pipeline, change } of changes) if (change === 'removed' && !files.pipelines.has(pipeline)) this.#totals.forget(pipeline)
    return { outcome: 'applied', reason: '', changes: swaps.map(({ applied }) => applied) }
  }

  async #rollBack (swaps: readonly Swap[], fresh: ReadonlyMap<string, ManagedPipeline>): Promise<void> {
    await Promise.all([...fresh.values()].map(managed => managed.stop()))
    for (const { id, old } of swaps) {
      this.#running.delete(id)
      if (old !== undefined) await this.#launch(old.pipeline)
    }
  }

  /** Starts a pipeline and waits until it has begun or failed; either way it is kept alive. */
  async #launch (pipeline: Pipeline): Promise<void> {
    if (this.#closing) return
    await this.#options.store.keepRevision(pipeline, this.#files.schemas)
    const managed = this.#manage(pipeline, this.#files.schemas)
    this.#running.set(pipeline.id, managed)
    await this.#begins(managed)
  }

  /** Undefined once every step has begun, else why not. */
  #begins (managed: ManagedPipeline): Promise<string | undefined> {
    return inTime(managed.start(), this.#limits.beginMsMax, () => managed.status(0).reasons.join('; '))
  }

  #manage (pipeline: Pipeline, schemas: ReadonlyMap<string, Topic>): ManagedPipeline {
    const { root, dataFolder, clickhouse, logLevel, log, onLog } = this.#options
    const spawn = (): PipelineWorker => {
      const worker = new PipelineWorker({ root, dataFolder, pipeline, schemas, clickhouse, logLevel, limits: this.#limits }, onLog)
      void worker.ended.then(() => {
        this.#totals.add(pipeline.id, worker.metrics)
        worker.metrics = []
      })
      return worker
    }
    return new ManagedPipeline(pipeline, spawn, (ending, retryDelayMs) => {
      this.#restarts.set(pipeline.id, this.#restartsOf(pipeline.id) + 1)
      log.error({ pipeline: pipeline.id, plugin: ending.plugin, how: ending.how, reason: ending.reason, retryDelayMs }, 'Pipeline ended, starting it again')
    })
  }

  #known (id: string): Pipeline {
    const pipeline = this.#files.pipelines.get(id)
    if (pipeline === undefined) throw new PlatformError('NOT_FOUND', `There is no pipeline "${id}"`)
    return pipeline
  }

  #runnable (id: string): Pipeline {
    const pipeline = this.#known(id)
    if (!pipeline.enabled) throw new PlatformError('PIPELINE_DISABLED', `The pipeline "${id}" is disabled in its file`, { remedy: `Take "enabled: false" out of ${pipeline.file} and reload.` })
    return pipeline
  }

  #restartsOf (id: string): number {
    return this.#restarts.get(id) ?? 0
  }

  async #exclusively<T> (work: () => Promise<T>): Promise<T> {
    if (this.#changing !== undefined || this.#closing) throw new PlatformError('RELOAD_BUSY', this.#closing ? 'The platform is stopping' : 'Another change is being applied', { remedy: 'Try again in a few seconds.' })
    const changing = work()
    this.#changing = changing
    try {
      return await changing
    } finally {
      this.#changing = undefined
    }
  }
}

function fileOf (id: string): string {
  return `pipelines/${id}.yaml`
}

/** Undefined: the file is not one of a pipeline. */
function idOf (file: string): string | undefined {
  return /^pipelines\/(.+)\.ya?ml$/.exec(file)?.[1]
}

/** Undefined when it resolves in time, else why not. */
async function inTime (promise: Promise<void>, msMax: number, late: () => string): Promise<string | undefined> {
  const { promise: over, resolve } = Promise.withResolvers<string>()
  const timer = setTimeout(() => resolve(late()), msMax)
  try {
    return await Promise.race([promise.then(() => undefined), over])
  } catch (error) {
    return describe(error)
  } finally {
    clearTimeout(timer)
  }
}

function reasonOf (problems: readonly FileProblem[]): string {
  return problems.map(({ message }) => message).join('\n')
}

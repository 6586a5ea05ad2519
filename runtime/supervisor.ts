// All pipelines that run in this process. A reload is a transaction (reload.ts), and where several processes share the
// work it is one over all of them (fleet.ts).

import { PlatformError } from './errors.ts'
import { readFiles } from './files.ts'
import { forAWhile, inTime } from './in-time.ts'
import { limits } from './limits.ts'
import { ManagedPipeline } from './managed.ts'
import { MetricTotals } from './metric-totals.ts'
import { PipelineWorker } from './pipeline-worker.ts'
import { applyPlan, digestOf, late, planFor } from './reload.ts'
import { noJobs } from './jobs/keeper.ts'
import { RunThreads } from './jobs/run-threads.ts'
import type { KafkaConfig } from './broker/kafka/options.ts'
import type { JobKeeper } from './jobs/keeper.ts'
import type { RunThread } from './jobs/run-threads.ts'
import type { Files } from './files.ts'
import type { Limits } from './limits.ts'
import type { Logger, Run } from './plugin.ts'
import type { Pipeline } from './pipeline.ts'
import type { PipelineStatus } from './managed.ts'
import type { Ending } from './pipeline-worker.ts'
import type { Plan, Receipt, RuntimeOutcome } from './receipt.ts'
import type { Applied, Stage } from './reload.ts'
import type { MetricObjectWithValues } from './row-rate.ts'
import type { Topic } from './schema.ts'
import type { Store } from './store.ts'

export interface SupervisorOptions {
  readonly root: string
  readonly dataFolder: string
  /** Undefined: the embedded broker. */
  readonly kafka?: KafkaConfig | undefined
  readonly clickhouse: string | undefined
  readonly warehouse?: string | undefined
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
  /** Once it is applied, before any other change is made. Does not throw. */
  keep? (): Promise<void>
}

export interface ReloadOptions {
  /** Nothing is applied when the plan would be another one by now. */
  readonly planHash?: string
  readonly edit?: Edit
  /** The only pipelines that change: what is wrong in the files of others, or new in them, waits for its own reload. */
  readonly only?: string | readonly string[]
  /** With `only`: topics that there are no schemas of any more. */
  readonly gone?: readonly string[]
}

/** The other processes that run the same pipelines. */
export interface Peers {
  /** Empty when all of them have files of that digest, else who has not. */
  agree (digest: string): Promise<string>
  /** Lets all of them apply their files. */
  spread (digest: string): Promise<readonly RuntimeOutcome[]>
  /** Takes back what those have applied. */
  revert (outcomes: readonly RuntimeOutcome[]): Promise<void>
}

const alone: Peers = { agree: async () => '', spread: async () => [], revert: async () => {} }

export class Supervisor {
  readonly #options: SupervisorOptions
  readonly limits: Limits
  /** Set where jobs are run. */
  jobs: JobKeeper = noJobs
  readonly #running = new Map<string, ManagedPipeline>()
  readonly #runs = new RunThreads()
  readonly #stage: Stage
  #files: Files = { pipelines: new Map(), schemas: new Map(), problems: [] }
  /** Before the last reload. */
  #before: Files | undefined
  /** Starts after failures, by pipeline. */
  readonly #restarts = new Map<string, number>()
  readonly #totals = new MetricTotals()
  #changing: Promise<unknown> | undefined
  #closing = false

  constructor (options: SupervisorOptions) {
    this.#options = options
    this.limits = { ...limits, ...options.limits }
    this.#stage = {
      running: this.#running,
      prepareMsMax: this.limits.prepareMsMax,
      paused: () => options.store.paused(),
      jobs: () => [...this.#files.pipelines.values()].filter(({ schedule }) => schedule !== undefined),
      endRun: id => this.jobs.end(id),
      prepare: (pipeline, schemas) => this.#prepare(pipeline, schemas),
      tryJob: (pipeline, schemas) => this.#tryJob(pipeline, schemas),
      begins: managed => this.#begins(managed),
      launch: pipeline => this.#launch(pipeline)
    }
  }

  get files (): Files {
    return this.#files
  }

  /** Of the files that run; of those on the disk where `read`. */
  async digest ({ read = false } = {}): Promise<string> {
    return digestOf(read ? await readFiles(this.#options.root) : this.#files)
  }

  get schemas (): ReadonlyMap<string, Topic> {
    return this.#files.schemas
  }

  /** Starts all pipelines of the files. One that cannot run is shown by `status` and tried again; it holds up no other, nor the platform for longer than its limit. */
  async start (files: Promise<Files> = readFiles(this.#options.root)): Promise<void> {
    this.#files = await files
    for (const { file, message } of this.#files.problems) this.#options.log.error({ file, problems: message }, 'File cannot be used')
    const paused = this.#options.store.paused()
    const starting = [...this.#files.pipelines.values()].filter(pipeline => pipeline.enabled && pipeline.schedule === undefined && !paused.has(pipeline.id)).map(pipeline => this.#launch(pipeline))
    await forAWhile(Promise.all(starting), this.limits.startMsMax, reason => this.#options.log.error({ reason }, 'A pipeline could not be started'))
  }

  /** What a reload would do now, or one of other files. */
  async plan (files?: Files): Promise<Plan> {
    return planFor(this.#stage, files ?? await readFiles(this.#options.root))
  }

  /** Reads the files again and applies them, here and in all of `peers`. Never throws for what is wrong in them: the receipt says it. */
  async reload (options: ReloadOptions = {}, peers: Peers = alone): Promise<Receipt> {
    return this.#exclusively(async () => {
      const { edit } = options
      if (edit === undefined) return this.#reload(options, peers)
      let receipt: Receipt | undefined
      try {
        await edit.make()
        receipt = await this.#reload(options, peers)
        return receipt
      } finally {
        if (receipt?.outcome === 'applied' || receipt?.outcome === 'unchanged') await edit.keep?.()
        else await edit.undo()
      }
    })
  }

  /** Goes back to the files before the last reload. */
  async revert (): Promise<void> {
    await this.#exclusively(async () => {
      if (this.#before !== undefined) await this.#goBack(this.#before)
    })
  }

  async #reload ({ planHash, edit, only, gone }: ReloadOptions, peers: Peers): Promise<Receipt> {
    const began = performance.now()
    const read = await readFiles(this.#options.root)
    const files = only === undefined ? read : this.#changedIn([only].flat(), read, gone)
    const plan = planFor(this.#stage, files)
    if (planHash !== undefined && plan.hash !== planHash) throw new PlatformError('STALE_PLAN', 'The files or the running pipelines have changed since the plan was made', { remedy: 'Make a new plan.' })
    const { runtimes, ...applied } = await this.#applyEverywhere(files, plan, peers)
    const { outcome, reason, changes } = applied
    if (outcome === 'applied' || outcome === 'unchanged') {
      if (outcome === 'applied') this.#before = this.#files
      this.#files = { ...files, problems: read.problems }
      for (const { pipeline, change } of changes) if (change === 'removed' && !files.pipelines.has(pipeline)) this.#totals.forget(pipeline)
    // An edit that was refused is undone: what was wrong with it is in no file any more.
    } else if (edit === undefined) {
      this.#files = { ...this.#files, problems: read.problems }
    }
    const receipt = this.#options.store.addReceipt({ time: Date.now(), outcome, reason, problems: files.problems, changes, runtimes, ms: Math.round(performance.now() - began) })
    this.#options.log.info({ revision: receipt.revision, outcome, reason, changes: changes.length, ms: receipt.ms }, 'Reloaded')
    return receipt
  }

  /** Here first: what fails here is not tried anywhere else. */
  async #applyEverywhere (files: Files, plan: Plan, peers: Peers): Promise<Applied & { readonly runtimes: readonly RuntimeOutcome[] }> {
    if (plan.problems.length > 0) return { ...await applyPlan(this.#stage, files, plan), runtimes: [] }
    const digest = digestOf(files)
    const disagreement = await peers.agree(digest)
    if (disagreement !== '') return { outcome: 'rejected', reason: disagreement, changes: [], runtimes: [] }
    const applied = await applyPlan(this.#stage, files, plan)
    if (applied.outcome !== 'applied' && applied.outcome !== 'unchanged') return { ...applied, runtimes: [] }
    const runtimes = await peers.spread(digest)
    const failed = runtimes.filter(({ outcome }) => outcome !== 'applied' && outcome !== 'unchanged')
    if (failed.length === 0) return { ...applied, outcome: runtimes.some(({ outcome }) => outcome === 'applied') ? 'applied' : applied.outcome, runtimes }
    await peers.revert(runtimes)
    if (applied.outcome === 'applied') await this.#goBack(this.#files)
    return { ...applied, outcome: 'rolled_back', reason: failed.map(({ runtime, reason }) => `${runtime}: ${reason}`).join('\n'), runtimes }
  }

  async #goBack (files: Files): Promise<void> {
    const { outcome, reason } = await applyPlan(this.#stage, files, planFor(this.#stage, { ...files, problems: [] }))
    if (outcome === 'rejected' || outcome === 'rolled_back') this.#options.log.error({ outcome, reason }, 'The files of before could not be applied again')
    this.#files = files
  }

  /** The files as they were loaded, but for some pipelines and the schemas, which are as they were read now. */
  #changedIn (ids: readonly string[], read: Files, gone: readonly string[] = []): Files {
    const kept = [...this.#files.pipelines].filter(([id]) => !ids.includes(id))
    const pipelines = new Map([...kept, ...[...read.pipelines].filter(([id]) => ids.includes(id))])
    const schemas = new Map([...this.#files.schemas, ...read.schemas])
    for (const topic of gone) if (!read.schemas.has(topic)) schemas.delete(topic)
    return { pipelines, schemas, problems: read.problems.filter(({ file }) => ids.some(id => file === fileOf(id))) }
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
      if (pipeline.schedule === undefined && !this.#running.has(id)) await this.#launch(pipeline)
    })
  }

  async restart (id: string): Promise<void> {
    await this.#exclusively(async () => {
      const pipeline = this.#runnable(id)
      if (pipeline.schedule !== undefined) throw new PlatformError('REQUEST_INVALID', `"${id}" is a job: it runs when its schedule says so`, { remedy: `Start a run of it: npx twolane job run ${id}` })
      await this.#running.get(id)?.stop()
      this.#running.delete(id)
      this.#options.store.setPaused(id, false)
      await this.#launch(pipeline)
    })
  }

  /** All pipelines: those that run, rest, or cannot run because of their file. */
  status (): PipelineStatus[] {
    const running = [...this.#running.values()].map(managed => managed.status(this.#restartsOf(managed.pipeline.id)))
    const paused = this.#options.store.paused()
    const resting = [...this.#files.pipelines.values()].filter(({ id }) => !this.#running.has(id)).map((pipeline): PipelineStatus => {
      const { id, enabled, revision, topic } = pipeline
      const scheduled = enabled && !paused.has(id) && pipeline.schedule !== undefined
      const { state, reasons, since }: ReturnType<JobKeeper['status']> = scheduled ? this.jobs.status(id) : { state: enabled ? 'paused' : 'disabled', reasons: [], since: 0 }
      return { id, state, healthy: reasons.length === 0, reasons, revision, topic, steps: [], restarts: this.#restartsOf(id), lastFailure: '', since }
    })
    // A file that was broken by a later change leaves its pipeline running as it was.
    const broken = this.#files.problems.map(problem => ({ id: idOf(problem.file), ...problem })).filter(({ id }) => id !== undefined && !this.#running.has(id) && !this.#files.pipelines.has(id)).map(({ id = '', message }): PipelineStatus => ({
      id, state: 'broken', healthy: false, reasons: message.split('\n'), revision: '', topic: '', steps: [], restarts: this.#restartsOf(id), lastFailure: '', since: 0
    }))
    return [...running, ...resting, ...broken].sort((a, b) => a.id < b.id ? -1 : 1)
  }

  /** Of all pipelines. Counters only grow, over restarts and reloads, until the platform ends or the pipeline is removed. */
  metrics (): MetricObjectWithValues[] {
    return this.#totals.with([...[...this.#running.values()].map(managed => managed.metrics), ...this.#runs.workers.map(({ metrics }) => metrics)])
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
    const stopAll = (): Promise<Ending[]> => Promise.all([...this.#running.values(), ...this.#runs.workers].map(one => one.stop(msMax)))
    const endings = await stopAll()
    await this.#changing?.catch(() => {})
    await stopAll()
    this.#running.clear()
    return endings
  }

  /** A thread for one run of a job, which prepares. The pipeline need not be one of the files. */
  async spawnRun (pipeline: Pipeline, { run, onLog }: { readonly run: Run, readonly onLog: (line: string) => void }): Promise<RunThread> {
    return this.#runs.start(async () => {
      if (this.#closing) throw new PlatformError('RELOAD_BUSY', 'The platform is stopping')
      const schemas = this.#files.schemas
      await this.#options.store.keepRevision(pipeline, schemas)
      return new PipelineWorker({ ...this.#workerData(pipeline, schemas), run }, onLog)
    }, worker => this.#totals.add(pipeline.id, worker.metrics))
  }

  async #prepare (pipeline: Pipeline, schemas: ReadonlyMap<string, Topic>): Promise<ManagedPipeline> {
    await this.#options.store.keepRevision(pipeline, schemas)
    return this.#manage(pipeline, schemas)
  }

  #tryJob (pipeline: Pipeline, schemas: ReadonlyMap<string, Topic>): Promise<string | undefined> {
    return this.#runs.tried(async () => {
      const managed = await this.#prepare(pipeline, schemas)
      const failure = await inTime(managed.prepared, this.limits.prepareMsMax, () => late(this.limits))
      await managed.stop()
      return failure
    })
  }

  /** Starts a pipeline and waits until it has begun or failed; either way it is kept alive. */
  async #launch (pipeline: Pipeline): Promise<void> {
    if (this.#closing) return
    const managed = await this.#prepare(pipeline, this.#files.schemas)
    this.#running.set(pipeline.id, managed)
    await this.#begins(managed)
  }

  /** Undefined once every step has begun, else why not. */
  #begins (managed: ManagedPipeline): Promise<string | undefined> {
    return inTime(managed.start(), this.limits.beginMsMax, () => managed.status(0).reasons.join('; '))
  }

  #manage (pipeline: Pipeline, schemas: ReadonlyMap<string, Topic>): ManagedPipeline {
    const { log, onLog } = this.#options
    const spawn = (): PipelineWorker => {
      const worker = new PipelineWorker(this.#workerData(pipeline, schemas), onLog)
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

  #workerData (pipeline: Pipeline, schemas: ReadonlyMap<string, Topic>): ConstructorParameters<typeof PipelineWorker>[0] {
    const { root, dataFolder, kafka, clickhouse, warehouse, logLevel } = this.#options
    return { root, dataFolder, kafka, pipeline, schemas, clickhouse, warehouse, logLevel, limits: this.limits }
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

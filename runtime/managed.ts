// One pipeline that should run: its worker, started again with back-off when it ends by itself.

import { Backoff } from './backoff.ts'
import { stepsOf } from './messages.ts'
import type { MetricObject } from 'prom-client'
import type { Pipeline } from './pipeline.ts'
import type { Ending, PipelineWorker } from './pipeline-worker.ts'
import type { Health } from './plugin.ts'

export type PipelineState = 'starting' | 'running' | 'backing_off' | 'stopping' | 'ended' | 'paused' | 'scheduled' | 'disabled' | 'broken'

export interface PipelineStatus {
  readonly id: string
  readonly state: PipelineState
  readonly healthy: boolean
  /** Why it is not healthy; empty otherwise. */
  readonly reasons: readonly string[]
  readonly revision: string
  readonly topic: string
  readonly steps: ReadonlyArray<{ readonly step: string } & Health>
  /** Since the platform started. */
  readonly restarts: number
  /** Why it was started again the last time, with the step to blame; empty: it never was since it was loaded. */
  readonly lastFailure: string
  /** ms since 1970 of the last change of state. */
  readonly since: number
}

/** A life that lasted so long was a good one: the next failure is the first again. */
const HEALTHY_MS = 60_000

export type Spawn = () => PipelineWorker

export class ManagedPipeline {
  readonly pipeline: Pipeline
  readonly #spawn: Spawn
  readonly #onEnding: (ending: Ending, retryDelayMs: number) => void
  readonly #backoff = new Backoff()
  #worker: PipelineWorker
  #state: PipelineState = 'starting'
  #since = Date.now()
  #reason = ''
  #lastFailure = ''
  #stopping = false
  #retry: NodeJS.Timeout | undefined

  /** Begins to prepare at once; `start` lets it run. */
  constructor (pipeline: Pipeline, spawn: Spawn, onEnding: (ending: Ending, retryDelayMs: number) => void) {
    this.pipeline = pipeline
    this.#spawn = spawn
    this.#onEnding = onEnding
    this.#worker = this.#spawn()
  }

  get prepared (): Promise<void> {
    return this.#worker.prepared
  }

  get metrics (): readonly MetricObject[] {
    return this.#worker.metrics
  }

  /** Rows per second of a step, lately. */
  rowsPerSecond (step: string): number {
    return this.#worker.rate.of(step)
  }

  get healthy (): boolean {
    return this.status(0).healthy
  }

  /** Resolves once every step has begun; rejects when one fails first. It is kept alive from now on in either case. */
  start (): Promise<void> {
    const worker = this.#worker
    const startedAt = performance.now()
    this.#set('starting')
    const begun = (): void => { if (this.#state === 'starting' && worker === this.#worker) this.#set('running') }
    // A step that failed is tried again, and its health says so.
    worker.running.then(begun, begun)
    void worker.ended.then(ending => this.#afterEnd(ending, performance.now() - startedAt))
    // A worker that failed to prepare has ended already.
    worker.start()
    return worker.running
  }

  /** Ends it for good, by force after `msMax`. */
  async stop (msMax?: number): Promise<Ending> {
    this.#stopping = true
    clearTimeout(this.#retry)
    this.#set('stopping')
    return this.#worker.stop(msMax)
  }

  status (restarts: number): PipelineStatus {
    const steps = [...this.#worker.health].map(([step, health]) => ({ step, ...health }))
    const bad = steps.filter(step => !step.ok).map(step => `${step.step} is ${step.state}${step.reason === undefined ? '' : `: ${step.reason}`}`)
    const alive = this.#state === 'running' || this.#state === 'ended'
    const reasons = alive ? bad : [this.#reason === '' ? `It is ${this.#state}` : this.#reason, ...bad, ...this.#state === 'starting' ? this.#waiting() : []]
    return {
      id: this.pipeline.id,
      state: this.#state,
      healthy: alive && bad.length === 0,
      reasons,
      revision: this.pipeline.revision,
      topic: this.pipeline.topic,
      steps,
      restarts,
      lastFailure: this.#lastFailure,
      since: this.#since
    }
  }

  /** Steps that have not said anything yet. */
  #waiting (): string[] {
    const transforms = this.pipeline.transforms.map(({ name }) => name)
    const silent = stepsOf(this.pipeline).filter(step => !transforms.includes(step) && !this.#worker.health.has(step))
    return silent.map(step => `${step} has not begun`)
  }

  #afterEnd (ending: Ending, lifeMs: number): void {
    if (this.#stopping) return
    if (ending.how === 'stopped') return this.#set('ended')
    if (lifeMs > HEALTHY_MS) this.#backoff.succeeded()
    const retryDelayMs = this.#backoff.nextMs()
    this.#lastFailure = ending.plugin === undefined ? ending.reason : `${ending.plugin}: ${ending.reason}`
    this.#set('backing_off', this.#lastFailure)
    this.#onEnding(ending, retryDelayMs)
    this.#retry = setTimeout(() => {
      this.#worker = this.#spawn()
      // Its end is seen by `#afterEnd`.
      this.start().catch(() => {})
    }, retryDelayMs)
  }

  #set (state: PipelineState, reason = ''): void {
    this.#state = state
    this.#reason = reason
    this.#since = Date.now()
  }
}

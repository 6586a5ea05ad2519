// A pipeline's thread as the supervisor sees it: one life from spawn to end.

import { Worker } from 'node:worker_threads'
import { describe } from './errors.ts'
import { Pulse, stepsOf } from './messages.ts'
import { RowRate } from './row-rate.ts'
import type { MetricObject } from 'prom-client'
import type { FromWorker, ToWorker, WorkerData } from './messages.ts'
import type { Health } from './plugin.ts'

/** How a life ended. `plugin` is named where it is known. */
export interface Ending {
  readonly how: 'stopped' | 'failed' | 'stuck'
  readonly reason: string
  readonly plugin: string | undefined
}

export interface WorkerLimits {
  /** How long the event loop may stand still. */
  readonly silenceMsMax: number
  /** How long a pipeline may take to stop. */
  readonly stopMsMax: number
}

export const workerLimits: WorkerLimits = { silenceMsMax: 10_000, stopMsMax: 10_000 }
const LOOK_MS = 1000
const BUFFERS_BYTES_MAX = 2 ** 30

export class PipelineWorker {
  readonly health = new Map<string, Health>()
  metrics: readonly MetricObject[] = []
  readonly rate = new RowRate()
  /** Plugins are loaded; rejects when it ended before that. */
  readonly prepared: Promise<void>
  /** Every step has begun; rejects when one failed or the thread ended before that. */
  readonly running: Promise<void>
  readonly ended: Promise<Ending>
  readonly #worker: Worker
  readonly #pulse: Pulse
  readonly #limits: WorkerLimits
  readonly #onLog: (line: string) => void
  readonly #prepared = Promise.withResolvers<void>()
  readonly #running = Promise.withResolvers<void>()
  readonly #ended = Promise.withResolvers<Ending>()
  #ending: Ending | undefined

  constructor (data: Omit<WorkerData, 'pulse' | 'buffersBytesMax'>, onLog: (line: string) => void, limits: WorkerLimits = workerLimits) {
    this.#onLog = onLog
    this.#limits = limits
    this.#pulse = new Pulse(stepsOf(data.pipeline))
    this.prepared = this.#prepared.promise
    this.running = this.#running.promise
    this.ended = this.#ended.promise
    // Nobody has to wait for these.
    this.prepared.catch(() => {})
    this.running.catch(() => {})
    this.#worker = new Worker(new URL('./worker.ts', import.meta.url), {
      workerData: { ...data, pulse: this.#pulse.buffer, buffersBytesMax: BUFFERS_BYTES_MAX } satisfies WorkerData,
      resourceLimits: { maxOldGenerationSizeMb: data.pipeline.heapMegabytes },
      name: `pipeline ${data.pipeline.id}`
    })
    this.#worker.on('message', (message: FromWorker) => this.#receive(message))
    this.#worker.on('error', error => this.#fail(error))
    this.#worker.on('exit', code => this.#finish(code))
    this.#watchPulse()
  }

  start (): void {
    this.#send({ type: 'start' })
  }

  /** Lets it settle what is in flight; ends it by force, and names the step that hangs, when it takes too long. */
  async stop (msMax = this.#limits.stopMsMax): Promise<Ending> {
    this.#send({ type: 'stop' })
    const timer = setTimeout(() => {
      const step = this.#pulse.step ?? this.#unfinished()
      this.#kill({ how: 'stuck', reason: `${step ?? 'A step'} did not stop within ${msMax / 1000} s`, plugin: step })
    }, msMax)
    try {
      return await this.ended
    } finally {
      clearTimeout(timer)
    }
  }

  #receive (message: FromWorker): void {
    switch (message.type) {
      case 'prepared': return this.#prepared.resolve()
      case 'running': return this.#running.resolve()
      case 'log': return this.#onLog(message.line)
      case 'metrics':
        this.metrics = message.metrics
        this.rate.take(performance.now(), message.metrics)
        return
      case 'health':
        this.health.set(message.step, message.health)
        // A step that fails at once will be tried again, but it has not begun.
        if (message.health.state === 'backing_off') this.#running.reject(new Error(`${message.step}: ${message.health.reason ?? 'failed'}`))
        return
      case 'failed':
        this.#ending ??= { how: 'failed', reason: message.reason, plugin: message.plugin }
        return
      case 'stopped':
        this.#ending ??= { how: 'stopped', reason: 'It has ended', plugin: undefined }
    }
  }

  #fail (error: unknown): void {
    const outOfMemory = (error as { code?: string }).code === 'ERR_WORKER_OUT_OF_MEMORY'
    const step = this.#pulse.step
    this.#ending ??= {
      how: 'failed',
      reason: outOfMemory ? `${step ?? 'A step'} filled the heap; limits.heap_megabytes sets how large it may be` : describe(error),
      plugin: step
    }
  }

  #finish (code: number): void {
    const ending = this.#ending ?? { how: 'failed', reason: `The thread ended with code ${code}`, plugin: this.#pulse.step }
    const error = new Error(ending.plugin === undefined ? ending.reason : `${ending.plugin}: ${ending.reason}`)
    this.#prepared.reject(error)
    this.#running.reject(error)
    this.#ended.resolve(ending)
  }

  #watchPulse (): void {
    let beats = -1
    let since = performance.now()
    const timer = setInterval(() => {
      const now = performance.now()
      if (this.#pulse.beats !== beats) {
        beats = this.#pulse.beats
        since = now
      } else if (now - since > this.#limits.silenceMsMax) {
        const step = this.#pulse.step
        this.#kill({ how: 'stuck', reason: `${step ?? 'A step'} has kept the thread busy for ${this.#limits.silenceMsMax / 1000} s without a pause`, plugin: step })
      }
    }, LOOK_MS)
    void this.ended.then(() => clearInterval(timer))
  }

  /** The step that was not yet stopped when the time was over. */
  #unfinished (): string | undefined {
    for (const [step, health] of this.health) if (health.state !== 'stopped' && health.state !== 'ended') return step
    return undefined
  }

  #kill (ending: Ending): void {
    this.#ending ??= ending
    void this.#worker.terminate()
  }

  #send (message: ToWorker): void {
    this.#worker.postMessage(message)
  }
}

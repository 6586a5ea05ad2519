// A pipeline's thread as the supervisor sees it: one life from spawn to end.

import { Worker } from 'node:worker_threads'
import { stepIn } from './blame.ts'
import { describe } from './errors.ts'
import { Pulse, stepsOf } from './messages.ts'
import { RowRate } from './row-rate.ts'
import type { MetricObject } from 'prom-client'
import type { FromWorker, ToWorker, WorkerData } from './messages.ts'
import type { Limits } from './limits.ts'
import type { Pipeline } from './pipeline.ts'
import type { Health } from './plugin.ts'

/** How a life ended. `plugin` is named where it is known. */
export interface Ending {
  readonly how: 'stopped' | 'failed' | 'stuck'
  readonly reason: string
  readonly plugin: string | undefined
  /** Trying again cannot help. */
  readonly lasting?: boolean
}

const YOUNG_MEGABYTES = 64
/** How often it is looked whether a thread is alive. */
const LOOK_MS = 250
/**
 * A thread ends itself when its heap is larger than the pipeline's limit (worker.ts). V8's own limit lies above: V8 ends
 * the whole process when a heap has no room for one large allocation, say of a growing map.
 */
const HEAP_SPARE_MEGABYTES = 2048

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
  readonly #pipeline: Pipeline
  readonly #limits: Limits
  readonly #onLog: (line: string) => void
  readonly #prepared = Promise.withResolvers<void>()
  readonly #running = Promise.withResolvers<void>()
  readonly #ended = Promise.withResolvers<Ending>()
  #ending: Ending | undefined

  constructor (data: Omit<WorkerData, 'pulse'>, onLog: (line: string) => void) {
    this.#onLog = onLog
    this.#pipeline = data.pipeline
    this.#limits = data.limits
    this.#pulse = new Pulse(stepsOf(data.pipeline))
    this.prepared = this.#prepared.promise
    this.running = this.#running.promise
    this.ended = this.#ended.promise
    // Nobody has to wait for these.
    this.prepared.catch(() => {})
    this.running.catch(() => {})
    this.#worker = new Worker(new URL(data.run === undefined ? './worker.ts' : './run-worker.ts', import.meta.url), {
      workerData: { ...data, pulse: this.#pulse.buffer } satisfies WorkerData,
      // The arrays of a batch die young: with a smaller young generation they are copied first.
      resourceLimits: { maxOldGenerationSizeMb: data.pipeline.heapMegabytes + HEAP_SPARE_MEGABYTES, maxYoungGenerationSizeMb: YOUNG_MEGABYTES },
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
        this.#ending ??= { how: 'failed', reason: message.reason, plugin: message.step ?? stepIn(message.stack, this.#pipeline) ?? this.#pulse.step, lasting: message.lasting ?? false }
        return
      case 'stopped':
        this.#ending ??= { how: 'stopped', reason: 'It has ended', plugin: undefined }
    }
  }

  #fail (error: unknown): void {
    const step = this.#pulse.step
    const outOfMemory = (error as { code?: string }).code === 'ERR_WORKER_OUT_OF_MEMORY'
    const reason = outOfMemory ? `${step ?? 'A step'} filled the heap; limits.heap_megabytes sets how large it may be` : describe(error)
    this.#ending ??= { how: 'failed', reason, plugin: step }
  }

  #finish (code: number): void {
    const ending = this.#ending ?? { how: 'failed', reason: `The thread ended with code ${code}`, plugin: this.#pulse.step }
    const error = new Error(ending.plugin === undefined ? ending.reason : `${ending.plugin}: ${ending.reason}`)
    this.#prepared.reject(error)
    this.#running.reject(error)
    this.#ended.resolve(ending)
  }

  #watchPulse (): void {
    const { silenceMsMax, prepareMsMax, growthBytesMax } = this.#limits
    let beats = -1
    let silentMs = 0
    let bytesBefore = 0
    let lookedAt = performance.now()
    const timer = setInterval(() => {
      const now = performance.now()
      if (this.#pulse.beats === beats) {
        // A pause of the whole process is no silence of one thread.
        silentMs += Math.min(now - lookedAt, 2 * LOOK_MS)
      } else {
        beats = this.#pulse.beats
        silentMs = 0
        bytesBefore = process.memoryUsage.rss()
      }
      lookedAt = now
      const step = this.#pulse.step
      const grown = process.memoryUsage.rss() - bytesBefore
      // Nobody can look into a busy thread; but it is most probably the one that fills the memory.
      if (silentMs > 8 * LOOK_MS && grown > growthBytesMax && step !== undefined) {
        this.#kill({ how: 'stuck', reason: `${step} has kept the thread busy while the process grew by ${Math.round(grown / 2 ** 20)} MiB`, plugin: step })
      // Before the first beat it loads its modules.
      } else if (silentMs > (beats === 0 ? Math.max(prepareMsMax, silenceMsMax) : silenceMsMax)) {
        this.#kill({ how: 'stuck', reason: `${step ?? 'A step'} has kept the thread busy for ${Math.round(silentMs / 1000)} s without a pause`, plugin: step })
      }
    }, LOOK_MS)
    void this.ended.then(() => clearInterval(timer))
  }

  /** The step that was not yet stopped when the time was over. */
  #unfinished (): string | undefined {
    // The outputs wait for the input, so it is asked first.
    return stepsOf(this.#pipeline).find(step => {
      const state = this.health.get(step)?.state
      return state !== undefined && state !== 'stopped' && state !== 'ended'
    })
  }

  #kill (ending: Ending): void {
    this.#ending ??= ending
    void this.#worker.terminate()
  }

  #send (message: ToWorker): void {
    this.#worker.postMessage(message)
  }
}

// What the main thread and a pipeline's worker thread say to each other.

import type { MetricObject } from 'prom-client'
import type { Health } from './plugin.ts'
import type { Pipeline } from './pipeline.ts'
import type { Topic } from './schema.ts'

/** Plain data: it is copied into the thread. */
export interface WorkerData {
  readonly root: string
  readonly dataFolder: string
  readonly pipeline: Pipeline
  readonly schemas: ReadonlyMap<string, Topic>
  /** URL of ClickHouse with user and password; undefined: there is none. */
  readonly clickhouse: string | undefined
  /** Shared with the main thread: see `Pulse`. */
  readonly pulse: SharedArrayBuffer
  readonly logLevel: string
  /** Bytes outside the JavaScript heap (buffers) that the thread may hold. */
  readonly buffersBytesMax: number
}

export type ToWorker =
  /** Open everything and run. Sent once, after `prepared`. */
  | { readonly type: 'start' }
  /** Stop the input, settle what is in flight, close, end. */
  | { readonly type: 'stop' }

export type FromWorker =
  /** Plugins are loaded and transforms were opened once: the pipeline could start. */
  | { readonly type: 'prepared' }
  /** Every output is open and the input has not failed at once. */
  | { readonly type: 'running' }
  | { readonly type: 'health', readonly step: string, readonly health: Health }
  | { readonly type: 'log', readonly line: string }
  | { readonly type: 'metrics', readonly metrics: readonly MetricObject[] }
  /** The thread cannot go on; the message names the plugin where it can. */
  | { readonly type: 'failed', readonly reason: string, readonly plugin: string | undefined }
  | { readonly type: 'stopped' }

/** Names of a pipeline's steps, in the order in which `Pulse` numbers them. */
export function stepsOf (pipeline: Pipeline): string[] {
  return [...(pipeline.input === undefined ? [] : [pipeline.input.name]), ...pipeline.transforms.map(step => step.name), ...pipeline.outputs.map(step => step.name)]
}

/**
 * A worker's sign of life in shared memory: word 0 grows while its event loop turns, word 1 is the step that it is in
 * (0: none). It can be read while the thread is stuck.
 */
export class Pulse {
  readonly buffer: SharedArrayBuffer
  readonly #words: Int32Array
  readonly #steps: readonly string[]

  constructor (steps: readonly string[], buffer = new SharedArrayBuffer(8)) {
    this.buffer = buffer
    this.#words = new Int32Array(buffer)
    this.#steps = steps
  }

  get beats (): number {
    return Atomics.load(this.#words, 0)
  }

  beat (): void {
    Atomics.add(this.#words, 0, 1)
  }

  /** The step that runs now; undefined: the runtime itself. */
  get step (): string | undefined {
    return this.#steps[Atomics.load(this.#words, 1) - 1]
  }

  enter (step: string): void {
    Atomics.store(this.#words, 1, this.#steps.indexOf(step) + 1)
  }

  leave (): void {
    Atomics.store(this.#words, 1, 0)
  }
}

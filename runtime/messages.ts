// What the main thread and a pipeline's worker thread say to each other.

import type { MetricObject } from 'prom-client'
import type { KafkaConfig } from './broker/kafka/options.ts'
import type { Limits } from './limits.ts'
import type { Health, Run } from './plugin.ts'
import type { Pipeline } from './pipeline.ts'
import type { Topic } from './schema.ts'
import type { Watch } from './watched.ts'

/** Plain data: it is copied into the thread. */
export interface WorkerData {
  readonly root: string
  readonly dataFolder: string
  /** Undefined: the embedded broker. */
  readonly kafka: KafkaConfig | undefined
  readonly pipeline: Pipeline
  readonly schemas: ReadonlyMap<string, Topic>
  /** URL of ClickHouse with user and password; undefined: there is none. */
  readonly clickhouse: string | undefined
  /** Likewise, of the one that has the warehouse. */
  readonly warehouse: string | undefined
  /** undefined: the pipeline is no job. */
  readonly run?: Run | undefined
  /** Shared with the main thread: see `Pulse`. */
  readonly pulse: SharedArrayBuffer
  readonly logLevel: string
  readonly limits: Limits
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
  /** The thread cannot go on. The step where it is known; else the stack may tell. `lasting`: trying again cannot help. */
  | { readonly type: 'failed', readonly reason: string, readonly step: string | undefined, readonly stack: string | undefined, readonly lasting?: boolean }
  | { readonly type: 'stopped' }

/** Names of a pipeline's steps, in the order in which `Pulse` numbers them. */
export function stepsOf (pipeline: Pipeline): string[] {
  return [...(pipeline.input === undefined ? [] : [pipeline.input.name]), ...pipeline.transforms.map(step => step.name), ...pipeline.outputs.map(step => step.name)]
}

/** Of the words of a pulse. */
const FIRST_STEP = 2

/**
 * A worker's sign of life in shared memory. It can be read while the thread is stuck.
 *
 *   word 0   grows while the event loop turns
 *   word 1   the step whose synchronous code runs, from 1 on; 0: none
 *   word 2…  for each step, how many calls into it have not come back
 */
export class Pulse implements Watch {
  readonly buffer: SharedArrayBuffer
  readonly #words: Int32Array
  readonly #steps: readonly string[]

  constructor (steps: readonly string[], buffer = new SharedArrayBuffer(4 * (FIRST_STEP + steps.length))) {
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

  /** The step that runs now or, where none does, those that are waiting for something; undefined: the runtime itself. */
  get step (): string | undefined {
    const waiting = this.#steps.filter((_, i) => Atomics.load(this.#words, FIRST_STEP + i) > 0)
    return this.#steps[Atomics.load(this.#words, 1) - 1] ?? (waiting.length === 0 ? undefined : waiting.join(' or '))
  }

  enter (step: string): void {
    Atomics.store(this.#words, 1, this.#steps.indexOf(step) + 1)
  }

  leave (): void {
    Atomics.store(this.#words, 1, 0)
  }

  begin (step: string): void {
    this.#wait(step, 1)
  }

  end (step: string): void {
    this.#wait(step, -1)
  }

  #wait (step: string, by: number): void {
    const i = this.#steps.indexOf(step)
    if (i >= 0) Atomics.add(this.#words, FIRST_STEP + i, by)
  }
}

// Where a run of a job ends: at the end that the topic has once the input has ended. What comes into the topic later is
// for a later run.

import type { TopicState } from './broker/broker.ts'
import type { End } from './deliver.ts'

export class RunEnd {
  readonly #known = new AbortController()
  /** By partition. */
  #offsets: ReadonlyMap<number, number> = new Map()

  /** To be called once; undefined: there is no topic yet. */
  set (topic: TopicState | undefined): void {
    this.#offsets = new Map(topic?.partitions.map(({ partition, next }) => [partition, next]))
    this.#known.abort()
  }

  of (partition: number): End {
    return { known: this.#known.signal, offset: () => this.#known.signal.aborted ? this.#offsets.get(partition) ?? 0 : undefined }
  }

  /** Whether an output that has taken these partitions to their end has taken all. */
  isReached (partitions: ReadonlySet<number>): boolean {
    return this.#known.signal.aborted && [...this.#offsets.keys()].every(partition => partitions.has(partition))
  }
}

/** A step has failed; a stream would try it again, a run ends with it. */
export class StepFailed extends Error {
  readonly step: string

  constructor (step: string, cause: unknown) {
    super(`${step} failed`, { cause })
    this.name = 'StepFailed'
    this.step = step
  }
}

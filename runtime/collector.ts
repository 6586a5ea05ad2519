import { fromRows } from './batch.ts'
import type { Batch, Row } from './batch.ts'
import type { Topic } from './schema.ts'

export interface CollectorLimits {
  /** Rows of one batch at most. */
  readonly rows: number
  /** How long a row waits for others. */
  readonly ms: number
  /** Rows that wait for the topic at most. */
  readonly pending: number
}

/**
 * Rows pushed by callbacks, pulled as batches: the bridge from a push feed to a generator.
 *
 * A feed that cannot be slowed down may push more than the topic takes. Beyond `pending` rows `push` refuses: it
 * returns false, the row is counted in `dropped`, and the caller may slow its source down. Nothing else drops rows.
 */
export class Collector {
  dropped = 0
  readonly #topic: Topic
  readonly #limits: CollectorLimits
  #rows: Row[] = []
  #marked = false
  #failure: Error | undefined
  #ended = false
  #wake: (() => void) | undefined

  constructor (topic: Topic, limits: CollectorLimits = { rows: 1000, ms: 20, pending: 100_000 }) {
    this.#topic = topic
    this.#limits = limits
  }

  /** Rows that wait. */
  get pending (): number {
    return this.#rows.length
  }

  push (row: Row): boolean {
    if (this.#rows.length >= this.#limits.pending) {
      this.dropped++
      return false
    }
    this.#rows.push(row)
    if (this.#rows.length === 1 || this.#rows.length === this.#limits.rows) this.#wake?.()
    return true
  }

  /** `batches` gives a batch soon even where no row waits: it carries rejected rows into their topic. */
  mark (): void {
    this.#marked = true
    this.#wake?.()
  }

  /** No more rows: `batches` gives what is left, then returns. */
  end (): void {
    this.#ended = true
    this.#wake?.()
  }

  /** The feed broke: `batches` gives what is left, then throws. */
  fail (error: Error): void {
    this.#failure ??= error
    this.end()
  }

  async * batches (signal: AbortSignal): AsyncGenerator<Batch, void, void> {
    const onAbort = (): void => this.end()
    signal.addEventListener('abort', onAbort)
    if (signal.aborted) this.end()
    try {
      while (true) {
        if (this.#rows.length === 0 && !this.#marked && !this.#ended) await this.#woken()
        // A first row waits a little for company.
        if (this.#rows.length < this.#limits.rows && !this.#ended) await this.#woken(this.#limits.ms)
        if (this.#rows.length > 0 || this.#marked) {
          this.#marked = false
          yield fromRows(this.#topic, this.#rows.splice(0, this.#limits.rows))
        } else if (this.#ended) {
          break
        }
      }
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
    if (this.#failure !== undefined) throw this.#failure
  }

  #woken (ms?: number): Promise<void> {
    return new Promise(resolve => {
      const timer = ms === undefined ? undefined : setTimeout(() => this.#wake?.(), ms)
      this.#wake = () => {
        clearTimeout(timer)
        this.#wake = undefined
        resolve()
      }
    })
  }
}

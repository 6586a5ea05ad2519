import { fromRows, rowsThatFit } from './batch.ts'
import { Waker } from './waker.ts'
import type { Batch, Row } from './batch.ts'
import type { Topic } from './schema.ts'

export interface CollectorLimits {
  /** Rows of one batch at most. */
  readonly rows: number
  /** How long a row waits for others. */
  readonly ms: number
  /** Rows that wait for the topic at most. */
  readonly pending: number
  /** Size of these rows at most, as `push` was told. @default 64 MiB */
  readonly pendingBytes?: number
}

const PENDING_BYTES = 64 * 2 ** 20
/** A batch is full at this size, too. */
const BATCH_BYTES = 8 * 2 ** 20

/**
 * Rows pushed by callbacks, pulled as batches: the bridge from a push feed to a generator.
 *
 * A feed that cannot be slowed down may push more than the topic takes. Beyond the limits, and after the end, `push`
 * refuses: it returns false, the row is counted in `dropped`, and the caller may slow its source down. Nothing else drops rows.
 */
export class Collector {
  dropped = 0
  readonly #topic: Topic
  readonly #limits: CollectorLimits
  readonly #waker = new Waker()
  #rows: Row[] = []
  #sizes: number[] = []
  #bytes = 0
  #marked = false
  #failure: Error | undefined
  #ended = false

  constructor (topic: Topic, limits: CollectorLimits = { rows: 1000, ms: 20, pending: 100_000 }) {
    this.#topic = topic
    this.#limits = limits
  }

  /** Rows that wait. */
  get pending (): number {
    return this.#rows.length
  }

  /** `bytes`: what the row takes in memory, roughly. A single row is taken whatever its size. */
  push (row: Row, bytes = 0): boolean {
    const { pending, pendingBytes = PENDING_BYTES } = this.#limits
    // After the end a fast feed would never let `batches` return.
    if (this.#ended || this.#rows.length >= pending || (this.#rows.length > 0 && this.#bytes + bytes > pendingBytes)) {
      this.dropped++
      return false
    }
    this.#rows.push(row)
    this.#sizes.push(bytes)
    this.#bytes += bytes
    if (this.#rows.length === 1 || this.#rows.length === this.#limits.rows) this.#waker.wake()
    return true
  }

  /** `batches` gives a batch soon even where no row waits: it carries rejected rows into their topic. */
  mark (): void {
    this.#marked = true
    this.#waker.wake()
  }

  /** No more rows: `batches` gives what is left, then returns. */
  end (): void {
    this.#ended = true
    this.#waker.wake()
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
        if (this.#rows.length === 0 && !this.#marked && !this.#ended) await this.#waker.sleep()
        // A first row waits a little for company.
        if (this.#rows.length < this.#limits.rows && !this.#ended) await this.#waker.sleep(this.#limits.ms)
        if (this.#rows.length > 0 || this.#marked) {
          this.#marked = false
          yield this.#take()
        } else if (this.#ended) {
          break
        }
      }
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
    if (this.#failure !== undefined) throw this.#failure
  }

  #take (): Batch {
    let full = 0
    for (let bytes = 0; full < this.#rows.length && full < this.#limits.rows && (full === 0 || bytes < BATCH_BYTES); full++) bytes += this.#sizes[full] as number
    const rows = rowsThatFit(this.#rows, 0, full)
    const bytes = this.#sizes.splice(0, rows).reduce((sum, size) => sum + size, 0)
    this.#bytes -= bytes
    return fromRows(this.#topic, this.#rows.splice(0, rows), bytes === 0 ? undefined : bytes)
  }
}

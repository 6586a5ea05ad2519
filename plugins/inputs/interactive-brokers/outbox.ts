import { fromRows } from '../../../runtime/batch.ts'
import { Waker } from '../../../runtime/waker.ts'
import type { Chunk, Row, Topic } from '../../../runtime/plugin.ts'
import type { Progress } from './progress.ts'

// Bars first: the gap row that calls them complete must not be durable before them.
const topicNames = ['bars', 'gaps', 'quotes'] as const
type TopicName = typeof topicNames[number]
type Topics = Readonly<Record<TopicName, Topic>>

export interface OutboxOptions {
  /** Quotes that wait at most. */
  readonly pendingMax: number
  readonly reject: (row: Row, reason: string) => void
  /** Nobody waits for room after it. */
  readonly signal: AbortSignal
}

interface Entry {
  readonly topic: TopicName
  readonly row: Row
  /** Why the row goes to the rejected ones. */
  readonly refused?: string | undefined
}

const rowsMax = 1000
const companyMs = 20
const checkpointMs = 1000

/**
 * Rows of three topics between the socket's callbacks and the generator, in one order, so that the checkpoint can
 * follow them.
 *
 * The bound: `pendingMax` quotes; beyond it a quote is refused and the caller opens a gap. Gap rows are always taken:
 * a gap that is open cannot open again, and it closes only when a quote is taken, so there are at most two an
 * instrument beyond the quotes. Bars wait for room.
 */
export class Outbox {
  readonly #topics: Topics
  readonly #progress: Progress
  readonly #options: OutboxOptions
  readonly #waker = new Waker()
  #entries: Entry[] = []
  #ended = false
  #failure: Error | undefined
  #roomy = Promise.withResolvers<void>()

  constructor (topics: Topics, progress: Progress, options: OutboxOptions) {
    this.#topics = topics
    this.#progress = progress
    this.#options = options
  }

  get #hasRoom (): boolean {
    return this.#entries.length < this.#options.pendingMax
  }

  /** False: there is no room, and the row is dropped. */
  quote (row: Row, refused?: string): boolean {
    if (!this.#hasRoom) return false
    this.#put({ topic: 'quotes', row, refused })
    return true
  }

  gap (row: Row): void {
    this.#put({ topic: 'gaps', row })
  }

  /** Resolves when the bars are taken, or at the signal. */
  async bars (rows: readonly Row[]): Promise<void> {
    const { signal } = this.#options
    const onStop = (): void => this.#roomy.resolve()
    signal.addEventListener('abort', onStop)
    for (const row of rows) {
      while (!this.#hasRoom && !signal.aborted) await this.#roomy.promise
      if (signal.aborted) break
      this.#put({ topic: 'bars', row })
    }
    signal.removeEventListener('abort', onStop)
  }

  /** No more rows: `chunks` gives what is left and returns, or throws the failure. */
  end (failure?: Error): void {
    this.#failure ??= failure
    this.#ended = true
    this.#waker.wake()
  }

  async * chunks (): AsyncGenerator<Chunk, void, void> {
    let savedAt = -Infinity
    let saved = true
    while (true) {
      if (this.#entries.length === 0 && !this.#ended) await this.#waker.sleep()
      // A first row waits a little for company.
      if (this.#entries.length < rowsMax && !this.#ended) await this.#waker.sleep(companyMs)
      if (this.#entries.length === 0 && this.#ended) break
      for (const [topic, rows] of this.#take()) {
        this.#fold(topic, rows)
        // The checkpoint may lag behind quotes: a gap after a crash then begins a little earlier than it had to.
        const due = topic === 'gaps' || performance.now() - savedAt >= checkpointMs
        if (due) savedAt = performance.now()
        saved = due
        yield { batch: fromRows(this.#topics[topic], rows), ...(due && { checkpoint: this.#progress.checkpoint() }) }
      }
    }
    if (!saved) yield { batch: fromRows(this.#topics.quotes, []), checkpoint: this.#progress.checkpoint() }
    if (this.#failure !== undefined) throw this.#failure
  }

  /** The next rows by topic. Refused ones leave an empty batch if there is no other: with it they become durable. */
  #take (): Array<readonly [TopicName, Row[]]> {
    const taken = this.#entries.splice(0, rowsMax)
    if (this.#hasRoom) {
      this.#roomy.resolve()
      this.#roomy = Promise.withResolvers()
    }
    const rows: Partial<Record<TopicName, Row[]>> = {}
    for (const { topic, row, refused } of taken) {
      const list = rows[topic] ??= []
      if (refused === undefined) list.push(row)
      else this.#options.reject(row, refused)
    }
    return topicNames.flatMap(topic => rows[topic] === undefined ? [] : [[topic, rows[topic]] as const])
  }

  #fold (topic: TopicName, rows: readonly Row[]): void {
    if (topic === 'gaps') for (const row of rows) this.#progress.gap(row)
    if (topic === 'quotes') for (const row of rows) this.#progress.received(row['conid'] as number, row['received_time'] as number)
  }

  #put (entry: Entry): void {
    this.#entries.push(entry)
    if (this.#entries.length === 1 || this.#entries.length === rowsMax) this.#waker.wake()
  }
}

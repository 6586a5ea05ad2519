// Reading of one partition from any offset. What a fetch brings is kept, so that the next reads are served from it; when
// it is used up and there is more, the next fetch is on its way already.
//
// Reads that find nothing must not come between what a writer was told is durable and a reader that looks for it: Kafka
// answers a commit a moment before readers see it. So where records stand behind an unfinished transaction, a read
// waits for that, once and for a while.
//
// Kafka counts from 0. The platform counts on from the topic's base (state.ts), and so do all offsets here: Kafka's own
// are known to `#request` and `offsetAt` only.

import { setTimeout as sleep } from 'node:timers/promises'
import { PlatformError } from '../../errors.ts'
import { hasType, madeAnew, translate } from './faults.ts'
import { decodeBatches } from './records.ts'
import { fetchRequest } from './requests.ts'
import { decodeRows } from './rows.ts'
import { topicName } from './topics.ts'
import type { Batch } from '../../batch.ts'
import type { Topic } from '../../schema.ts'
import type { Found, Refused } from '../broker.ts'
import type { Cluster } from './cluster.ts'
import type { RecordBatch } from './records.ts'
import type { Fetched } from './requests.ts'
import type { Peer } from './wire.ts'

const FETCH_BYTES = 4 * 2 ** 20
/** Of a fetch that waits for something to come. */
const POLL_MS = 1000
const UNFINISHED_MS = 1000
const UNFINISHED_POLL_MS = 20
/** After a poll that failed: the next read says why. */
const FAILED_MS = 100

interface Kept {
  readonly from: number
  /** The offset behind the last batch. */
  readonly next: number
  /** Ascending; those of aborted transactions and control batches are gone. */
  readonly batches: readonly RecordBatch[]
  readonly stable: number
  readonly end: number
}

export interface Bounds { readonly first: number, readonly next: number }

export class PartitionReader {
  readonly #cluster: Cluster
  readonly #topic: Topic
  readonly #name: string
  readonly #partition: number
  readonly #base: number
  #kept: Kept | undefined
  #ahead: { readonly from: number, readonly kept: Promise<Kept> } | undefined
  #polling: { readonly from: number, readonly done: Promise<void> } | undefined
  #peer: Peer | undefined
  #closed = false
  /** The unfinished transaction that was waited for already. */
  #waitedAt = -1

  /** `base`: of the topic, as the state has it. */
  constructor (cluster: Cluster, topic: Topic, partition: number, base: number) {
    this.#cluster = cluster
    this.#topic = topic
    this.#name = topicName(cluster.config, topic.name)
    this.#partition = partition
    this.#base = base
  }

  async read (offset: number, { rows, bytes, to = Infinity }: { readonly rows: number, readonly bytes: number, readonly to?: number }): Promise<Found> {
    try {
      const kept = await this.#at(offset)
      const found = take(kept, offset, { rows, bytes, to }, batch => decodeRows(this.#topic, this.#partition, batch, { from: offset, to }))
      if (found.next >= kept.next && kept.stable > kept.next) this.#fetchAhead(kept.next)
      return found
    } catch (error) {
      throw await this.#explain(error, offset)
    }
  }

  /** Resolves when there may be rows at `offset`, after `ms`, or at the signal. */
  async wait (offset: number, ms: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.#holds(offset)) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const done = (): void => resolve()
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done)
    const over = new AbortController()
    const polls = async (): Promise<void> => {
      while (!over.signal.aborted && !this.#closed && !this.#holds(offset) && !this.#cluster.closed.aborted) await this.#poll(offset)
      resolve()
    }
    // It cannot fail: what fails in it is met by the next read.
    void polls()
    try {
      await promise
    } finally {
      over.abort()
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
    }
  }

  async bounds (): Promise<Bounds> {
    try {
      const [first, next] = await Promise.all([this.offsetAt(-2), this.offsetAt(-1)])
      return { first, next: Math.max(first, next) }
    } catch (error) {
      throw translate(error, `Reading ${this.#name}/${this.#partition}`)
    }
  }

  /** Of the first record as old as `time` or younger; -2: of the oldest; -1: behind the newest. -1 where there is none. */
  async offsetAt (time: number, uncommitted = false): Promise<number> {
    const offset = await this.#cluster.offsetAt(this.#name, this.#partition, { time, uncommitted })
    return offset < 0 ? -1 : offset + this.#base
  }

  /** What a writer was told is durable, readers see it from now on. */
  async settled (): Promise<void> {
    const end = await this.offsetAt(-1, true)
    for (const until = performance.now() + UNFINISHED_MS; performance.now() < until; await sleep(UNFINISHED_POLL_MS)) {
      if (await this.offsetAt(-1) >= end) return
    }
  }

  /** The batch that has the offset, or the next one. */
  async batchAt (offset: number): Promise<RecordBatch | undefined> {
    const { bytes } = await this.#request(offset, { bytes: 1, waitMs: 0, uncommitted: true })
    for (const batch of decodeBatches(bytes, this.#where, this.#base)) if (batch.next > offset) return batch
    return undefined
  }

  async close (): Promise<void> {
    this.#closed = true
    await this.#peer?.close()
  }

  get #where (): string {
    return `${this.#name}/${this.#partition}`
  }

  #holds (offset: number): boolean {
    const kept = this.#kept
    return kept !== undefined && kept.from <= offset && offset < kept.next
  }

  /** What is known to be at the offset, which is asked for where nothing is kept. */
  async #at (offset: number): Promise<Kept> {
    if (this.#kept !== undefined && this.#holds(offset)) return this.#kept
    if (this.#ahead?.from === offset) {
      const ahead = this.#ahead
      this.#ahead = undefined
      const kept = await ahead.kept
      if (kept.next > offset) return (this.#kept = kept)
    }
    let kept = await this.#fetch(offset, 0)
    if (kept.next === offset && kept.stable < kept.end && kept.stable !== this.#waitedAt) kept = await this.#unfinished(offset, kept)
    return (this.#kept = kept)
  }

  async #unfinished (offset: number, first: Kept): Promise<Kept> {
    let kept = first
    for (const until = performance.now() + UNFINISHED_MS; performance.now() < until;) {
      await sleep(1)
      kept = await this.#fetch(offset, UNFINISHED_POLL_MS)
      if (kept.next > offset || kept.stable >= first.end) return kept
    }
    this.#waitedAt = kept.stable
    return kept
  }

  #fetchAhead (offset: number): void {
    const kept = this.#fetch(offset, 0)
    // Whoever reads there hears of it.
    kept.catch(() => {})
    this.#ahead = { from: offset, kept }
  }

  /** One fetch that waits at the broker; callers that wait for the same offset share it. */
  async #poll (offset: number): Promise<void> {
    while (this.#polling !== undefined) {
      const { from, done } = this.#polling
      await done
      if (from === offset) return
    }
    const poll = async (): Promise<void> => {
      try {
        const kept = await this.#fetch(offset, POLL_MS)
        if (kept.next > offset) this.#kept = kept
      } catch {
        // The next read meets the same, and says so.
        await sleep(FAILED_MS)
      }
    }
    const done = poll().finally(() => { this.#polling = undefined })
    this.#polling = { from: offset, done }
    await done
  }

  async #fetch (offset: number, waitMs: number): Promise<Kept> {
    const fetched = await this.#request(offset, { bytes: FETCH_BYTES, waitMs })
    return keep(fetched, offset, batches => decodeBatches(batches, this.#where, this.#base))
  }

  async #request (offset: number, how: { readonly bytes: number, readonly waitMs: number, readonly uncommitted?: boolean }): Promise<Fetched> {
    const fetched = await this.#cluster.patiently(async () => {
      const peer = how.waitMs > 0 ? await this.#own() : await this.#cluster.leader(this.#name, this.#partition)
      return peer.send(fetchRequest({ topic: this.#name, partition: this.#partition, offset: offset - this.#base, ...how }))
    }, { topic: this.#name })
    if (this.#base === 0) return fetched
    const { end, stable, first, aborted, bytes } = fetched
    return { end: end + this.#base, stable: stable + this.#base, first: first + this.#base, aborted: aborted.map(({ producerId, from }) => ({ producerId, from: from + this.#base })), bytes }
  }

  /** Kafka answers what came over one connection in its order: what waits has one of its own. */
  async #own (): Promise<Peer> {
    const address = await this.#cluster.leaderAddress(this.#name, this.#partition)
    if (this.#peer !== undefined && this.#peer.address.host === address.host && this.#peer.address.port === address.port) return this.#peer
    if (this.#closed) throw new Error('The reader was closed')
    // Nothing is awaited in between: another call would make a second one. The leader has moved, who waits for the old one is told.
    void this.#peer?.close()
    this.#peer = this.#cluster.ownPeer(address)
    return this.#peer
  }

  async #explain (error: unknown, offset: number): Promise<PlatformError> {
    if (!hasType(error, 'OFFSET_OUT_OF_RANGE')) return translate(error, `Reading ${this.#where}`)
    const { first, next } = await this.bounds()
    if (offset >= first) return madeAnew(this.#name)
    return new PlatformError('BROKER_OFFSET_LOST', `Offset ${offset} of ${this.#where} is not there: the topic holds ${first} to ${next}, so retention has removed it`, { where: this.#name, cause: error })
  }
}

function keep ({ bytes, aborted, stable, end }: Fetched, offset: number, decode: (bytes: Buffer) => Iterable<RecordBatch>): Kept {
  const batches: RecordBatch[] = []
  const gone = [...aborted].sort((a, b) => a.from - b.from)
  const aborting = new Set<bigint>()
  let next = offset
  for (const batch of decode(bytes)) {
    while (gone[0] !== undefined && gone[0].from < batch.next) aborting.add((gone.shift() as { producerId: bigint }).producerId)
    next = Math.max(next, batch.next)
    if (batch.control === 'abort') aborting.delete(batch.producerId)
    if (batch.control !== undefined || batch.next <= offset || (batch.transactional && aborting.has(batch.producerId))) continue
    batches.push(batch)
  }
  return { from: offset, next, batches, stable, end }
}

interface Limits { readonly rows: number, readonly bytes: number, readonly to: number }

/** As many whole batches as the limits let through, one at least. */
function take (kept: Kept, offset: number, { rows, bytes, to }: Limits, decode: (batch: RecordBatch) => { readonly batches: readonly Batch[], readonly refused: readonly Refused[] }): Found {
  const batches: Batch[] = []
  const refused: Refused[] = []
  let rowsLeft = rows
  let bytesLeft = bytes
  for (const batch of kept.batches) {
    if (batch.next <= offset) continue
    if (batch.base >= to) break
    if (rowsLeft < rows && (batch.count > rowsLeft || bytesLeft <= 0)) return { batches, refused, next: batch.base }
    const found = decode(batch)
    batches.push(...found.batches)
    refused.push(...found.refused)
    rowsLeft -= batch.count
    bytesLeft -= found.batches.reduce((sum, { bytes }) => sum + bytes, 0)
  }
  return { batches, refused, next: Math.min(to, kept.next) }
}

// The broker inside the platform: no server, one SQLite database a topic. Every worker thread opens its own; they meet
// in the files, and tell each other about new rows through a BroadcastChannel, which is a hint and not needed.

import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { aborted } from '../backoff.ts'
import { checkNames } from '../connector.ts'
import { channel, EmbeddedAssignment, fenced, follow, readerOf, tail } from './embedded-read.ts'
import { FrameWriter } from './frame.ts'
import { splitByKey } from './partition.ts'
import { firstOffset } from './epoch.ts'
import { inspect, trim } from './retention.ts'
import { TopicFile } from './topic-file.ts'
import type { BroadcastChannel } from 'node:worker_threads'
import type { Batch } from '../batch.ts'
import type { Json } from '../plugin.ts'
import type { Topic } from '../schema.ts'
import type { Assignment, Broker, Committed, Consumer, Intent, Lease, Producer } from './broker.ts'

export interface EmbeddedOptions {
  /** Holds one `<topic>.db` a topic. */
  readonly folder: string
  /** ms since 1970; stamps what is appended. Where it goes back, a partition's batches keep the time of the newest one. */
  readonly now?: () => number
}

const FRAME_ROWS_MAX = 16_384
/** What a frame holds, as far as the batch knows its size. */
const FRAME_BYTES = 16 * 2 ** 20

export function openEmbedded ({ folder, now = Date.now }: EmbeddedOptions): Broker {
  const files = new Map<string, TopicFile>()
  const pathOf = (topic: string): string => join(folder, `${topic}.db`)

  function open (topic: string): TopicFile {
    let file = files.get(topic)
    if (file === undefined) {
      file = new TopicFile(pathOf(topic))
      files.set(topic, file)
    }
    return file
  }

  function create (topic: Topic): TopicFile {
    const file = open(topic.name)
    const existing = (): number => file.get<{ n: number }>('select count(*) as n from partitions')?.n ?? 0
    if (existing() < topic.partitions) {
      file.transaction(() => {
        const first = firstOffset(pathOf(topic.name), existing() === 0)
        for (let partition = 0; partition < topic.partitions; partition++) file.change('insert or ignore into partitions (partition, next) values (?, ?)', partition, first)
      })
    }
    return file
  }

  return {
    async producer (topic, name) {
      return new EmbeddedProducer(create(topic), topic, name, now)
    },
    async consumer (topic, group) {
      return new EmbeddedConsumer(create(topic), topic, group, now)
    },
    async topics () {
      return existsSync(folder) ? readdirSync(folder).filter(name => name.endsWith('.db')).map(name => name.slice(0, -3)).sort() : []
    },
    async lease () {
      return ownLease
    },
    async * follow (topic, options) {
      yield * follow(create(topic), topic, options)
    },
    async reader (topic) {
      return readerOf(create(topic), topic)
    },
    async inspect (topic) {
      return existsSync(pathOf(topic)) ? inspect(open(topic), topic, now()) : undefined
    },
    async tail (topic, rows) {
      return existsSync(pathOf(topic.name)) ? tail(open(topic.name), topic, rows) : []
    },
    async trim (topic, { now, groups }) {
      return existsSync(pathOf(topic.name)) ? trim(open(topic.name), topic, now, groups) : 0
    },
    async close () {
      for (const file of files.values()) file.close()
      files.clear()
    }
  }
}

/** The folder has one process at a time, which has every seat. */
const ownLease: Lease = {
  shared: false,
  async * held (signal) {
    if (signal.aborted) return
    yield signal
    await aborted(signal)
  }
}

class EmbeddedProducer implements Producer {
  checkpoint: Json | undefined
  readonly #file: TopicFile
  readonly #topic: Topic
  readonly #name: string
  readonly #now: () => number
  readonly #epoch: number
  readonly #writer = new FrameWriter()
  readonly #news: BroadcastChannel

  constructor (file: TopicFile, topic: Topic, name: string, now: () => number) {
    this.#file = file
    this.#topic = topic
    this.#name = name
    this.#now = now
    this.#news = channel(topic.name)
    const row = file.transaction(() => file.get<{ epoch: number, checkpoint: string | null }>(
      'insert into producers (name, epoch) values (?, 1) on conflict (name) do update set epoch = epoch + 1 returning epoch, checkpoint', name))
    this.#epoch = row?.epoch ?? 1
    this.checkpoint = row?.checkpoint == null ? undefined : JSON.parse(row.checkpoint) as Json
  }

  async append (batches: readonly Batch[], { checkpoint, sequence }: { readonly checkpoint?: Json | undefined, readonly sequence?: number } = {}): Promise<void> {
    for (const batch of batches) checkNames(this.#topic, batch)
    const appended = this.#file.transaction(() => {
      const own = this.#file.get<{ sequence: number | null }>('select sequence from producers where name = ? and epoch = ?', this.#name, this.#epoch)
      if (own === undefined) throw fenced(`The producer ${this.#name} of ${this.#topic.name}`)
      if (sequence !== undefined && own.sequence !== null && sequence <= own.sequence) return false
      for (const batch of batches) this.#insert(batch)
      // Invariant 1: the checkpoint becomes durable together with its rows.
      if (checkpoint !== undefined || sequence !== undefined) {
        this.#file.change('update producers set checkpoint = coalesce(?, checkpoint), sequence = coalesce(?, sequence) where name = ?',
          checkpoint === undefined ? null : JSON.stringify(checkpoint), sequence ?? null, this.#name)
      }
      return true
    })
    if (!appended) return
    if (checkpoint !== undefined) this.checkpoint = checkpoint
    if (batches.length > 0) this.#news.postMessage(null)
  }

  #insert (batch: Batch): void {
    for (const { partition, rows } of splitByKey(batch, this.#topic)) {
      for (const frame of frames(rows)) {
        const { next, time } = this.#file.get<{ next: number, time: number }>('select next, max(time, ?) as time from partitions where partition = ?', this.#now(), partition) as { next: number, time: number }
        this.#file.change('insert into log (partition, base, rows, time, body) values (?, ?, ?, ?, ?)', partition, next, frame.length, time, this.#writer.encode(frame))
        // Of the rows of a key, readers take the one that came last by its time: a later row is never the older one.
        this.#file.change('update partitions set next = ?, time = ? where partition = ?', next + frame.length, time, partition)
      }
    }
  }

  async close (): Promise<void> {
    this.#news.close()
  }
}

class EmbeddedConsumer implements Consumer {
  readonly #file: TopicFile
  readonly #topic: Topic
  readonly #group: string
  readonly #now: () => number
  readonly #lost = new AbortController()

  constructor (file: TopicFile, topic: Topic, group: string, now: () => number) {
    this.#file = file
    this.#topic = topic
    this.#group = group
    this.#now = now
  }

  /** All partitions, at once and for good: an embedded topic has one member a group, the last one that asked. */
  async * assignments (): AsyncGenerator<Assignment, void, void> {
    const file = this.#file
    // An epoch is at least the time: the groups of a file that was taken away begin anew and are newer still.
    for (const { partition } of file.all<{ partition: number }>('select partition from partitions order by partition')) {
      const row = file.transaction(() => file.get<{ epoch: number, offset: number, state: string | null, intent: string | null }>(
        `insert into groups (name, partition, epoch, offset) values (?1, ?2, ?3, coalesce((select min(base) from log where partition = ?2), (select next from partitions where partition = ?2)))
         on conflict (name, partition) do update set epoch = max(epoch + 1, ?3) returning epoch, offset, state, intent`, this.#group, partition, Math.max(1, this.#now())))
      if (row === undefined) continue
      const committed: Committed = {
        offset: row.offset,
        state: row.state === null ? undefined : JSON.parse(row.state) as Json,
        intent: row.intent === null ? undefined : JSON.parse(row.intent) as Intent
      }
      yield new EmbeddedAssignment(file, this.#topic, { group: this.#group, partition, epoch: row.epoch, committed, signal: this.#lost.signal })
    }
  }

  async close (): Promise<void> {
    this.#lost.abort()
  }
}

/** A batch in pieces that one read can hold. */
function * frames (batch: Batch): Generator<Batch, void, void> {
  const rowsMax = Math.max(1, Math.min(FRAME_ROWS_MAX, Math.floor(batch.length * FRAME_BYTES / Math.max(1, batch.bytes))))
  if (batch.length === 0) return
  // The usual case, once an append: nothing to cut.
  if (batch.length <= rowsMax) return yield batch
  for (let from = 0; from < batch.length; from += rowsMax) {
    yield batch.select(Int32Array.from({ length: Math.min(rowsMax, batch.length - from) }, (_, i) => from + i))
  }
}

// The broker inside the platform: no server, one SQLite database a topic. Every worker thread opens its own; they meet
// in the files, and tell each other about new rows through a BroadcastChannel, which is a hint and not needed.

import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { BroadcastChannel } from 'node:worker_threads'
import { Batch } from '../batch.ts'
import { checkNames } from '../connector.ts'
import { PlatformError } from '../errors.ts'
import { corrupt, decodeFrame, FrameWriter } from './frame.ts'
import { splitByKey } from './partition.ts'
import { firstOffset } from './epoch.ts'
import { bounds, inspect, trim } from './retention.ts'
import { TopicFile } from './topic-file.ts'
import type { Columns } from '../batch.ts'
import type { Json } from '../plugin.ts'
import type { Topic } from '../schema.ts'
import type { Assignment, Broker, Committed, Consumer, Intent, Producer } from './broker.ts'

export interface EmbeddedOptions {
  /** Holds one `<topic>.db` a topic. */
  readonly folder: string
  /** ms since 1970; stamps what is appended. */
  readonly now?: () => number
}

const FRAME_ROWS_MAX = 16_384
/** What a frame holds, as far as the batch knows its size. */
const FRAME_BYTES = 16 * 2 ** 20
const LONG_TEXT = 64

interface LogRow { readonly partition: number, readonly base: number, readonly rows: number, readonly time: number, readonly body: Uint8Array }

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
        for (let partition = 0; partition < topic.partitions; partition++) file.change('insert or ignore into partitions values (?, ?)', partition, first)
      })
    }
    return file
  }

  return {
    async producer (topic, name) {
      return new EmbeddedProducer(create(topic), topic, name, now)
    },
    async consumer (topic, group) {
      return new EmbeddedConsumer(create(topic), topic, group)
    },
    async topics () {
      return existsSync(folder) ? readdirSync(folder).filter(name => name.endsWith('.db')).map(name => name.slice(0, -3)).sort() : []
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
        const { next } = this.#file.get<{ next: number }>('select next from partitions where partition = ?', partition) as { next: number }
        this.#file.change('insert into log (partition, base, rows, time, body) values (?, ?, ?, ?, ?)', partition, next, frame.length, this.#now(), this.#writer.encode(frame))
        this.#file.change('update partitions set next = ? where partition = ?', next + frame.length, partition)
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
  readonly #lost = new AbortController()

  constructor (file: TopicFile, topic: Topic, group: string) {
    this.#file = file
    this.#topic = topic
    this.#group = group
  }

  /** All partitions, at once and for good: an embedded topic has one member a group, the last one that asked. */
  async * assignments (): AsyncGenerator<Assignment, void, void> {
    const file = this.#file
    for (const { partition } of file.all<{ partition: number }>('select partition from partitions order by partition')) {
      const row = file.transaction(() => file.get<{ epoch: number, offset: number, state: string | null, intent: string | null }>(
        `insert into groups (name, partition, epoch, offset) values (?1, ?2, 1, coalesce((select min(base) from log where partition = ?2), (select next from partitions where partition = ?2)))
         on conflict (name, partition) do update set epoch = epoch + 1 returning epoch, offset, state, intent`, this.#group, partition))
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

interface Seat { readonly group: string, readonly partition: number, readonly epoch: number, readonly committed: Committed, readonly signal: AbortSignal }

class EmbeddedAssignment implements Assignment {
  readonly partition: number
  readonly signal: AbortSignal
  readonly committed: Committed
  readonly #file: TopicFile
  readonly #topic: Topic
  readonly #seat: Seat
  readonly #news: BroadcastChannel

  constructor (file: TopicFile, topic: Topic, seat: Seat) {
    this.#file = file
    this.#topic = topic
    this.#seat = seat
    this.#news = channel(topic.name)
    this.partition = seat.partition
    this.signal = seat.signal
    this.committed = seat.committed
    seat.signal.addEventListener('abort', () => this.#news.close(), { once: true })
  }

  async read (offset: number, { rows, bytes, to = Infinity }: { readonly rows: number, readonly bytes: number, readonly to?: number }): Promise<Batch[]> {
    const { first, next } = await this.bounds()
    if (offset < first || offset > next) throw this.#gone(offset, first, next)
    const batches: Batch[] = []
    let rowsLeft = rows
    let bytesLeft = bytes
    this.#file.each<LogRow>(row => {
      if (row.base >= to) return false
      // Nothing begins at the offset: rows behind it are gone, and the next ones follow.
      if (row.base + row.rows <= offset) return true
      const batch = cut(decode(this.#topic, row, this.#file.file), offset, to)
      if (batches.length > 0 && (batch.length > rowsLeft || batch.bytes > bytesLeft)) return false
      batches.push(batch)
      rowsLeft -= batch.length
      bytesLeft -= batch.bytes
      return rowsLeft > 0 && bytesLeft > 0
    }, `select partition, base, rows, time, body from log where partition = ?1 and base >=
          coalesce((select base from log where partition = ?1 and base <= ?2 order by base desc limit 1), ?2) order by base`, this.partition, offset)
    return batches
  }

  async wait (offset: number, ms: number, signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const done = (): void => resolve()
    this.#news.onmessage = done
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done)
    try {
      // Looked at after listening began, so that rows appended in between are not missed.
      if ((await this.bounds()).next > offset || signal.aborted) return
      await promise
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
    }
  }

  async bounds (): Promise<{ readonly first: number, readonly next: number }> {
    return bounds(this.#file, this.partition)
  }

  async begin (intent: Intent): Promise<void> {
    const { group, partition, epoch } = this.#seat
    const changed = this.#file.transaction(() => this.#file.change('update groups set intent = ? where name = ? and partition = ? and epoch = ?', JSON.stringify(intent), group, partition, epoch))
    if (changed === 0) throw fenced(`The group ${group} of ${this.#topic.name}`)
  }

  async commit (offset: number, state: Json | undefined): Promise<void> {
    const { group, partition, epoch } = this.#seat
    // Invariant 3: offsets only grow.
    const changed = this.#file.transaction(() => this.#file.change(
      'update groups set offset = max(offset, ?), state = ?, intent = null where name = ? and partition = ? and epoch = ?',
      offset, state === undefined ? null : JSON.stringify(state), group, partition, epoch))
    if (changed === 0) throw fenced(`The group ${group} of ${this.#topic.name}`)
  }

  #gone (offset: number, first: number, next: number): PlatformError {
    const why = offset < first ? 'retention has removed it' : 'the topic was restored from an older state or made anew'
    return new PlatformError('BROKER_OFFSET_LOST', `Offset ${offset} of ${this.#topic.name}/${this.partition} is not there: the topic holds ${first} to ${next}, so ${why}`, { where: this.#file.file })
  }
}

function decode (topic: Topic, { partition, base, rows, time, body }: LogRow, where: string): Batch {
  const place = `${where} offset ${base}`
  const frame = decodeFrame(body, place)
  if (frame.rows !== rows) throw corrupt(place, `it has ${frame.rows} rows and should have ${rows}`)
  return new Batch(topic, rows, frame.columns, { position: { partition, offset: base, time }, bytes: body.length + repeatedBytes(frame.columns, rows) })
}

/** What the texts take that the frame holds once and a destination gets in each row. Short ones do not count. */
function repeatedBytes (columns: Columns, rows: number): number {
  let bytes = 0
  for (const column of Object.values(columns)) {
    if (column.kind !== 'dictionary') continue
    const sizes = column.values.map(value => typeof value === 'string' ? value.length : 0)
    if (!sizes.some(size => size > LONG_TEXT)) continue
    for (let i = 0; i < rows; i++) bytes += sizes[column.codes[i] as number] as number
  }
  return bytes
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

/** The rows in [from, to), where a batch reaches beyond them. */
function cut (batch: Batch, from: number, to: number): Batch {
  const { offset } = batch.position
  if (offset >= from && offset + batch.length <= to) return batch
  const first = Math.max(from, offset)
  return batch.select(Int32Array.from({ length: Math.min(to, offset + batch.length) - first }, (_, i) => first - offset + i))
}

function tail (file: TopicFile, topic: Topic, rows: number): Batch[] {
  const batches: Batch[] = []
  let left = rows
  file.each<LogRow>(row => {
    const batch = decode(topic, row, file.file)
    batches.unshift(cut(batch, row.base + Math.max(0, row.rows - left), Infinity))
    left -= row.rows
    return left > 0
  }, 'select partition, base, rows, time, body from log order by id desc')
  return batches
}

function fenced (who: string): PlatformError {
  return new PlatformError('BROKER_FENCED', `${who} has a newer owner`, { remedy: 'Nothing to do: the newer one goes on.' })
}

function channel (topic: string): BroadcastChannel {
  const news = new BroadcastChannel(`twolane.topic.${topic}`)
  // A thread may end while it listens.
  news.unref()
  return news
}

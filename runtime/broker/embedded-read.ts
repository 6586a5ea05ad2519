// Reading of the embedded broker's topics: one partition in the hands of a group, and the newest rows without one.

import { BroadcastChannel } from 'node:worker_threads'
import { Batch } from '../batch.ts'
import { PlatformError } from '../errors.ts'
import { corrupt, decodeFrame } from './frame.ts'
import { bounds } from './retention.ts'
import type { Columns } from '../batch.ts'
import type { Json } from '../plugin.ts'
import type { Topic } from '../schema.ts'
import type { Assignment, Committed, Found, Intent, Reader } from './broker.ts'
import type { TopicFile } from './topic-file.ts'

const LONG_TEXT = 64
/** How long `follow` waits for news before it looks for itself. */
const FOLLOW_MS = 1000
/** Read at once while it follows. */
const FOLLOW_BATCHES = 16

interface LogRow { readonly id: number, readonly partition: number, readonly base: number, readonly rows: number, readonly time: number, readonly body: Uint8Array }

export interface Seat { readonly group: string, readonly partition: number, readonly epoch: number, readonly committed: Committed, readonly signal: AbortSignal }

export class EmbeddedAssignment implements Assignment {
  readonly partition: number
  readonly epoch: number
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
    this.epoch = seat.epoch
    this.signal = seat.signal
    this.committed = seat.committed
    seat.signal.addEventListener('abort', () => this.#news.close(), { once: true })
  }

  async read (offset: number, limits: ReadLimits): Promise<Found> {
    return readAt(this.#file, this.#topic, { partition: this.partition, offset }, limits)
  }

  async wait (offset: number, ms: number, signal: AbortSignal): Promise<void> {
    await heard(this.#news, ms, signal, async () => (await this.bounds()).next > offset)
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

  /** There is nobody who waits for it. */
  release (): void {}
}

interface ReadLimits { readonly rows: number, readonly bytes: number, readonly to?: number }

/** Whole batches from the offset on, as `Assignment.read` promises them. */
function readAt (file: TopicFile, topic: Topic, { partition, offset }: { readonly partition: number, readonly offset: number }, { rows, bytes, to = Infinity }: ReadLimits): Found {
  const { first, next } = bounds(file, partition)
  if (offset < first || offset > next) {
    const why = offset < first ? 'retention has removed it' : 'the topic was restored from an older state or made anew'
    throw new PlatformError('BROKER_OFFSET_LOST', `Offset ${offset} of ${topic.name}/${partition} is not there: the topic holds ${first} to ${next}, so ${why}`, { where: file.file })
  }
  const batches: Batch[] = []
  let rowsLeft = rows
  let bytesLeft = bytes
  file.each<LogRow>(row => {
    if (row.base >= to) return false
    // Nothing begins at the offset: rows behind it are gone, and the next ones follow.
    if (row.base + row.rows <= offset) return true
    const batch = cut(decode(topic, row, file.file), offset, to)
    if (batches.length > 0 && (batch.length > rowsLeft || batch.bytes > bytesLeft)) return false
    batches.push(batch)
    rowsLeft -= batch.length
    bytesLeft -= batch.bytes
    return rowsLeft > 0 && bytesLeft > 0
  }, `select id, partition, base, rows, time, body from log where partition = ?1 and base >=
        coalesce((select base from log where partition = ?1 and base <= ?2 order by base desc limit 1), ?2) order by base`, partition, offset)
  const last = batches.at(-1)
  return { batches, refused: [], next: last === undefined ? offset : last.offsetAt(last.length - 1) + 1 }
}

/** A topic without a group. The file belongs to the broker, which closes it. */
export function readerOf (file: TopicFile, topic: Topic): Reader {
  return {
    partitions: file.get<{ n: number }>('select count(*) as n from partitions')?.n ?? 0,
    bounds: async partition => bounds(file, partition),
    read: async (partition, offset, limits) => readAt(file, topic, { partition, offset }, limits),
    async close () {}
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

/** The rows in [from, to), where a batch reaches beyond them. */
function cut (batch: Batch, from: number, to: number): Batch {
  const { offset } = batch.position
  if (offset >= from && offset + batch.length <= to) return batch
  const first = Math.max(from, offset)
  return batch.select(Int32Array.from({ length: Math.min(to, offset + batch.length) - first }, (_, i) => first - offset + i))
}

export function tail (file: TopicFile, topic: Topic, rows: number, idMax = Number.MAX_SAFE_INTEGER): Batch[] {
  if (rows <= 0) return []
  const batches: Batch[] = []
  let left = rows
  file.each<LogRow>(row => {
    const batch = decode(topic, row, file.file)
    batches.unshift(cut(batch, row.base + Math.max(0, row.rows - left), Infinity))
    left -= row.rows
    return left > 0
  }, 'select id, partition, base, rows, time, body from log where id <= ? order by id desc', idMax)
  return batches
}

/** The last `rows` rows of all partitions, then those that come. */
export async function * follow (file: TopicFile, topic: Topic, { rows, signal }: { readonly rows: number, readonly signal: AbortSignal }): AsyncGenerator<Batch, void, void> {
  const news = channel(topic.name)
  try {
    // Read before the tail is: rows that come in between are not missed, and those that the tail has are not repeated.
    let last = file.get<{ id: number }>('select coalesce(max(id), 0) as id from log')?.id ?? 0
    yield * tail(file, topic, rows, last)
    while (!signal.aborted) {
      const found: Batch[] = []
      file.each<LogRow>(row => {
        last = row.id
        found.push(decode(topic, row, file.file))
        return found.length < FOLLOW_BATCHES
      }, 'select id, partition, base, rows, time, body from log where id > ? order by id', last)
      yield * found
      if (found.length === 0) await heard(news, FOLLOW_MS, signal)
    }
  } finally {
    news.close()
  }
}

export function fenced (who: string): PlatformError {
  return new PlatformError('BROKER_FENCED', `${who} has a newer owner`, { remedy: 'Nothing to do: the newer one goes on.' })
}

export function channel (topic: string): BroadcastChannel {
  const news = new BroadcastChannel(`twolane.topic.${topic}`)
  // A thread may end while it listens.
  news.unref()
  return news
}

/** Resolves at the next news, after `ms`, at the signal, or at once where `known` says so: it is asked after listening began, so that nothing is missed in between. */
async function heard (news: BroadcastChannel, ms: number, signal: AbortSignal, known?: () => Promise<boolean>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const done = (): void => resolve()
  news.onmessage = done
  const timer = setTimeout(done, ms)
  signal.addEventListener('abort', done)
  try {
    if (signal.aborted || await known?.() === true) return
    await promise
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', done)
  }
}

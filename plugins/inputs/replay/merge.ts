// Rows of several streams in the order of their event times, in bounded memory.
//
//   stream 0   ▶ ┌ window ┐
//   stream 1   ▶ │  heap  │ ▶ the oldest row of all, when every stream has filled its share of the window or has ended
//   stream 2   ·  not open: it begins later than the oldest row
//
// A stream gives its rows in the order of offsets, which is about that of event times. A row that comes later than the
// window can wait for is late: it goes out at once, and is counted.

import { cell } from '../../../runtime/batch.ts'
import type { OffsetRanges } from '../../../runtime/offset-ranges.ts'
import { EXTRA } from '../../../runtime/schema.ts'
import type { EventTimes } from '../../../runtime/lake/event-time.ts'
import type { Batch, Row } from '../../../runtime/plugin.ts'
import { Heap } from './heap.ts'

/** Rows of all streams together that wait for older ones, and their bytes. */
const WINDOW = { rows: 20_000, bytes: 64 * 2 ** 20 }

/** Rows of one partition by ascending offset. */
export interface Stream {
  readonly partition: number
  /** Offsets [from, to). */
  readonly from: number
  readonly to: number
  /** No row is older, ms since 1970; -Infinity: not known. */
  readonly startsAt: number
  rows (fromOffset: number): AsyncGenerator<Batch, void, void>
}

/** A row that waits for its turn. */
export interface Timed {
  readonly time: number
  readonly partition: number
  readonly offset: number
  /** The offsets [since, offset) have no row that is to be replayed. */
  readonly since: number
  readonly row: Row
  readonly bytes: number
  readonly lane: Lane
}

/** A stream that is open. */
interface Lane {
  readonly batches: AsyncGenerator<Batch, void, void>
  /** In the heap. */
  rows: number
  bytes: number
  /** Behind the last offset that was read. */
  next: number
  ended: boolean
}

export interface MergeOptions {
  readonly times: EventTimes
  /** What was given out before, by partition. It grows with every row that is. */
  readonly done: ReadonlyMap<number, OffsetRanges>
  /** Event time, ms since 1970: [from, to). */
  readonly from: number
  readonly to: number
}

export class Merge {
  readonly #options: MergeOptions
  /** Not open yet, by the oldest row. */
  readonly #waiting: Stream[]
  readonly #lanes = new Set<Lane>()
  readonly #heap = new Heap<Timed>(isOlder)

  constructor (streams: readonly Stream[], options: MergeOptions) {
    this.#options = options
    this.#waiting = streams.toSorted((a, b) => a.startsAt - b.startsAt)
  }

  /** Has to be awaited before `peek` whenever `due` says so. */
  async fill (): Promise<void> {
    while (true) {
      const lane = [...this.#lanes].find(lane => this.#isThin(lane))
      if (lane !== undefined) await this.#read(lane)
      else if (this.#opens()) this.#open(this.#waiting.shift() as Stream)
      else return
    }
  }

  /** Whether the next row is not known before `fill`. */
  get due (): boolean {
    for (const lane of this.#lanes) if (this.#isThin(lane)) return true
    return this.#opens()
  }

  /** The oldest row; undefined: there is none any more. */
  peek (): Timed | undefined {
    return this.#heap.peek()
  }

  /** Takes the oldest row out. */
  pop (): Timed {
    const timed = this.#heap.pop() as Timed
    timed.lane.rows--
    timed.lane.bytes -= timed.bytes
    if (timed.lane.ended && timed.lane.rows === 0) this.#lanes.delete(timed.lane)
    this.#options.done.get(timed.partition)?.add(timed.since, timed.offset + 1)
    return timed
  }

  async close (): Promise<void> {
    for (const { batches } of this.#lanes) await batches.return()
  }

  #isThin ({ rows, bytes, ended }: Lane): boolean {
    const share = Math.max(1, this.#lanes.size)
    return !ended && rows < WINDOW.rows / share && bytes < WINDOW.bytes / share
  }

  #opens (): boolean {
    const [next] = this.#waiting
    return next !== undefined && next.startsAt <= (this.#heap.peek()?.time ?? Infinity)
  }

  #open (stream: Stream): void {
    const from = this.#options.done.get(stream.partition)?.endOf(stream.from) ?? stream.from
    this.#lanes.add({ batches: stream.rows(from), rows: 0, bytes: 0, next: from, ended: from >= stream.to })
  }

  async #read (lane: Lane): Promise<void> {
    const { value: batch, done } = await lane.batches.next()
    if (done === true) {
      lane.ended = true
      return
    }
    const { times, done: given, from, to } = this.#options
    const { partition, time: ingestTime } = batch.position
    const known = given.get(partition)
    const wanted = times.of(batch)
    const all = from === -Infinity && to === Infinity
    for (let i = 0; i < batch.length; i++) {
      const offset = batch.offsetAt(i)
      const event = wanted[i] as number
      // A row whose event time cannot be read is in no interval; where there is none, it goes where it arrived.
      const time = all && Number.isNaN(event) ? ingestTime : event
      if (!(time >= from && time < to) || known?.has(offset) === true) continue
      const bytes = Math.ceil(batch.bytes / batch.length)
      this.#heap.push({ time, partition, offset, since: lane.next, row: rowOf(batch, i), bytes, lane })
      lane.rows++
      lane.bytes += bytes
      lane.next = offset + 1
    }
  }
}

function isOlder (a: Timed, b: Timed): boolean {
  if (a.time !== b.time) return a.time < b.time
  return a.partition === b.partition ? a.offset < b.offset : a.partition < b.partition
}

/** What the source had sent: the connector puts what a schema does not know into `extra` again. */
function rowOf ({ columns }: Batch, i: number): Row {
  const row: Record<string, unknown> = Object.create(null)
  for (const name in columns) {
    const value = cell(columns[name] as Batch['columns'][string], i)
    if (value === null) continue
    if (name === EXTRA) Object.assign(row, extraOf(value))
    else row[name] = value
  }
  return row
}

/** A lake has it as text. */
function extraOf (value: unknown): object {
  if (typeof value !== 'string') return typeof value === 'object' && value !== null ? value : { [EXTRA]: value }
  try {
    const parsed: unknown = JSON.parse(value)
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed) ? parsed : { [EXTRA]: value }
  } catch {
    // It is a field of the schema that has this name.
    return { [EXTRA]: value }
  }
}

// When a raw row happened, by the rule of the schema: the mapping is not run for it, one column is cast.

import { createHash } from 'node:crypto'
import { Caster } from '../cast/cast.ts'
import type { Batch, Column } from '../batch.ts'
import type { Faults } from '../cast/cells.ts'
import type { Field, TimeUnit, Topic } from '../schema.ts'

const dayMs = 86_400_000
const perMs: Readonly<Record<TimeUnit, number>> = { s: 1 / 1000, ms: 1, us: 1000, ns: 1_000_000 }
/** A double may be off by as much in units where a timestamp is beyond 2^53. */
const doubleErrorMax = 1024

/** What was found in the rows of a file. */
export interface EventSpan {
  readonly event: { readonly from: number, readonly to: number } | undefined
  readonly days: Readonly<Record<string, number>>
}

/** Of a topic; made once, for any number of batches. */
export class EventTimes {
  /** Where two are equal, the same rows have the same event times. */
  readonly rule: string
  readonly #name: string
  readonly #caster: Caster | undefined
  readonly #dateOnly: boolean
  readonly #perMs: number

  constructor (topic: Topic) {
    const field = topic.fields.find(({ name }) => name === topic.eventTime)
    this.rule = ruleOf(topic)
    this.#name = topic.eventTime
    this.#caster = field && new Caster(field)
    this.#dateOnly = field?.type.kind === 'date'
    this.#perMs = field?.type.kind === 'timestamp' ? perMs[field.type.unit] : 1
  }

  /** Milliseconds since 1970 of each row, rounded down; NaN: it cannot be read. Without an event time in the schema it is the ingest time. */
  of (batch: Batch): Float64Array {
    if (this.#caster === undefined) return new Float64Array(batch.length).fill(batch.position.time)
    const faults = new BadRows()
    const raw = Object.hasOwn(batch.columns, this.#name) ? batch.columns[this.#name] : undefined
    const times = this.#milliseconds(this.#caster.cast(raw, batch.length, faults), batch.length)
    for (const row of faults.rows) times[row] = Number.NaN
    return times
  }

  #milliseconds (column: Column, rows: number): Float64Array {
    const times = new Float64Array(rows)
    // A mandatory field of the type date or timestamp is cast to numbers and nothing else.
    if (column.kind !== 'numbers') return times.fill(Number.NaN)
    const { numbers, valid } = column
    if (numbers instanceof BigInt64Array) floorBigInts(numbers, this.#perMs, times)
    else for (let i = 0; i < rows; i++) times[i] = Number(numbers[i]) * (this.#dateOnly ? dayMs : 1)
    if (valid !== undefined) for (let i = 0; i < rows; i++) if (valid[i] === 0) times[i] = Number.NaN
    return times
  }
}

/** The part of a schema that decides what the event time of a raw row is. */
export function ruleOf (topic: Topic): string {
  const field: Field | undefined = topic.fields.find(({ name }) => name === topic.eventTime)
  return createHash('sha256').update(JSON.stringify([field?.name, field?.type, field?.cast])).digest('hex').slice(0, 16)
}

/** The UTC day, such as `2024-01-02`; empty for NaN. */
export function dayOf (ms: number): string {
  return Number.isNaN(ms) ? '' : new Date(ms).toISOString().slice(0, 10)
}

/** Adds up event times. */
export class SpanCount {
  #from = Infinity
  #to = -Infinity
  readonly #days = new Map<number, number>()
  #unread = 0

  add (times: Float64Array): void {
    let [day, rows] = [Number.NaN, 0]
    for (const time of times) {
      if (Number.isNaN(time)) {
        this.#unread++
        continue
      }
      if (time < this.#from) this.#from = time
      if (time > this.#to) this.#to = time
      const of = Math.floor(time / dayMs)
      // Neighbours are mostly of one day.
      if (of === day) {
        rows++
      } else {
        if (rows > 0) this.#days.set(day, (this.#days.get(day) ?? 0) + rows)
        day = of
        rows = 1
      }
    }
    if (rows > 0) this.#days.set(day, (this.#days.get(day) ?? 0) + rows)
  }

  get span (): EventSpan {
    const days: Record<string, number> = {}
    if (this.#unread > 0) days[''] = this.#unread
    for (const [day, rows] of [...this.#days].sort(([a], [b]) => a - b)) days[dayOf(day * dayMs)] = rows
    return { event: this.#days.size === 0 ? undefined : { from: this.#from, to: this.#to }, days }
  }
}

/** The rows of several spans together. */
export function joinSpans (spans: readonly EventSpan[]): EventSpan {
  const days = new Map<string, number>()
  let [from, to] = [Infinity, -Infinity]
  for (const { event, days: own } of spans) {
    for (const [day, rows] of Object.entries(own)) days.set(day, (days.get(day) ?? 0) + rows)
    from = Math.min(from, event?.from ?? Infinity)
    to = Math.max(to, event?.to ?? -Infinity)
  }
  return { event: from > to ? undefined : { from, to }, days: Object.fromEntries([...days].sort(([a], [b]) => a < b ? -1 : 1)) }
}

/** Units to milliseconds, rounded down. By words: an operation on BigInts a row is ten times dearer. */
function floorBigInts (units: BigInt64Array, perMs: number, times: Float64Array): void {
  const words = new Int32Array(units.buffer, units.byteOffset, units.length * 2)
  for (let i = 0; i < times.length; i++) {
    const low = words[2 * i] as number
    const about = (words[2 * i + 1] as number) * 4_294_967_296 + (low < 0 ? low + 4_294_967_296 : low)
    if (perMs < 1) {
      times[i] = about * 1000
      continue
    }
    const ms = Math.floor(about / perMs)
    // Near a whole millisecond the double may fall on the wrong side.
    const exact = perMs === 1 || (about - ms * perMs > doubleErrorMax && (ms + 1) * perMs - about > doubleErrorMax) || Math.abs(about) < 2 ** 53
    times[i] = exact ? ms : floorDivided(units[i] as bigint, BigInt(perMs))
  }
}

function floorDivided (units: bigint, by: bigint): number {
  const quotient = units / by
  return Number(units % by < 0n ? quotient - 1n : quotient)
}

class BadRows implements Faults {
  readonly rows: number[] = []

  add (row: number): void {
    this.rows.push(row)
  }
}

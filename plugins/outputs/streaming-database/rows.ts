import type { Batch } from '../../../runtime/batch.ts'
import type { NumbersColumn } from '../../../runtime/batch.ts'
import type { TimeUnit } from '../../../runtime/schema.ts'

const unitsADay: Readonly<Record<TimeUnit, number>> = { s: 86_400, ms: 86_400e3, us: 86_400e6, ns: 86_400e9 }

/** Rows of several batches, or some of them, that are inserted together. Nothing is copied while they are all there. */
export class Rows {
  readonly #batches: readonly Batch[]
  /** The number of each batch's first row. */
  readonly #starts: readonly number[]
  /** Numbers of the rows, ascending; undefined: all. */
  readonly #chosen: Int32Array | undefined
  readonly length: number

  constructor (batches: readonly Batch[], chosen?: Int32Array) {
    this.#batches = batches
    const starts = [0]
    for (const batch of batches) starts.push((starts.at(-1) as number) + batch.length)
    this.#starts = starts
    this.#chosen = chosen
    this.length = chosen?.length ?? starts.at(-1) as number
  }

  /** The rows as batches. */
  batches (): readonly Batch[] {
    const chosen = this.#chosen
    if (chosen === undefined) return this.#batches
    const picked: Batch[] = []
    let at = 0
    for (const [b, batch] of this.#batches.entries()) {
      const first = this.#starts[b] as number
      const from = at
      while (at < chosen.length && (chosen[at] as number) < first + batch.length) at++
      if (at > from) picked.push(batch.select(chosen.subarray(from, at).map(row => row - first)))
    }
    return picked
  }

  /** The rows [from, to). */
  slice (from: number, to: number): Rows {
    const chosen = this.#chosen?.subarray(from, to) ?? Int32Array.from({ length: to - from }, (_, i) => from + i)
    return new Rows(this.#batches, chosen)
  }

  /** The batch that a row came in, and its index there. */
  origin (i: number): { readonly batch: Batch, readonly index: number } {
    const row = this.#chosen?.[i] ?? i
    const b = this.#starts.findLastIndex(start => start <= row)
    return { batch: this.#batches[b] as Batch, index: row - (this.#starts[b] as number) }
  }

  /** The rows whose offsets are not among those. */
  without (offsets: Float64Array): Rows {
    if (offsets.length === 0) return this
    const known = new Set(offsets)
    return this.#filter(i => {
      const { batch, index } = this.origin(i)
      return !known.has(batch.offsetAt(index))
    })
  }

  /** The rows in groups of at most `daysMax` days of the event time. One group, and no look at each row, is the usual case. */
  byDays (eventTime: string, daysMax: number): Rows[] {
    if (eventTime === '' || this.length <= daysMax) return this.length === 0 ? [] : [this]
    const days = new Float64Array(this.length)
    for (const [b, batch] of this.#batches.entries()) daysOf(batch, eventTime, days, this.#starts[b] as number)
    let [least, most] = [Infinity, -Infinity]
    for (const day of days) {
      if (day < least) least = day
      if (day > most) most = day
    }
    if (most - least < daysMax) return [this]

    const ranks = new Map([...new Set(days)].sort((a, b) => a - b).map((day, rank) => [day, rank]))
    const groups: Rows[] = []
    for (let from = 0; from < ranks.size; from += daysMax) {
      groups.push(this.#filter(i => Math.floor((ranks.get(days[i] as number) as number) / daysMax) === from / daysMax))
    }
    return groups
  }

  #filter (keep: (i: number) => boolean): Rows {
    const kept: number[] = []
    for (let i = 0; i < this.length; i++) if (keep(i)) kept.push(this.#chosen?.[i] ?? i)
    return new Rows(this.#batches, Int32Array.from(kept))
  }
}

function daysOf (batch: Batch, name: string, days: Float64Array, at: number): void {
  const { numbers, type } = batch.columns[name] as NumbersColumn
  const perDay = type?.kind === 'timestamp' ? unitsADay[type.unit] : 1
  for (let i = 0; i < batch.length; i++) days[at + i] = Math.floor(Number(numbers[i]) / perDay)
}

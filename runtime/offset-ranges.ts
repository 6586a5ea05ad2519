import type { Json } from './plugin.ts'

/**
 * A set of offsets of one partition, as ranges [from, to), ascending, with gaps between them. Saved as differences:
 * `[3, 2, 10, 1]` stands for 3, 4 and 15.
 */
export class OffsetRanges {
  #ranges: Array<[from: number, to: number]> = []

  /** What `toJson` gave; undefined: an empty set. */
  static of (saved: Json | undefined): OffsetRanges {
    const set = new OffsetRanges()
    const steps = Array.isArray(saved) ? saved as readonly number[] : []
    let at = 0
    for (let i = 0; i + 1 < steps.length; i += 2) {
      const from = at + (steps[i] as number)
      at = from + (steps[i + 1] as number)
      set.#ranges.push([from, at])
    }
    return set
  }

  /** Offsets. */
  get size (): number {
    return this.#ranges.reduce((sum, [from, to]) => sum + to - from, 0)
  }

  /** How scattered they are: its size when it is saved. */
  get ranges (): number {
    return this.#ranges.length
  }

  has (offset: number): boolean {
    return this.endOf(offset) > offset
  }

  /** The first offset from there on that is not in the set. */
  endOf (offset: number): number {
    const range = this.#ranges[this.#firstEndingAfter(offset)]
    return range !== undefined && range[0] <= offset ? range[1] : offset
  }

  addAll (other: OffsetRanges): void {
    for (const [from, to] of other.#ranges) this.add(from, to)
  }

  /** Forgets the ranges that lie below. */
  dropBelow (first: number): void {
    this.#ranges = this.#ranges.filter(([, to]) => to > first)
  }

  toJson (): number[] {
    let at = 0
    return this.#ranges.flatMap(([from, to]) => {
      const step = [from - at, to - from]
      at = to
      return step
    })
  }

  /** Adds [from, to). */
  add (from: number, to = from + 1): void {
    // Those that touch it become one with it.
    const first = this.#firstEndingAfter(from - 1)
    let end = first
    let [least, most] = [from, to]
    while (end < this.#ranges.length && (this.#ranges[end] as [number, number])[0] <= to) {
      const range = this.#ranges[end++] as [number, number]
      least = Math.min(least, range[0])
      most = Math.max(most, range[1])
    }
    // The usual case: the last range grows.
    if (end === first + 1) this.#ranges[first] = [least, most]
    else this.#ranges.splice(first, end - first, [least, most])
  }

  /** Index of the first range whose end is above the offset. */
  #firstEndingAfter (offset: number): number {
    let [lo, hi] = [0, this.#ranges.length]
    while (lo < hi) {
      const middle = (lo + hi) >> 1
      if ((this.#ranges[middle] as [number, number])[1] > offset) hi = middle
      else lo = middle + 1
    }
    return lo
  }
}

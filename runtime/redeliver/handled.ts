import { PlatformError } from '../errors.ts'
import type { Json } from '../plugin.ts'

/** A set that is more scattered is refused: it is saved as a whole, in one record. */
const RANGES_MAX = 50_000

/**
 * Offsets of a rejected topic that are done with, as ranges [from, to), ascending, with gaps between them. Saved as
 * differences: `[3, 2, 10, 1]` stands for 3, 4 and 15.
 */
export class Handled {
  #ranges: Array<[from: number, to: number]> = []

  /** What `toJson` gave; undefined: an empty set. */
  static of (saved: Json | undefined): Handled {
    const handled = new Handled()
    const steps = Array.isArray(saved) ? saved as readonly number[] : []
    let at = 0
    for (let i = 0; i + 1 < steps.length; i += 2) {
      const from = at + (steps[i] as number)
      at = from + (steps[i + 1] as number)
      handled.#ranges.push([from, at])
    }
    return handled
  }

  get size (): number {
    return this.#ranges.reduce((sum, [from, to]) => sum + to - from, 0)
  }

  has (offset: number): boolean {
    const i = this.#firstEndingAfter(offset)
    const range = this.#ranges[i]
    return range !== undefined && range[0] <= offset
  }

  /** Throws REQUEST_REFUSED when they are too scattered to be remembered. */
  add (offsets: Iterable<number>): void {
    for (const offset of offsets) this.#add(offset, offset + 1)
    if (this.#ranges.length > RANGES_MAX) {
      throw new PlatformError('REQUEST_REFUSED', `The rows that are done with lie in more than ${RANGES_MAX} places and cannot be remembered`, { remedy: 'Redeliver without --reason and --step, so that neighbours are done with together.' })
    }
  }

  addAll (other: Handled): void {
    for (const [from, to] of other.#ranges) this.#add(from, to)
  }

  /** Forgets what lies below: the topic does not hold it any more. */
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

  #add (from: number, to: number): void {
    // Those that touch it become one with it.
    const first = this.#firstEndingAfter(from - 1)
    let end = first
    let [least, most] = [from, to]
    while (end < this.#ranges.length && (this.#ranges[end] as [number, number])[0] <= to) {
      const range = this.#ranges[end++] as [number, number]
      least = Math.min(least, range[0])
      most = Math.max(most, range[1])
    }
    this.#ranges.splice(first, end - first, [least, most])
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

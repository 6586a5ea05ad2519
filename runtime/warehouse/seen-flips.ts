// For how long this process has known a flip. What a flip says of its own time does not tell since when readers see it: its
// row may have taken minutes to be written, and clocks are set. Whoever has not seen it for the grace cannot know that
// the last reader of the boundary before has ended.

import type { Flip } from './boundary.ts'

/** One for each day that is not cleaned up; the oldest go beyond it, and wait once more. */
const FLIPS_MAX = 10_000

export class SeenFlips {
  /** By day: the newest flip, and when it was first seen, ms of the monotonic clock. */
  readonly #seen = new Map<string, { readonly seq: number, readonly at: number }>()

  /** ms since the first call for this flip. */
  ageMs (flip: Pick<Flip, 'dataset' | 'topic' | 'day' | 'seq'>): number {
    const key = keyOf(flip)
    const now = performance.now()
    const known = this.#seen.get(key)
    if (known?.seq === flip.seq) return now - known.at
    this.#seen.set(key, { seq: flip.seq, at: now })
    for (const [oldest] of this.#seen) if (this.#seen.size > FLIPS_MAX) this.#seen.delete(oldest)
    return 0
  }

  /** It is cleaned up. */
  forget (flip: Pick<Flip, 'dataset' | 'topic' | 'day'>): void {
    this.#seen.delete(keyOf(flip))
  }
}

function keyOf ({ dataset, topic, day }: Pick<Flip, 'dataset' | 'topic' | 'day'>): string {
  return JSON.stringify([dataset, topic, day])
}

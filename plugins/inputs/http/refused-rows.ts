// What was refused of a source that is asked for what is new. A row without a place in the order cannot be told from a
// new one by the watermark, and the source gives it in every reading: it is rejected once, known by its hash.
//
//   known   hashes of the rows that earlier passes refused; one that came n times stands there n times
//   met     those that this pass has met, in their order

import { counted, union } from './watermark.ts'

export interface RefusedState {
  readonly known: readonly string[]
  readonly met: readonly string[]
}

export class RefusedRows {
  readonly #rememberedMax: number
  #known: readonly string[]
  #met: string[]
  #left: Map<string, number>

  /** Beyond `rememberedMax`, rows that were not met for the longest are forgotten: they are rejected again when they come. */
  constructor (rememberedMax: number, saved: RefusedState | undefined) {
    this.#rememberedMax = rememberedMax
    this.#known = saved?.known ?? []
    this.#met = [...saved?.met ?? []]
    this.#left = counted(this.#known)
    for (const hash of this.#met) this.#take(hash)
  }

  /** undefined: nothing was refused so far. */
  get state (): RefusedState | undefined {
    return this.#known.length + this.#met.length === 0 ? undefined : { known: this.#known, met: [...this.#met] }
  }

  /** Whether a refused row is new. */
  admit (hash: string): boolean {
    if (this.#met.length < this.#rememberedMax) this.#met.push(hash)
    return !this.#take(hash)
  }

  /** A pass has ended, or begins anew. */
  settle (): void {
    // Some sources give a part of their rows only: what this pass did not meet may come in the next one.
    if (this.#met.length > 0) this.#known = union(this.#known, this.#met).slice(0, this.#rememberedMax)
    this.#met = []
    this.#left = counted(this.#known)
  }

  #take (hash: string): boolean {
    const count = this.#left.get(hash) ?? 0
    if (count > 0) this.#left.set(hash, count - 1)
    return count > 0
  }
}

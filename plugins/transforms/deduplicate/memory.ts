import { hash } from 'node:crypto'

/** Which rows are remembered, and how many. */
export interface Window {
  /** Fields that the remembered rows were told by. */
  readonly keys: readonly string[]
  readonly rows: number
  readonly ms: number
}

/** What is committed with the offset. A type and not an interface, so that it is JSON to the compiler. */
export type MemoryState = {
  readonly keys: readonly string[]
  /** Oldest first. */
  readonly seen: readonly string[]
  /** Of those; empty where no time limits the window. */
  readonly times: readonly number[]
  /** The latest time of any row. */
  readonly latest: number
}

/** A longer name is remembered by its hash. 96 bits: with 200,000 rows remembered, one wrong match in 10^23 rows. */
const nameCharactersMax = 24

/** The rows of the window. What it does depends on the rows alone, never on a clock, so that a repetition does the same. */
export class Memory {
  readonly #window: Window
  /** Name and time, in the order of arrival. */
  readonly #seen = new Map<string, number>()
  #latest = -Infinity

  constructor (window: Window, state: MemoryState | undefined) {
    this.#window = window
    // Names that were made of other fields say nothing.
    if (state === undefined || state.keys.join() !== window.keys.join()) return
    this.#latest = state.latest
    for (const [i, name] of state.seen.entries()) this.#seen.set(name, state.times[i] ?? state.latest)
    this.#trim()
  }

  /** Remembers a row; false when it is there already. A repetition does not prolong the time that it is remembered. */
  add (key: string, time: number): boolean {
    const name = key.length <= nameCharactersMax ? key : `#${hash('sha256', key, 'base64').slice(0, 16)}`
    this.#latest = Math.max(this.#latest, time)
    const before = this.#seen.get(name)
    if (before !== undefined) {
      if (Math.abs(time - before) <= this.#window.ms) return false
      this.#seen.delete(name)
    }
    this.#seen.set(name, time)
    this.#trim()
    return true
  }

  state (): MemoryState {
    const times = this.#window.ms === Infinity ? [] : [...this.#seen.values()]
    return { keys: this.#window.keys, seen: [...this.#seen.keys()], times, latest: Number.isFinite(this.#latest) ? this.#latest : 0 }
  }

  #trim (): void {
    const { rows, ms } = this.#window
    for (const [name, time] of this.#seen) {
      if (this.#seen.size <= rows && this.#latest - time <= ms) break
      this.#seen.delete(name)
    }
  }
}

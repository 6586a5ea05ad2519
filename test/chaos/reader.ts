// A reader that asks all the time, as a user would: no row may be there twice, and what was complete once stays so.

import { setTimeout as sleep } from 'node:timers/promises'
import type { World } from './world.ts'

const EVERY_MS = 250
const VIOLATIONS_MAX = 5

interface Counts { readonly rows: string, readonly different: string, readonly closed: string, readonly candidate: string, readonly next: string }

export class Reader {
  reads = 0
  /** The highest number that can be read, and one. */
  next = 0
  readonly #world: World
  /** All rows below this number have been read, each once. */
  #closed = 0
  #closedRows = 0
  #candidate = 0
  #violations = 0
  #stopping = false
  #loop: Promise<void> | undefined

  constructor (world: World) {
    this.#world = world
  }

  begin (): void {
    this.#loop = (async () => {
      while (!this.#stopping) {
        // Whatever is broken now says so elsewhere: only answers count here.
        await this.#read().catch(() => {})
        await sleep(EVERY_MS)
      }
    })()
  }

  async stop (): Promise<void> {
    this.#stopping = true
    await this.#loop
  }

  async #read (): Promise<void> {
    const { feed } = this.#world
    const [found] = await this.#world.query<Counts>(`SELECT count() AS rows, uniqExact(n) AS different, countIf(n < ${this.#closed}) AS closed, countIf(n < ${this.#candidate}) AS candidate, if(rows = 0, 0, max(n) + 1) AS next FROM data.trades`)
    if (found === undefined) return
    this.reads++
    const { rows, different, closed, candidate, next } = found
    if (rows !== different) this.#violation(`A reader of data.trades saw ${rows} rows, ${different} of them different`)
    if (Number(closed) !== this.#closedRows) this.#violation(`A reader of data.trades saw ${closed} rows below ${this.#closed}, where there were ${this.#closedRows}`)
    this.next = Number(next)
    const good = feed.goodBelow(this.#candidate)
    if (Number(candidate) === good) {
      this.#closed = this.#candidate
      this.#closedRows = good
      this.#candidate = this.next
    }
  }

  #violation (what: string): void {
    if (this.#violations++ < VIOLATIONS_MAX) this.#world.violations.push(`${what} (read ${this.reads})`)
  }
}

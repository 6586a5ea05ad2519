import { fault } from './errors.ts'
import type { QueryError } from './errors.ts'

/** Lets a bounded number of queries run; a bounded number waits, a bounded time, and all others are turned away. */
export class Gate {
  readonly #runningMax: number
  readonly #waitingMax: number
  readonly #waitMs: number
  #running = 0
  readonly #waiting: Array<() => void> = []

  constructor ({ runningMax, waitingMax, waitMs }: { runningMax: number, waitingMax: number, waitMs: number }) {
    this.#runningMax = runningMax
    this.#waitingMax = waitingMax
    this.#waitMs = waitMs
  }

  get running (): number {
    return this.#running
  }

  /** Resolves with the function that ends the stay; calling it twice does no harm. */
  async enter (): Promise<() => void> {
    if (this.#running < this.#runningMax) this.#running++
    else await this.#queue()
    let left = false
    return () => {
      if (left) return
      left = true
      const next = this.#waiting.shift()
      // The place is handed over, so nobody can slip in between.
      if (next === undefined) this.#running--
      else next()
    }
  }

  #queue (): Promise<void> {
    if (this.#waiting.length >= this.#waitingMax) return Promise.reject(this.#full())
    return new Promise((resolve, reject) => {
      const admit = () => {
        clearTimeout(timer)
        resolve()
      }
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(admit), 1)
        reject(this.#full())
      }, this.#waitMs)
      this.#waiting.push(admit)
    })
  }

  #full (): QueryError {
    return fault('TOO_MANY_SIMULTANEOUS_QUERIES', `Too many simultaneous queries. Maximum: ${this.#runningMax}`)
  }
}

// Who may have a statement under way: so many of one asker, so many in all. Others wait in line, a bounded time.

import { PlatformError } from '../errors.ts'

/** After which a place in the line is likely. */
const RETRY_SECONDS = 1

export interface GateLimits {
  readonly runningMax: number
  /** Of one asker. */
  readonly runningOfOneMax: number
  readonly waitingMax: number
  readonly waitingOfOneMax: number
  readonly waitMs: number
}

interface Waiting {
  readonly asker: string
  admit (): void
}

export class Gate {
  readonly #name: string
  readonly #limits: GateLimits
  readonly #running = new Map<string, number>()
  #waiting: Waiting[] = []

  /** `name` is for messages: what the statements are sent to. */
  constructor (name: string, limits: GateLimits) {
    this.#name = name
    this.#limits = limits
  }

  get running (): number {
    return [...this.#running.values()].reduce((sum, n) => sum + n, 0)
  }

  /** Resolves with the function that ends the stay; calling it twice does no harm. Throws TOO_MANY_REQUESTS. */
  async enter (asker: string, signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted()
    if (this.#mayRun(asker)) this.#begin(asker)
    else await this.#queue(asker, signal)
    let left = false
    return () => {
      if (left) return
      left = true
      const running = (this.#running.get(asker) ?? 1) - 1
      if (running === 0) this.#running.delete(asker)
      else this.#running.set(asker, running)
      this.#admitNext()
    }
  }

  #mayRun (asker: string): boolean {
    return this.running < this.#limits.runningMax && (this.#running.get(asker) ?? 0) < this.#limits.runningOfOneMax
  }

  #begin (asker: string): void {
    this.#running.set(asker, (this.#running.get(asker) ?? 0) + 1)
  }

  /** The first in line who may: an asker with all its places taken holds nobody up. */
  #admitNext (): void {
    const next = this.#waiting.find(({ asker }) => this.#mayRun(asker))
    if (next === undefined) return
    this.#begin(next.asker)
    next.admit()
  }

  #queue (asker: string, signal: AbortSignal): Promise<void> {
    const ofOne = this.#waiting.filter(waiting => waiting.asker === asker).length
    if (this.#waiting.length >= this.#limits.waitingMax || ofOne >= this.#limits.waitingOfOneMax) return Promise.reject(this.#full())
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', leave)
        this.#waiting = this.#waiting.filter(other => other !== waiting)
      }
      const leave = (): void => {
        settle()
        reject(new PlatformError('TOO_MANY_REQUESTS', 'Who asked has left the line', { cause: signal.reason }))
      }
      const timer = setTimeout(() => {
        settle()
        reject(this.#full())
      }, this.#limits.waitMs)
      const waiting: Waiting = {
        asker,
        admit () {
          settle()
          resolve()
        }
      }
      signal.addEventListener('abort', leave)
      this.#waiting.push(waiting)
    })
  }

  #full (): PlatformError {
    return new PlatformError('TOO_MANY_REQUESTS', `Too many queries of the ${this.#name} are under way (${this.#limits.runningOfOneMax} at a time for one user or token, ${this.#limits.runningMax} in all)`, { remedy: 'Try again when one has ended.', retryAfterSeconds: RETRY_SECONDS })
  }
}

// How a step fares over its attempts. One that has failed is well again when rows have gone through, or when it has lasted:
// a destination that hangs would otherwise look well in every attempt until its time is over.

import { Backoff } from './backoff.ts'
import type { Health } from './plugin.ts'

/** An attempt that has lasted so long with nothing in flight is a good one: there may be no rows. */
const LASTED_MS = 30_000

export class Trial {
  readonly #health: (health: Health) => void
  readonly #backoff = new Backoff()
  /** Why the last attempt failed; undefined: none has since the last success. */
  #failure: string | undefined
  /** The plugin tells how it is itself. */
  #isTold = false
  #isBusy = false
  #timer: NodeJS.Timeout | undefined

  constructor (health: (health: Health) => void) {
    this.#health = health
  }

  /** The step has been opened. */
  begun (): void {
    if (this.#failure === undefined) {
      this.#health({ ok: true, state: 'running' })
      return
    }
    this.#health({ ok: false, state: 'retrying', reason: this.#failure })
    this.#isTold = false
    this.#isBusy = false
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => { if (!this.#isBusy) this.#recover() }, LASTED_MS)
    this.#timer.unref()
  }

  /** An answer is waited for, until `idle` or `succeeded`. */
  sent (): void {
    this.#isBusy = true
  }

  /** It has come, and says nothing about rows. */
  idle (): void {
    this.#isBusy = false
  }

  /** Rows have gone through. */
  succeeded (): void {
    this.#isBusy = false
    this.#backoff.succeeded()
    if (this.#failure !== undefined) this.#recover()
  }

  /** What the plugin says of itself. */
  told (health: Health): void {
    this.#isTold = true
    this.#health(health)
  }

  /** Milliseconds until the next attempt. */
  failed (reason: string): number {
    clearTimeout(this.#timer)
    this.#failure = reason
    this.#health({ ok: false, state: 'backing_off', reason })
    return this.#backoff.nextMs()
  }

  /** No further attempt comes. */
  close (): void {
    clearTimeout(this.#timer)
  }

  #recover (): void {
    clearTimeout(this.#timer)
    this.#failure = undefined
    if (!this.#isTold) this.#health({ ok: true, state: 'running' })
  }
}

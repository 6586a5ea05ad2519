import { pause } from '../../../runtime/backoff.ts'

/** Lets through `perSecond` callers a second, in the order they came; up to half a second of them at once after a rest. */
export class TokenBucket {
  readonly #perSecond: number
  readonly #capacity: number
  #tokens: number
  #filledAt = performance.now()
  #queue: Promise<void> = Promise.resolve()

  constructor (perSecond: number) {
    this.#perSecond = perSecond
    this.#capacity = Math.max(1, Math.floor(perSecond / 2))
    this.#tokens = this.#capacity
  }

  /** Resolves when it is the caller's turn, or at the signal. */
  take (signal: AbortSignal): Promise<void> {
    this.#queue = this.#queue.then(() => this.#turn(signal))
    return this.#queue
  }

  async #turn (signal: AbortSignal): Promise<void> {
    this.#fill()
    while (this.#tokens < 1 && !signal.aborted) {
      await pause((1 - this.#tokens) / this.#perSecond * 1000, signal)
      this.#fill()
    }
    this.#tokens--
  }

  #fill (): void {
    const now = performance.now()
    this.#tokens = Math.min(this.#capacity, this.#tokens + (now - this.#filledAt) / 1000 * this.#perSecond)
    this.#filledAt = now
  }
}

import { pause } from '../../../runtime/backoff.ts'

/**
 * Lets through `perSecond` callers a second, in the order they came. It saves up a single token: a burst after a rest and
 * the steady rate behind it would together break the gateway's limit, which it counts over any second.
 */
export class TokenBucket {
  readonly #perSecond: number
  #tokens = 1
  #filledAt = performance.now()
  #queue: Promise<void> = Promise.resolve()

  constructor (perSecond: number) {
    this.#perSecond = perSecond
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
    this.#tokens = Math.min(1, this.#tokens + (now - this.#filledAt) / 1000 * this.#perSecond)
    this.#filledAt = now
  }
}

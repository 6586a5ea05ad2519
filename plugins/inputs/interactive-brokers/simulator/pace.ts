import type { Settings } from './settings.ts'

/** The request limit: breaking it puts the client into the penalty box, where every call is refused. */
export class Pace {
  readonly #perSecond: number
  readonly #penaltyMs: number
  readonly #admittedAtMs: number[] = [] // of the last second
  #penaltyUntilMs = 0

  constructor ({ requestsPerSecond, penaltyMs }: Settings) {
    this.#perSecond = requestsPerSecond
    this.#penaltyMs = penaltyMs
  }

  admit (nowMs: number): boolean {
    if (nowMs < this.#penaltyUntilMs) return false
    while (this.#admittedAtMs.length > 0 && this.#admittedAtMs[0]! <= nowMs - 1000) this.#admittedAtMs.shift()
    if (this.#perSecond > 0 && this.#admittedAtMs.length >= this.#perSecond) {
      this.#penaltyUntilMs = nowMs + this.#penaltyMs
      return false
    }
    this.#admittedAtMs.push(nowMs)
    return true
  }
}

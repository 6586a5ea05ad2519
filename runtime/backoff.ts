import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'

export interface BackoffLimits {
  readonly firstMs: number
  readonly maxMs: number
}

/** Between attempts of a step. */
export const stepBackoff: BackoffLimits = { firstMs: 200, maxMs: 30_000 }

/** Delays that double, each one shortened by up to a half at random, so that many that failed together do not return together. */
export class Backoff {
  readonly #limits: BackoffLimits
  readonly #random: () => number
  #attempt = 0

  constructor (limits: BackoffLimits = stepBackoff, random: () => number = Math.random) {
    this.#limits = limits
    this.#random = random
  }

  /** Failures since the last success. */
  get attempt (): number {
    return this.#attempt
  }

  succeeded (): void {
    this.#attempt = 0
  }

  nextMs (): number {
    const { firstMs, maxMs } = this.#limits
    const ms = Math.min(maxMs, firstMs * 2 ** Math.min(this.#attempt++, 30))
    return Math.round(ms * (1 - this.#random() / 2))
  }
}

/** Resolves at the signal. */
export async function aborted (signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort')
}

/** Resolves after `ms` or at the signal, whichever is first. */
export async function pause (ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal })
  } catch {
    // Aborted: the caller looks at the signal.
  }
}

import { TokenBucket } from './pace.ts'
import type { Instrument } from './progress.ts'

export interface SubscriptionsOptions {
  readonly instruments: readonly Instrument[]
  readonly fields: readonly string[]
  readonly staleMs: number
  readonly renewMs: number
  readonly send: (text: string) => void
  /** The next frame of the instrument is a full one. */
  readonly restarted: (instrument: Instrument) => void
  /** The instrument stays silent whatever is tried on this connection; `delivered`: it has sent rows over it before. */
  readonly silent: (instrument: Instrument, delivered: boolean) => void
  readonly signal: AbortSignal
}

interface Subscription {
  readonly instrument: Instrument
  /** Of the last frame, or of the last request for one. */
  heardAt: number
  renewAt: number
  /** How long it may be quiet before it is asked. */
  patienceMs: number
  /** The next frame may be the answer to a request, and proves no activity. */
  asked: boolean
  /** What was tried since the last frame: nothing, smd again, umd and smd, all in vain. */
  step: 0 | 1 | 2 | 3
  delivered: boolean
}

// The gateway took 25 at once without complaint.
const framesPerSecond = 40

/**
 * The subscriptions of one connection. The gateway ends each after ten minutes without a word, and may let one fall
 * silent while all else goes on. So each one is renewed in time, at its own moment, and each one is watched:
 *
 *   no frame for `staleMs` ─▶ smd ─▶ still none ─▶ umd, smd ─▶ still none ─▶ silent
 *
 * A frame that answers proves that the market is quiet, not the stream broken: the patience with it then doubles, up
 * to the time of renewal.
 */
export class Subscriptions {
  readonly #options: SubscriptionsOptions
  readonly #active = new Map<number, Subscription>()
  readonly #bucket = new TokenBucket(framesPerSecond)

  constructor (options: SubscriptionsOptions) {
    this.#options = options
  }

  /** Subscribes to all, at a pace; returns early at the signal. */
  async start (): Promise<void> {
    const { instruments, renewMs, staleMs, signal, restarted } = this.#options
    for (const [i, instrument] of instruments.entries()) {
      await this.#bucket.take(signal)
      if (signal.aborted) return
      const now = performance.now()
      // The renewals spread over the second half of their time.
      const renewAt = now + renewMs * (0.5 + 0.5 * (i + 1) / instruments.length)
      this.#active.set(instrument.conid, { instrument, heardAt: now, renewAt, patienceMs: staleMs, asked: true, step: 0, delivered: false })
      restarted(instrument)
      this.#send(instrument)
    }
  }

  /** Every frame of data. True when it ended a silence in which something may have been missed: then values that differ prove it. */
  heard (conid: number): boolean {
    const subscription = this.#active.get(conid)
    if (subscription === undefined) return false
    const { staleMs } = this.#options
    const answered = subscription.step > 0 && subscription.delivered
    if (subscription.step > 0) this.#lengthen(subscription)
    else if (!subscription.asked) subscription.patienceMs = staleMs
    subscription.asked = false
    subscription.step = 0
    subscription.heardAt = performance.now()
    subscription.delivered = true
    return answered
  }

  /** Renews and asks again where it is time; called often. */
  watch (): void {
    const now = performance.now()
    const { staleMs, renewMs } = this.#options
    for (const subscription of this.#active.values()) {
      if (now >= subscription.renewAt) {
        subscription.renewAt = now + renewMs
        this.#ask(subscription)
      }
      const waitMs = subscription.step === 1 || subscription.step === 2 ? staleMs : subscription.patienceMs
      if (now - subscription.heardAt >= waitMs) this.#escalate(subscription, now)
    }
  }

  unsubscribeAll (): void {
    for (const { instrument } of this.#active.values()) this.#options.send(`umd+${instrument.conid}+{}`)
    this.#active.clear()
  }

  #escalate (subscription: Subscription, now: number): void {
    const { instrument } = subscription
    const { restarted, silent, send } = this.#options
    subscription.heardAt = now
    switch (subscription.step) {
      case 0:
        subscription.step = 1
        this.#ask(subscription)
        break
      case 1:
        subscription.step = 2
        send(`umd+${instrument.conid}+{}`)
        restarted(instrument)
        this.#ask(subscription)
        break
      case 2:
        subscription.step = 3
        silent(instrument, subscription.delivered)
        break
      case 3:
        // Nothing comes: too few lines, no rights, a dead contract. Asked again, ever more rarely.
        this.#lengthen(subscription)
        this.#ask(subscription)
        break
    }
  }

  #lengthen (subscription: Subscription): void {
    const { staleMs, renewMs } = this.#options
    subscription.patienceMs = Math.min(subscription.patienceMs * 2, Math.max(renewMs, staleMs))
  }

  #ask (subscription: Subscription): void {
    subscription.asked = true
    this.#send(subscription.instrument)
  }

  #send (instrument: Instrument): void {
    this.#options.send(`smd+${instrument.conid}+${JSON.stringify({ fields: this.#options.fields })}`)
  }
}

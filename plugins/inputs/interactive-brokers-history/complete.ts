import { barsMs } from '../interactive-brokers/bars.ts'
import type { Calendar } from '../../../runtime/calendar/calendar.ts'
import type { Settings } from './options.ts'

/** What the broker's delayed data are late by, at most. */
const delayMs = 20 * 60_000

/** Whether a bar will not change any more. */
export class Completeness {
  readonly #settings: Pick<Settings, 'bar' | 'outsideHours' | 'settleMs'>
  readonly #calendar: Calendar | undefined

  constructor (settings: Pick<Settings, 'bar' | 'outsideHours' | 'settleMs'>, calendar: Calendar | undefined) {
    this.#settings = settings
    this.#calendar = calendar
  }

  /** Until when the bars of an answer are settled, by what it says about its delay. */
  settledMs (answer: Readonly<Record<string, unknown>>, nowMs: number): number {
    const { mdAvailability: status, mktDataDelay: delay } = answer
    const late = (typeof status === 'string' && /^[DY]/.test(status)) || (typeof delay === 'number' && delay > 0)
    return nowMs - this.#settings.settleMs - (late ? Math.max(delayMs, typeof delay === 'number' ? delay * 1000 : 0) : 0)
  }

  /** When the bar that begins at `start` ends. */
  endMs (start: number): number {
    const { bar, outsideHours } = this.#settings
    const whole = start + barsMs[bar]
    if (this.#calendar === undefined || bar !== '1d' || outsideHours) return whole
    // The bar of a day begins when its session opens; one that begins at midnight may count more than the session.
    return Math.min(this.#calendar.sessionAt(start)?.closeMs ?? whole, whole)
  }
}

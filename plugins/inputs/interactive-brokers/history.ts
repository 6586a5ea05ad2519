import { askBars, barRow, barsOf } from './bars.ts'
import { gapsPerInstrumentMax } from './progress.ts'
import type { Clock, Logger, Row } from '../../../runtime/plugin.ts'
import type { BarRequest } from './bars.ts'
import type { Gap } from './progress.ts'
import type { Rest } from './rest.ts'

export interface HistoryOptions {
  readonly rest: Rest
  readonly clock: Clock
  readonly log: Logger
  readonly signal: AbortSignal
  readonly retryMs: number
  readonly retryMsMax: number
  /** Resolves when the rows have been taken. */
  readonly write: (bars: readonly Row[]) => Promise<void>
  /** The gap is done with: filled as far as the gateway has bars, or not at all. */
  readonly done: (gap: Required<Gap>, outcome: { readonly state: 'filled' | 'unfilled', readonly bars: number, readonly detail?: string }) => void
  /** Several gaps of one instrument that wait are filled as one. */
  readonly joined: (swallowed: Required<Gap>, into: Required<Gap>) => void
}

const barMs = 60_000
const hourMs = 60 * barMs
// 480 bars: below the 1000 that an answer holds at most, and within a period that allows one-minute bars.
const windowHours = 8
const windowsMax = 24
// The gateway serves five at once, and has been seen to refuse the fifth.
const parallel = 4

type BarQuery = Pick<BarRequest, 'period' | 'untilMs'>

/** Fills gaps with the one-minute bars of the gateway's history, oldest gap first, a few at a time. */
export class History {
  readonly #options: HistoryOptions
  #waiting: Array<Required<Gap>> = []
  readonly #running = new Set<Promise<void>>()

  constructor (options: HistoryOptions) {
    this.#options = options
  }

  /** Bounded: beyond a few waiting gaps of one instrument, the two newest become one that covers both. */
  fill (gap: Required<Gap>): void {
    const own = this.#waiting.filter(({ conid }) => conid === gap.conid)
    const last = own.at(-1)
    if (last !== undefined && own.length >= gapsPerInstrumentMax) {
      const both = { ...last, from: Math.min(last.from, gap.from), to: Math.max(last.to, gap.to) }
      this.#waiting[this.#waiting.indexOf(last)] = both
      this.#options.joined(gap, both)
    } else {
      this.#waiting.push(gap)
    }
    this.#next()
  }

  /** Resolves when nothing runs any more; call it after the signal. */
  async settled (): Promise<void> {
    await Promise.all(this.#running)
  }

  #next (): void {
    while (this.#running.size < parallel && !this.#options.signal.aborted) {
      const gap = this.#waiting.shift()
      if (gap === undefined) return
      const running = this.#work(gap).finally(() => {
        this.#running.delete(running)
        this.#next()
      })
      this.#running.add(running)
    }
  }

  async #work (gap: Required<Gap>): Promise<void> {
    const { log, done } = this.#options
    try {
      const outcome = await this.#fetch(gap)
      if (outcome !== undefined) done(gap, outcome)
    } catch (error) {
      log.warn({ symbol: gap.symbol, error: (error as Error).message }, 'A gap could not be filled')
      done(gap, { state: 'unfilled', bars: 0, detail: (error as Error).message })
    }
  }

  /** Window by window, the newest first. Undefined: stopped before the end; the gap stays in the checkpoint. */
  async #fetch (gap: Required<Gap>): Promise<{ readonly state: 'filled' | 'unfilled', readonly bars: number, readonly detail?: string } | undefined> {
    const { clock, write, signal } = this.#options
    let bars = 0
    let to = gap.to
    for (let window = 0; to > gap.from; window++) {
      if (window === windowsMax) return { state: 'filled', bars, detail: `only the last ${windowsMax * windowHours} hours` }
      const now = clock.now()
      const recent = now - gap.from <= windowHours * hourMs
      const from = recent ? gap.from : Math.max(gap.from, to - windowHours * hourMs)
      const query = recent ? { period: periodOf(now - from) } : { period: `${windowHours}h`, untilMs: to }
      const answer = await this.#ask(gap.conid, query)
      if (signal.aborted) return
      const rows = barRows(gap, answer, { from, to, receivedTime: clock.now() })
      await write(rows)
      if (signal.aborted) return
      bars += rows.length
      to = from
    }
    return bars > 0 ? { state: 'filled', bars } : { state: 'unfilled', bars, detail: 'the gateway has no bars of this time' }
  }

  #ask (conid: number, query: BarQuery): Promise<Readonly<Record<string, unknown>>> {
    const { rest, signal, retryMs, retryMsMax } = this.#options
    return askBars({ conid, bar: '1min', outsideHours: true, ...query }, {
      rest,
      signal,
      retryMs,
      retryMsMax,
      async failed (error) {
        // The nightly reset forgets it, and the connection may outlive the reset. If it fails, so does the next try.
        if (/query \/accounts/i.test(error.message)) await rest.call('GET', 'iserver/accounts').catch(() => {})
      }
    })
  }
}

/** The gateway's periods end now, or at startTime. */
function periodOf (ms: number): string {
  const minutes = Math.ceil(ms / barMs) + 1
  return minutes <= 30 ? `${minutes}min` : `${Math.ceil(minutes / 60)}h`
}

interface Window {
  readonly from: number
  readonly to: number
  readonly receivedTime: number
}

/** The bars that touch the window. */
function barRows (gap: Required<Gap>, answer: Readonly<Record<string, unknown>>, { from, to, receivedTime }: Window): Row[] {
  const { symbol, conid } = gap
  return barsOf(answer)
    .filter(({ start }) => start !== undefined && start + barMs > from && start <= to)
    .map(bar => barRow(bar, answer, { symbol, conid, source: 'history', backfill: true, complete: bar.start! + barMs <= receivedTime, gap_from: gap.from, received_time: receivedTime }))
}

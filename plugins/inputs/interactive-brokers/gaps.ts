import type { Clock, Row } from '../../../runtime/plugin.ts'
import type { Gap, Instrument } from './progress.ts'

/** Why the rows of an instrument were interrupted. */
export type GapReason =
  | 'restart' // the connector was not running
  | 'disconnected' // the connection broke or was closed
  | 'stale' // the connection was open, but nothing came over it
  | 'silent' // the connection worked, but the instrument's subscription did not
  | 'competing' // another program took the brokerage session
  | 'logged_out' // the brokerage session or the login ended
  | 'session_changed' // the gateway began a new session
  | 'overflow' // the topic took rows more slowly than they came

export interface GapsOptions {
  readonly clock: Clock
  readonly write: (row: Row) => void
  /** Told about each gap when it closes. */
  readonly closed: (gap: Required<Gap>) => void
}

/**
 * Which instruments may have missed something, since when and why. A gap begins at the last row before the
 * interruption and ends with the first row after it; it is one row when it opens and one when it closes.
 */
export class Gaps {
  readonly #options: GapsOptions
  readonly #open = new Map<number, Gap>()
  readonly #last = new Map<number, number>()

  constructor (options: GapsOptions) {
    this.#options = options
  }

  get count (): number {
    return this.#open.size
  }

  /** An instrument is watched from now on, or from the last row of an earlier run. */
  begin (instrument: Instrument, last: number | undefined): void {
    this.#last.set(instrument.conid, last ?? this.#options.clock.now())
    if (last !== undefined) this.open(instrument, 'restart')
  }

  /** Goes on with a gap that an earlier run has left open. */
  resume (gap: Gap): void {
    this.#open.set(gap.conid, gap)
  }

  open (instrument: Instrument, reason: GapReason): void {
    const { conid, symbol } = instrument
    if (this.#open.has(conid)) return
    const gap = { symbol, conid, from: this.#last.get(conid) ?? this.#options.clock.now(), reason }
    this.#open.set(conid, gap)
    this.#options.write(gapRow(gap, 'open', this.#options.clock))
  }

  /** A row came and was taken. */
  received (instrument: Instrument, time: number): void {
    const { conid } = instrument
    this.#last.set(conid, time)
    const gap = this.#open.get(conid)
    if (gap === undefined) return
    this.#open.delete(conid)
    const closed = { ...gap, to: time }
    this.#options.write(gapRow(closed, 'closed', this.#options.clock))
    this.#options.closed(closed)
  }
}

/** What a row of the topic gaps tells: of the interruption, or of the bars that fill it. */
export type GapState = 'open' | 'closed' | 'joined' | 'filled' | 'unfilled'

/** A row of the topic gaps. */
export function gapRow (gap: Gap, state: GapState, clock: Clock, more: Row = {}): Row {
  const { symbol, conid, from, to, reason } = gap
  return { symbol, conid, time: clock.now(), from_time: from, ...(to !== undefined && { to_time: to }), reason, state, ...more }
}

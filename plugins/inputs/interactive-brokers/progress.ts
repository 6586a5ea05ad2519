// The checkpoint: what a new start must know to record what it missed.
//
//   contracts   { "AAPL": { symbol, conid } }      contract ids that were looked up; one an instrument
//   last        { "265598": 1777542004777 }        when the last row of a contract was received
//   gaps        [ { symbol, conid, from, to?, reason } ]   those still open, or closed and not filled yet
//
// It is a fold over the rows in the order in which they become durable, so it is never ahead of them. Its size is
// bounded by the number of instruments.

import { objectOf } from './json-object.ts'
import type { Json, Row } from '../../../runtime/plugin.ts'

/** A contract that is streamed. */
export interface Instrument {
  /** Unique in the pipeline: as configured, or the ticker of a contract id. */
  readonly symbol: string
  readonly conid: number
}

/** A time in which rows of an instrument may be missing; without `to` it has not ended yet. */
export interface Gap extends Instrument {
  readonly from: number
  readonly to?: number
  readonly reason: string
}

/** Gaps of one instrument that wait for their bars at most; beyond it they are joined. */
export const gapsPerInstrumentMax = 4

/** The checkpoint as it grows. */
export class Progress {
  readonly contracts = new Map<string, Instrument>()
  readonly #last = new Map<number, number>()
  #gaps: Gap[] = []

  /** What is unreadable is left out: the worst that follows is a gap that nobody records. */
  constructor (checkpoint: Json | undefined) {
    const saved = objectOf(checkpoint)
    for (const [text, value] of Object.entries(objectOf(saved['contracts']))) {
      const { symbol, conid } = objectOf(value)
      if (typeof symbol === 'string' && typeof conid === 'number') this.contracts.set(text, { symbol, conid })
    }
    for (const [conid, time] of Object.entries(objectOf(saved['last']))) if (typeof time === 'number') this.#last.set(Number(conid), time)
    for (const value of Array.isArray(saved['gaps']) ? saved['gaps'] : []) {
      const { symbol, conid, from, to, reason } = objectOf(value)
      if (typeof symbol !== 'string' || typeof conid !== 'number' || typeof from !== 'number') continue
      this.#gaps.push({ symbol, conid, from, reason: String(reason), ...(typeof to === 'number' && { to }) })
    }
  }

  get gaps (): readonly Gap[] {
    return this.#gaps
  }

  last (conid: number): number | undefined {
    return this.#last.get(conid)
  }

  /** Forgets what is no longer configured, so that the checkpoint does not grow. */
  keep (configured: ReadonlyMap<string, Instrument>): void {
    for (const text of this.contracts.keys()) if (!configured.has(text)) this.contracts.delete(text)
    for (const [text, instrument] of configured) this.contracts.set(text, instrument)
    const conids = new Set([...configured.values()].map(({ conid }) => conid))
    for (const conid of this.#last.keys()) if (!conids.has(conid)) this.#last.delete(conid)
    this.#gaps = this.#gaps.filter(({ conid }) => conids.has(conid))
  }

  received (conid: number, time: number): void {
    this.#last.set(conid, time)
  }

  /** A row of the topic gaps. A later row of the same start replaces the earlier one. */
  gap (row: Row): void {
    const { symbol, conid, from_time: from, to_time: to, reason, state } = row as { symbol: string, conid: number, from_time: number, to_time?: number, reason: string, state: string }
    this.#gaps = this.#gaps.filter(gap => gap.conid !== conid || gap.from !== from)
    if (state === 'open' || state === 'closed') this.#gaps.push({ symbol, conid, from, reason, ...(to !== undefined && { to }) })
  }

  checkpoint (): Json {
    return { contracts: toObject(this.contracts) as unknown as Json, last: toObject(this.#last), gaps: this.#gaps.map(gap => ({ ...gap })) }
  }
}

function toObject<V> (map: ReadonlyMap<string | number, V>): { readonly [key: string]: V } {
  return Object.fromEntries(map)
}

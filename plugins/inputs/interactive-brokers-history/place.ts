// The checkpoint: where each instrument goes on.
//
//   contracts   { "AAPL": { symbol, conid } }   contract ids that were looked up
//   last        { "265598": 1777542000000 }     when the last bar that was taken began
//   bars        "1d Trades"                     what `last` is about; other bars begin anew
//
// The beginning counts and not the end: a day after a change of the clock begins before 24 hours have passed.

import { objectOf } from '../interactive-brokers/json-object.ts'
import { Progress } from '../interactive-brokers/progress.ts'
import type { Json } from '../../../runtime/plugin.ts'
import type { Instrument } from '../interactive-brokers/progress.ts'
import type { Settings } from './options.ts'

/** Where the reading of each instrument stands. */
export class Place {
  readonly #progress: Progress
  readonly #bars: string

  constructor (checkpoint: Json | undefined, { bar, source, outsideHours }: Pick<Settings, 'bar' | 'source' | 'outsideHours'>) {
    this.#bars = `${bar} ${source}${outsideHours ? ' outside hours' : ''}`
    const saved = objectOf(checkpoint)
    const same = saved['bars'] === this.#bars
    this.#progress = new Progress({ contracts: saved['contracts'] as Json ?? {}, last: same ? saved['last'] as Json ?? {} : {} })
  }

  get contracts (): ReadonlyMap<string, Instrument> {
    return this.#progress.contracts
  }

  /** Forgets what is no longer configured, so that the checkpoint does not grow. */
  keep (configured: ReadonlyMap<string, Instrument>): void {
    this.#progress.keep(configured)
  }

  last (conid: number): number | undefined {
    return this.#progress.last(conid)
  }

  /** The bar that begins at `start` is part of the rows that the next checkpoint goes with. */
  took (conid: number, start: number): void {
    this.#progress.received(conid, start)
  }

  checkpoint (): Json {
    const { contracts, last } = objectOf(this.#progress.checkpoint()) as { contracts: Json, last: Json }
    return { contracts, last, bars: this.#bars }
  }
}

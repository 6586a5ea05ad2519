import type { Recording } from './recording.ts'
import { Replay, type ReplayOptions } from './replay.ts'

/** One tradable instrument, as the look-up endpoints describe it. */
export interface Listing {
  readonly symbol: string
  readonly conid: number
  readonly name: string
  readonly exchange: string
  readonly prices: string // the symbol in the price file; several instruments may replay the same one
}

/** A listing with the prices that it replays. */
export interface Instrument extends Listing {
  readonly replay: Replay
}

/** A symbol of the price file, or a listing of one's own. */
export type InstrumentOption = string | (Partial<Listing> & { readonly symbol: string })

// The real contract ids. The recordings are named by the symbols of their time.
const known: readonly Listing[] = [
  { symbol: 'AAPL', conid: 265598, name: 'APPLE INC', exchange: 'NASDAQ', prices: 'AAPL' },
  { symbol: 'MSFT', conid: 272093, name: 'MICROSOFT CORP', exchange: 'NASDAQ', prices: 'MSFT' },
  { symbol: 'IBM', conid: 8314, name: 'INTL BUSINESS MACHINES CORP', exchange: 'NYSE', prices: 'IBM' },
  { symbol: 'GOOGL', conid: 208813719, name: 'ALPHABET INC-CL A', exchange: 'NASDAQ', prices: 'GOOG' },
  { symbol: 'META', conid: 107113386, name: 'META PLATFORMS INC-CLASS A', exchange: 'NASDAQ', prices: 'FB' }
]
const firstInventedConid = 900_000_001

/** Every instrument by conid. Without `wanted`, all symbols of the price file. */
export function listInstruments (recordings: ReadonlyMap<string, Recording>, wanted: readonly InstrumentOption[] | undefined, options: ReplayOptions): Map<number, Instrument> {
  const list = (wanted ?? [...recordings.keys()].map(symbol => known.find(({ prices }) => prices === symbol)?.symbol ?? symbol))
    .map((option, i) => toListing(typeof option === 'string' ? { symbol: option } : option, i))
  const instruments = new Map<number, Instrument>()
  for (const listing of list) {
    const recording = recordings.get(listing.prices)
    if (recording === undefined) throw new Error(`instrument ${listing.symbol}: no prices for "${listing.prices}" in the price file, which has ${[...recordings.keys()].join(', ')}`)
    if (instruments.has(listing.conid)) throw new Error(`instrument ${listing.symbol}: conid ${listing.conid} is taken by ${instruments.get(listing.conid)!.symbol}`)
    // The conid stirs the seed, so that two instruments on one recording do not tick alike.
    instruments.set(listing.conid, { ...listing, replay: new Replay({ ...recording, symbol: `${listing.conid}` }, options) })
  }
  return instruments
}

function toListing (option: Partial<Listing> & { readonly symbol: string }, i: number): Listing {
  const { symbol } = option
  const base = known.find(listing => listing.symbol === symbol)
  return { conid: firstInventedConid + i, name: `${symbol} INC`, exchange: 'NASDAQ', prices: symbol, ...base, ...option }
}

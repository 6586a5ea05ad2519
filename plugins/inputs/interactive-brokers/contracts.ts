import { objectOf } from './json-object.ts'
import type { Instrument } from './progress.ts'
import type { Rest } from './rest.ts'

/** What became of the configured texts. */
export interface Resolved {
  /** By the text of the configuration. */
  readonly instruments: ReadonlyMap<string, Instrument>
  /** By the text of the configuration: one sentence for each that names no instrument, or more than one. */
  readonly problems: ReadonlyMap<string, string>
}

interface Listing {
  readonly conid: number
  readonly exchange: string
  readonly isUS: boolean
  readonly company: string
}

// Keeps the address of a request short.
const symbolsPerCall = 50

/**
 * Finds the contract ids of the configured texts, once: what `known` has is not asked for again, as a contract id is
 * permanent and a symbol is not. Throws RestError when the gateway cannot be asked.
 */
export async function resolve (texts: readonly string[], known: ReadonlyMap<string, Instrument>, rest: Rest): Promise<Resolved> {
  const unknown = texts.filter(text => !known.has(text))
  const isConid = (text: string): boolean => /^\d+$/.test(text)
  const symbols = unknown.filter(text => !isConid(text))
  const listings = await findListings([...new Set(symbols.map(text => parse(text).symbol))], rest)
  const tickers = await findTickers(unknown.filter(isConid), rest)

  const instruments = new Map<string, Instrument>()
  const problems = new Map<string, string>()
  const taken = new Map<number, string>()
  for (const text of texts) {
    const found = known.get(text) ?? (isConid(text) ? { symbol: tickers.get(Number(text)) ?? text, conid: Number(text) } : choose(text, listings))
    if (typeof found === 'string') {
      problems.set(text, found)
      continue
    }
    const twin = taken.get(found.conid)
    if (twin !== undefined) continue // the same contract under another name: one subscription serves both
    taken.set(found.conid, text)
    instruments.set(text, found)
  }
  return { instruments: distinct(instruments), problems }
}

/** Two contract ids may have one ticker; the symbol must tell them apart. */
function distinct (instruments: ReadonlyMap<string, Instrument>): ReadonlyMap<string, Instrument> {
  const counts = new Map<string, number>()
  for (const { symbol } of instruments.values()) counts.set(symbol, (counts.get(symbol) ?? 0) + 1)
  return new Map([...instruments].map(([text, { symbol, conid }]) => [text, { conid, symbol: (counts.get(symbol) ?? 0) > 1 && /^\d+$/.test(text) ? text : symbol }]))
}

function parse (text: string): { readonly symbol: string, readonly exchange: string | undefined } {
  const [symbol = '', exchange] = text.split('@')
  return { symbol, exchange }
}

/** The instrument, or why there is none. */
function choose (text: string, listings: ReadonlyMap<string, readonly Listing[]>): Instrument | string {
  const { symbol, exchange } = parse(text)
  const all = listings.get(symbol) ?? []
  if (all.length === 0) return `${text} is no stock that the gateway knows; check the spelling, or give the contract id.`
  const fitting = all.filter(listing => exchange === undefined ? listing.isUS : listing.exchange === exchange)
  const candidates = fitting.length === 0 && exchange === undefined ? all : fitting
  if (candidates.length === 1) return { symbol: text, conid: (candidates[0] as Listing).conid }
  const choices = (candidates.length === 0 ? all : candidates).slice(0, 8).map(({ conid, exchange, company }) => `${symbol}@${exchange} (${company}, ${conid})`).join(', ')
  return `${text} ${candidates.length === 0 ? 'is not listed there' : 'is ambiguous'}; give one of ${choices}, or its contract id.`
}

async function findListings (symbols: readonly string[], rest: Rest): Promise<ReadonlyMap<string, readonly Listing[]>> {
  const listings = new Map<string, readonly Listing[]>()
  for (let i = 0; i < symbols.length; i += symbolsPerCall) {
    const part = symbols.slice(i, i + symbolsPerCall)
    const answer = objectOf(await rest.call('GET', `trsrv/stocks?symbols=${encodeURIComponent(part.join(','))}`))
    for (const symbol of part) listings.set(symbol, array(answer[symbol]).flatMap(listingsOf))
  }
  return listings
}

function listingsOf (company: unknown): Listing[] {
  const { name, contracts } = objectOf(company)
  return array(contracts).map(objectOf).filter(({ conid }) => Number.isSafeInteger(Number(conid))).map(({ conid, exchange, isUS }) => ({
    conid: Number(conid), exchange: String(exchange ?? '').toUpperCase(), isUS: isUS === true, company: String(name ?? '')
  }))
}

async function findTickers (conids: readonly string[], rest: Rest): Promise<ReadonlyMap<number, string>> {
  const tickers = new Map<number, string>()
  for (let i = 0; i < conids.length; i += symbolsPerCall) {
    const answer = await rest.call('GET', `trsrv/secdef?conids=${conids.slice(i, i + symbolsPerCall).join(',')}`)
    const rows = Array.isArray(answer) ? answer : array(objectOf(answer)['secdef'])
    for (const row of rows) {
      const { conid, ticker } = objectOf(row)
      if (typeof ticker === 'string' && ticker !== '') tickers.set(Number(conid), ticker)
    }
  }
  return tickers
}

function array (value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

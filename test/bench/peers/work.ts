// The work that every program does: quotes from text to types. What comes out is compared by value, because
// each program has its own way to write the same row: "100.5000", 100.5 and 1763800000123 as a date.

import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { NOT_PRESENT } from '../../../runtime/schema.ts'
import { quote } from '../quotes.ts'

export const fields = ['symbol', 'event_time', 'last', 'bid', 'ask', 'bid_size', 'ask_size', 'volume', 'exchange', 'source'] as const

/** `schemas/quotes.yaml` of the platform; the others say the same in their own words. */
export const schema = `
description: Quotes of ten fields
key: [symbol]
event_time: event_time
fields:
  symbol: { type: string, required: true, description: Instrument, low_cardinality: true }
  event_time: { type: timestamp(ms), required: true, description: When, cast: { unit: ms } }
  last: { type: 'decimal(18, 4)', required: true, description: Last price, cast: { prefixes: [C, H] } }
  bid: { type: 'decimal(18, 4)', required: true, description: Best bid }
  ask: { type: 'decimal(18, 4)', required: true, description: Best ask }
  bid_size: { type: int64, required: true, description: Size at the bid }
  ask_size: { type: int64, required: true, description: Size at the ask }
  volume: { type: int64, required: true, description: Volume of the day, cast: { suffixes: true } }
  exchange: { type: string, required: true, description: Venue, low_cardinality: true }
  source: { type: 'enum(interactive-brokers, simulator)', required: true, description: Where it came from }
`

const MAKE_ROWS = 5000

/** Pieces of a file of `rows` quotes, CSV with a header or NDJSON. */
export function * makeText (kind: 'csv' | 'ndjson', rows: number): Generator<string, void, void> {
  if (kind === 'csv') yield `${fields.join(',')}\n`
  for (let from = 0; from < rows; from += MAKE_ROWS) {
    let text = ''
    for (let i = from; i < Math.min(rows, from + MAKE_ROWS); i++) {
      const row = quote(i)
      text += kind === 'csv' ? `${Object.values(row).join(',')}\n` : `${JSON.stringify(row)}\n`
    }
    yield text
  }
}

export interface Digest {
  readonly rows: number
  /** Of the rows in any order: the sum of their hashes, so that a program may write them as it likes. */
  readonly hash: string
}

type Value = string | number | null

/** The rows of NDJSON files, by value. `cast`: they went through the casts; else they hold the texts of the source. */
export async function digestOf (files: readonly string[], { cast }: { readonly cast: boolean }): Promise<Digest> {
  const sum = new RowSum(cast)
  for (const file of files) {
    for await (const line of createInterface({ input: createReadStream(file) })) if (line !== '') sum.add(JSON.parse(line) as Record<string, Value>)
  }
  return sum.digest
}

/** What must come out. */
export function expected (rows: number, { cast }: { readonly cast: boolean }): Digest {
  const sum = new RowSum(cast)
  for (let i = 0; i < rows; i++) {
    const row = quote(i) as Record<string, string>
    sum.add(cast ? plainCast(row) : row)
  }
  return sum.digest
}

export class RowSum {
  readonly #cast: boolean
  #rows = 0
  #sum = 0n

  constructor (cast: boolean) {
    this.#cast = cast
  }

  add (row: Readonly<Record<string, Value>>): void {
    const normal = this.#cast ? normalised(row) : fields.map(name => row[name])
    this.#sum += createHash('md5').update(JSON.stringify(normal)).digest().readBigUInt64LE()
    this.#rows++
  }

  get digest (): Digest {
    return { rows: this.#rows, hash: BigInt.asUintN(64, this.#sum).toString(16).padStart(16, '0') }
  }
}

function normalised (row: Readonly<Record<string, Value>>): Value[] {
  return fields.map(name => {
    const value = row[name] ?? null
    switch (name) {
      case 'symbol':
      case 'exchange':
      case 'source': return value
      case 'event_time': return typeof value === 'string' ? Date.parse(value) : value
      default: return Number(value)
    }
  })
}

/** The casts as plainly as they can be said, to know what must come out. */
function plainCast (row: Readonly<Record<string, string>>): Record<string, Value> {
  const { symbol = '', event_time: time = '', last = '', bid = '', ask = '', bid_size: bidSize = '', ask_size: askSize = '', volume = '', exchange = '', source = '' } = row
  return {
    symbol,
    event_time: Number(time),
    last: Number(last.replace(/^[CH]/, '')),
    bid: Number(bid),
    ask: Number(ask),
    bid_size: Number(bidSize),
    ask_size: Number(askSize),
    volume: volume.endsWith('K') ? Number(volume.slice(0, -1)) * 1e3 : Number(volume),
    exchange: exchange === NOT_PRESENT ? null : exchange,
    source
  }
}

// The quotes that the benchmarks move: ten fields, 208 bytes as JSON, every value a text as a gateway sends it.

import { NOT_PRESENT } from '../../runtime/schema.ts'
import type { Row } from '../../runtime/batch.ts'

const symbols = ['AAPL', 'MSFT', 'GOOG', 'AMZN', 'TSLA', 'NVDA', 'META', 'SPY', 'QQQ', 'IWM']

export function quote (i: number): Row {
  const cents = (i % 977) / 100
  return {
    symbol: symbols[i % 10],
    event_time: String(1_763_800_000_000 + i),
    last: `C${(100 + cents).toFixed(2)}`,
    bid: (100 + cents).toFixed(2),
    ask: (100.02 + cents).toFixed(2),
    bid_size: String(i % 500),
    ask_size: String(i % 400),
    volume: `${i % 1000}K`,
    exchange: NOT_PRESENT,
    source: 'interactive-brokers'
  }
}

export const quotesSchema = `
description: Quotes of ten fields
key: [symbol]
event_time: event_time
fields:
  symbol: { type: string, required: true, description: Instrument, low_cardinality: true }
  event_time: { type: timestamp(ms), required: true, description: When, cast: { unit: ms } }
  last: { type: float64, required: true, description: Last price, cast: { prefixes: [C, H] } }
  bid: { type: float64, required: true, description: Best bid }
  ask: { type: float64, required: true, description: Best ask }
  bid_size: { type: float64, required: true, description: Size at the bid }
  ask_size: { type: float64, required: true, description: Size at the ask }
  volume: { type: float64, required: true, description: Volume of the day, cast: { suffixes: true } }
  exchange: { type: string, required: true, description: Venue, low_cardinality: true }
  source: { type: string, required: true, description: Where it came from, low_cardinality: true }
`

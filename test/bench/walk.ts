// Quotes that compress as little as real ones: 50 instruments whose prices walk at random, at irregular times. The same
// ones for the same start. Ten fields, every value a text as a gateway sends it.

import type { Row } from '../../runtime/batch.ts'

const INSTRUMENTS = 50
const exchanges = ['NASDAQ', 'NYSE', 'ARCA', 'BATS', 'IEX']

/** The quotes of one walk, one a call. */
export function walk (seed = 1): () => Row {
  let state = seed
  // A generator of Lehmer's: plain, quick, and good enough for a benchmark.
  const random = (below: number): number => {
    state = state * 48_271 % 2_147_483_647
    return state % below
  }
  const cents = Array.from({ length: INSTRUMENTS }, () => 1000 + random(40_000))
  const volumes = Array.from({ length: INSTRUMENTS }, () => random(1_000_000))
  let time = Date.UTC(2024, 0, 2, 14, 30)
  return () => {
    const i = random(INSTRUMENTS)
    time += random(3)
    const price = cents[i] = Math.max(100, cents[i]! + random(7) - 3)
    const spread = 1 + random(3)
    const volume = volumes[i]! += random(20) * 100
    return {
      symbol: `SYM${i}`,
      event_time: String(time),
      last: (price / 100).toFixed(2),
      bid: ((price - spread) / 100).toFixed(2),
      ask: ((price + spread) / 100).toFixed(2),
      bid_size: String(1 + random(40)),
      ask_size: String(1 + random(40)),
      volume: String(volume),
      exchange: exchanges[random(exchanges.length)],
      source: 'interactive-brokers'
    }
  }
}

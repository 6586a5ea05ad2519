// The rows of a run: each one follows from its number, so that the harness knows what must become of it.

export interface ChaosRow {
  readonly n: number
  /** Milliseconds since 1970; a text that no cast takes where the row is poison. */
  readonly t: number
  readonly symbol: string
  readonly price: number | string
}

export const DAYS = 3
export const KEYS = 7
const DAY_MS = 86_400_000
/** All days are over, so that the handoff takes each of them, and rows for days that it has taken keep coming. */
export const FIRST_DAY = Date.UTC(2024, 2, 1)
const POISON_EVERY = 97

/** One of them is poison at regular places; more of them in a burst. */
export function isPoison (n: number, bursts: ReadonlyArray<readonly [from: number, to: number]>): boolean {
  return n % POISON_EVERY === 0 || bursts.some(([from, to]) => n >= from && n < to)
}

export function rowOf (n: number, poison: boolean): ChaosRow {
  return { n, t: FIRST_DAY + (n % DAYS) * DAY_MS + n % 86_400_000, symbol: `S${n % KEYS}`, price: poison ? 'none' : (n % 1000) / 8 }
}

/** True in SQL for a row that is not as it was sent. */
export const otherThanSent = `symbol != concat('S', toString(n % ${KEYS})) OR price != (n % 1000) / 8 OR toUnixTimestamp64Milli(t) != ${FIRST_DAY} + (n % ${DAYS}) * ${DAY_MS} + n % 86400000`

export const schema = `
key: [symbol]
event_time: t
partitions: 2
realtime_period: 1d
fields:
  n: { type: int64, required: true, description: Number of the row }
  t: { type: timestamp(ms), required: true, description: Time of the row, cast: { unit: ms } }
  symbol: { type: string, required: true, description: Instrument, low_cardinality: true }
  price: { type: float64, required: true, description: Price }
`

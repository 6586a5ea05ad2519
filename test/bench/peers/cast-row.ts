// The casts of one row, by hand: what the schema of work.ts says, checked as it says.

import { NOT_PRESENT } from '../../../runtime/schema.ts'
import type { fields } from './work.ts'

export type TextRow = Readonly<Record<typeof fields[number], string>>

export interface CastRow {
  readonly symbol: string
  readonly event_time: string
  readonly last: number
  readonly bid: number
  readonly ask: number
  readonly bid_size: number
  readonly ask_size: number
  readonly volume: number
  readonly exchange: string | null
  readonly source: string
}

/** Prices as doubles: without a library, JavaScript has no decimals. Throws for a value that does not fit. */
export function castRow (row: TextRow): CastRow {
  if (row.source !== 'interactive-brokers' && row.source !== 'simulator') throw new Error(`${row.source} is no source`)
  return {
    symbol: row.symbol,
    event_time: new Date(integer(row.event_time)).toISOString(),
    last: number(row.last.startsWith('C') || row.last.startsWith('H') ? row.last.slice(1) : row.last),
    bid: number(row.bid),
    ask: number(row.ask),
    bid_size: integer(row.bid_size),
    ask_size: integer(row.ask_size),
    volume: row.volume.endsWith('K') ? integer(row.volume.slice(0, -1)) * 1e3 : row.volume.endsWith('M') ? integer(row.volume.slice(0, -1)) * 1e6 : integer(row.volume),
    exchange: row.exchange === NOT_PRESENT ? null : row.exchange,
    source: row.source
  }
}

function number (text: string): number {
  const value = Number(text)
  if (text === '' || !Number.isFinite(value)) throw new Error(`${text} is no number`)
  return value
}

function integer (text: string): number {
  const value = number(text)
  if (!Number.isSafeInteger(value)) throw new Error(`${text} is no integer`)
  return value
}

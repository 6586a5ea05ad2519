import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { parse } from 'csv-parse/sync'

/** The prices that the simulator replays when it is told nothing else. `prices/README.md` says where they come from. */
export const SHIPPED_PRICES = new URL('prices/us-stocks-2010-2013.csv.gz', import.meta.url)

/** One recorded bar, as it stands in the file. */
export interface RecordedBar {
  readonly day: string // the calendar day of the recording: open, high, low and volume of the day restart with it
  readonly open: number
  readonly high: number
  readonly low: number
  readonly close: number
  readonly volume: number
}

/** The bars of one symbol, oldest first, never empty. */
export interface Recording {
  readonly symbol: string
  readonly bars: readonly RecordedBar[]
  readonly barMs: number // how long one bar takes in the replay at speed 1
}

const columns = ['symbol', 'time', 'open', 'high', 'low', 'close', 'volume']
const minuteMs = 60_000
const dayMs = 24 * 60 * minuteMs

/**
 * Reads a CSV file, plain or gzipped, with the columns symbol, time, open, high, low, close, volume.
 * Intraday bars keep their length. A daily bar is compressed to one minute, so that a recorded day can be watched.
 */
export function readRecordings (file: string | URL): Map<string, Recording> {
  const bytes = readFileSync(file)
  const text = (bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes).toString('utf8')
  const rows = parse(text, { columns: true, skip_empty_lines: true, trim: true }) as readonly Record<string, string>[]
  const missing = columns.filter(column => rows[0]?.[column] === undefined)
  if (missing.length > 0) throw new Error(`${String(file)}: the price file needs the columns ${columns.join(', ')}; missing: ${missing.join(', ')}`)
  const bySymbol = Map.groupBy(rows, row => row['symbol']!)
  return new Map([...bySymbol].map(([symbol, group]) => [symbol, toRecording(file, symbol, group)]))
}

function toRecording (file: string | URL, symbol: string, rows: readonly Record<string, string>[]): Recording {
  const sorted = rows.toSorted((a, b) => a['time']!.localeCompare(b['time']!))
  const bars = sorted.map(row => toBar(file, row))
  return { symbol, bars, barMs: barLength(sorted) }
}

function toBar (file: string | URL, row: Record<string, string>): RecordedBar {
  const [open, high, low, close, volume] = columns.slice(2).map(column => Number(row[column])) as [number, number, number, number, number]
  const sound = low > 0 && low <= Math.min(open, close) && Math.max(open, close) <= high && volume >= 0
  if (!sound) throw new Error(`${String(file)}: the bar of ${row['symbol']} at ${row['time']} is not a price bar (low <= open, close <= high; volume >= 0)`)
  return { day: row['time']!.slice(0, 10), open, high, low, close, volume }
}

/** The shortest distance between two bars, at most an hour; a daily bar becomes a minute. */
function barLength (rows: readonly Record<string, string>[]): number {
  let shortestMs = dayMs
  for (let i = 1; i < rows.length; i++) {
    const distanceMs = Date.parse(rows[i]!['time']!) - Date.parse(rows[i - 1]!['time']!)
    if (distanceMs > 0) shortestMs = Math.min(shortestMs, distanceMs)
  }
  return shortestMs < dayMs ? shortestMs : minuteMs
}

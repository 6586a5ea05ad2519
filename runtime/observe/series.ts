// Metrics over time, for charts: one value a slot. A counter is its increase a second, a gauge its greatest value, a
// histogram a percentile. What was not measured in a slot has no point, so a chart shows the gap.

import { PlatformError } from '../errors.ts'
import { quoteTable } from '../clickhouse/sql.ts'
import { KEEP_MS } from './increases.ts'
import { PLATFORM_PART } from './log-search.ts'
import { quantile } from './quantile.ts'
import { metricsTable } from './tables.ts'
import type { StoreReader } from './store-reader.ts'

export const statistics = ['rate', 'sum', 'max', 'mean', 'p50', 'p90', 'p99'] as const
export type Statistic = typeof statistics[number]
type Kind = 'counter' | 'gauge' | 'histogram'

/** Series of one answer. */
export const SERIES_MAX = 200
/** Metrics are measured so often: a slot is not shorter. */
const SLOT_MS_MIN = 10_000
/** Slots are of lengths that people read. */
const slotsMs = [10, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400].map(seconds => seconds * 1000)

export interface SeriesQuery {
  readonly name: string
  readonly part?: string | undefined
  readonly step?: string | undefined
  /** ms since 1970; `to` is exclusive. */
  readonly from: number
  readonly to: number
  /** At most. */
  readonly points: number
  readonly stat?: Statistic | undefined
}

export interface Series {
  readonly labels: { readonly part: string, readonly step: string }
  readonly points: Array<[ms: number, value: number]>
}
export interface SeriesAnswer {
  readonly series: Series[]
  readonly kind: Kind | null
  readonly stat: Statistic | null
  readonly unit: string
  readonly slot_ms: number
  /** There are more series than an answer holds. */
  readonly truncated: boolean
}
export interface SeriesName {
  readonly name: string
  readonly kind: Kind
  readonly unit: string
  readonly stats: readonly Statistic[]
  readonly parts: readonly string[]
}

interface Slot { readonly part: string, readonly step: string, readonly slot: string, readonly increase: number, readonly greatest: number, readonly mean: number, readonly total: number, readonly bounds: readonly number[], readonly counts: readonly string[] }

const statsOf: Readonly<Record<Kind, readonly Statistic[]>> = { counter: ['rate', 'sum'], gauge: ['max', 'mean'], histogram: ['p99', 'p50', 'p90', 'mean', 'rate'] }

/** Throws NOT_FOUND never: a name without measurements has no series. REQUEST_INVALID: the statistic does not go with the metric. */
export async function readSeries (reader: StoreReader, query: SeriesQuery, signal?: AbortSignal): Promise<SeriesAnswer> {
  const { name, part, step, from, to, points } = query
  const slotMs = slotFor(to - from, points)
  const params: Record<string, unknown> = { name, from: Math.floor(from / slotMs) * slotMs, to, slot: slotMs }
  const where = ['name = {name:String}', 'time >= fromUnixTimestamp64Milli({from:Int64})', 'time < fromUnixTimestamp64Milli({to:Int64})']
  for (const [column, value] of [['part', part === PLATFORM_PART ? '' : part], ['step', step]] as const) {
    if (value === undefined) continue
    where.push(`${column} = {${column}:String}`)
    params[column] = value
  }
  const condition = where.join(' AND ')
  const kind = await kindOf(reader, condition, params, signal)
  if (kind === undefined) return { series: [], kind: null, stat: null, unit: unitOf(name), slot_ms: slotMs, truncated: false }
  const stat = query.stat ?? statsOf[kind][0] as Statistic
  if (!statsOf[kind].includes(stat)) throw new PlatformError('REQUEST_INVALID', `${name} is a ${kind} and has no ${stat}`, { remedy: `Ask for ${statsOf[kind].join(', ')}.` })
  const sql = `SELECT part, step, intDiv(toUnixTimestamp64Milli(time), {slot:Int64}) AS slot, sum(increase) AS increase, max(value) AS greatest, avg(value) AS mean, sum(value) AS total, any(bounds) AS bounds, sumForEach(counts) AS counts
    FROM ${quoteTable(metricsTable)} WHERE ${condition} AND (part, step) IN (SELECT DISTINCT part, step FROM ${quoteTable(metricsTable)} WHERE ${condition} ORDER BY part, step LIMIT ${SERIES_MAX + 1})
    GROUP BY part, step, slot ORDER BY part, step, slot`
  const series = seriesOf(await reader.rows<Slot>(sql, params, signal), { stat, kind, slotMs, to: Math.min(to, Date.now()) })
  return { series: series.slice(0, SERIES_MAX), kind, stat, unit: unitFor(name, stat), slot_ms: slotMs, truncated: series.length > SERIES_MAX }
}

/** What was measured in the time, by name. */
export async function readSeriesNames (reader: StoreReader, { from, to }: Pick<SeriesQuery, 'from' | 'to'>, signal?: AbortSignal): Promise<SeriesName[]> {
  const rows = await reader.rows<{ name: string, kind: Kind, parts: string[] }>(`SELECT name, any(kind) AS kind, arraySort(groupUniqArray(${SERIES_MAX})(part)) AS parts FROM ${quoteTable(metricsTable)} WHERE time >= fromUnixTimestamp64Milli({from:Int64}) AND time < fromUnixTimestamp64Milli({to:Int64}) GROUP BY name ORDER BY name`, { from, to }, signal)
  return rows.map(({ name, kind, parts }) => ({ name, kind, unit: unitFor(name, statsOf[kind][0] as Statistic), stats: statsOf[kind], parts }))
}

/** ms of a slot, so that a time has at most so many. */
export function slotFor (ms: number, points: number): number {
  const least = Math.max(SLOT_MS_MIN, ms / points)
  return slotsMs.find(slot => slot >= least) ?? Math.ceil(least / 86_400_000) * 86_400_000
}

async function kindOf (reader: StoreReader, condition: string, params: Record<string, unknown>, signal?: AbortSignal): Promise<Kind | undefined> {
  const [found] = await reader.rows<{ kind: Kind }>(`SELECT kind FROM ${quoteTable(metricsTable)} WHERE ${condition} LIMIT 1`, params, signal)
  return found?.kind
}

function seriesOf (slots: readonly Slot[], { stat, kind, slotMs, to }: { readonly stat: Statistic, readonly kind: Kind, readonly slotMs: number, readonly to: number }): Series[] {
  const found = new Map<string, Series>()
  for (const slot of slots) {
    const { part, step } = slot
    const key = `${part}\n${step}`
    const { points } = found.get(key) ?? found.set(key, { labels: { part, step }, points: [] }).get(key) as Series
    const ms = Number(slot.slot) * slotMs
    // The last slot goes on: as much of it as was measured.
    const measuredMs = Math.min(slotMs, Math.max(SLOT_MS_MIN, Math.floor((to - ms) / SLOT_MS_MIN) * SLOT_MS_MIN))
    const value = valueOf(slot, stat, kind, measuredMs)
    if (value === undefined) continue
    fillUpTo(points, ms, slotMs, kind)
    points.push([ms, value])
  }
  return [...found.values()]
}

/** A series that does not change says so once a minute only: in between a counter has not grown, and a gauge is as it was. */
function fillUpTo (points: Array<[number, number]>, ms: number, slotMs: number, kind: Kind): void {
  const last = points.at(-1)
  if (last === undefined || kind === 'histogram' || ms - last[0] > KEEP_MS + 2 * SLOT_MS_MIN) return
  for (let at = last[0] + slotMs; at < ms; at += slotMs) points.push([at, kind === 'counter' ? 0 : last[1]])
}

function valueOf ({ increase, greatest, mean, total, bounds, counts }: Slot, stat: Statistic, kind: Kind, slotMs: number): number | undefined {
  switch (stat) {
    case 'rate': return increase / (slotMs / 1000)
    case 'sum': return increase
    case 'max': return greatest
    // Of a histogram `value` holds the sum of what was observed, and `increase` how often.
    case 'mean': return kind === 'gauge' ? mean : increase === 0 ? undefined : total / increase
    case 'p50': return quantile(0.5, bounds, counts.map(Number))
    case 'p90': return quantile(0.9, bounds, counts.map(Number))
    case 'p99': return quantile(0.99, bounds, counts.map(Number))
  }
}

function unitFor (name: string, stat: Statistic): string {
  const unit = unitOf(name)
  return stat === 'rate' ? `${unit === '' ? 'times' : unit} a second` : unit
}

/** What the name of a metric says, as Prometheus has it. */
function unitOf (name: string): string {
  const [, unit = ''] = /_(seconds|bytes|rows|batches|failures|restarts|dropped)(?:_total)?$/.exec(name) ?? []
  return unit === 'dropped' ? 'rows' : unit
}

// What an answer would cost, before it is asked for: rows and bytes that the engine would look at, by lane.

import { askRows, EngineRefusal } from '../clickhouse/ask.ts'
import { quoteName, quoteTable } from '../clickhouse/sql.ts'
import { pinComment } from '../warehouse/boundary.ts'
import type { Platform } from '../platform.ts'
import type { Asker } from './answer.ts'
import { Binder } from './binder.ts'
import type { Readable } from './catalog.ts'
import { conditionsOf, orderOf } from './compile.ts'
import type { Question } from './compile.ts'
import { refusalOf, queryLimits } from './stream.ts'
import { PAGE_ROWS } from './spec.ts'

/** Rows that one query gets through a second; the smaller of what was measured on two cores. */
const ROWS_PER_SECOND = 2_000_000
const SECONDS_LEAST = 0.01

export interface Sources {
  readonly streaming: number
  readonly warehouse: number
}

export interface Estimate {
  /** At most: the engine counts what it would look at, in blocks. */
  readonly rows: number
  readonly bytes: number
  readonly seconds: number
  readonly sources: Sources
  readonly will_page: boolean
  readonly allowed: boolean
  /** Why it is not allowed; empty where it is. */
  readonly reason: string
}

export async function estimate (platform: Platform, { datasets, spec }: Question, { principal, signal }: Asker, seq: number | undefined): Promise<Estimate> {
  const parts = await Promise.all(datasets.map(readable => sourcesOf(platform, readable, { ...spec, time: readable === datasets[0] ? spec.time : readable.time, where: readable === datasets[0] ? spec.where : undefined, symbols: readable.symbol === undefined ? undefined : spec.symbols }, seq, signal)))
  const sources = parts.reduce((sum, part) => ({ streaming: sum.streaming + part.streaming, warehouse: sum.warehouse + part.warehouse }))
  const read = sources.streaming + sources.warehouse
  const rows = Math.min(parts[0] === undefined ? 0 : parts[0].streaming + parts[0].warehouse, spec.limit ?? Infinity)
  const wide = spec.fields.reduce((sum, { type }) => sum + bytesOf(type), 0)
  const reason = refusal(platform, { read, rows, lane: sources.warehouse > 0 ? 'warehouse' : 'streaming', principal })
  return { rows, bytes: rows * wide, seconds: Math.max(SECONDS_LEAST, Math.round(read / ROWS_PER_SECOND * 100) / 100), sources, will_page: rows > PAGE_ROWS, allowed: reason === '', reason }
}

function refusal (platform: Platform, { read, rows, lane, principal }: { readonly read: number, readonly rows: number, readonly lane: keyof typeof queryLimits, readonly principal: Asker['principal'] }): string {
  const { readRowsMax, resultRowsMax } = queryLimits[lane]
  if (read > readRowsMax) return `It would look at ${read} rows, and one query may look at ${readRowsMax}`
  if (rows > resultRowsMax) return `It would have ${rows} rows, and an answer may have ${resultRowsMax}`
  const { rowsPerDay } = principal.quota
  const left = rowsPerDay === undefined ? Infinity : rowsPerDay - platform.access.rowsToday(principal)
  return rows > left ? `It would have ${rows} rows, and ${Math.max(0, left)} are left of today's quota` : ''
}

/** Rows that the engines would look at. */
async function sourcesOf (platform: Platform, readable: Readable, spec: Question['spec'], seq: number | undefined, signal: AbortSignal): Promise<Sources> {
  const { place, name } = readable
  const lanes: Array<readonly [string, string | undefined]> = place === 'none' ? [] : place === 'one' || place === 'loaded' ? [['data', platform.clickhouse]] : [...place === 'history' ? [] : [['realtime', platform.clickhouse] as const], ...place === 'realtime' ? [] : [['history', platform.warehouse] as const]]
  const sources = { streaming: 0, warehouse: 0 }
  for (const [view, address] of lanes) {
    const binder = new Binder()
    const conditions = conditionsOf(readable, spec, binder)
    const where = conditions.length === 0 ? '' : ` WHERE ${conditions.map(({ sql }) => sql).join(' AND ')}`
    // The key and the time are what the engine skips by; more columns do not change the number.
    const sql = `EXPLAIN ESTIMATE SELECT ${orderOf(readable, spec).map(column => quoteName(column.name)).join(', ')} FROM ${quoteTable({ database: view, table: name })}${where}`
    const settings = { readonly: '2', max_execution_time: '10', ...(seq !== undefined && { log_comment: pinComment(seq) }) }
    const rows = await askRows<{ database: string, table: string, rows: string }>(address ?? '', { sql, params: binder.params, settings, signal }).catch((error: unknown) => {
      throw error instanceof EngineRefusal ? refusalOf(error, { limits: queryLimits.warehouse, ownWords: false }) : error
    })
    // Every part of the boundary is a table of the warehouse, too.
    for (const { database, table, rows: n } of rows) if (!table.startsWith('_')) sources[database === 'warehouse' ? 'warehouse' : 'streaming'] += Number(n)
  }
  return sources
}

/** Bytes of a value as the formats have it, roughly. */
function bytesOf (type: string): number {
  return /Date|Int64|Float64|Decimal/.test(type) ? 8 : /8/.test(type) ? 1 : /16/.test(type) ? 2 : /32/.test(type) ? 4 : 16
}

// Which boundary an answer keeps to, and what it says about a dataset.

import { askRows, askText, EngineRefusal } from '../clickhouse/ask.ts'
import { quoteTable } from '../clickhouse/sql.ts'
import { boundaryTable, cleanedTable } from '../warehouse/boundary.ts'
import type { Platform } from '../platform.ts'
import { formatInstant } from './instant.ts'
import type { Range } from './spec.ts'

const settings = { max_execution_time: '10' } as const
/** The least and the greatest moment of a range that is open. */
const everything = { start: -2_208_988_800_000_000_000n, end: 9_214_646_400_000_000_000n }
const DAY_NS = 86_400_000_000_000n
/** A boundary that another one has followed holds for readers at least so long: the handoff waits that long before it removes anything. */
const HOLDS_SECONDS = 14 * 60

/**
 * The newest boundary between warehouse and streaming database, of the warehouse or, where that does not answer, of the
 * copy: all statements of one answer are pinned to it (`pinComment`). undefined: there is none, because nothing was
 * ever stored, or no server that answers.
 */
export async function boundaryOf ({ warehouse, clickhouse }: Pick<Platform, 'warehouse' | 'clickhouse'>, signal: AbortSignal): Promise<number | undefined> {
  for (const address of new Set([warehouse, clickhouse])) {
    if (address === undefined) continue
    try {
      return Number(await askText(address, { sql: `SELECT max(seq) FROM ${quoteTable(boundaryTable)} FORMAT TabSeparated`, settings, signal }))
    } catch {
      // The statement itself tells what is wrong with the server.
    }
  }
  return undefined
}

/** What a boundary says about one dataset. */
export interface Pin {
  readonly seq: number | undefined
  /** Where the days end that were handed over, in nanoseconds since 1970; undefined: none was. */
  readonly boundary: bigint | undefined
  /** Of the versions of the days in the range; the same as long as they are. */
  readonly versions: string
  /** Days of the range whose certificate has a warning of the quality rules. */
  readonly doubtfulDays: number
}

/** Reads the newest boundary, or the one given, and what it says about the days of a range. */
export async function pinOf (platform: Pick<Platform, 'warehouse' | 'clickhouse'>, dataset: string, { range, seq, signal }: { readonly range: Range, readonly seq?: number | undefined, readonly signal: AbortSignal }): Promise<Pin> {
  const bounds = { start: dayOf(range.start ?? everything.start), end: dayOf((range.end ?? everything.end) - 1n) }
  const newest = seq === undefined ? `(SELECT max(seq) FROM ${quoteTable(boundaryTable)})` : String(seq)
  const within = 'day >= {start:Date32} AND day <= {end:Date32}'
  const sql = `WITH ${newest} AS pinned SELECT pinned AS seq, toString(maxOrNull(day)) AS last, toString(groupBitXorIf(sipHash64(topic, day, version, hash), ${within})) AS versions, countIf(${within} AND position(quality, '"level":"warn"') > 0) AS doubtful
    FROM (SELECT topic, day, argMax(version, seq) AS version, argMax(hash, seq) AS hash, argMax(quality, seq) AS quality FROM ${quoteTable(boundaryTable)} WHERE dataset = {dataset:String} AND seq <= pinned GROUP BY topic, day)`
  for (const address of new Set([platform.warehouse, platform.clickhouse])) {
    if (address === undefined) continue
    try {
      const [row] = await askRows<{ seq: string, last: string | null, versions: string, doubtful: string }>(address, { sql, params: { dataset, ...bounds }, settings, signal })
      const last = row?.last ?? undefined
      return { seq: Number(row?.seq ?? 0), boundary: last === undefined ? undefined : BigInt(Date.parse(last)) * 1_000_000n + DAY_NS, versions: row?.versions ?? '', doubtfulDays: Number(row?.doubtful ?? 0) }
    } catch {
      // As above; where nothing was stored, there are no tables.
    }
  }
  return { seq, boundary: undefined, versions: '', doubtfulDays: 0 }
}

/** Whether rows that a boundary shows may have been removed: a later one has taken days of the range, and readers had their time. */
export async function isOver ({ warehouse }: Pick<Platform, 'warehouse'>, dataset: string, { range, seq, signal }: { readonly range: Range, readonly seq: number, readonly signal: AbortSignal }): Promise<boolean> {
  const bounds = { start: dayOf(range.start ?? everything.start), end: dayOf((range.end ?? everything.end) - 1n) }
  try {
    const [row] = await askRows<{ n: string }>(warehouse ?? '', {
      sql: `SELECT count() AS n FROM ${quoteTable(boundaryTable)} WHERE dataset = {dataset:String} AND seq > {seq:UInt64} AND day >= {start:Date32} AND day <= {end:Date32}
        AND (at < now64(3) - INTERVAL ${HOLDS_SECONDS} SECOND OR seq IN (SELECT seq FROM ${quoteTable(cleanedTable)}))`,
      params: { dataset, seq, ...bounds },
      settings,
      signal
    })
    return Number(row?.n) > 0
  } catch (error) {
    if (error instanceof EngineRefusal && (error.code === 60 || error.code === 81)) return false
    throw error
  }
}

function dayOf (ns: bigint): string {
  return formatInstant(ns).slice(0, 10)
}

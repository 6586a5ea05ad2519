// One pinned statement whose answer goes to somebody: within the limits of the lane that it reads, behind its gate.

import { finished } from 'node:stream'
import { ask, EngineRefusal } from '../clickhouse/ask.ts'
import type { Answer, Parameters } from '../clickhouse/ask.ts'
import { PlatformError } from '../errors.ts'
import { pinComment } from '../warehouse/boundary.ts'
import type { Principal } from '../access/principal.ts'
import type { Platform } from '../platform.ts'
import { Gate } from './gate.ts'
import type { GateLimits } from './gate.ts'

/** Which part a statement burdens: the streaming database alone, or the warehouse, too. */
export type Lane = 'streaming' | 'warehouse'

/** What one statement may use. */
export interface QueryLimits extends GateLimits {
  readonly secondsMax: number
  readonly memoryBytesMax: number
  readonly readRowsMax: number
  readonly readBytesMax: number
  readonly resultRowsMax: number
  readonly threadsMax: number
}

const gates: GateLimits = { runningMax: 4, runningOfOneMax: 2, waitingMax: 128, waitingOfOneMax: 32, waitMs: 10_000 }

/** By lane: questions about history may not take the recent rows away from others, and the other way round. */
export const queryLimits: Readonly<Record<Lane, QueryLimits>> = {
  streaming: { ...gates, secondsMax: 30, memoryBytesMax: 512 * 2 ** 20, readRowsMax: 500_000_000, readBytesMax: 64 * 2 ** 30, resultRowsMax: 50_000_000, threadsMax: 2 },
  warehouse: { ...gates, runningMax: 3, secondsMax: 300, memoryBytesMax: 768 * 2 ** 20, readRowsMax: 5_000_000_000, readBytesMax: 512 * 2 ** 30, resultRowsMax: 100_000_000, threadsMax: 2 }
}

export interface Asked {
  readonly sql: string
  readonly params?: Parameters
  /** In ClickHouse's words, such as `ArrowStream`; a FORMAT in the statement wins. */
  readonly format: string
  readonly lane: Lane
  /** The boundary that the statement keeps to (`boundaryOf`); undefined: there is none yet. */
  readonly seq: number | undefined
  /** Whose places at the gate it takes. */
  readonly principal: Principal
  /** More settings; they win over those that are set here, but not over the limits. */
  readonly settings?: Readonly<Record<string, string>>
  /** As the header Accept-Encoding; undefined: the answer is not packed. */
  readonly encodings?: string | undefined
  /** Tighter limits than those of the lane. */
  readonly limits?: Partial<QueryLimits>
  /** Which server is asked; the streaming database where it is left out. */
  readonly address?: string | undefined
  /** Whether a refusal is shown in the engine's own words: to those who wrote the statement themselves. */
  readonly ownWords?: boolean
  readonly signal: AbortSignal
}

const known = new WeakMap<object, Record<Lane, Gate>>()

/** The gates of one platform, told by its store. */
export function gatesOf ({ store }: Pick<Platform, 'store'>): Readonly<Record<Lane, Gate>> {
  const found = known.get(store) ?? { streaming: new Gate('streaming database', queryLimits.streaming), warehouse: new Gate('warehouse', queryLimits.warehouse) }
  known.set(store, found)
  return found
}

/**
 * Sends the statement and resolves with its answer, to be streamed on; its place at the gate is free when the body has
 * ended or was destroyed. Abort the signal when nobody reads on. Throws TOO_MANY_REQUESTS, QUERY_TIMEOUT,
 * RESULT_TOO_LARGE, QUERY_REFUSED and ENGINE_UNAVAILABLE.
 */
export async function stream (platform: Platform, asked: Asked): Promise<Answer> {
  const { sql, params, format, lane, seq, principal, settings, encodings, signal } = asked
  const limits = { ...queryLimits[lane], ...asked.limits }
  const address = asked.address ?? platform.clickhouse
  if (address === undefined) throw new PlatformError('ENGINE_UNAVAILABLE', 'There is no ClickHouse')
  const leave = await gatesOf(platform)[lane].enter(askerOf(principal), signal)
  try {
    const answer = await ask(address, {
      sql,
      params,
      settings: { ...answerSettings, ...settings, ...boundsOf(limits), default_format: format, ...(seq !== undefined && { log_comment: pinComment(seq) }) },
      encodings,
      signal
    })
    finished(answer.body, { writable: false }, leave)
    return answer
  } catch (error) {
    leave()
    throw refusalOf(error, { limits, ownWords: asked.ownWords ?? false })
  }
}

/** Whose queries count together: those of one token, or of one user without. */
export function askerOf ({ kind, user, token }: Principal): string {
  return JSON.stringify([kind, user, token ?? ''])
}

/** What a refusal of the engine means for who asked. */
export function refusalOf (error: unknown, { limits, ownWords }: { readonly limits: QueryLimits, readonly ownWords: boolean }): unknown {
  if (!(error instanceof EngineRefusal)) return error
  const { code, message } = error
  const narrow = 'Ask for a shorter range, fewer symbols or fewer columns, or make an export.'
  if (code === 159 || code === 160) return new PlatformError('QUERY_TIMEOUT', `The query took longer than ${limits.secondsMax} s`, { cause: error, remedy: narrow })
  if (code === 202) return new PlatformError('TOO_MANY_REQUESTS', 'ClickHouse has too many queries at once', { cause: error, remedy: 'Try again in a few seconds.', retryAfterSeconds: 2 })
  if (code === 158 || code === 307) return new PlatformError('RESULT_TOO_LARGE', `The query would read more than ${limits.readRowsMax} rows or ${limits.readBytesMax} bytes`, { cause: error, remedy: narrow })
  if (code === 396) return new PlatformError('RESULT_TOO_LARGE', `The answer would have more than ${limits.resultRowsMax} rows`, { cause: error, remedy: narrow })
  if (code === 241) return new PlatformError('RESULT_TOO_LARGE', `The query needs more memory than the ${limits.memoryBytesMax / 2 ** 20} MiB that one may use`, { cause: error, remedy: narrow })
  if (code === 394) return new PlatformError('ENGINE_UNAVAILABLE', 'The query was ended by the database', { cause: error, remedy: 'Try again.' })
  // The engine's words name tables and conditions that who asks did not write, and may not know of.
  return new PlatformError('QUERY_REFUSED', ownWords ? message : `ClickHouse refuses the query (code ${code})`, { cause: error })
}

/** What answers look like: times as ISO 8601 in UTC, integers of 64 bits as text in JSON. */
const answerSettings: Readonly<Record<string, string>> = {
  date_time_output_format: 'iso',
  output_format_json_quote_64bit_integers: '1',
  output_format_json_quote_denormals: '1',
  output_format_json_escape_forward_slashes: '0',
  output_format_pretty_color: '0',
  output_format_arrow_string_as_string: '1',
  output_format_arrow_low_cardinality_as_dictionary: '0',
  output_format_arrow_compression_method: 'none',
  output_format_parquet_string_as_string: '1',
  output_format_parquet_compression_method: 'zstd',
  output_format_parquet_row_group_size: '131072',
  format_csv_null_representation: '',
  max_bytes_before_external_sort: String(192 * 2 ** 20),
  max_bytes_before_external_group_by: String(192 * 2 ** 20)
}

function boundsOf (limits: QueryLimits): Readonly<Record<string, string>> {
  return {
    readonly: '2',
    cancel_http_readonly_queries_on_client_close: '1',
    max_execution_time: String(limits.secondsMax),
    timeout_overflow_mode: 'throw',
    max_memory_usage: String(limits.memoryBytesMax),
    max_rows_to_read: String(limits.readRowsMax),
    max_bytes_to_read: String(limits.readBytesMax),
    read_overflow_mode: 'throw',
    max_result_rows: String(limits.resultRowsMax),
    result_overflow_mode: 'throw',
    max_threads: String(limits.threadsMax)
  }
}

// The settings that correctness rests on. Their defaults differ between versions and profiles, so they are sent with
// every statement and checked at the first one.

import type { ClickHouseClient, ClickHouseSettings } from '@clickhouse/client'
import { PlatformError } from '../errors.ts'
import { classify } from './answers.ts'

/** Of all statements. Numbers that JavaScript cannot hold come as text; an answer is complete or an error. */
export const readSettings = {
  output_format_json_quote_64bit_integers: 1,
  output_format_json_quote_denormals: 1,
  output_format_json_quote_decimals: 1,
  wait_end_of_query: 1
} as const satisfies ClickHouseSettings

/**
 * Of inserts. One insert is one block, written before it is answered, and a value that does not fit is an error.
 * Deduplication by hash or token is off: it loses rows in a crash, the offsets in the rows do its work.
 */
const insertSettings = {
  async_insert: 0,
  insert_deduplicate: 0,
  max_insert_threads: '1',
  max_insert_block_size: '16777216',
  min_insert_block_size_rows: '16777216',
  min_insert_block_size_bytes: '0',
  input_format_skip_unknown_fields: 0,
  input_format_null_as_default: 0,
  insert_null_as_default: 0,
  input_format_arrow_allow_missing_columns: 0,
  date_time_overflow_behavior: 'throw'
} as const satisfies ClickHouseSettings

/** Settings that stand over those above in the versions that have them. */
const newerSettings: Readonly<Record<string, string>> = { deduplicate_insert: 'disable' }

/**
 * Of inserts into a cluster: answered when most replicas of the shard have the rows, and the shard has been written to,
 * not a queue in front of it. A replica that has not heard of all owners yet refuses to answer who the newest one is.
 */
const clusterSettings: Readonly<Record<string, string>> = {
  distributed_foreground_insert: '1',
  insert_quorum: 'auto',
  insert_quorum_timeout: '60000',
  select_sequential_consistency: '1'
}

interface AssertOptions {
  /** For messages. */
  readonly address: string
  /** Empty: one server. */
  readonly cluster: string
  readonly signal?: AbortSignal | undefined
}

/**
 * Reads the pinned settings back, as an insert has them. Throws where the engine does not take one, because rows would
 * then be lost, doubled or changed without a word. Returns the settings of an insert on this engine.
 */
export async function assertSettings (client: ClickHouseClient, { address, cluster, signal }: AssertOptions): Promise<ClickHouseSettings> {
  const wanted = { ...insertSettings, ...cluster === '' ? {} : clusterSettings } satisfies ClickHouseSettings
  const read = async (settings: ClickHouseSettings): Promise<Map<string, string>> => {
    const names = Object.keys({ ...readSettings, ...wanted, ...newerSettings })
    const result = await client.query({
      query: 'SELECT name, value FROM system.settings WHERE name IN {names:Array(String)}',
      query_params: { names },
      format: 'JSONEachRow',
      clickhouse_settings: settings,
      ...(signal !== undefined && { abort_signal: signal })
    })
    return new Map((await result.json<{ name: string, value: string }>()).map(({ name, value }) => [name, value]))
  }
  try {
    const known = await read({})
    const newer = Object.fromEntries(Object.entries(newerSettings).filter(([name]) => known.has(name)))
    const settings: ClickHouseSettings = { ...wanted, ...newer }
    const found = await read(settings)
    for (const [name, value] of Object.entries({ ...readSettings, ...settings })) {
      // Known to the HTTP interface only.
      if (name === 'wait_end_of_query') continue
      if (found.get(name) === String(value)) continue
      throw new PlatformError('DESTINATION_REFUSED', `ClickHouse at ${address} has ${name} = ${found.get(name) ?? 'unknown'} where ${String(value)} was sent`, {
        remedy: 'Let the profile of the user allow this setting, or use a newer ClickHouse.'
      })
    }
    return settings
  } catch (error) {
    throw classify(error, address)
  }
}

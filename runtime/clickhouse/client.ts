// The one way to ClickHouse, embedded or a server: the official client with the settings that correctness rests on.
// Defaults of these settings differ between versions and profiles, so they are sent with every statement and checked
// once at the start.

import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { ClickHouseLogLevel, createClient } from '@clickhouse/client'
import type { ClickHouseClient, ClickHouseSettings } from '@clickhouse/client'
import { PlatformError } from '../errors.ts'
import { classify } from './answers.ts'
import { fence } from './owners.ts'
import type { Seat } from './owners.ts'
import { quoteName, quoteTable, quoteText } from './sql.ts'
import type { TableName } from './sql.ts'

/** What a statement may take where nobody says otherwise. */
export const STATEMENT_SECONDS = 120
const CONNECTIONS_MAX = 8

/** Of all statements. Numbers that JavaScript cannot hold come as text; an answer is complete or an error. */
const readSettings = {
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

export interface InsertOptions {
  /** Names the statement in system.processes, so that it can be waited for. */
  readonly queryId: string
  /** Days that one insert may hold; the engine refuses more. */
  readonly partitionsMax: number
  /** The insert is refused with BROKER_FENCED unless this is still the newest owner. */
  readonly owner?: Seat
  readonly signal?: AbortSignal
}

/** A column of an insert; the type is that of the table, in ClickHouse's words. */
export interface InsertColumn {
  readonly name: string
  readonly type: string
}

export interface StatementOptions {
  readonly query_params?: Record<string, unknown>
  readonly settings?: ClickHouseSettings
  readonly signal?: AbortSignal
}

/** A connection to one engine. Everything it throws is a PlatformError; a retryable one means that the outcome is not known. */
export interface ClickHouse {
  /** Without a password. */
  readonly address: string
  readonly client: ClickHouseClient
  /** A statement without rows in its answer. */
  command (sql: string, options?: StatementOptions): Promise<void>
  /** All rows of a query. */
  rows<T> (sql: string, options?: StatementOptions): Promise<T[]>
  /** Rows as an Arrow IPC stream; columns go by name. Resolves when they are durable. */
  insertArrow (table: TableName, columns: readonly InsertColumn[], bytes: Uint8Array, options: InsertOptions): Promise<void>
  close (): Promise<void>
}

export interface ConnectOptions {
  /** The engine ends a statement that takes longer, so that nothing of it can land any more. @default 120 */
  readonly statementSeconds?: number
  readonly signal?: AbortSignal
}

/** Connects and checks that the engine takes the pinned settings. Throws DESTINATION_UNAVAILABLE or DESTINATION_REFUSED. */
export async function connectClickHouse (url: string, { statementSeconds = STATEMENT_SECONDS, signal }: ConnectOptions = {}): Promise<ClickHouse> {
  const address = withoutPassword(url)
  const client = createClient({
    url,
    application: 'twolane',
    // The engine's own answer that the time is over should come first.
    request_timeout: statementSeconds * 1250 + 1000,
    max_open_connections: CONNECTIONS_MAX,
    clickhouse_settings: { ...readSettings, max_execution_time: statementSeconds },
    log: { level: ClickHouseLogLevel.OFF }
  })
  try {
    const settings = await assertSettings(client, address, signal)
    return connection(client, address, settings)
  } catch (error) {
    await client.close()
    throw error
  }
}

/**
 * Reads the pinned settings back, as an insert has them. Throws where the engine does not take one, because rows would
 * then be lost, doubled or changed without a word. Returns the settings of an insert on this engine.
 */
export async function assertSettings (client: ClickHouseClient, address: string, signal?: AbortSignal): Promise<ClickHouseSettings> {
  const read = async (settings: ClickHouseSettings): Promise<Map<string, string>> => {
    const names = Object.keys({ ...readSettings, ...insertSettings, ...newerSettings })
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
    const settings: ClickHouseSettings = { ...insertSettings, ...newer }
    const found = await read(settings)
    for (const [name, wanted] of Object.entries({ ...readSettings, ...settings })) {
      // Known to the HTTP interface only.
      if (name === 'wait_end_of_query') continue
      if (found.get(name) === String(wanted)) continue
      throw new PlatformError('DESTINATION_REFUSED', `ClickHouse at ${address} has ${name} = ${found.get(name) ?? 'unknown'} where ${String(wanted)} was sent`, {
        remedy: 'Let the profile of the user allow this setting, or use a newer ClickHouse.'
      })
    }
    return settings
  } catch (error) {
    throw classify(error, address)
  }
}

function connection (client: ClickHouseClient, address: string, inserts: ClickHouseSettings): ClickHouse {
  const common = ({ query_params: params, settings, signal }: StatementOptions) => ({
    ...(params !== undefined && { query_params: params }),
    ...(settings !== undefined && { clickhouse_settings: settings }),
    ...(signal !== undefined && { abort_signal: signal })
  })
  const guarded = async <T> (work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      throw classify(error, address)
    }
  }
  return {
    address,
    client,
    command: async (query, options = {}) => guarded(async () => {
      await client.command({ query, ...common(options) })
    }),
    rows: async <T> (query: string, options: StatementOptions = {}) => guarded(async () => {
      const result = await client.query({ query, format: 'JSONEachRow', ...common(options) })
      return result.json<T>()
    }),
    insertArrow: async (table, columns, bytes, { queryId, partitionsMax, owner, signal }) => guarded(async () => {
      const { stream } = await client.exec({
        query: insertStatement(table, columns, owner),
        values: Readable.from(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), { objectMode: false }),
        query_id: queryId,
        clickhouse_settings: { ...inserts, max_partitions_per_insert_block: String(partitionsMax) },
        ...(signal !== undefined && { abort_signal: signal })
      })
      // The answer counts once it is here as a whole: a cut one means that the outcome is not known.
      await text(stream)
    }),
    close: () => client.close()
  }
}

/** An owner's insert asks about the owner while it runs: then there is no moment between the question and the rows. */
function insertStatement (table: TableName, columns: readonly InsertColumn[], owner: Seat | undefined): string {
  const names = columns.map(({ name }) => quoteName(name)).join(', ')
  const into = `INSERT INTO ${quoteTable(table)} (${names})`
  if (owner === undefined) return `${into} FORMAT ArrowStream`
  const structure = columns.map(({ name, type }) => `${quoteName(name)} ${type}`).join(', ')
  return `${into} SELECT ${names} FROM input(${quoteText(structure)}) WHERE ${fence(owner)} FORMAT ArrowStream`
}

function withoutPassword (url: string): string {
  try {
    const { protocol, host } = new URL(url)
    return `${protocol}//${host}`
  } catch {
    throw new PlatformError('CONFIG_INVALID', 'the address of ClickHouse is not a URL', { remedy: 'Write it as http://host:8123 or https://user:password@host:8443.' })
  }
}

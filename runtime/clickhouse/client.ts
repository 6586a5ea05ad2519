// The one way to ClickHouse, embedded, a server or a cluster: the official client with the settings that correctness
// rests on (settings.ts), for one host or several (hosts.ts).

import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import type { ClickHouseClient, ClickHouseSettings } from '@clickhouse/client'
import { parseAddress, readTls } from './address.ts'
import type { Address } from './address.ts'
import { Hosts } from './hosts.ts'
import { fence } from './owners.ts'
import type { Seat } from './owners.ts'
import { quoteName, quoteTable, quoteText } from './sql.ts'
import type { TableName } from './sql.ts'

/** What a statement may take where nobody says otherwise. */
export const STATEMENT_SECONDS = 120

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
  /** Names the statement in system.processes, so that it can be waited for. */
  readonly queryId?: string
  readonly signal?: AbortSignal
}

/** A connection to one engine. Everything it throws is a PlatformError; a retryable one means that the outcome is not known. */
export interface ClickHouse {
  /** Without a password. */
  readonly address: string
  /** Name of the cluster that the hosts belong to; empty: one server. */
  readonly cluster: string
  /** Of the host that is in use now. */
  readonly client: ClickHouseClient
  /** A statement without rows in its answer. */
  command (sql: string, options?: StatementOptions): Promise<void>
  /** All rows of a query. */
  rows<T> (sql: string, options?: StatementOptions): Promise<T[]>
  /** Rows as an Arrow IPC stream; columns go by name. Resolves when they are durable. */
  insertArrow (table: TableName, columns: readonly InsertColumn[], bytes: Uint8Array, options: InsertOptions): Promise<void>
  /** Rows of a query into a table, block by block; resolves when they are durable. After a failure some of them may be there. */
  insertSelect (table: TableName, columns: readonly string[], select: string, options?: StatementOptions): Promise<void>
  /** The rows of a query in the engine's own format, as they come; a stream that breaks off has an error. */
  native (sql: string, options?: StatementOptions): Promise<Readable>
  /** Such rows as one insert; resolves when they are durable. */
  insertNative (table: TableName, columns: readonly string[], rows: Readable, options?: StatementOptions): Promise<void>
  close (): Promise<void>
}

export interface ConnectOptions {
  /** The engine ends a statement that takes longer, so that nothing of it can land any more. @default 120 */
  readonly statementSeconds?: number
  readonly signal?: AbortSignal
}

/** Connects and checks that the engine takes the pinned settings. Throws DESTINATION_UNAVAILABLE or DESTINATION_REFUSED. */
export async function connectClickHouse (url: string, { statementSeconds = STATEMENT_SECONDS, signal }: ConnectOptions = {}): Promise<ClickHouse> {
  const address = parseAddress(url)
  const hosts = new Hosts(address, await readTls(address.files), statementSeconds)
  try {
    await hosts.use(async () => {}, signal)
    return connection(hosts, address)
  } catch (error) {
    await hosts.close()
    throw error
  }
}

function connection (hosts: Hosts, { text: address, cluster }: Address): ClickHouse {
  const common = ({ query_params: params, settings, queryId, signal }: StatementOptions) => ({
    ...(params !== undefined && { query_params: params }),
    ...(queryId !== undefined && { query_id: queryId }),
    ...(settings !== undefined && { clickhouse_settings: settings }),
    ...(signal !== undefined && { abort_signal: signal })
  })
  return {
    address,
    cluster,
    get client () { return hosts.client },
    command: (query, options = {}) => hosts.use(async ({ client }) => {
      await client.command({ query, ...common(options) })
    }, options.signal),
    rows: <T> (query: string, options: StatementOptions = {}) => hosts.use(async ({ client }) => {
      const result = await client.query({ query, format: 'JSONEachRow', ...common(options) })
      return result.json<T>()
    }, options.signal),
    insertArrow: (table, columns, bytes, { queryId, partitionsMax, owner, signal }) => hosts.use(async ({ client, inserts }) => {
      const { stream } = await client.exec({
        query: insertStatement(table, columns, owner),
        values: Readable.from(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), { objectMode: false }),
        query_id: queryId,
        clickhouse_settings: { ...inserts, max_partitions_per_insert_block: String(partitionsMax) },
        ...(signal !== undefined && { abort_signal: signal })
      })
      // The answer counts once it is here as a whole: a cut one means that the outcome is not known.
      await text(stream)
    }, signal),
    insertSelect: (table, columns, select, options = {}) => hosts.use(async ({ client, inserts }) => {
      const query = `INSERT INTO ${quoteTable(table)} (${columns.map(quoteName).join(', ')}) ${select}`
      const { stream } = await client.exec({ query, ...common({ ...options, settings: { ...inserts, max_partitions_per_insert_block: '0', ...options.settings } }) })
      await text(stream)
    }, options.signal),
    native: (query, options = {}) => hosts.use(async ({ client }) => {
      const { stream } = await client.exec({ query: `${query} FORMAT Native`, ...common({ ...options, settings: { ...options.settings, wait_end_of_query: 0 } }) })
      return stream
    }, options.signal),
    insertNative: (table, columns, values, options = {}) => hosts.use(async ({ client, inserts }) => {
      const query = `INSERT INTO ${quoteTable(table)} (${columns.map(quoteName).join(', ')}) FORMAT Native`
      const { stream } = await client.exec({ query, values, ...common({ ...options, settings: { ...inserts, max_partitions_per_insert_block: '0', ...options.settings } }) })
      await text(stream)
    }, options.signal),
    close: () => hosts.close()
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

// Taking a dataset away: what the boundary says of it, its tables in both lanes, its views. Only what the platform has made.
//
//   boundary of the warehouse ▶ of the streaming database ▶ tables ▶ views
//
// The boundary goes first. Were it left over, it would hide the rows of a dataset of the same name that begins later; and
// as long as there is a table or a row of the boundary, what was broken off is found again and can be repeated.

import { connectClickHouse } from '../clickhouse/client.ts'
import { localTable, onCluster } from '../clickhouse/cluster.ts'
import { describeTable, isOwn } from '../clickhouse/migrate.ts'
import { quoteTable, quoteText } from '../clickhouse/sql.ts'
import { PlatformError } from '../errors.ts'
import { boundaryTable } from '../warehouse/boundary.ts'
import { withDataset } from '../warehouse/dataset-lock.ts'
import { datasetsOf } from '../warehouse/datasets.ts'
import { countRows, deleteRows } from '../warehouse/removal.ts'
import { isOwnView, warehouseTable } from '../warehouse/views.ts'
import { readersOfDataset } from './readers.ts'
import type { ClickHouse } from '../clickhouse/client.ts'
import type { TableName } from '../clickhouse/sql.ts'
import type { Platform } from '../platform.ts'
import type { Teardown, TeardownPart } from './teardown.ts'

const STATEMENT_MS_MAX = 120_000
/** The server refuses to drop large tables by accident; here the name was asked for. */
const anySize = { max_table_size_to_drop: '0' }

type Lane = 'streaming' | 'warehouse'

/** What would go. Throws NOT_FOUND, DESTINATION_UNAVAILABLE. */
export async function datasetTeardown (platform: Platform, name: string): Promise<Teardown> {
  const found = await onServers(platform, async (client, lane) => {
    const { tables, views, foreign, days } = await partsOf(platform, client, lane, name)
    const goes: TeardownPart[] = []
    for (const table of tables) goes.push({ what: `table ${shown(table)}`, size: await sizeOf(client, table), rows: true })
    for (const view of views) goes.push({ what: `view ${shown(view)}`, size: '', rows: true })
    if (days > 0) goes.push({ what: 'days that were handed over', size: `${days} versions`, rows: true })
    return { goes, foreign }
  })
  const goes = [...new Map(found.flatMap(({ goes }) => goes).map(part => [part.what, part])).values()]
  if (goes.length === 0) throw new PlatformError('NOT_FOUND', `There is no dataset "${name}"`)
  const others = [...new Set(found.flatMap(({ foreign }) => foreign.map(shown)))]
  return {
    kind: 'dataset',
    name,
    goes,
    stays: ['The topic and its schema.', 'Files in lakes.', ...others.map(other => `${other}, which the platform has not made.`)],
    readers: await readersOfDataset(platform, name)
  }
}

/** Safe to be repeated after it was broken off. Takes turns with handoffs and redeliveries of the dataset. */
export async function dropDataset (platform: Platform, name: string): Promise<void> {
  const signal = AbortSignal.timeout(STATEMENT_MS_MAX)
  await withDataset(name, async () => {
    // The warehouse has the authority: what it does not say any more is taken out of the copy, too.
    await onServers(platform, async client => {
      if (await describeTable(client, boundaryTable) !== undefined) await deleteRows(client, { table: boundaryTable, where: ofDataset(name), signal })
    }, ['warehouse', 'streaming'])
    await onServers(platform, async (client, lane) => {
      const { tables, views } = await partsOf(platform, client, lane, name)
      for (const table of tables) await client.command(`DROP TABLE IF EXISTS ${quoteTable(table)}${onCluster(client.cluster)} SYNC`, { settings: anySize, signal })
      for (const view of views) await client.command(`DROP VIEW IF EXISTS ${quoteTable(view)}${onCluster(client.cluster)} SYNC`, { signal })
    })
  }, signal)
}

interface Parts {
  readonly tables: readonly TableName[]
  readonly views: readonly TableName[]
  /** Of such a name, but made by somebody else. */
  readonly foreign: readonly TableName[]
  /** Rows of the boundary. */
  readonly days: number
}

async function partsOf (platform: Platform, client: ClickHouse, lane: Lane, name: string): Promise<Parts> {
  const [tables, views, foreign]: [TableName[], TableName[], TableName[]] = [[], [], []]
  const table = lane === 'warehouse' ? warehouseTable(name) : streamingTable(platform, name)
  const local = localTable(table, client.cluster)
  const state = await describeTable(client, local)
  const over = client.cluster === '' ? undefined : await describeTable(client, table)
  if (over?.engine === 'Distributed' && (state === undefined || isOwn(state))) tables.push(table)
  if (state !== undefined) (isOwn(state) ? tables : foreign).push(local)
  for (const database of ['data', 'realtime', 'history']) {
    const view = { database, table: name }
    const state = await describeTable(client, view)
    if (state !== undefined) (isOwnView(state) ? views : foreign).push(view)
  }
  const signal = AbortSignal.timeout(STATEMENT_MS_MAX)
  const days = await describeTable(client, boundaryTable) === undefined ? 0 : await countRows(client, { table: boundaryTable, where: ofDataset(name), signal })
  return { tables, views, foreign, days }
}

async function sizeOf (client: ClickHouse, table: TableName): Promise<string> {
  const [count] = await client.rows<{ n: string, bytes: string }>('SELECT sum(rows) AS n, sum(bytes_on_disk) AS bytes FROM system.parts WHERE active AND database = {database:String} AND table = {table:String}', { query_params: { ...table } })
  return `${count?.n ?? 0} rows, ${count?.bytes ?? 0} bytes`
}

/** As the pipelines name it, also those that do not run. A name alone does not tell where its database ends. */
function streamingTable ({ supervisor }: Platform, name: string): TableName {
  return datasetsOf(supervisor.files.pipelines.values(), supervisor.schemas).get(name)?.table ?? { database: 'streaming', table: name }
}

async function onServers<T> ({ clickhouse, warehouse }: Platform, work: (client: ClickHouse, lane: Lane) => Promise<T>, lanes: readonly Lane[] = ['streaming', 'warehouse']): Promise<T[]> {
  if (clickhouse === undefined) return []
  const done: T[] = []
  for (const lane of lanes) {
    const client = await connectClickHouse(lane === 'streaming' ? clickhouse : warehouse ?? clickhouse, { signal: AbortSignal.timeout(STATEMENT_MS_MAX) })
    try {
      done.push(await work(client, lane))
    } finally {
      await client.close()
    }
  }
  return done
}

function ofDataset (name: string): string {
  return `dataset = ${quoteText(name)}`
}

function shown ({ database, table }: TableName): string {
  return `${database}.${table}`
}

// What users read of a dataset:
//
//   realtime.<dataset>   rows of the streaming database that no current version of the warehouse holds
//   history.<dataset>    rows of the warehouse that were loaded directly, and those of each day's current version
//   data.<dataset>       both; not where they are on two servers
//
// All of them obey the boundary that the query is pinned to, or the newest one. They cost nothing where the boundary says
// nothing: days behind the last one that was handed over are told by their partition, of which no column is read.

import { PlatformError, describe } from '../errors.ts'
import { ensureBoundary, WAREHOUSE, currentVersions } from './boundary.ts'
import { timeColumn } from '../clickhouse/ddl.ts'
import { keepModels } from '../clickhouse/kept-models.ts'
import { describeTable, ensureDatabase, ensureTable } from '../clickhouse/migrate.ts'
import { onCluster } from '../clickhouse/cluster.ts'
import { quoteName, quoteTable, quoteText } from '../clickhouse/sql.ts'
import type { ClickHouse } from '../clickhouse/client.ts'
import type { TableName } from '../clickhouse/sql.ts'
import type { Context } from '../plugin.ts'
import type { Topic } from '../schema.ts'

/** The database that outputs write to where they do not say otherwise; its datasets have the names of its tables. */
const STREAMING = 'streaming'
/** At the end of a view's comment: the platform has made it and may replace it. */
const MARK = ' (Twolane view)'

/** Name of a table of the streaming database in the warehouse and in the views. */
export function datasetName ({ database, table }: TableName): string {
  return database === STREAMING ? table : `${database}_${table}`
}

/** The table of a dataset in the warehouse. */
export function warehouseTable (dataset: string): TableName {
  return { database: WAREHOUSE, table: dataset }
}

export interface DatasetViews {
  readonly dataset: string
  readonly schema: Topic
  /** Where the streaming rows are: in the table, on another server, or, undefined, in the table of the dataset's name if there is one. */
  readonly streaming: TableName | 'elsewhere' | undefined
  /** Whether the server has the warehouse. */
  readonly warehouse: boolean
  /** Folder of the models over whole histories. */
  readonly models: string
}

/**
 * Makes the views that the server can have, and the tables that they read besides those of the rows. Returns the
 * databases that have whole days of the dataset now. Throws DESTINATION_REFUSED where somebody else has a view or a table
 * of such a name: it is left as it is.
 */
export async function ensureViews (client: ClickHouse, { dataset, schema, streaming, warehouse }: Omit<DatasetViews, 'models'>): Promise<string[]> {
  await ensureBoundary(client)
  if (warehouse) await ensureTable(client, schema, warehouseTable(dataset), 'warehouse')
  const table = streaming === 'elsewhere' ? undefined : streaming ?? { database: STREAMING, table: dataset }
  const [recent, old] = [await columnsOf(client, table), warehouse ? await columnsOf(client, warehouseTable(dataset)) : []]
  const views: Array<readonly [string, string, string]> = []
  const both = recent.length === 0 ? old : old.length === 0 ? recent : recent.filter(name => old.includes(name))
  const lanes = [
    ...old.length === 0 ? [] : [historyView(dataset)],
    ...table === undefined || recent.length === 0 ? [] : [realtimeView({ dataset, schema, table, cluster: client.cluster })]
  ]
  if (recent.length > 0) views.push(['realtime', newestOf(schema, recent, lanes.slice(-1)), 'Rows of the streaming database that the warehouse does not show'])
  if (old.length > 0) views.push(['history', newestOf(schema, old, lanes.slice(0, 1)), 'Rows of the warehouse that the boundary shows'])
  if (warehouse && streaming !== 'elsewhere') views.push(['data', newestOf(schema, both, lanes), 'All rows, from warehouse and streaming database'])
  for (const [database, select, comment] of views) await makeView(client, { database, table: dataset }, select, `${comment}${MARK}`)
  return views.map(([database]) => database).filter(database => database !== 'realtime')
}

/** The same for an output, which stores rows whether there are views on them or not. Throws only where trying again can help. */
export async function keepViews (client: ClickHouse, views: DatasetViews, { log, metrics }: Pick<Context, 'log' | 'metrics'>): Promise<void> {
  let failed = 0
  try {
    for (const database of await ensureViews(client, views)) {
      const target = { database, tables: { [views.schema.name]: views.dataset }, of: views.dataset }
      await keepModels(client, views.models, target, { log, metrics: { ...metrics, gauge: (_, value) => metrics.gauge(`${database}_models_failed`, value) } })
    }
  } catch (error) {
    if (!(error instanceof PlatformError) || error.retryable) throw error
    failed = 1
    log.error({ dataset: views.dataset, reason: describe(error) }, 'The views of the boundary cannot be made')
  }
  metrics.gauge('views_failed', failed)
}

async function columnsOf (client: ClickHouse, table: TableName | undefined): Promise<string[]> {
  const state = table === undefined ? undefined : await describeTable(client, table)
  return (state?.columns ?? []).map(({ name }) => name).filter(name => name !== '_version')
}

async function makeView (client: ClickHouse, view: TableName, select: string, comment: string): Promise<void> {
  await ensureDatabase(client, view.database)
  const state = await describeTable(client, view)
  // CREATE OR REPLACE would put the view in the place of whatever is there.
  if (state !== undefined && !isOwnView(state)) {
    throw new PlatformError('DESTINATION_REFUSED', `${view.database}.${view.table} is there already, a ${state.engine} that the platform has not made, and is left as it is`, { remedy: 'Rename it: the platform makes its views of the boundary in that database.' })
  }
  await client.command(`CREATE OR REPLACE VIEW ${quoteTable(view)}${onCluster(client.cluster)} AS ${select} COMMENT ${quoteText(comment)}`)
}

/** Whether the platform has made it. */
export function isOwnView ({ engine, comment }: { readonly engine: string, readonly comment: string }): boolean {
  return engine === 'View' && comment.endsWith(MARK)
}

/** A SELECT of the visible rows of one lane. */
type Lane = (columns: string) => string

/** The rows of all lanes; where the schema says what names a row, the one of each name that was taken last. */
function newestOf ({ unique = [] }: Topic, columns: readonly string[], lanes: readonly Lane[]): string {
  const rows = lanes.map(lane => lane(columns.map(quoteName).join(', '))).join(' UNION ALL ')
  return unique.length === 0 ? rows : `SELECT * FROM (${rows}) ORDER BY _ingest_time DESC, _offset DESC LIMIT 1 BY ${unique.map(quoteName).join(', ')}`
}

function historyView (dataset: string): Lane {
  // Versions are unique in a dataset, so one number says whether a row is current.
  return columns => `SELECT ${columns} FROM ${quoteTable(warehouseTable(dataset))} WHERE _version IN (SELECT version FROM (${currentVersions(dataset)}) UNION ALL SELECT toUInt32(0))`
}

interface RealtimeView {
  readonly dataset: string
  readonly schema: Topic
  readonly table: TableName
  readonly cluster: string
}

/**
 *   day > last   days behind the last one that was handed over: all rows, told by the partition
 *   day <= last  rows that are not below the offset of their topic, day and partition
 */
function realtimeView ({ dataset, schema, table, cluster }: RealtimeView): Lane {
  const day = `toDate32(${quoteName(timeColumn(schema))})`
  // A table over the nodes of a cluster does not know the partitions of theirs.
  const partitionDay = cluster === '' ? '_partition_value.1' : day
  const ends = `SELECT topic, day, partition, end FROM (${currentVersions(dataset)}) ARRAY JOIN mapKeys(offsets) AS partition, mapValues(offsets) AS end`
  const bounds = `WITH (SELECT (ifNull(maxOrNull(day), toDate32('1900-01-01')), groupUniqArray(topic), groupArray((topic, day, partition, end))) FROM (${ends})) AS _bounds,
    tupleElement(_bounds, 1) AS _last, tupleElement(_bounds, 2) AS _topics, tupleElement(_bounds, 3) AS _ends,
    arrayMap(e -> ${placeOf('indexOf(_topics, e.1)', 'e.2', 'e.3')}, _ends) AS _places, arrayMap(e -> e.4, _ends) AS _offsets`
  const end = `transform(${placeOf('indexOf(_topics, _topic)', day, '_partition')}, _places, _offsets, toInt64(-9223372036854775808))`
  return columns => {
    const from = `SELECT ${columns} FROM ${quoteTable(table)} WHERE`
    return `${bounds} ${from} ${partitionDay} > _last UNION ALL ${bounds} ${from} ${partitionDay} <= _last AND _offset >= ${end}`
  }
}

/** SQL: topic, day and partition as one number, by which `transform` finds the offset in a hash table. A day before 1970 is negative. */
function placeOf (topic: string, day: string, partition: string): string {
  return `bitOr(bitOr(bitShiftLeft(toUInt64(${topic}), 48), bitShiftLeft(toUInt64(toInt32(${day}) + 100000), 16)), toUInt64(${partition}))`
}

// Which rows are read from the warehouse, and which from the streaming database.
//
//   warehouse._boundary   one row a flip, never changed:
//       seq               grows with every flip; a reader pins one for all of its query
//       dataset, topic, day, version
//                         from this seq on that version holds the day's rows
//       offsets           by partition: those below them are in the version, those from there on in the streaming database
//       rows, hash …      the certificate: what was compared before the flip
//   warehouse._builds     one row a version that was begun; the newest one may write (builds.ts)
//   warehouse._cleaned    one row a flip whose clean-up was verified
//
//       _offset           0 ───────────── W ─────────────▶
//       history           ███████████████
//       realtime                         ████████████████
//
// A flip is one row in one part, so it is there or it is not, whatever crashes. Where the warehouse is another server, the
// streaming database has a copy, which is written first: a reader that pins a seq of the warehouse finds it in both.

import type { ClickHouse } from '../clickhouse/client.ts'
import { onCluster } from '../clickhouse/cluster.ts'
import { ensureDatabase } from '../clickhouse/migrate.ts'
import { quoteName, quoteTable, quoteText } from '../clickhouse/sql.ts'
import type { TableName } from '../clickhouse/sql.ts'
import type { Json } from '../plugin.ts'

/** The database of the warehouse, and of the boundary. */
export const WAREHOUSE = 'warehouse'
export const boundaryTable: TableName = { database: WAREHOUSE, table: '_boundary' }
export const buildsTable: TableName = { database: WAREHOUSE, table: '_builds' }
export const cleanedTable: TableName = { database: WAREHOUSE, table: '_cleaned' }

/** By partition: the rows below these offsets. */
export type Offsets = ReadonlyMap<number, number>

/** What names a part of a dataset that is handed over as a whole. */
export interface DayName {
  readonly dataset: string
  readonly topic: string
  /** UTC, such as `2024-01-02`. */
  readonly day: string
}

/** What was compared before a version became the current one. */
export interface Certificate {
  readonly rows: number
  /** Over all columns of all rows, whatever their order. */
  readonly hash: string
  /** The same of what the version was made from: the streaming database, and the version before. */
  readonly sourceRows: number
  readonly sourceHash: string
  /** Name and type of the columns that the hash is over. */
  readonly columns: ReadonlyArray<readonly [name: string, type: string]>
  /** What the lake's manifest said; undefined: no lake holds the topic. */
  readonly lake: Json | undefined
  /** Results of the day's quality rules. */
  readonly quality: Json
  /** Of the pipeline that filled the streaming database. */
  readonly revision: string
}

export interface Flip extends DayName, Certificate {
  readonly seq: number
  readonly version: number
  readonly offsets: Offsets
  /** ms since 1970. */
  readonly at: number
  /** When it was verified that nothing is there twice any more; undefined: not yet. */
  readonly cleanedAt: number | undefined
}

/** Begins the comment of a query that keeps to one boundary. */
const PIN = 'twolane boundary='

/** The value of the setting log_comment that pins a query to a boundary. Custom settings do not exist in the embedded engine. */
export function pinComment (seq: number): string {
  return `${PIN}${seq}`
}

/** SQL: the greatest seq that the query may see. */
const pinnedSeq = `if(startsWith(getSetting('log_comment'), '${PIN}'), toUInt64OrZero(extract(getSetting('log_comment'), '^${PIN}([0-9]+)')), 18446744073709551615)`

/** SQL: the current version of each topic and day of a dataset, at the boundary that the query is pinned to. */
export function currentVersions (dataset: string): string {
  return `SELECT topic, day, argMax(version, seq) AS version, argMax(offsets, seq) AS offsets FROM ${quoteTable(boundaryTable)} WHERE dataset = ${quoteText(dataset)} AND seq <= ${pinnedSeq} GROUP BY topic, day`
}

const boundaryColumns = [
  'seq UInt64', 'dataset LowCardinality(String)', 'topic LowCardinality(String)', 'day Date32', 'version UInt32', 'offsets Map(UInt16, Int64)',
  'rows UInt64', 'hash String', 'source_rows UInt64', 'source_hash String', 'columns Array(Tuple(String, String))',
  'lake String', 'quality String', 'revision String', 'at DateTime64(3, \'UTC\')'
]
const tables: ReadonlyArray<readonly [TableName, readonly string[], string, string]> = [
  [boundaryTable, boundaryColumns, 'dataset, topic, day, seq', 'Twolane: which rows are read from the warehouse'],
  [buildsTable, ['build UInt64', 'owner String', 'dataset String', 'topic String', 'day Date32', 'at DateTime64(3, \'UTC\')'], 'build', 'Twolane: versions that were begun'],
  [cleanedTable, ['seq UInt64', 'at DateTime64(3, \'UTC\')'], 'seq', 'Twolane: flips that were cleaned up after']
]

/** The tables of the boundary, with the column that numbers their rows. */
export const boundaryTables: ReadonlyArray<readonly [TableName, string]> = [[buildsTable, 'build'], [boundaryTable, 'seq'], [cleanedTable, 'seq']]

/** Makes the tables of the boundary where they are missing. Safe to run by several at a time. */
export async function ensureBoundary (client: ClickHouse): Promise<void> {
  const { cluster } = client
  await ensureDatabase(client, WAREHOUSE)
  for (const [table, columns, order, comment] of tables) {
    await client.command([
      `CREATE TABLE IF NOT EXISTS ${quoteTable(table)}${onCluster(cluster)} (${columns.join(', ')})`,
      // Any node of a cluster may be asked, so each of them is a replica of the one table.
      `ENGINE = ${cluster === '' ? 'MergeTree' : 'ReplicatedMergeTree(\'/clickhouse/tables/all/{database}/{table}\', \'{shard}-{replica}\')'}`,
      `ORDER BY (${order}) SETTINGS fsync_after_insert = 1, fsync_part_directory = 1 COMMENT ${quoteText(comment)}`
    ].join(' '))
  }
}

/** The boundary that a query is pinned to when it begins now; 0: there was no flip yet. */
export async function newestSeq (client: ClickHouse): Promise<number> {
  const [row] = await client.rows<{ seq: string }>(`SELECT max(seq) AS seq FROM ${quoteTable(boundaryTable)}`)
  return Number(row?.seq ?? 0)
}

/** Flips of a dataset, oldest first. */
export async function readFlips (client: ClickHouse, { dataset, topic, day }: { readonly dataset?: string, readonly topic?: string, readonly day?: string } = {}): Promise<Flip[]> {
  const conditions = [
    ...dataset === undefined ? [] : ['dataset = {dataset:String}'],
    ...topic === undefined ? [] : ['topic = {topic:String}'],
    ...day === undefined ? [] : ['day = {day:Date32}']
  ]
  const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`
  const rows = await client.rows<FlipRow>(
    `SELECT seq, dataset, topic, day, version, mapKeys(offsets) AS partitions, mapValues(offsets) AS ends, rows, hash, source_rows, source_hash, columns,
      lake, quality, revision, toUnixTimestamp64Milli(at) AS at_ms, cleaned_ms FROM ${quoteTable(boundaryTable)} AS b
     LEFT JOIN (SELECT seq, min(toUnixTimestamp64Milli(at)) AS cleaned_ms FROM ${quoteTable(cleanedTable)} GROUP BY seq) AS c USING (seq)${where} ORDER BY seq`,
    { query_params: { dataset, topic, day } })
  return rows.map(flipOf)
}

interface FlipRow {
  readonly seq: string
  readonly dataset: string
  readonly topic: string
  readonly day: string
  readonly version: number
  readonly partitions: readonly number[]
  readonly ends: readonly string[]
  readonly rows: string
  readonly hash: string
  readonly source_rows: string
  readonly source_hash: string
  readonly columns: ReadonlyArray<readonly [string, string]>
  readonly lake: string
  readonly quality: string
  readonly revision: string
  readonly at_ms: string
  readonly cleaned_ms: string
}

function flipOf (row: FlipRow): Flip {
  return {
    seq: Number(row.seq),
    dataset: row.dataset,
    topic: row.topic,
    day: row.day,
    version: row.version,
    offsets: new Map(row.partitions.map((partition, i) => [partition, Number(row.ends[i])])),
    rows: Number(row.rows),
    hash: row.hash,
    sourceRows: Number(row.source_rows),
    sourceHash: row.source_hash,
    columns: row.columns.map(column => Array.isArray(column) ? column as unknown as [string, string] : Object.values(column) as [string, string]),
    lake: row.lake === '' ? undefined : JSON.parse(row.lake) as Json,
    quality: row.quality === '' ? [] : JSON.parse(row.quality) as Json,
    revision: row.revision,
    at: Number(row.at_ms),
    cleanedAt: Number(row.cleaned_ms) === 0 ? undefined : Number(row.cleaned_ms)
  }
}

/** The values of a flip's row, for a SELECT without a table. */
export function flipValues ({ seq, dataset, topic, day, version, offsets, rows, hash, sourceRows, sourceHash, columns, lake, quality, revision, at }: Flip): string {
  const map = [...offsets].flatMap(([partition, offset]) => [`toUInt16(${partition})`, `toInt64(${offset})`])
  return [
    seq, quoteText(dataset), quoteText(topic), `toDate32(${quoteText(day)})`, version, map.length === 0 ? 'CAST(map(), \'Map(UInt16, Int64)\')' : `map(${map.join(', ')})`,
    rows, quoteText(hash), sourceRows, quoteText(sourceHash),
    columns.length === 0 ? '[]' : `[${columns.map(column => `(${column.map(quoteText).join(', ')})`).join(', ')}]`,
    quoteText(lake === undefined ? '' : JSON.stringify(lake)), quoteText(JSON.stringify(quality)), quoteText(revision), `fromUnixTimestamp64Milli(toInt64(${at}), 'UTC')`
  ].join(', ')
}

/** Names of the columns that `flipValues` gives, in its order. */
export const flipColumns = boundaryColumns.map(column => column.slice(0, column.indexOf(' ')))

/** Remembers that nothing of a flip is left to clean up. */
export async function markCleaned (client: ClickHouse, seq: number): Promise<void> {
  await client.command(`INSERT INTO ${quoteTable(cleanedTable)} (${['seq', 'at'].map(quoteName).join(', ')}) SELECT ${seq}, now64(3)`)
}

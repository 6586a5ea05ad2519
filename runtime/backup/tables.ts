// Tables, partition by partition, in the engine's own format. What the topics of the backup will deliver again is left
// out: a row is in the backup's table exactly if the backup's topic says that it was stored.
//
//   topic, copied before      ████████████████│░░░░░   committed offset C, rows behind it
//   table, as it is           ███████████████████░░     the outputs have gone on meanwhile
//   table, in the backup      ████████████████          rows below C

import { groupOf } from '../run.ts'
import { describeTable } from '../clickhouse/migrate.ts'
import { positionChunks } from '../clickhouse/position-chunks.ts'
import { quoteName, quoteTable, quoteText } from '../clickhouse/sql.ts'
import { findTables, makeTable, textOf } from '../move/tables.ts'
import { qualityTable } from '../quality/results.ts'
import { boundaryTables, ensureBoundary } from '../warehouse/boundary.ts'
import { boundedSettings } from '../warehouse/lanes.ts'
import { warehouseTable } from '../warehouse/views.ts'
import { damaged } from './manifest.ts'
import type { ClickHouse } from '../clickhouse/client.ts'
import type { TableName } from '../clickhouse/sql.ts'
import type { Pipeline } from '../pipeline.ts'
import type { Topic } from '../schema.ts'
import type { BackedTable, BackedTopic, TablePart } from './manifest.ts'
import type { BackupPlace } from './place.ts'

/** Of one blob, and of one insert when it comes back: the engine takes 512 MiB at once. */
const ROWS_AT_ONCE = 500_000

export interface TablesBackup {
  readonly server: BackedTable['server']
  readonly pipelines: readonly Pipeline[]
  readonly schemas: ReadonlyMap<string, Topic>
  readonly topics: readonly BackedTopic[]
  /** Tables of the backup before: what has not changed is taken from there. */
  readonly before: readonly BackedTable[]
  readonly place: BackupPlace
  readonly signal: AbortSignal
  onRows (rows: number): void
}

/** All tables of the platform on one server, and the names of those that it has not made. */
export async function backUpTables (client: ClickHouse, options: TablesBackup): Promise<{ readonly tables: readonly BackedTable[], readonly others: readonly string[] }> {
  const { server, pipelines, schemas, before } = options
  const found = await findTables(client, pipelines, schemas)
  const kept: BackedTable[] = []
  for (const { name, topic, columns, statement } of found.tables) {
    const table = { server, ...name, statement, topic: topic?.name ?? null, columns }
    const old = before.find(one => one.server === server && one.database === name.database && one.table === name.table && JSON.stringify(one.columns) === JSON.stringify(columns))
    kept.push({ ...table, parts: await backUpRows(client, table, { ...options, cut: cutOf(name, options), old: old?.parts ?? [], chunked: true }) })
  }
  for (const name of [...boundaryTables.map(([table]) => table), qualityTable]) {
    const state = await describeTable(client, name)
    if (state === undefined) continue
    const [row] = await client.rows<{ statement: string }>('SELECT create_table_query AS statement FROM system.tables WHERE database = {database:String} AND name = {table:String}', { query_params: { ...name } })
    const table = { server, ...name, statement: row?.statement ?? '', topic: null, columns: state.columns.map(({ name, type }) => ({ name, type })) }
    kept.push({ ...table, parts: await backUpRows(client, table, { ...options, cut: '1', old: [], chunked: false }) })
  }
  return { tables: kept, others: found.others.filter(other => other !== textOf(qualityTable)) }
}

/** SQL: rows that the topics of the backup take for stored. */
function cutOf ({ database, table }: TableName, { pipelines, topics }: Pick<TablesBackup, 'pipelines' | 'topics'>): string {
  const beyond: string[] = []
  for (const { id, topic, outputs } of pipelines) {
    for (const { plugin, name, config } of outputs) {
      if ((plugin !== 'streaming-database' && plugin !== 'warehouse') || config['url'] !== null) continue
      const own = String(config['table'] ?? config['schema'] ?? topic)
      const target = plugin === 'warehouse' ? warehouseTable(own) : { database: String(config['database']), table: own }
      if (target.database !== database || target.table !== table) continue
      const copied = topics.find(one => one.topic === topic)
      if (copied === undefined) continue
      const offsets = copied.groups.filter(({ group }) => group === groupOf(id, name))
      // A group that has committed nothing yet has stored nothing.
      if (offsets.length === 0) beyond.push(`_topic = ${quoteText(topic)}`)
      for (const { partition, offset } of offsets) beyond.push(`(_topic = ${quoteText(topic)} AND _partition = ${partition} AND _offset >= ${offset})`)
    }
  }
  return beyond.length === 0 ? '1' : `NOT (${beyond.join(' OR ')})`
}

interface RowsBackup extends TablesBackup {
  readonly cut: string
  readonly old: readonly TablePart[]
  /** By the rows' positions. */
  readonly chunked: boolean
}

type Columns = BackedTable['columns']

async function backUpRows (client: ClickHouse, { database, table, columns }: Pick<BackedTable, 'database' | 'table' | 'columns'>, options: RowsBackup): Promise<TablePart[]> {
  const { cut, old, signal } = options
  const name = { database, table }
  const files = new Map((await client.rows<{ partition: string, files: string, rows: string }>(
    'SELECT partition_id AS partition, hex(sum(reinterpretAsUInt64(unhex(substring(hash_of_all_files, 1, 16))))) AS files, sum(rows) AS rows FROM system.parts WHERE database = {database:String} AND table = {table:String} AND active GROUP BY partition ORDER BY partition', { query_params: { ...name }, signal })).map(row => [row.partition, row]))
  const parts: TablePart[] = []
  for (const [partition, { files: print, rows: all }] of files) {
    signal.throwIfAborted()
    const same = old.find(part => part.partition === partition && part.files !== '' && part.files === print)
    if (same !== undefined) {
      parts.push(same)
      continue
    }
    const where = `_partition_id = ${quoteText(partition)} AND ${cut}`
    const { rows, hash } = await digest(client, name, { columns, where, signal })
    if (rows === 0) continue
    // Merged parts are other files with the same rows.
    const content = old.find(part => part.partition === partition && part.rows === rows && part.hash === hash)
    const blobs = content?.blobs ?? await storeRows(client, name, { ...options, columns, where })
    parts.push({ partition, rows, hash, files: rows === Number(all) ? print : '', blobs })
  }
  return parts
}

interface Rows { readonly columns: Columns, readonly where: string, readonly signal: AbortSignal }

async function digest (client: ClickHouse, table: TableName, { columns, where, signal }: Rows): Promise<{ readonly rows: number, readonly hash: string }> {
  const [found] = await client.rows<{ rows: string, hash: string }>(`SELECT count() AS rows, hex(sum(cityHash64(formatRowNoNewline('RowBinary', ${listOf(columns)})))) AS hash FROM ${quoteTable(table)} WHERE ${where}`, { settings: boundedSettings, signal })
  return { rows: Number(found?.rows ?? 0), hash: found?.hash ?? '' }
}

async function storeRows (client: ClickHouse, table: TableName, { columns, where, chunked, place, signal, onRows }: RowsBackup & Rows): Promise<TablePart['blobs']> {
  const groups = chunked ? await positionChunks(client, table, where, ROWS_AT_ONCE, { settings: boundedSettings, signal }) : [{ condition: '1', rows: 0 }]
  const blobs: Array<TablePart['blobs'][number]> = []
  for (const { condition, rows } of groups) {
    signal.throwIfAborted()
    const stream = await client.native(`SELECT ${listOf(columns)} FROM ${quoteTable(table)} WHERE ${where} AND ${condition}`, { settings: { ...boundedSettings, max_threads: 1 }, signal })
    blobs.push({ ...await place.store(stream, true), rows })
    onRows(rows)
  }
  return blobs
}

export interface TablesRestore {
  readonly schemas: ReadonlyMap<string, Topic>
  readonly place: BackupPlace
  readonly signal: AbortSignal
  onRows (rows: number): void
  /** Which partitions are brought back; all where it is left out. */
  wanted? (part: TablePart): boolean
}

/** Fills tables that hold nothing. Throws BACKUP_DAMAGED where they do not hold in the end what the backup says. */
export async function restoreTables (client: ClickHouse, tables: readonly BackedTable[], { schemas, place, signal, onRows, wanted = () => true }: TablesRestore): Promise<void> {
  if (tables.some(({ database, table }) => boundaryTables.some(([name]) => name.database === database && name.table === table))) await ensureBoundary(client)
  for (const { database, table, statement, topic, columns, parts } of tables) {
    const name = { database, table }
    if (await describeTable(client, name) === undefined) await makeTable(client, { name, topic: topic === null ? undefined : schemas.get(topic), columns, statement })
    for (const { partition, rows, hash, blobs } of parts.filter(wanted)) {
      for (const blob of blobs) {
        signal.throwIfAborted()
        await client.insertNative(name, columns.map(({ name }) => name), place.stream(blob), { signal })
        onRows(blob.rows)
      }
      const found = await digest(client, name, { columns, where: `_partition_id = ${quoteText(partition)}`, signal })
      if (found.rows !== rows || found.hash !== hash) throw damaged(`${database}.${table}`, `the partition ${partition} holds ${found.rows} rows with the hash ${found.hash} where ${rows} with ${hash} belong`)
    }
  }
}

function listOf (columns: Columns): string {
  return columns.map(({ name }) => quoteName(name)).join(', ')
}

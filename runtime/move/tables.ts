// Tables of the embedded ClickHouse to a server, day by day: make ▶ copy what is missing ▶ compare both sides.
//
// A day that is there as a whole is left as it is, one that is there in part is dropped and copied again: so a move that
// was killed can be run again. Rows go over in the engine's own format, as a stream.

import { localTable, onCluster } from '../clickhouse/cluster.ts'
import { describeTable, ensureTable } from '../clickhouse/migrate.ts'
import { positionChunks } from '../clickhouse/position-chunks.ts'
import { quoteName, quoteTable, quoteText } from '../clickhouse/sql.ts'
import { PlatformError } from '../errors.ts'
import { WAREHOUSE } from '../warehouse/boundary.ts'
import { datasetName, warehouseTable } from '../warehouse/views.ts'
import type { ClickHouse } from '../clickhouse/client.ts'
import type { TableName } from '../clickhouse/sql.ts'
import type { Pipeline } from '../pipeline.ts'
import type { Topic } from '../schema.ts'
import type { Progress, Verified } from './report.ts'

export interface SourceTable {
  readonly name: TableName
  /** Undefined: no pipeline and no schema knows it any more. */
  readonly topic: Topic | undefined
  readonly columns: ReadonlyArray<{ readonly name: string, readonly type: string }>
  readonly statement: string
  readonly rows: number
  readonly bytes: number
}

export interface SourceTables {
  readonly tables: readonly SourceTable[]
  /** What the platform has not made. */
  readonly others: readonly string[]
}

/** About so many rows are one insert. */
const ROWS_AT_ONCE = 1_000_000
const positions = ['_topic', '_partition', '_offset', '_ingest_time']

/** All tables of rows that the platform has made. */
export async function findTables (client: ClickHouse, pipelines: Iterable<Pipeline>, schemas: ReadonlyMap<string, Topic>): Promise<SourceTables> {
  const topics = topicsOf(pipelines, schemas)
  const found = await client.rows<{ database: string, name: string, create_table_query: string, total_rows: string, total_bytes: string }>(
    `SELECT database, name, create_table_query, total_rows, total_bytes FROM system.tables
     WHERE engine LIKE '%MergeTree' AND lower(database) NOT IN ('system', 'information_schema') AND name != '_twolane_owners' AND NOT (database = '${WAREHOUSE}' AND startsWith(name, '_')) ORDER BY database, name`)
  const tables: SourceTable[] = []
  const others: string[] = []
  for (const { database, name: table, create_table_query: statement, total_rows: rows, total_bytes: bytes } of found) {
    const name = { database, table }
    const columns = (await describeTable(client, name))?.columns ?? []
    if (positions.every(position => columns.some(({ name }) => name === position))) {
      tables.push({ name, topic: topics.get(textOf(name)) ?? schemas.get(table), columns, statement, rows: Number(rows), bytes: Number(bytes) })
    } else {
      others.push(textOf(name))
    }
  }
  return { tables, others }
}

/** Throws where a table of the target holds rows that this move has not brought there. `begun`: those that it has begun to fill. */
export async function checkTargetTables (target: ClickHouse, tables: readonly SourceTable[], begun: ReadonlySet<string>): Promise<void> {
  for (const { name } of tables) {
    if (begun.has(textOf(name)) || await describeTable(target, name) === undefined) continue
    const [count] = await target.rows<{ rows: string }>(`SELECT count() AS rows FROM ${quoteTable(name)}`)
    if (Number(count?.rows) === 0) continue
    throw new PlatformError('MOVE_REFUSED', `${textOf(name)} holds ${count?.rows} rows at ${target.address} that this move has not brought there`, {
      remedy: 'Drop or rename that table, or choose another server.'
    })
  }
}

/** Throws MOVE_UNVERIFIED where the target does not hold in the end what the source does. */
export async function moveTable (source: ClickHouse, target: ClickHouse, table: SourceTable, progress: Progress): Promise<Verified> {
  await makeTable(target, table)
  const wanted = await daysOf(source, table)
  const there = await daysOf(target, table)
  for (const [day, { rows, hash }] of wanted) {
    const known = there.get(day)
    if (known?.rows === rows && known.hash === hash) continue
    if (known !== undefined) await target.command(`ALTER TABLE ${quoteTable(localTable(table.name, target.cluster))}${onCluster(target.cluster)} DROP PARTITION ID ${quoteText(day)}`)
    await copyDay(source, target, { table, day, progress })
  }
  return verify(table, wanted, await daysOf(target, table))
}

export function textOf ({ database, table }: TableName): string {
  return `${database}.${table}`
}

/** Which schema the rows of a table have, as the outputs say. */
function topicsOf (pipelines: Iterable<Pipeline>, schemas: ReadonlyMap<string, Topic>): Map<string, Topic> {
  const topics = new Map<string, Topic>()
  for (const { topic, outputs } of pipelines) {
    for (const { plugin, config } of outputs) {
      if (plugin !== 'streaming-database' && plugin !== 'warehouse') continue
      const { database = WAREHOUSE, table, schema } = config as { database?: string, table: string | null, schema: string | null }
      const found = schemas.get(schema ?? topic)
      if (found === undefined) continue
      const name = { database, table: table ?? found.name }
      topics.set(textOf(name), found)
      // The handoff fills the table of the same dataset.
      if (plugin === 'streaming-database') topics.set(textOf(warehouseTable(datasetName(name))), found)
    }
  }
  return topics
}

/** As the platform makes it from the schema; with the columns that have left the schema since. Also used where a backup is brought back. */
export async function makeTable (target: ClickHouse, { name, topic, columns, statement }: Pick<SourceTable, 'name' | 'topic' | 'columns' | 'statement'>): Promise<void> {
  if (topic !== undefined) {
    await ensureTable(target, topic, name, name.database === WAREHOUSE ? 'warehouse' : 'streaming')
  } else if (target.cluster === '') {
    await target.command(`CREATE DATABASE IF NOT EXISTS ${quoteName(name.database)}`)
    await target.command(statement.replace(/^CREATE TABLE/, 'CREATE TABLE IF NOT EXISTS'))
  } else {
    throw new PlatformError('MOVE_REFUSED', `There is no schema for the table ${textOf(name)}, and so nobody can say how it is made on a cluster`, { remedy: 'Put its schema back into schemas/, or drop the table.' })
  }
  const local = localTable(name, target.cluster)
  const made = new Map((await describeTable(target, local))?.columns.map(({ name, type }) => [name, type]))
  const missing = columns.filter(column => !made.has(column.name))
  if (missing.length > 0 && target.cluster !== '') {
    throw new PlatformError('MOVE_REFUSED', `The table ${textOf(name)} has columns that its schema does not have: ${missing.map(({ name }) => name).join(', ')}`, { remedy: 'Put these fields back into the schema, or drop the columns.' })
  }
  for (const { name: column, type } of missing) {
    await target.command(`ALTER TABLE ${quoteTable(local)} ADD COLUMN IF NOT EXISTS ${quoteName(column)} ${type}`)
    made.set(column, type)
  }
  const other = columns.find(({ name, type }) => made.get(name) !== type)
  if (other === undefined) return
  throw new PlatformError('MOVE_REFUSED', `The column ${other.name} of ${textOf(name)} is ${other.type} here, and ${made.get(other.name)} by its schema`, {
    remedy: 'Start the platform once with its present files, so that the table follows its schema, and stop it; then move.'
  })
}

interface Day { readonly rows: number, readonly hash: string }

/** By the id that the engine gives to a day. The hash does not depend on the order of the rows. */
async function daysOf (client: ClickHouse, { name, columns }: SourceTable): Promise<Map<string, Day>> {
  const found = await client.rows<Day & { day: string }>(
    `SELECT _partition_id AS day, count() AS rows, hex(sum(cityHash64(formatRowNoNewline('RowBinary', ${listOf(columns)})))) AS hash FROM ${quoteTable(name)} GROUP BY day ORDER BY day`)
  return new Map(found.map(({ day, rows, hash }) => [day, { rows: Number(rows), hash }]))
}

async function copyDay (source: ClickHouse, target: ClickHouse, { table: { name, columns }, day, progress }: { readonly table: SourceTable, readonly day: string, readonly progress: Progress }): Promise<void> {
  const ofDay = `_partition_id = ${quoteText(day)}`
  for (const { condition, rows } of await positionChunks(source, name, ofDay, ROWS_AT_ONCE)) {
    const stream = await source.native(`SELECT ${listOf(columns)} FROM ${quoteTable(name)} WHERE ${ofDay} AND ${condition}`)
    await target.insertNative(name, columns.map(({ name }) => name), stream)
    progress.rows(textOf(name), rows)
  }
}

function verify (table: SourceTable, wanted: ReadonlyMap<string, Day>, there: ReadonlyMap<string, Day>): Verified {
  const days = new Set([...wanted.keys(), ...there.keys()])
  const wrong = [...days].filter(day => wanted.get(day)?.rows !== there.get(day)?.rows || wanted.get(day)?.hash !== there.get(day)?.hash)
  if (wrong.length > 0) {
    const shown = wrong.slice(0, 5).map(day => `${there.get(day)?.rows ?? 0} rows where ${wanted.get(day)?.rows ?? 0} belong in partition ${day}`)
    throw new PlatformError('MOVE_UNVERIFIED', `The table ${textOf(table.name)} holds other rows than here in ${wrong.length} of ${days.size} partitions: ${shown.join(', ')}`, {
      remedy: 'Let nothing else write to the table, and run the move again.'
    })
  }
  const all = [...there.values()]
  const hash = all.reduce((sum, { hash }) => BigInt.asUintN(64, sum + BigInt(`0x${hash}`)), 0n)
  return { what: textOf(table.name), rows: all.reduce((sum, { rows }) => sum + rows, 0), hash: hash.toString(16).padStart(16, '0') }
}

function listOf (columns: SourceTable['columns']): string {
  return columns.map(({ name }) => quoteName(name)).join(', ')
}

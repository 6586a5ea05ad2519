// A topic's table follows its schema. What loses nothing happens by itself: a new field, a wider type, another
// description. What would change or lose rows is refused, and both sides are named. A field that left the schema keeps
// its column, with null in new rows.

import { PlatformError } from '../errors.ts'
import type { Topic } from '../schema.ts'
import type { ClickHouse } from './client.ts'
import { createDistributed, localTable, onCluster } from './cluster.ts'
import { columnDefinition, columnsOf, createTable, partitionKey, sortingKey } from './ddl.ts'
import type { ColumnDefinition, Lane } from './ddl.ts'
import { quoteName, quoteTable, quoteText } from './sql.ts'
import type { TableName } from './sql.ts'

/** A table as the engine describes it. */
export interface TableState {
  readonly engine: string
  readonly comment: string
  readonly partitionKey: string
  readonly sortingKey: string
  readonly columns: ReadonlyArray<{ readonly name: string, readonly type: string, readonly comment: string }>
}

/**
 * Makes the database and the table where they are missing and changes the table to what the schema says. Returns the
 * statements that ran. Safe to run by several at a time: every statement is repeatable. A table that the platform has
 * not made is never changed: that throws DESTINATION_REFUSED.
 */
export async function ensureTable (client: ClickHouse, topic: Topic, table: TableName, lane: Lane = 'streaming'): Promise<string[]> {
  const { cluster } = client
  await ensureDatabase(client, table.database)
  const local = localTable(table, cluster)
  const statements: string[] = []
  const run = async (statement: string): Promise<void> => {
    await client.command(statement)
    statements.push(statement)
  }
  const over = cluster === '' ? undefined : await describeTable(client, table)
  if (over !== undefined && over.engine !== 'Distributed') throw foreign(table, over.engine)
  const known = await describeTable(client, local)
  if (known === undefined) await run(createTable(topic, table, cluster, lane))
  // Another one may have made it from another schema just now.
  const state = known ?? await describeTable(client, local)
  if (state === undefined) throw new PlatformError('DESTINATION_REFUSED', `table ${local.database}.${local.table} was created and is not there`)
  if (!isOwn(state)) throw foreign(local, state.engine)
  const changes = planMigration(topic, table, state, cluster, lane)
  for (const statement of changes) await run(statement)
  // Also where a change of the one was not followed by that of the other.
  const anew = changes.length > 0 || (over !== undefined && !holdsAll(over, topic, lane))
  if (cluster !== '' && (over === undefined || anew)) await run(createDistributed(table, cluster, { comment: topic.description, anew }))
  return statements
}

/** Makes a database; a user who may not can use one that is there. */
export async function ensureDatabase (client: ClickHouse, database: string): Promise<void> {
  const found = await client.rows('SELECT 1 FROM system.databases WHERE name = {database:String}', { query_params: { database } })
  if (found.length === 0) await client.command(`CREATE DATABASE IF NOT EXISTS ${quoteName(database)}${onCluster(client.cluster)}`)
}

function holdsAll ({ columns }: TableState, topic: Topic, lane: Lane): boolean {
  return columnsOf(topic, lane).every(wanted => columns.some(({ name, type }) => name === wanted.name && type === wanted.type))
}

/** Whether the platform has made it: every table that it makes is sorted by the position in the topic in the end, and such a column cannot be taken away. */
export function isOwn ({ engine, sortingKey }: Pick<TableState, 'engine' | 'sortingKey'>): boolean {
  return engine.endsWith('MergeTree') && plain(sortingKey).endsWith('_partition,_offset')
}

function foreign ({ database, table }: TableName, engine: string): PlatformError {
  return new PlatformError('DESTINATION_REFUSED', `${database}.${table} is there already, a ${engine} that the platform has not made, and is left as it is`, {
    remedy: 'Set `table` or `database` of the output to another name.'
  })
}

export async function describeTable (client: ClickHouse, { database, table }: TableName): Promise<TableState | undefined> {
  const where = { query_params: { database, table } }
  const [found] = await client.rows<{ engine: string, comment: string, partition_key: string, sorting_key: string }>(
    'SELECT engine, comment, partition_key, sorting_key FROM system.tables WHERE database = {database:String} AND name = {table:String}', where)
  if (found === undefined) return undefined
  const columns = await client.rows<{ name: string, type: string, comment: string }>(
    'SELECT name, type, comment FROM system.columns WHERE database = {database:String} AND table = {table:String} ORDER BY position', where)
  return { engine: found.engine, comment: found.comment, partitionKey: found.partition_key, sortingKey: found.sorting_key, columns }
}

/** The statements that bring the table to the schema. Throws SCHEMA_BREAKING where that would change or lose what it holds. */
export function planMigration (topic: Topic, table: TableName, state: TableState, cluster = '', lane: Lane = 'streaming'): string[] {
  const breaks: string[] = []
  if (!state.engine.endsWith('MergeTree')) breaks.push(`it is a ${state.engine}, not a MergeTree table`)
  const [isPartition, isOrder] = [plain(state.partitionKey), plain(state.sortingKey)]
  const [wantsPartition, wantsOrder] = [plain(partitionKey(topic, lane)), plain(sortingKey(topic).join(','))]
  if (isPartition !== wantsPartition) breaks.push(`it is partitioned by ${isPartition || 'nothing'}, the schema says ${wantsPartition}`)
  if (isOrder !== wantsOrder) breaks.push(`it is sorted by ${isOrder || 'nothing'}, the schema says ${wantsOrder}`)

  const changes = changesOf(topic, state, breaks, lane)
  if (breaks.length > 0) {
    throw new PlatformError('SCHEMA_BREAKING', `table ${table.database}.${table.table} cannot follow the schema: ${breaks.join('; ')}`, {
      where: `schemas/${topic.name}.yaml`,
      remedy: 'Take the change back, or give the field or the table a new name and let both live side by side.'
    })
  }
  const alter = `ALTER TABLE ${quoteTable(localTable(table, cluster))}${onCluster(cluster)}`
  const statements = changes.length === 0 ? [] : [`${alter} ${changes.join(', ')}`]
  if (state.comment !== topic.description) statements.push(`${alter} MODIFY COMMENT ${quoteText(topic.description)}`)
  return statements
}

/** The parts of one ALTER TABLE: one statement, so that the table changes once. */
function changesOf (topic: Topic, state: TableState, breaks: string[], lane: Lane): string[] {
  const changes: string[] = []
  const fixed = new Set(sortingKey(topic))
  let last: ColumnDefinition | undefined
  for (const column of columnsOf(topic, lane)) {
    const is = state.columns.find(({ name }) => name === column.name)
    if (is === undefined) {
      // A sorted column cannot come later; the sorting key has said so already.
      changes.push(`ADD COLUMN IF NOT EXISTS ${columnDefinition(column)}${last === undefined ? ' FIRST' : ` AFTER ${quoteName(last.name)}`}`)
    } else if (is.type !== column.type) {
      if (!fixed.has(column.name) && widens(is.type, column.type)) changes.push(`MODIFY COLUMN ${columnDefinition(column)}`)
      else breaks.push(`column ${column.name} is ${is.type}, the schema says ${column.type}`)
    } else if (is.comment !== column.comment) {
      changes.push(`COMMENT COLUMN ${quoteName(column.name)} ${quoteText(column.comment)}`)
    }
    last = column
  }
  return changes
}

function plain (key: string): string {
  return key.replaceAll(/[`\s]/g, '')
}

/** Whether every value of the one type is the same value in the other. */
function widens (from: string, to: string): boolean {
  const [a, b] = [shape(from), shape(to)]
  if (a.nullable && !b.nullable) return false
  if (a.array !== b.array) return false
  return a.base === b.base || widensScalar(a.base, b.base)
}

function shape (type: string): { array: boolean, nullable: boolean, base: string } {
  let base = type
  const strip = (wrapper: string): boolean => {
    if (!base.startsWith(`${wrapper}(`)) return false
    base = base.slice(wrapper.length + 1, -1)
    return true
  }
  const array = strip('Array')
  strip('LowCardinality')
  const nullable = strip('Nullable')
  return { array, nullable, base }
}

const integer = /^(U?)Int(8|16|32|64)$/
const decimal = /^Decimal\((\d+), (\d+)\)$/
const timestamp = /^DateTime64\((\d), 'UTC'\)$/

function widensScalar (from: string, to: string): boolean {
  if (from === 'Float32') return to === 'Float64'
  const [a, b] = [integer.exec(from), integer.exec(to)]
  // A signed type needs one bit more than an unsigned one of the same values.
  if (a !== null && b !== null) return Number(b[2]) > Number(a[2]) && (a[1] === b[1] || b[1] === '')
  const [c, d] = [decimal.exec(from), decimal.exec(to)]
  if (c !== null && d !== null) {
    const [scale, wider] = [Number(c[2]), Number(d[2])]
    return wider >= scale && Number(d[1]) - wider >= Number(c[1]) - scale
  }
  const [e, f] = [timestamp.exec(from), timestamp.exec(to)]
  // Nanoseconds reach to the year 2262 only, coarser units to 2299.
  return e !== null && f !== null && Number(f[1]) > Number(e[1]) && Number(f[1]) < 9
}

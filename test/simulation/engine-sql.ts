// The statements that the platform sends to ClickHouse, for SQLite: the same text, with the engine's functions beside
// those of SQLite. A statement that it does not know is an error, so nothing is passed over in silence.

import { createHash } from 'node:crypto'
import { DatabaseSync } from 'node:sqlite'
import type { SQLInputValue } from 'node:sqlite'
import type { ColumnDefinition } from '../../runtime/clickhouse/ddl.ts'

type Value = null | number | bigint | string | Uint8Array

export interface DescribedTable {
  readonly database: string
  readonly table: string
  readonly columns: readonly ColumnDefinition[]
  readonly partitionKey: string
  readonly sortingKey: string
  readonly comment: string
}

/** Tables of the boundary and of the owners, as the platform makes them; the stand-in knows them from the start. */
const own = `
  CREATE TABLE warehouse._boundary (seq, dataset, topic, day, version, offsets, rows, hash, source_rows, source_hash, columns, lake, quality, revision, at);
  CREATE TABLE warehouse._builds (build, owner, dataset, topic, day, at);
  CREATE TABLE warehouse._cleaned (seq, at);
  CREATE TABLE streaming._twolane_owners (\`table\`, writer, topic, partition, epoch, since);
  CREATE TABLE system.databases (name); INSERT INTO system.databases VALUES ('streaming'), ('warehouse');
  CREATE TABLE system.tables (database, name, engine, comment, partition_key, sorting_key);
  CREATE TABLE system.columns (database, "table", name, type, comment, position);
`

export function openTables (tables: readonly DescribedTable[], now: () => number): DatabaseSync {
  const database = new DatabaseSync(':memory:')
  database.exec("ATTACH ':memory:' AS streaming; ATTACH ':memory:' AS warehouse; ATTACH ':memory:' AS system")
  database.exec(own)
  for (const { database: lane, table, columns, partitionKey, sortingKey, comment } of tables) {
    database.exec(`CREATE TABLE \`${lane}\`.\`${table}\` (${columns.map(({ name }) => `\`${name}\``).join(', ')})`)
    database.prepare('INSERT INTO system.tables VALUES (?, ?, ?, ?, ?, ?)').run(lane, table, 'MergeTree', comment, partitionKey, sortingKey)
    const insert = database.prepare('INSERT INTO system.columns VALUES (?, ?, ?, ?, ?, ?)')
    for (const [i, column] of columns.entries()) insert.run(lane, table, column.name, column.type, column.comment, i)
  }
  for (const [name, work] of Object.entries({ ...functions, now64: now })) database.function(name, { varargs: true }, work as (...values: SQLInputValue[]) => SQLInputValue)
  database.aggregate('groupBitXor', {
    start: '0',
    step: (all: unknown, value: unknown) => String(BigInt(all as string) ^ BigInt(value as number)),
    result: (all: unknown) => all as string
  })
  return database
}

const day = (value: Value): string => typeof value === 'string' ? value : new Date(Number(value)).toISOString().slice(0, 10)
const self = (value: Value): Value => value

const functions: Readonly<Record<string, (...values: Value[]) => Value>> = {
  throwIf (condition, message) {
    if (condition !== null && Number(condition) !== 0) throw new Error(String(message))
    return 0
  },
  toDate32: day,
  castTo: self,
  toUInt8: self,
  toUInt16: self,
  toUInt32: self,
  toUInt64: self,
  toInt64: self,
  toUnixTimestamp64Milli: self,
  fromUnixTimestamp64Milli: self,
  intDiv: (a, b) => Math.floor(Number(a) / Number(b)),
  greatest: (...values) => Math.max(...values.map(Number)),
  startsWith: (text, start) => Number(String(text).startsWith(String(start))),
  endsWith: (text, end) => Number(String(text).endsWith(String(end))),
  tuple: (...values) => JSON.stringify(values),
  // 48 bits, so that sums stay exact.
  cityHash64: (...values) => createHash('md5').update(JSON.stringify(values)).digest().readUIntBE(0, 6),
  map: (...values) => JSON.stringify(Object.fromEntries(values.flatMap((key, i) => i % 2 === 0 ? [[key, values[i + 1]]] : []))),
  mapKeys: map => JSON.stringify(Object.keys(JSON.parse(map as string) as object).map(Number)),
  mapValues: map => JSON.stringify(Object.values(JSON.parse(map as string) as object))
}

/** Parameters are written into the text. */
export function toSqlite (sql: string, params: Readonly<Record<string, unknown>> = {}): string {
  // Literals are taken out first: nothing in them is SQL.
  const literals: string[] = []
  const keep = (text: string): string => `§${literals.push(text) - 1}§`
  const plain = sql
    .replaceAll(/'(?:[^'\\]|\\.)*'/g, literal => keep(literal.slice(1, -1).replaceAll(/\\(.)/g, '$1')))
    .replaceAll(/\{(\w+):[^}]*\}/g, (_, name: string) => typeof params[name] === 'number' ? String(params[name]) : keep(String(params[name])))
    .replaceAll(/\[(\([^\]]*)?\]/g, (_, tuples = '') => {
      const items = [...(tuples as string).matchAll(/\(([^)]*)\)/g)].map(([, tuple = '']) => tuple.split(', ').map(item => literals[Number(item.slice(1, -1))]))
      return keep(JSON.stringify(items))
    })
    .replaceAll('CAST(', 'castTo(')
    .replaceAll('maxOrNull(', 'max(')
    .replaceAll(/(?<![`\w])(table|all)(?![`\w])/g, '`$1`')
  return plain.replaceAll(/§(\d+)§/g, (_, i: string) => `'${(literals[Number(i)] as string).replaceAll('\'', '\'\'')}'`)
}

// What one principal may read, as a database of views: a column that is not granted is not in the view, a row that is not
// granted does not come out of it, and what is not there cannot be named. A statement runs with that database as its own.
//
//   twolane_granted_<hash of all it holds>
//     quotes              the dataset, as a name without a database finds it
//     data.quotes         the same, and realtime.quotes, history.quotes: one table each, with a point in its name
//     system.tables       what the database holds, under the names that users know
//
// The hash is over the statements that make it, so one whose grants, columns or filters change gets another database, and
// two with the same rights share one.

import { createHash } from 'node:crypto'
import { quoteName, quoteTable, quoteText } from '../clickhouse/sql.ts'
import { conditionOf } from './condition.ts'
import { lanes } from './rewrite.ts'
import { droppedSettings, passedSettings } from './settings.ts'
import type { DatasetGrant, Principal } from '../access/principal.ts'
import type { LaneName } from './rewrite.ts'

export const WORLD_PREFIX = 'twolane_granted_'

/** What the engine has, as far as statements of users can reach it. */
export interface Catalog {
  readonly databases: ReadonlySet<string>
  /** Columns with their types, by dataset with its lane, such as `data.quotes`. */
  readonly datasets: ReadonlyMap<string, ReadonlyMap<string, string>>
  /** Columns of the system tables that are shown, with their types, by table. */
  readonly system: ReadonlyMap<string, ReadonlyMap<string, string>>
}

export interface World {
  readonly database: string
  readonly views: ReadonlySet<string>
  /** Whether it hides rows: then no condition of a user may be asked before that of the grant. */
  readonly filtered: boolean
  /** In order, without that of the database itself. */
  readonly statements: readonly string[]
}

/** Columns of system.tables and system.columns that say nothing about the engine's own tables and files; the others are shown empty. */
const plainColumns: Readonly<Record<string, ReadonlySet<string>>> = {
  tables: new Set(['engine', 'is_temporary', 'comment']),
  columns: new Set(['name', 'type', 'position', 'comment', 'is_in_partition_key', 'is_in_sorting_key', 'is_in_primary_key', 'is_in_sampling_key', 'character_octet_length', 'numeric_precision', 'numeric_precision_radix', 'numeric_scale', 'datetime_precision']),
  databases: new Set([]),
  functions: new Set(['name', 'is_aggregate', 'case_insensitive', 'alias_to', 'origin', 'description', 'syntax', 'categories', 'introduced_in', 'arguments', 'returned_value', 'examples', 'parameters']),
  settings: new Set(['name', 'description', 'type', 'default', 'tier', 'is_obsolete'])
}

/** The system tables that are shown. */
export const systemTables = Object.keys(plainColumns)

/** What the principal may read. Of no dataset: an empty world. */
export function worldOf (principal: Principal, catalog: Catalog, lane: LaneName): World {
  const granted = [...catalog.datasets].flatMap(([name, columns]) => {
    const grant = principal.grant(name.slice(name.indexOf('.') + 1))
    const select = grant === undefined ? undefined : selectOf(name, columns, grant)
    return select === undefined ? [] : [{ name, select, filtered: grant?.where !== undefined }]
  })
  const makers = (database: string): string[] => {
    const make = (name: string, select: string): string => `CREATE VIEW IF NOT EXISTS ${quoteTable({ database, table: name })} AS ${select}`
    const plain = granted.flatMap(({ name, select }) => short(name, lane, granted) ? [make(name.slice(name.indexOf('.') + 1), select)] : [])
    return [...granted.map(({ name, select }) => make(name, select)), ...plain, ...systemTables.map(table => make(`system.${table}`, systemSelect(table, catalog, database)))]
  }
  const database = `${WORLD_PREFIX}${createHash('sha256').update(JSON.stringify(makers(WORLD_PREFIX))).digest('hex').slice(0, 24)}`
  return {
    database,
    views: new Set([...granted.map(({ name }) => name), ...systemTables.map(table => `system.${table}`)]),
    filtered: granted.some(({ filtered }) => filtered),
    statements: makers(database)
  }
}

/** Whether the name without its lane means this one: that of the lane asked for, or of the first that has it. */
function short (name: string, lane: LaneName, granted: ReadonlyArray<{ readonly name: string }>): boolean {
  const dataset = name.slice(name.indexOf('.') + 1)
  const first = [lane, ...lanes].find(one => granted.some(({ name: other }) => other === `${one}.${dataset}`))
  return name === `${first}.${dataset}`
}

/** What a grant lets through of a view with these columns: their names, and SQL that is true of the rows (undefined: all). undefined: nothing. */
export function visibleOf (columns: ReadonlyMap<string, string>, { columns: only, where }: DatasetGrant): { readonly columns: readonly string[], readonly condition: string | undefined } | undefined {
  const visible = [...columns.keys()].filter(column => only === undefined || only.includes(column))
  const condition = where === undefined ? undefined : conditionOf(where, columns)
  return visible.length === 0 || (where !== undefined && condition === undefined) ? undefined : { columns: visible, condition }
}

/** undefined: nothing of it may be seen. */
function selectOf (name: string, of: ReadonlyMap<string, string>, grant: DatasetGrant): string | undefined {
  const visible = visibleOf(of, grant)
  if (visible === undefined) return undefined
  const { columns, condition } = visible
  const point = name.indexOf('.')
  const table = quoteTable({ database: name.slice(0, point), table: name.slice(point + 1) })
  return `SELECT ${columns.map(quoteName).join(', ')} FROM ${table}${condition === undefined ? '' : ` WHERE ${condition}`}`
}

function systemSelect (table: string, { system }: Catalog, database: string): string {
  const columns = system.get(table) ?? new Map<string, string>()
  const [source, special, where] = systemSources(table, database)
  const plain = plainColumns[table] as ReadonlySet<string>
  const cells = [...columns].map(([name, type]) => {
    const value = special[name] ?? (plain.has(name) ? `t.${quoteName(name)}` : `defaultValueOfTypeName(${quoteText(type)})`)
    return `${value} AS ${quoteName(name)}`
  })
  return `SELECT ${cells.join(', ')} FROM ${source} WHERE ${where}`
}

/** Where the rows come from, the columns with a value of their own, and the condition. */
function systemSources (table: string, database: string): readonly [string, Readonly<Record<string, string>>, string] {
  const before = (column: string): string => `substring(t.${column}, 1, position(t.${column}, '.') - 1)`
  const behind = (column: string): string => `substring(t.${column}, position(t.${column}, '.') + 1)`
  const own = (column: string): string => `t.database = ${quoteText(database)} AND position(t.${column}, '.') > 0`
  switch (table) {
    case 'tables':
      return ['system.tables AS t', { database: before('name'), name: behind('name') }, own('name')]
    case 'columns':
      return ['system.columns AS t', { database: before('table'), table: behind('table') }, own('table')]
    case 'databases':
      return [`(SELECT arrayJoin(${arrayOf([...lanes, 'system'])}) AS name) AS t`, { name: 't.name', engine: "'Atomic'" }, 'true']
    case 'settings':
      return ['system.settings AS t', { value: 't.default', readonly: `if(t.name IN (${[...passedSettings, ...droppedSettings].map(quoteText).join(', ')}), toUInt8(0), toUInt8(1))` }, "t.name != 'log_comment'"]
    default:
      return ['system.functions AS t', {}, "t.origin = 'System'"]
  }
}

function arrayOf (texts: readonly string[]): string {
  return `[${texts.map(quoteText).join(', ')}]`
}

// A request as one statement: names that were checked, values that are bound, never a text of the request.

import { quoteName } from '../clickhouse/sql.ts'
import type { Parameters } from '../clickhouse/ask.ts'
import { Binder } from './binder.ts'
import type { Readable } from './catalog.ts'
import { bindValue, bindValues, bareType, isDecimal, isText, timeDigits } from './column.ts'
import type { Column } from './column.ts'
import { columnsOfFilter, conditionOf } from './condition.ts'
import { ceilTo, ceilToDay } from './instant.ts'
import type { Pin } from './pin.ts'
import { sourceOf } from './source.ts'
import type { Condition, RelayedStatement } from './source.ts'
import type { Format, Range, Spec } from './spec.ts'

/** One statement on the streaming database. */
export interface Compiled {
  readonly sql: string
  readonly params: Parameters
  readonly relayed: readonly RelayedStatement[]
  /** What the answer has, with the types of the dataset. */
  readonly columns: ReadonlyArray<Pick<Column, 'name' | 'type'>>
}

/** Name of the column that says where a row stood in the order; it is taken out of a page before it is sent. */
export const CURSOR = '~cursor'

export interface Output {
  readonly format: Format
  readonly priceType: Spec['priceType']
}

/** How much of an answer is asked for. */
export interface Part extends Pick<Output, 'format'> {
  /** Rows; undefined: all. */
  readonly rows?: number | undefined
  /** Of a page: where the one before ended, as the order's columns in text; null: this is the first one. Each row then says where it stood, in CURSOR. */
  readonly after?: readonly string[] | null | undefined
  /** All rows that can answer are those of the streaming database's table (recent.ts). */
  readonly recent?: boolean
}

/** Something that rows answer. */
export interface Question {
  /** What it is about; the first one orders the rows. */
  readonly datasets: readonly [Readable, ...Readable[]]
  readonly spec: Spec
  compile (part: Part): Compiled
  /** Whether rows of the range can be told from their certificates alone: then an answer about closed days has a tag. */
  readonly tagged: boolean
  /** The boundary that it was made for; undefined: the newest one will do. */
  readonly pin?: Pin
  /** What its reader should know besides, such as rows that look ahead. */
  warnings? (): Promise<string[]>
}

/** The rows of a range, in order. */
export function dataQuestion (readable: Readable, spec: Spec): Question {
  return { datasets: [readable], spec, compile: part => compileData(readable, spec, part), tagged: true }
}

function compileData (readable: Readable, spec: Spec, { format, rows, after, recent }: Part): Compiled {
  const binder = new Binder()
  const order = orderOf(readable, spec)
  const conditions = conditionsOf(readable, spec, binder)
  if (after !== undefined && after !== null) conditions.push(afterOf(order, after, spec.descending, binder))
  const direction = spec.descending ? ' DESC' : ''
  const sorted = (prefix: string): string => `ORDER BY ${order.map(({ name }) => `${prefix}${quoteName(name)}${direction}`).join(', ')}${rows === undefined ? '' : ` LIMIT ${rows}`}`
  const source = sourceOf(readable, {
    columns: [...spec.fields, ...order].map(({ name }) => name),
    conditions,
    binder,
    lane: recent === true ? 'recent' : undefined,
    top: rows === undefined ? undefined : sorted('')
  })
  const fields = spec.fields.map(column => `${shown(`r.${quoteName(column.name)}`, column, { format, priceType: spec.priceType })} AS ${quoteName(column.name)}`)
  if (after !== undefined) fields.push(cursorOf(order, 'r.'))
  return { sql: `SELECT ${fields.join(', ')} FROM ${source.sql} AS r ${sorted('r.')}`, params: binder.params, relayed: source.relayed, columns: spec.fields }
}

/** What makes the order of rows total: the time, the key, and where the row stands in its topic. */
export function orderOf ({ all, key }: Readable, { time }: Pick<Spec, 'time'>): Column[] {
  return [time, ...key, ...['_topic', '_partition', '_offset'].flatMap(name => all.get(name) ?? [])]
}

/** SQL: the values of the order as text, under the name CURSOR. */
export function cursorOf (order: readonly Column[], prefix: string): string {
  return `[${order.map(({ name }) => `toString(${prefix}${quoteName(name)})`).join(', ')}] AS ${quoteName(CURSOR)}`
}

/** The rows behind one. The time stands beside the rest, because the engine skips by it. */
export function afterOf (order: readonly Column[], after: readonly string[], descending: boolean, binder: Binder, prefix = ''): Condition {
  const names = order.map(({ name }) => `${prefix}${quoteName(name)}`)
  const values = order.map(({ type }, i) => binder.bind(bareType(type), after[i] ?? ''))
  const sign = descending ? '<' : '>'
  return { sql: `(${names[0]} ${sign}= ${values[0]} AND (${names.join(', ')}) ${sign} (${values.join(', ')}))`, columns: order.map(({ name }) => name) }
}

/** Range, symbols, filter, and the row filter of the grant, which always holds. */
export function conditionsOf (readable: Readable, { range, time, symbols, where, asOf }: Pick<Spec, 'range' | 'time' | 'symbols' | 'where' | 'asOf'>, binder: Binder): Condition[] {
  const { columns, all, symbol, grant } = readable
  return [
    ...rangeConditions(time, range, binder),
    ...symbols === undefined || symbol === undefined ? [] : [symbolCondition(symbol, symbols, binder)],
    ...where === undefined ? [] : [{ sql: conditionOf(where, { columns, binder }), columns: columnsOfFilter(where) }],
    ...knownBy(all.get('_ingest_time'), asOf, binder),
    ...grantConditions({ all, grant }, binder)
  ]
}

/** The moment itself is included: what was ingested then was known then. */
function knownBy (ingest: Column | undefined, asOf: bigint | undefined, binder: Binder): Condition[] {
  return ingest === undefined || asOf === undefined ? [] : rangeConditions(ingest, { start: undefined, end: asOf + 1n }, binder)
}

export function grantConditions ({ all, grant: { where } }: Pick<Readable, 'all' | 'grant'>, binder: Binder): Condition[] {
  return where === undefined ? [] : [{ sql: conditionOf(where, { columns: all, binder }), columns: columnsOfFilter(where) }]
}

/** A symbol that the type of the column cannot hold is one that is not there. */
function symbolCondition (symbol: Column, symbols: readonly string[], binder: Binder): Condition {
  const sql = symbols.length === 1 ? `(${quoteName(symbol.name)} = ${bindValue(binder, symbol, symbols[0] as string)})` : `(${quoteName(symbol.name)} IN ${bindValues(binder, symbol, symbols)})`
  return { sql, columns: [symbol.name] }
}

export function rangeConditions (time: Column, { start, end }: Range, binder: Binder): Condition[] {
  const bound = (ns: bigint): string => {
    const digits = timeDigits(time.type)
    return binder.bind(bareType(time.type), digits === undefined ? ceilToDay(ns) : ceilTo(ns, digits))
  }
  const name = quoteName(time.name)
  return [
    ...start === undefined ? [] : [{ sql: `${name} >= ${bound(start)}`, columns: [time.name] }],
    ...end === undefined ? [] : [{ sql: `${name} < ${bound(end)}`, columns: [time.name] }]
  ]
}

/** SQL: a column as the format and the reader want it. */
export function shown (sql: string, { type }: Pick<Column, 'type'>, { format, priceType }: Output): string {
  const wrapped = /Nullable\(/.test(type) ? (inner: string): string => `Nullable(${inner})` : (inner: string): string => inner
  if (isDecimal(type) && priceType === 'fixed') return `CAST(CAST(${sql}, '${wrapped('Decimal(38, 9)')}') * 1000000000, '${wrapped('Int64')}')`
  // Data frames take doubles as they are, and decimals one object at a time.
  if (isDecimal(type) && priceType === 'number' && (format === 'arrow' || format === 'parquet')) return `CAST(${sql}, '${wrapped('Float64')}')`
  // A spreadsheet would run a text that begins like a formula.
  if (format === 'csv' && isText(type)) return `if(match(${sql}, '^[=+@\\\\t\\\\r-]'), concat('\\'', ${sql}), ${sql})`
  return sql
}

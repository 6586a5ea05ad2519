// The rows of a dataset as a part of a statement on the streaming database, wherever they are:
//
//   one server    SELECT … FROM data.<dataset>                (the same of a dataset that only the warehouse has)
//   two servers   SELECT … FROM realtime.<dataset>  UNION ALL  SELECT … FROM url(<relay>)
//   recent rows   SELECT … FROM streaming.<dataset>           (recent.ts says when that is the same)
//
// The relay (relay.ts) gives the rows of history.<dataset> from the other server, under an address that holds for this
// statement only. Both parts are pinned to one boundary, so each row is in one of them.

import { quoteName, quoteTable } from '../clickhouse/sql.ts'
import type { Binder } from './binder.ts'
import type { Readable } from './catalog.ts'

/** A part of WHERE, and what it looks at. */
export interface Condition {
  readonly sql: string
  readonly columns: readonly string[]
}

/** A statement on the server of the warehouse; `place` is the parameter that takes its address. */
export interface RelayedStatement {
  readonly parameter: string
  readonly sql: string
}

export interface Source {
  /** A subquery in brackets. */
  readonly sql: string
  readonly relayed: readonly RelayedStatement[]
}

export interface Wanted {
  readonly columns: readonly string[]
  readonly conditions: readonly Condition[]
  readonly binder: Binder
  /** The first rows of each part are enough: ORDER BY and LIMIT in SQL. */
  readonly top?: string | undefined
  /** Rows of the streaming database only, of its table without a look at the boundary, or of the warehouse only; both lanes by default. */
  readonly lane?: 'realtime' | 'recent' | 'history' | undefined
}

export function sourceOf (readable: Readable, wanted: Wanted): Source {
  const { place } = readable
  const columns = [...new Set(wanted.columns)]
  const { lane, binder, conditions } = wanted
  const dedupe = readable.dataset.schema.unique ?? []
  if (place === 'none' || (lane === 'history' && place === 'realtime') || ((lane === 'realtime' || lane === 'recent') && (place === 'history' || place === 'loaded'))) {
    return { sql: `(SELECT * FROM null(${binder.bind('String', structureOf(readable, columns))}))`, relayed: [] }
  }
  if (lane === 'recent') return { sql: `(${select(quoteTable(readable.dataset.table), columns, wanted)})`, relayed: [] }
  if (place === 'one' || place === 'loaded') return { sql: `(${select(viewOf(readable, lane ?? 'data'), columns, wanted)})`, relayed: [] }
  if (place === 'realtime' || lane === 'realtime') return { sql: `(${select(viewOf(readable, 'realtime'), columns, wanted)})`, relayed: [] }
  if (place === 'history' || lane === 'history') return historyOf(readable, columns, wanted)
  if (dedupe.length === 0) {
    const old = historyOf(readable, columns, wanted)
    return { sql: `(SELECT * FROM (${select(viewOf(readable, 'realtime'), columns, wanted)}) UNION ALL SELECT * FROM ${old.sql})`, relayed: old.relayed }
  }
  // A row that was replaced must not come to light because a condition does not hold for its successor.
  const more = [...new Set([...columns, ...dedupe, ...conditions.flatMap(({ columns }) => columns), '_ingest_time', '_offset'])]
  const early = { ...wanted, top: undefined, conditions: conditions.filter(({ columns }) => columns.every(name => dedupe.includes(name))) }
  const old = historyOf(readable, more, early)
  const both = `SELECT * FROM (${select(viewOf(readable, 'realtime'), more, early)}) UNION ALL SELECT * FROM ${old.sql}`
  const newest = `(SELECT * FROM (${both}) ORDER BY _ingest_time DESC, _offset DESC LIMIT 1 BY ${dedupe.map(quoteName).join(', ')})`
  return { sql: `(${select(newest, columns, wanted)})`, relayed: old.relayed }
}

function historyOf (readable: Readable, columns: readonly string[], wanted: Wanted): Source {
  const address = wanted.binder.bind('String', '')
  const parameter = /\{(\w+):/.exec(address)?.[1] ?? ''
  const sql = `(SELECT * FROM url(${address}, 'Native', ${wanted.binder.bind('String', structureOf(readable, columns))}))`
  return { sql, relayed: [{ parameter, sql: select(viewOf(readable, 'history'), columns, wanted) }] }
}

function viewOf ({ name }: Readable, view: 'data' | 'realtime' | 'history'): string {
  return `${quoteName(view)}.${quoteName(name)}`
}

function select (from: string, columns: readonly string[], { conditions, top }: Wanted): string {
  const where = conditions.length === 0 ? '' : ` WHERE ${conditions.map(({ sql }) => sql).join(' AND ')}`
  return `SELECT ${columns.map(quoteName).join(', ')} FROM ${from}${where}${top === undefined ? '' : ` ${top}`}`
}

function structureOf ({ all }: Readable, columns: readonly string[]): string {
  return columns.map(name => `${quoteName(name)} ${all.get(name)?.type ?? 'String'}`).join(', ')
}

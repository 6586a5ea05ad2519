// The last row of each key. What the streaming database has of the days behind the boundary answers for most keys; only
// for those that it has nothing of, older days are read.

import { text } from 'node:stream/consumers'
import { quoteName } from '../clickhouse/sql.ts'
import type { Asker } from './answer.ts'
import { Binder } from './binder.ts'
import type { Readable } from './catalog.ts'
import { conditionsOf, cursorOf, orderOf, rangeConditions, shown } from './compile.ts'
import type { Compiled, Part, Question } from './compile.ts'
import { nsOfMs } from './instant.ts'
import type { Pin } from './pin.ts'
import { recentRowsAreOfTable } from './recent.ts'
import { runCompiled } from './run.ts'
import { sourceOf } from './source.ts'
import type { Condition, Source } from './source.ts'
import type { Range, Spec } from './spec.ts'
import type { Platform } from '../platform.ts'

/** How far back a key is looked for that nobody asked for by name. */
const LOOK_BACK_DAYS = 31
/** Symbols whose last rows are looked for one by one, each at the end of its own rows. */
const ONE_BY_ONE_MAX = 64
/** Symbols that are known to have recent rows; beyond that all are forgotten. */
const RECENT_MAX = 100_000

const known = new WeakMap<object, Set<string>>()

/** The last rows at a boundary; those of symbols without recent rows are looked for in the warehouse. */
export async function latestQuestion (platform: Platform, readable: Readable, spec: Spec, { pin, principal, signal }: Asker & { readonly pin: Pin }): Promise<Question> {
  const { boundary } = pin
  const ofTable = await recentRowsAreOfTable(platform, readable, pin)
  const older = boundary === undefined || spec.symbols === undefined ? spec.symbols : await withoutRecent(platform, readable, spec, { pin, ofTable, principal, signal })
  return { datasets: [readable], spec, pin, compile: part => compileLatest(readable, spec, { boundary, older, ofTable, part }), tagged: false }
}

/** Those of the symbols that have no row behind the boundary. One that has stays known until the next boundary. */
async function withoutRecent (platform: Platform, readable: Readable, spec: Spec, { pin, ofTable, principal, signal }: Asker & { readonly pin: Pin, readonly ofTable: boolean }): Promise<string[]> {
  const { symbols = [], range, where, asOf } = spec
  const seen = known.get(platform.store) ?? new Set<string>()
  known.set(platform.store, seen)
  const nameOf = (value: string): string => JSON.stringify([readable.name, readable.grant.where, where, String(asOf), String(range.start), String(range.end), String(pin.boundary), value])
  const doubtful = symbols.filter(value => !seen.has(nameOf(value)))
  if (doubtful.length === 0 || readable.symbol === undefined) return []
  const binder = new Binder()
  const source = recentOf(readable, { ...spec, symbols: doubtful }, pin.boundary, { columns: [readable.symbol.name], binder, ofTable })
  const { body } = await runCompiled(platform, { sql: `SELECT DISTINCT toString(${quoteName(readable.symbol.name)}) FROM ${source.sql}`, params: binder.params, relayed: source.relayed }, { format: 'JSONCompactEachRow', lane: 'streaming', seq: pin.seq, principal, signal })
  const found = new Set((await text(body)).split('\n').filter(line => line !== '').map(line => (JSON.parse(line) as [string])[0]))
  if (seen.size + found.size > RECENT_MAX) seen.clear()
  for (const value of found) seen.add(nameOf(value))
  return doubtful.filter(value => !found.has(value))
}

interface Wanted {
  readonly columns: readonly string[]
  readonly binder: Binder
  readonly more?: readonly Condition[]
  /** The table is read, not the view. */
  readonly ofTable: boolean
  readonly top?: string
}

/** Rows behind the boundary: what is loaded into the warehouse directly may be of today. */
function recentOf (readable: Readable, spec: Spec, boundary: bigint | undefined, { columns, binder, more = [], ofTable, top }: Wanted): Source {
  const conditions = [...conditionsOf(readable, spec, binder), ...rangeConditions(readable.time, { start: boundary, end: undefined }, binder), ...more]
  const lane = ofTable ? 'recent' : boundary === undefined || readable.dataset.direct.size > 0 || readable.place === 'history' ? undefined : 'realtime'
  return sourceOf(readable, { columns, conditions, binder, lane, top })
}

interface Plan {
  readonly boundary: bigint | undefined
  /** Symbols that are looked for in older days; undefined: all that have no recent row. */
  readonly older: readonly string[] | undefined
  readonly ofTable: boolean
  readonly part: Part
}

function compileLatest (readable: Readable, spec: Spec, plan: Plan): Compiled {
  const { part: { format, rows, after } } = plan
  const order = orderOf(readable, spec)
  const keys = readable.key.map(({ name }) => quoteName(name))
  const newest = `ORDER BY ${order.map(({ name }) => `${quoteName(name)} DESC`).join(', ')} LIMIT 1${keys.length === 0 ? '' : ` BY ${keys.join(', ')}`}`
  const binder = new Binder()
  const columns = [...spec.fields, ...order].map(({ name }) => name)
  const sources = [recentRows(readable, spec, { ...plan, columns, binder }), ...olderRows(readable, spec, { ...plan, columns, binder })]
  const relayed = sources.flatMap(({ relayed }) => relayed)
  const fields = spec.fields.map(column => `${shown(`r.${quoteName(column.name)}`, column, { format, priceType: spec.priceType })} AS ${quoteName(column.name)}`)
  if (after !== undefined) fields.push(cursorOf(readable.key.length === 0 ? order : readable.key, 'r.'))
  const direction = spec.descending ? ' DESC' : ''
  const names = keys.map(name => `toString(r.${name})`)
  // By key: a page goes on behind the last one.
  const next = after === undefined || after === null ? '' : keys.length === 0 ? ' WHERE 0' : ` WHERE (${names.join(', ')}) ${spec.descending ? '<' : '>'} (${keys.map((_, i) => binder.bind('String', after[i] ?? '')).join(', ')})`
  const sorted = keys.length === 0 ? '' : ` ORDER BY ${names.map(name => `${name}${direction}`).join(', ')}`
  return {
    sql: `SELECT ${fields.join(', ')} FROM (${sources.map(({ sql }) => `SELECT * FROM (SELECT * FROM ${sql} ${newest})`).join(' UNION ALL ')}) AS r${next}${sorted}${rows === undefined ? '' : ` LIMIT ${rows}`}`,
    params: binder.params,
    relayed,
    columns: spec.fields
  }
}

type Parts = Plan & Pick<Wanted, 'columns' | 'binder'>

/** Rows behind the boundary, among them the last one of each key; of a few symbols nothing but that one. */
function recentRows (readable: Readable, spec: Spec, { boundary, ofTable, columns, binder }: Parts): Source {
  const { key, symbol } = readable
  const { symbols = [] } = spec
  if (!ofTable || key.length !== 1 || key[0] !== symbol || symbols.length === 0 || symbols.length > ONE_BY_ONE_MAX) {
    return recentOf(readable, spec, boundary, { columns, binder, ofTable, more: lastOnly(readable, spec, { boundary, ofTable, binder }) })
  }
  // In the order of the table: the engine begins at the end of the symbol's rows and reads no more.
  const top = `ORDER BY ${[...new Set([...key, ...orderOf(readable, spec)])].map(({ name }) => `${quoteName(name)} DESC`).join(', ')} LIMIT 1`
  const each = symbols.map(value => recentOf(readable, { ...spec, symbols: [value] }, boundary, { columns, binder, ofTable, top }).sql)
  return { sql: `(${each.map(sql => `SELECT * FROM ${sql}`).join(' UNION ALL ')})`, relayed: [] }
}

/** Rows before the boundary of keys that have none behind it; none where there is nothing to look for. */
function olderRows (readable: Readable, spec: Spec, { boundary, older, ofTable, columns, binder }: Parts): Source[] {
  if (boundary === undefined || older?.length === 0) return []
  const range: Range = { start: older === undefined ? boundary - nsOfMs(LOOK_BACK_DAYS * 86_400_000) : undefined, end: boundary }
  const conditions = [...conditionsOf(readable, older === undefined ? spec : { ...spec, symbols: older }, binder), ...rangeConditions(readable.time, range, binder)]
  if (older !== undefined) return [sourceOf(readable, { columns, conditions, binder })]
  const keys = readable.key.map(({ name }) => name)
  const recent = recentOf(readable, spec, boundary, { columns: keys.length === 0 ? [spec.time.name] : keys, binder, ofTable })
  const quoted = keys.map(quoteName).join(', ')
  const found = keys.length === 0 ? `(SELECT count() FROM ${recent.sql}) = 0` : `(${quoted}) NOT IN (SELECT DISTINCT ${quoted} FROM ${recent.sql})`
  const source = sourceOf(readable, { columns, conditions, binder })
  return [{ sql: `(SELECT * FROM ${source.sql} WHERE ${found})`, relayed: [...recent.relayed, ...source.relayed] }]
}

/** The position of each key's last row, found in the few columns that the order has; the others are read of that row only. */
function lastOnly (readable: Readable, spec: Spec, { boundary, ofTable, binder }: Pick<Plan, 'boundary' | 'ofTable'> & { readonly binder: Binder }): Condition[] {
  const order = orderOf(readable, spec).filter(({ name }) => !readable.key.some(key => key.name === name))
  const keys = readable.key.map(({ name }) => name)
  const source = recentOf(readable, spec, boundary, { columns: [...keys, ...order.map(({ name }) => name)], binder, ofTable })
  // Where both lanes are on two servers, each has only its own rows to look in; of rows that are replaced, the last one must be told first.
  if (source.relayed.length > 0 || keys.length === 0 || (readable.dataset.schema.unique ?? []).length > 0) return []
  const quoted = keys.map(quoteName)
  const all = [...quoted, ...order.map(({ name }) => quoteName(name))]
  const last = `max(tuple(${order.map(({ name }) => quoteName(name)).join(', ')}))`
  const sql = `(${all.join(', ')}) IN (SELECT ${[...quoted, ...order.map((_, i) => `tupleElement(_last, ${i + 1})`)].join(', ')} FROM (SELECT ${quoted.join(', ')}, ${last} AS _last FROM ${source.sql} GROUP BY ${quoted.join(', ')}))`
  return [{ sql, columns: [...keys, ...order.map(({ name }) => name)] }]
}

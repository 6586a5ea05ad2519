// Which symbols a dataset has, for warnings and for the list of them.

import { text } from 'node:stream/consumers'
import { quoteName } from '../clickhouse/sql.ts'
import type { Principal } from '../access/principal.ts'
import type { Platform } from '../platform.ts'
import { Binder } from './binder.ts'
import type { Readable } from './catalog.ts'
import { conditionsOf, grantConditions } from './compile.ts'
import { runCompiled } from './run.ts'
import { sourceOf } from './source.ts'

/** Symbols that are known to be there, of all datasets and grants; beyond that all are forgotten. */
const KNOWN_MAX = 100_000
const known = new WeakMap<object, Set<string>>()

interface Asking {
  readonly principal: Principal
  readonly seq: number | undefined
  readonly signal: AbortSignal
}

/** Those of the symbols of which the dataset has no row at all. One that was seen once stays known. */
export async function unknownSymbols (platform: Platform, readable: Readable, { symbols, ...asking }: Asking & { readonly symbols: readonly string[] }): Promise<string[]> {
  const { symbol, all } = readable
  if (symbol === undefined) return []
  const seen = known.get(platform.store) ?? new Set<string>()
  known.set(platform.store, seen)
  const nameOf = (value: string): string => JSON.stringify([readable.name, readable.grant.where, value])
  const doubtful = symbols.filter(value => !seen.has(nameOf(value)))
  if (doubtful.length === 0) return []
  const binder = new Binder()
  const conditions = conditionsOf(readable, { range: { start: undefined, end: undefined }, time: readable.time, symbols: doubtful, where: undefined, asOf: undefined }, binder)
  const { sql, relayed } = sourceOf(readable, { columns: [symbol.name], conditions, binder })
  const answer = await runCompiled(platform, { sql: `SELECT DISTINCT toString(${quoteName(symbol.name)}) FROM ${sql}`, params: binder.params, relayed }, { format: 'JSONCompactEachRow', lane: all.size === 0 ? 'streaming' : 'warehouse', ...asking })
  const found = new Set((await text(answer.body)).split('\n').filter(line => line !== '').map(line => (JSON.parse(line) as [string])[0]))
  if (seen.size + found.size > KNOWN_MAX) seen.clear()
  for (const value of found) seen.add(nameOf(value))
  return doubtful.filter(value => !found.has(value))
}

export interface SymbolRow {
  readonly symbol: string
  readonly rows: number
  readonly first_at: string
  readonly last_at: string
}

/** Symbols with their rows, by name; `q` is a part of the name. */
export async function listSymbols (platform: Platform, readable: Readable, { q, limit, ...asking }: Asking & { readonly q: string | undefined, readonly limit: number }): Promise<SymbolRow[]> {
  const { symbol, time } = readable
  if (symbol === undefined) return []
  const binder = new Binder()
  const name = quoteName(symbol.name)
  const conditions = [
    ...grantConditions(readable, binder),
    ...q === undefined || q === '' ? [] : [{ sql: `positionCaseInsensitiveUTF8(toString(${name}), ${binder.bind('String', q)}) > 0`, columns: [symbol.name] }]
  ]
  const { sql, relayed } = sourceOf(readable, { columns: [symbol.name, time.name], conditions, binder })
  const answer = await runCompiled(platform, {
    sql: `SELECT toString(r.${name}) AS symbol, toFloat64(count()) AS rows, min(r.${quoteName(time.name)}) AS first_at, max(r.${quoteName(time.name)}) AS last_at FROM ${sql} AS r GROUP BY symbol ORDER BY symbol LIMIT ${limit}`,
    params: binder.params,
    relayed
  }, { format: 'JSONEachRow', lane: 'warehouse', ...asking })
  return (await text(answer.body)).split('\n').filter(line => line !== '').map(line => JSON.parse(line) as SymbolRow)
}

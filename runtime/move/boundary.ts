// The boundary between warehouse and streaming database goes over after the rows: until then nothing of what was handed
// over is shown at the target.

import { engineCode } from '../clickhouse/answers.ts'
import { quoteName, quoteTable } from '../clickhouse/sql.ts'
import { PlatformError } from '../errors.ts'
import { boundaryTables, ensureBoundary } from '../warehouse/boundary.ts'
import { textOf } from './tables.ts'
import type { ClickHouse } from '../clickhouse/client.ts'
import type { TableName } from '../clickhouse/sql.ts'
import type { Verified } from './report.ts'

/** There is no such database or table: nothing was handed over. */
const notThere = new Set([60, 81])

/** Copies what the target lacks; may be run again. Throws MOVE_UNVERIFIED where both sides differ in the end, because the target has a boundary of its own. */
export async function moveBoundary (source: ClickHouse, target: ClickHouse): Promise<Verified[]> {
  const verified: Verified[] = []
  for (const [table, key] of boundaryTables) {
    const wanted = await keysOf(source, table, key)
    if (wanted === undefined) return []
    await ensureBoundary(target)
    const there = new Set(await keysOf(target, table, key))
    const missing = wanted.filter(one => !there.has(one))
    if (missing.length > 0) {
      const columns = await source.rows<{ name: string }>('SELECT name FROM system.columns WHERE database = {database:String} AND table = {table:String} ORDER BY position', { query_params: { ...table } })
      const names = columns.map(({ name }) => name)
      const lost = there.size === 0 ? '' : ` WHERE ${quoteName(key)} NOT IN (${[...there].join(', ')})`
      await target.insertNative(table, names, await source.native(`SELECT ${names.map(quoteName).join(', ')} FROM ${quoteTable(table)}${lost}`))
    }
    const [a, b] = [await hashOf(source, table), await hashOf(target, table)]
    if (a.rows !== b.rows || a.hash !== b.hash) {
      throw new PlatformError('MOVE_UNVERIFIED', `${textOf(table)} has ${b.rows} rows at ${target.address} where ${a.rows} belong`, { remedy: 'Choose another server: this one has a warehouse of its own.' })
    }
    verified.push({ what: textOf(table), rows: Number(a.rows), hash: a.hash })
  }
  return verified
}

async function keysOf (client: ClickHouse, table: TableName, key: string): Promise<string[] | undefined> {
  try {
    return (await client.rows<{ key: string }>(`SELECT DISTINCT ${quoteName(key)} AS key FROM ${quoteTable(table)}`)).map(row => row.key)
  } catch (error) {
    if (notThere.has(engineCode(error) ?? 0)) return undefined
    throw error
  }
}

async function hashOf (client: ClickHouse, table: TableName): Promise<{ readonly rows: string, readonly hash: string }> {
  const [row] = await client.rows<{ rows: string, hash: string }>(`SELECT count() AS rows, lower(hex(sum(cityHash64(formatRowNoNewline('RowBinary', *))))) AS hash FROM ${quoteTable(table)}`)
  return row ?? { rows: '0', hash: '' }
}

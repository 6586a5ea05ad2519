// Rows of the streaming database that a version should hold and does not: those that were delivered again, below the
// boundary, after the version was made.
//
// Both sides are compared in blocks of offsets, by count and hash; only blocks that differ are looked at row by row. So
// it needs little memory for any number of rows, and works between two servers.

import type { ClickHouse } from '../clickhouse/client.ts'
import { quoteTable } from '../clickhouse/sql.ts'
import type { TableName } from '../clickhouse/sql.ts'
import { boundedSettings } from './lanes.ts'

const BLOCK_OFFSETS = 65_536
/** Missing rows that one build takes; the others wait for the next one. */
export const MISSING_ROWS_MAX = 1_000_000
/** Offsets that one condition lists, so that the statement stays below the engine's 256 KiB. */
const LISTED_MAX = 5000

/** Where rows are: a table, and a condition on its columns. */
export interface Place {
  readonly client: ClickHouse
  readonly table: TableName
  readonly where: string
}

export interface Missing {
  /** Up to MISSING_ROWS_MAX, or a block more. */
  readonly rows: number
  /** SQL: each one selects some of the rows of `from`, all of them together the missing ones. */
  readonly conditions: readonly string[]
}

interface Block {
  readonly partition: number
  readonly block: number
  readonly rows: number
  readonly hash: string
}

/** Which rows of `from` are not in `there`, by partition and offset. */
export async function findMissing (from: Place, there: Place, signal: AbortSignal): Promise<Missing> {
  const blocks = await blocksOf(from, signal)
  if (blocks.length === 0) return { rows: 0, conditions: [] }
  const known = new Map((await blocksOf(there, signal)).map(block => [`${block.partition}:${block.block}`, block]))
  const conditions: string[] = []
  let rows = 0
  for (const block of blocks) {
    const other = known.get(`${block.partition}:${block.block}`)
    if (other?.hash === block.hash && other.rows === block.rows) continue
    if (rows >= MISSING_ROWS_MAX) break
    const range = `_partition = ${block.partition} AND _offset >= ${block.block * BLOCK_OFFSETS} AND _offset < ${(block.block + 1) * BLOCK_OFFSETS}`
    if (other === undefined) {
      conditions.push(range)
      rows += block.rows
      continue
    }
    const held = new Set(await offsetsOf(there, range, signal))
    const missing = (await offsetsOf(from, range, signal)).filter(offset => !held.has(offset))
    rows += missing.length
    for (let i = 0; i < missing.length; i += LISTED_MAX) conditions.push(`_partition = ${block.partition} AND _offset IN (${missing.slice(i, i + LISTED_MAX).join(', ')})`)
  }
  return { rows, conditions }
}

async function blocksOf ({ client, table, where }: Place, signal: AbortSignal): Promise<Block[]> {
  const rows = await client.rows<{ _partition: number, block: string, n: string, all: string, total: string }>(
    `SELECT _partition, intDiv(_offset, ${BLOCK_OFFSETS}) AS block, count() AS n, groupBitXor(cityHash64(_offset)) AS all, sum(cityHash64(_offset)) AS total
     FROM ${quoteTable(table)} WHERE ${where} GROUP BY _partition, block ORDER BY _partition, block`, { settings: boundedSettings, signal })
  return rows.map(row => ({ partition: row._partition, block: Number(row.block), rows: Number(row.n), hash: `${row.all}:${row.total}` }))
}

async function offsetsOf ({ client, table, where }: Place, range: string, signal: AbortSignal): Promise<number[]> {
  const rows = await client.rows<{ _offset: string }>(`SELECT _offset FROM ${quoteTable(table)} WHERE ${where} AND ${range} ORDER BY _offset`, { settings: boundedSettings, signal })
  return rows.map(row => Number(row._offset))
}

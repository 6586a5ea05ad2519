// Count and hash of rows, whatever their order: the same rows have the same digest, and digests of disjoint rows add up.

import type { ClickHouse } from '../clickhouse/client.ts'
import { quoteName, quoteTable, quoteText } from '../clickhouse/sql.ts'
import type { TableName } from '../clickhouse/sql.ts'
import { boundedSettings } from './lanes.ts'

/** Name and type of the columns that a digest is over. */
export type Columns = ReadonlyArray<readonly [name: string, type: string]>

export interface Digest {
  readonly rows: number
  /** Of the rows' hashes: all of them xor-ed, and their sum. Either alone would miss some changes. */
  readonly xor: bigint
  readonly sum: bigint
}

export const noRows: Digest = { rows: 0, xor: 0n, sum: 0n }

export function addDigests (a: Digest, b: Digest): Digest {
  return { rows: a.rows + b.rows, xor: a.xor ^ b.xor, sum: BigInt.asUintN(64, a.sum + b.sum) }
}

/** 32 hex digits. */
export function hashOf ({ xor, sum }: Digest): string {
  return [xor, sum].map(part => part.toString(16).padStart(16, '0')).join('')
}

export interface DigestOptions {
  readonly table: TableName
  readonly where: string
  readonly columns: Columns
  readonly signal: AbortSignal
}

/** Of the rows that a condition selects, with their columns as those types. */
export async function digestOf (client: ClickHouse, { table, where, columns, signal }: DigestOptions): Promise<Digest> {
  // In a tuple a null has a hash of its own. Alone it would make the hash of the whole row null.
  const row = columns.map(([name, type]) => `CAST(${quoteName(name)}, ${quoteText(type)})`).join(', ')
  const [found] = await client.rows<{ rows: string, all: string, total: string }>(
    `SELECT count() AS rows, groupBitXor(h) AS all, sum(h) AS total FROM (SELECT cityHash64(tuple(${row})) AS h FROM ${quoteTable(table)} WHERE ${where})`, { settings: boundedSettings, signal })
  return found === undefined ? noRows : { rows: Number(found.rows), xor: BigInt(found.all), sum: BigInt(found.total) }
}

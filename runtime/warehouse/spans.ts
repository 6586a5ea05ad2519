// Where rows stand in their topic: how many a partition has, and from which offset to which.

import { quoteTable } from '../clickhouse/sql.ts'
import type { ClickHouse } from '../clickhouse/client.ts'
import type { Removal } from './removal.ts'

export interface Span {
  readonly partition: number
  readonly rows: number
  /** The least and the greatest offset. */
  readonly least: number
  readonly most: number
}

/** By partition; none for one without such rows. `where` is SQL. */
export async function spansOf (client: ClickHouse, { table, where, signal }: Pick<Removal, 'table' | 'where' | 'signal'>): Promise<Span[]> {
  const found = await client.rows<{ _partition: number, _rows: string, _least: string, _most: string }>(
    `SELECT _partition, count() AS _rows, min(_offset) AS _least, max(_offset) AS _most FROM ${quoteTable(table)} WHERE ${where} GROUP BY _partition`, { signal })
  return found.map(({ _partition: partition, _rows: rows, _least: least, _most: most }) => ({ partition, rows: Number(rows), least: Number(least), most: Number(most) }))
}

/** What covers all spans, by partition. */
export function joined (spans: ReadonlyArray<Omit<Span, 'rows'>>): Map<number, { readonly least: number, readonly most: number }> {
  const all = new Map<number, { readonly least: number, readonly most: number }>()
  for (const { partition, least, most } of spans) {
    const before = all.get(partition) ?? { least, most }
    all.set(partition, { least: Math.min(before.least, least), most: Math.max(before.most, most) })
  }
  return all
}

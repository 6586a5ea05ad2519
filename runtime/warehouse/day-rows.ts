// The rows of one topic and day, as conditions on the columns of both tables.

import { timeColumn } from '../clickhouse/ddl.ts'
import { quoteName, quoteText } from '../clickhouse/sql.ts'
import type { Topic } from '../schema.ts'
import type { DayName, Offsets } from './boundary.ts'

/** SQL: the UTC day of a row. */
export function dayOfRow (schema: Topic): string {
  return `toDate32(${quoteName(timeColumn(schema))})`
}

/** SQL: all rows of a topic and day. */
export function ofDay (schema: Topic, { topic, day }: Pick<DayName, 'topic' | 'day'>): string {
  return `_topic = ${quoteText(topic)} AND ${dayOfRow(schema)} = toDate32(${quoteText(day)})`
}

/** SQL: rows below the offset of their partition. */
export function below (offsets: Offsets): string {
  const each = [...offsets].map(([partition, offset]) => `(_partition = ${partition} AND _offset < ${offset})`)
  return each.length === 0 ? '0' : `(${each.join(' OR ')})`
}

/** SQL: rows of one version. */
export function ofVersion (version: number): string {
  return `_version = ${version}`
}

/** By partition, the higher offset of both. */
export function higher (a: Offsets, b: Offsets): Offsets {
  const all = new Map(a)
  for (const [partition, offset] of b) all.set(partition, Math.max(offset, all.get(partition) ?? offset))
  return all
}

// The rows that the suite of outputs sends: raw text, numbered in the field `n`. An output that needs other rows, or
// services of the platform, has a module like this one of its own: the process that is killed imports it, too.

import { Batch, fromRows } from '../../runtime/batch.ts'
import { fakeTopic } from './context.ts'
import type { Services, Topic } from '../../runtime/plugin.ts'

export interface RowSource {
  readonly topic: Topic
  /** Other topics that have a schema. */
  readonly topics?: readonly Topic[]
  /** Rows numbered by their offset. */
  batchOf (from: number, to: number): Batch
  services? (dataFolder: string): Promise<{ readonly services: Services, close (): Promise<void> }>
}

export const topic = fakeTopic('rows', ['n', 'text'])

/** Some time on 2 January 2024, and a minute later for each 100 rows. */
export function timeOf (offset: number): number {
  return Date.UTC(2024, 0, 2, 23, 50) + Math.floor(offset / 100) * 60_000
}

export function batchOf (from: number, to: number): Batch {
  const rows = Array.from({ length: to - from }, (_, i) => ({ n: String(from + i), text: `row ${from + i}: "ü", 株\n` }))
  return new Batch(topic, rows.length, fromRows(topic, rows).columns, { position: { partition: 0, offset: from, time: timeOf(from) }, bytes: rows.length * 50 })
}

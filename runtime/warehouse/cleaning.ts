// After a flip, what is there twice: rows of the streaming database that the version holds, and earlier versions. Nobody
// reads them any more once the longest query that was pinned before the flip has ended.

import { quoteTable } from '../clickhouse/sql.ts'
import { markCleaned } from './boundary.ts'
import type { Flip } from './boundary.ts'
import type { Dataset } from './datasets.ts'
import { below, ofDay, ofVersion } from './day-rows.ts'
import type { Lanes } from './lanes.ts'
import { holdLateWriters } from './late-writers.ts'
import { findMissing } from './missing.ts'
import type { Missing } from './missing.ts'
import { checkVersion } from './certified.ts'
import { countRows, deleteRows } from './removal.ts'
import { warehouseTable } from './views.ts'

export interface Cleaning {
  readonly lanes: Lanes
  readonly dataset: Dataset
  readonly signal: AbortSignal
}

/** Rows below the boundary in the streaming database that the version does not hold. */
export async function missingIn ({ lanes: { streaming, warehouse }, dataset, signal }: Cleaning, flip: Flip): Promise<Missing> {
  const day = ofDay(dataset.schema, flip)
  const belowBoundary = below(flip.offsets)
  const { rows, conditions } = await findMissing(
    { client: streaming, table: dataset.table, where: `${day} AND ${belowBoundary}` },
    { client: warehouse, table: warehouseTable(dataset.name), where: `${day} AND ${ofVersion(flip.version)}` },
    signal)
  // A condition may be a whole block of offsets, and late rows of the same block are not among the missing ones.
  return { rows, conditions: conditions.map(condition => `(${condition} AND ${belowBoundary})`) }
}

/**
 * Removes what a flip has made superfluous, and remembers it once counts say that nothing is left. Repeatable. Returns what
 * the version lacks, if anything: then nothing is removed, and the day has to be built again.
 */
export async function cleanUp (cleaning: Cleaning, flip: Flip): Promise<Missing> {
  const { lanes: { streaming, warehouse }, dataset, signal } = cleaning
  const fence = await holdLateWriters(streaming, { table: dataset.table, topic: flip.topic, signal })
  const missing = await missingIn(cleaning, flip)
  if (missing.rows > 0) return missing
  const day = ofDay(dataset.schema, flip)
  const twice = { table: dataset.table, where: `${day} AND ${below(flip.offsets)}`, while: fence, signal }
  // Only versions below: another process may have begun, or flipped to, a higher one.
  const earlier = { table: warehouseTable(dataset.name), where: `${day} AND _version > 0 AND _version < ${flip.version}`, signal }
  if (await countRows(streaming, twice) + await countRows(warehouse, earlier) > 0) {
    // What goes now is nowhere else then.
    await checkVersion(warehouse, dataset, flip, signal)
    await deleteRows(streaming, twice)
    await deleteRows(warehouse, earlier)
  }
  if (flip.cleanedAt === undefined) await markCleaned(warehouse, flip.seq)
  return missing
}

/** What the streaming table has of days before one. */
export async function oldRows ({ lanes: { streaming }, dataset, signal }: Cleaning, cutoffDay: string, dayOf: string): Promise<OldRows[]> {
  const rows = await streaming.rows<{ _topic: string, day: string, _partition: number, n: string, least: string, most: string }>(
    `SELECT _topic, ${dayOf} AS day, _partition, count() AS n, min(_offset) AS least, max(_offset) AS most FROM ${quoteTable(dataset.table)}
     WHERE ${dayOf} < toDate32({cutoffDay:String}) GROUP BY _topic, day, _partition ORDER BY day, _topic, _partition`, { query_params: { cutoffDay }, signal })
  return rows.map(row => ({ topic: row._topic, day: row.day, partition: row._partition, rows: Number(row.n), least: Number(row.least), most: Number(row.most) }))
}

/** What one partition has of a day that is over. */
export interface OldRows {
  readonly topic: string
  readonly day: string
  readonly partition: number
  readonly rows: number
  /** The least and the greatest offset. */
  readonly least: number
  readonly most: number
}

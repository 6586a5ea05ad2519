// Whether a version is what its certificate says.

import { PlatformError } from '../errors.ts'
import type { ClickHouse } from '../clickhouse/client.ts'
import { quoteTable } from '../clickhouse/sql.ts'
import type { DayName, Flip } from './boundary.ts'
import type { Dataset } from './datasets.ts'
import { ofDay, ofVersion } from './day-rows.ts'
import { digestOf, hashOf } from './digest.ts'
import type { Digest } from './digest.ts'
import { boundedSettings } from './lanes.ts'
import type { Removal } from './removal.ts'
import { warehouseTable } from './views.ts'

export function unverified ({ dataset, topic, day }: DayName, what: string): PlatformError {
  return new PlatformError('HANDOFF_UNVERIFIED', `${day} of ${topic} in ${dataset} is not handed over: ${what}`, {
    remedy: 'The day stays as it was for readers. Look for what else writes to these tables; the next run tries again.'
  })
}

/** The digest of a version. Throws HANDOFF_UNVERIFIED where it is not the one of its certificate: nothing may be removed or built upon it then. */
export async function checkVersion (warehouse: ClickHouse, { name, schema }: Dataset, flip: Flip, signal: AbortSignal): Promise<Digest> {
  const found = await digestOf(warehouse, { table: warehouseTable(name), where: `${ofDay(schema, flip)} AND ${ofVersion(flip.version)}`, columns: flip.columns, signal })
  if (found.rows === flip.rows && hashOf(found) === flip.hash) return found
  throw unverified(flip, `version ${flip.version} in the warehouse has ${found.rows} rows with hash ${hashOf(found)}, and its certificate says ${flip.rows} rows with hash ${flip.hash}: somebody has changed it`)
}

/** Throws HANDOFF_UNVERIFIED where a position is among the rows more than once: both sides of a comparison may count it twice. */
export async function checkOnce (warehouse: ClickHouse, day: DayName, { table, where, signal }: Removal): Promise<void> {
  const [row] = await warehouse.rows<{ twice: string }>(
    `SELECT count() AS twice FROM (SELECT 1 FROM ${quoteTable(table)} WHERE ${where} GROUP BY _topic, _partition, _offset HAVING count() > 1)`, { settings: boundedSettings, signal })
  if (Number(row?.twice) > 0) throw unverified(day, `${row?.twice} positions are there more than once`)
}

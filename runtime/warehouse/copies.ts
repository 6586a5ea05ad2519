// The boundary on two servers. The warehouse has the authority; the streaming database has a copy, because its views
// cannot ask another server for each query.

import { quoteTable } from '../clickhouse/sql.ts'
import { boundaryTable, flipColumns, flipValues, readFlips } from './boundary.ts'
import { beginBuild } from './builds.ts'
import type { Lanes } from './lanes.ts'
import { deleteRows } from './removal.ts'

/**
 * Makes the copy what the warehouse says, after a crash between the two. A flip that only the copy has was never seen by a
 * reader who pins a boundary; it goes before there is a higher one, which would bring it to light.
 */
export async function alignCopies (lanes: Lanes, signal: AbortSignal): Promise<void> {
  const { streaming, warehouse } = lanes
  if (streaming === warehouse) return
  const [copy, authority] = [await readFlips(streaming), await readFlips(warehouse)]
  const [known, valid] = [new Set(copy.map(({ seq }) => seq)), new Set(authority.map(({ seq }) => seq))]
  const lost = authority.filter(({ seq }) => !known.has(seq))
  const wrong = copy.filter(({ seq }) => !valid.has(seq))
  if (lost.length === 0 && wrong.length === 0) return
  // Nothing of a flip that is under way can land from here on.
  const build = await beginBuild(lanes, { dataset: '', topic: '', day: '1970-01-01' }, signal)
  // Only flips below the own number: a process that was paused here does not know those that others have made since.
  await deleteRows(streaming, { table: boundaryTable, where: `seq < ${build.number} AND seq NOT IN (${[0, ...(await readFlips(warehouse)).map(({ seq }) => seq)].join(', ')})`, signal })
  const missing = (await readFlips(warehouse)).filter(({ seq }) => !known.has(seq))
  for (const flip of missing) await streaming.command(`INSERT INTO ${quoteTable(boundaryTable)} (${flipColumns.join(', ')}) SELECT ${flipValues(flip)} WHERE ${build.fence}`, { signal })
}

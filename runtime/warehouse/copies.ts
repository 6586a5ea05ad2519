// The boundary on two servers. The warehouse has the authority; the streaming database has a copy, because its views
// cannot ask another server for each query.

import { quoteTable } from '../clickhouse/sql.ts'
import { boundaryTable, flipColumns, flipValues, readFlips } from './boundary.ts'
import type { Flip } from './boundary.ts'
import { beginBuild } from './builds.ts'
import type { Build } from './builds.ts'
import type { Lanes } from './lanes.ts'
import { deleteRows } from './removal.ts'

/**
 * Makes the copy what the warehouse says, after a crash between the two. A flip that only the copy has was never seen by a
 * reader who pins a boundary; it goes before there is a higher one, which would bring it to light.
 */
export async function alignCopies (lanes: Lanes, signal: AbortSignal): Promise<void> {
  if (lanes.streaming === lanes.warehouse || isAligned(await differences(lanes))) return
  // Nothing of a flip that is under way can land from here on.
  await alignBehind(lanes, await beginBuild(lanes, { dataset: '', topic: '', day: '1970-01-01' }, signal), signal)
}

/** The same for who has begun a build and is about to flip: a flip of a moment ago may have failed between the two. */
export async function alignBehind (lanes: Lanes, build: Build, signal: AbortSignal): Promise<void> {
  const { streaming, warehouse } = lanes
  if (streaming === warehouse) return
  const { valid, lost, wrong } = await differences(lanes)
  // Only flips below the own number: a process that was paused here does not know those that others have made since.
  if (wrong.length > 0) await deleteRows(streaming, { table: boundaryTable, where: `seq < ${build.number} AND seq NOT IN (${[0, ...valid.map(({ seq }) => seq)].join(', ')})`, signal })
  for (const flip of lost) await streaming.command(`INSERT INTO ${quoteTable(boundaryTable)} (${flipColumns.join(', ')}) SELECT ${flipValues(flip)} WHERE ${build.fence}`, { signal })
}

interface Differences {
  /** Those of the warehouse. */
  readonly valid: readonly Flip[]
  /** Of these, what the copy lacks. */
  readonly lost: readonly Flip[]
  /** What the copy alone has. */
  readonly wrong: readonly Flip[]
}

async function differences ({ streaming, warehouse }: Lanes): Promise<Differences> {
  const [copy, valid] = [await readFlips(streaming), await readFlips(warehouse)]
  const [known, named] = [new Set(copy.map(({ seq }) => seq)), new Set(valid.map(({ seq }) => seq))]
  return { valid, lost: valid.filter(({ seq }) => !known.has(seq)), wrong: copy.filter(({ seq }) => !named.has(seq)) }
}

function isAligned ({ lost, wrong }: Differences): boolean {
  return lost.length === 0 && wrong.length === 0
}

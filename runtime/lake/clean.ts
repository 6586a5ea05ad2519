// Files that readers do not go by: replaced ones, and those of a flush or a merge that ended before its commit.

import { KEEP_MS } from './table.ts'
import type { ObjectEntry, Objects } from '../objects/objects.ts'
import type { LakeTable } from './table.ts'

/**
 * Removes files that were replaced, or were never committed, more than a day ago: by then nobody reads them any more,
 * and nobody will commit them. Resolves to how many there were.
 */
export async function removeUnlisted (objects: Objects, table: LakeTable, { now, signal }: { readonly now: () => number, readonly signal: AbortSignal }): Promise<number> {
  // First the names, then the list: whatever is committed in between is in the list.
  const entries: ObjectEntry[] = []
  for await (const entry of objects.list(`${table.topic}/date=`)) entries.push(entry)
  const { files, removed } = await table.read()
  const listed = new Set(files.map(({ name }) => name))
  const removedAt = new Map(removed.map(({ name, at }) => [name, at]))
  const due = now() - KEEP_MS
  let count = 0
  for (const { name, modifiedAt } of entries) {
    signal.throwIfAborted()
    if (listed.has(name) || (removedAt.get(name) ?? modifiedAt) >= due) continue
    await objects.delete(name)
    count++
  }
  const gone = removed.filter(({ at }) => at < due).map(({ name }) => name)
  if (gone.length > 0) await table.commit({ forget: gone })
  return count
}

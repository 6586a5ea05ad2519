// What a topic file holds, and what may go from it.

import type { Topic } from '../schema.ts'
import type { TopicState } from './broker.ts'
import type { TopicFile } from './topic-file.ts'

/** Removed at once: appends wait for the lock meanwhile. */
const BATCHES_AT_ONCE = 64

/** Offsets that a partition holds: [first, next). */
export function bounds (file: TopicFile, partition: number): { first: number, next: number } {
  const row = file.get<{ first: number | null, next: number }>(
    'select (select min(base) from log where partition = ?1) as first, next from partitions where partition = ?1', partition)
  return { first: row?.first ?? row?.next ?? 0, next: row?.next ?? 0 }
}

export function inspect (file: TopicFile, name: string, now: number): TopicState {
  const pages = file.get<{ bytes: number }>('select (page_count - freelist_count) * page_size as bytes from pragma_page_count, pragma_freelist_count, pragma_page_size')
  const partitions = file.all<{ partition: number, next: number }>('select partition, next from partitions order by partition').map(({ partition, next }) => ({
    partition,
    first: bounds(file, partition).first,
    next,
    time: file.get<{ time: number }>('select time from log where partition = ? order by base desc limit 1', partition)?.time ?? 0
  }))
  const groups = file.all<{ group: string, partition: number, offset: number }>('select name as "group", partition, offset from groups order by name, partition').map(row => {
    const oldest = file.get<{ time: number }>('select time from log where partition = ?1 and base >= coalesce((select base from log where partition = ?1 and base <= ?2 and base + rows > ?2 order by base desc limit 1), ?2) order by base limit 1', row.partition, row.offset)
    return { ...row, lagMs: oldest === undefined ? 0 : Math.max(0, now - oldest.time) }
  })
  return { name, bytes: pages?.bytes ?? 0, partitions, groups }
}

interface LogPlace { readonly id: number, readonly partition: number, readonly base: number, readonly rows: number, readonly time: number, readonly bytes: number }

/** Removes old rows and, where the topic is too large, the oldest ones; never those that one of `groups` still needs. */
export function trim (file: TopicFile, topic: Topic, now: number, groups: readonly string[]): number {
  const { ms, bytes, beyondOutputs } = topic.retention
  const ends = file.all<{ partition: number, next: number }>('select partition, next from partitions').map(({ partition, next }) => ({
    partition, needed: beyondOutputs ? next : neededFrom(file, partition, groups) ?? next
  }))
  let removed = removeOldest(file, ends, row => row.time < now - ms)
  let excess = inspect(file, topic.name, now).bytes - bytes
  // A row's size on disk is a little more than its frame, so that a second round may be due.
  while (excess > 0) {
    let freed = 0
    const gone = removeOldest(file, ends, row => freed < excess && (freed += row.bytes) > 0)
    if (gone === 0) break
    removed += gone
    excess = inspect(file, topic.name, now).bytes - bytes
  }
  if (removed > 0) file.all('pragma incremental_vacuum(4096)')
  return removed
}

/** The lowest offset that one of the groups has not committed. */
function neededFrom (file: TopicFile, partition: number, groups: readonly string[]): number | undefined {
  const offsets = groups.map(group => file.get<{ offset: number }>('select offset from groups where name = ? and partition = ?', group, partition)?.offset ?? 0)
  return offsets.length === 0 ? undefined : Math.min(...offsets)
}

/** Removes whole batches, oldest first, as long as nobody needs them and `removable` says so. Some at a time: appends wait for the lock. */
function removeOldest (file: TopicFile, ends: ReadonlyArray<{ partition: number, needed: number }>, removable: (row: LogPlace) => boolean): number {
  let removed = 0
  while (true) {
    const oldest = ends.flatMap(({ partition, needed }) => file.all<LogPlace>(
      `select id, partition, base, rows, time, length(body) as bytes from log where partition = ?1 and base + rows <= ?2 order by base limit ${BATCHES_AT_ONCE}`, partition, needed))
    // Ids grow in the order of the appends, over all partitions.
    const kept = new Set<number>()
    const gone = oldest.sort((a, b) => a.id - b.id).slice(0, BATCHES_AT_ONCE).filter(row => {
      // A batch that stays keeps all behind it in its partition: a log has no holes, whatever the clock did.
      if (!kept.has(row.partition) && removable(row)) return true
      kept.add(row.partition)
      return false
    })
    if (gone.length === 0) return removed
    file.transaction(() => { for (const { id } of gone) file.change('delete from log where id = ?', id) })
    removed += gone.reduce((sum, row) => sum + row.rows, 0)
    if (gone.length < BATCHES_AT_ONCE) return removed
  }
}

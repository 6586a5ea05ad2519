// Looks at the rows of a file that the manifest does not know, or knows by another rule of the event time.

import { PlatformError } from '../errors.ts'
import { SpanCount } from './event-time.ts'
import { openLocal } from './local-file.ts'
import { readRows } from './read.ts'
import type { Objects } from '../objects/objects.ts'
import type { Topic } from '../schema.ts'
import type { EventTimes } from './event-time.ts'
import type { LakeFile } from './manifest.ts'
import type { LakeTable } from './table.ts'

/** Commits what its rows say: event times, days, ingest times, and its sha256 where that was not known. */
export async function measure (objects: Objects, table: LakeTable, file: LakeFile, { schema, events, signal }: { readonly schema: Topic, readonly events: EventTimes, readonly signal: AbortSignal }): Promise<void> {
  const local = await openLocal(objects, file, signal)
  try {
    const span = new SpanCount()
    let rows = 0
    let ingest = { from: Infinity, to: -Infinity }
    for await (const batch of readRows(local, file.partition, { topic: schema, fields: [], exactTimes: true, signal })) {
      const { time } = batch.position
      rows += batch.length
      span.add(events.of(batch))
      ingest = { from: Math.min(ingest.from, time), to: Math.max(ingest.to, time) }
    }
    if (rows !== file.rows) throw new PlatformError('LAKE_DAMAGED', `The file has ${rows} rows, and its footer says ${file.rows}`, { where: `${objects.address}/${file.name}` })
    const { unread: _, ...known } = file
    const seen: LakeFile = { ...known, sha256: local.sha256, ingest, ...span.span, rule: events.rule }
    await table.commit({ add: [seen], remove: [file.name] })
  } finally {
    await local.close()
  }
}

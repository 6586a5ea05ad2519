// A backup brought back into a scratch place, to know before it is needed whether it can be: topics and control.db as a
// whole, the newest partitions of tables in an engine of their own up to a bound, and every other blob by its hash.

import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { connectClickHouse } from '../clickhouse/client.ts'
import { startEmbedded } from '../clickhouse/embedded.ts'
import { blobsOf, damaged } from './manifest.ts'
import { restoreControl } from './restore.ts'
import { restoreTables } from './tables.ts'
import { restoreTopic } from './topics.ts'
import type { Topic } from '../schema.ts'
import type { Backup, Blob, TablePart } from './manifest.ts'
import type { Making } from './make.ts'
import type { BackupPlace } from './place.ts'

/** Of the tables that are brought back; more would take a machine of its own. */
const TABLE_BYTES_MAX = 2 * 2 ** 30
const ENGINE_BYTES_MAX = 2 ** 30

export interface Verified {
  readonly topics: number
  /** Rows of tables that were brought back and compared. */
  readonly rows: number
  /** Of blobs that were compared with their hashes only. */
  readonly bytesRead: number
}

/** Throws BACKUP_DAMAGED. The scratch folder is removed in any case. */
export async function verifyBackup (backup: Backup, place: BackupPlace, { scratch, schemas, ...making }: Making & { readonly scratch: string, readonly schemas: ReadonlyMap<string, Topic> }): Promise<Verified> {
  const { signal, say } = making
  await rm(scratch, { recursive: true, force: true })
  try {
    for (const topic of backup.topics) {
      signal.throwIfAborted()
      say(`Bringing back the topic ${topic.topic}`)
      await restoreTopic(join(scratch, 'topics'), topic, place)
      // One at a time: the disk has to hold the largest one, not all.
      await rm(join(scratch, 'topics'), { recursive: true })
    }
    await restoreControl(backup, place, scratch)
    checkControl(join(scratch, 'control.db'))
    const chosen = newestParts(backup)
    const rows = await bringTables(backup, place, { ...making, chosen, schemas, folder: join(scratch, 'clickhouse') })
    const done = new Set([...backup.topics.map(({ blob }) => blob), backup.control.blob, ...[...chosen].flatMap(({ blobs }) => blobs.map(({ blob }) => blob))])
    let bytesRead = 0
    for (const blob of blobsOf(backup).values()) {
      if (done.has(blob.blob)) continue
      signal.throwIfAborted()
      bytesRead += await readThrough(place, blob)
    }
    return { topics: backup.topics.length, rows, bytesRead }
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

function newestParts ({ tables }: Backup): Set<TablePart> {
  const parts = tables.flatMap(({ parts }) => [...parts].reverse().map((part, age) => ({ part, age }))).sort((a, b) => a.age - b.age)
  const chosen = new Set<TablePart>()
  let bytes = 0
  for (const { part } of parts) {
    bytes += part.blobs.reduce((sum, blob) => sum + blob.bytes, 0)
    if (bytes > TABLE_BYTES_MAX) break
    chosen.add(part)
  }
  return chosen
}

async function bringTables (backup: Backup, place: BackupPlace, { folder, chosen, schemas, signal, onRows }: Making & { readonly folder: string, readonly chosen: ReadonlySet<TablePart>, readonly schemas: ReadonlyMap<string, Topic> }): Promise<number> {
  // What stands on two servers would meet in one engine: the warehouse's copy counts.
  const tables = backup.tables.filter(({ server, database, table }) => server === 'warehouse' || !backup.tables.some(other => other.server === 'warehouse' && other.database === database && other.table === table))
  if (tables.length === 0) return 0
  const engine = await startEmbedded({ folder, memoryBytesMax: ENGINE_BYTES_MAX, log: { info () {}, warn () {}, error () {} }, signal })
  try {
    const client = await connectClickHouse(engine.url, { statementSeconds: 3600, signal })
    try {
      await restoreTables(client, tables, { schemas, place, signal, onRows, wanted: part => chosen.has(part) })
    } finally {
      await client.close()
    }
  } finally {
    await engine.close()
  }
  return tables.reduce((sum, { parts }) => sum + parts.filter(part => chosen.has(part)).reduce((sum, { rows }) => sum + rows, 0), 0)
}

function checkControl (path: string): void {
  const database = new DatabaseSync(path, { readOnly: true })
  try {
    const [check] = database.prepare('pragma integrity_check(1)').all() as Array<{ integrity_check: string }>
    if (check?.integrity_check !== 'ok') throw damaged(path, `control.db is torn: ${check?.integrity_check}`)
  } finally {
    database.close()
  }
}

async function readThrough (place: BackupPlace, blob: Blob): Promise<number> {
  let bytes = 0
  for await (const chunk of place.stream(blob)) bytes += (chunk as Uint8Array).length
  return bytes
}

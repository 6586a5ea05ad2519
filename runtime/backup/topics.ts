// Topics of the embedded broker, as consistent copies of their files: rows, checkpoints, offsets and intents of one moment.

import { createWriteStream, existsSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { backup as copyDatabase, DatabaseSync } from 'node:sqlite'
import { pipeline } from 'node:stream/promises'
import { makeFolder } from '../durable.ts'
import { damaged } from './manifest.ts'
import type { BackupPlace } from './place.ts'
import type { BackedTopic, Blob } from './manifest.ts'

/** A copy in several rounds would begin anew with each row that comes meanwhile; writers are not held up by a reader. */
const ALL_PAGES = 2 ** 31 - 1
const BUSY_MS = 5000

/** Databases as they are at one moment, to be copied while others go on writing to them. */
export interface Pinned {
  /** One of them, as one file without a log beside it. */
  copy (file: string, to: string): Promise<void>
  close (): void
}

/**
 * Pins all databases at the same moment: for a few milliseconds nobody can write to any of them. An output that fills
 * another topic writes to one and then commits in the other, so copies of two moments would not fit together.
 */
export function pin (files: readonly string[]): Pinned {
  const writers: DatabaseSync[] = []
  const readers = new Map<string, DatabaseSync>()
  const close = (databases: Iterable<DatabaseSync>): void => {
    for (const database of databases) if (database.isOpen) database.close()
  }
  try {
    // In the order of their names: two that pin wait for each other, and not for ever.
    for (const file of [...files].sort()) {
      const writer = new DatabaseSync(file, { timeout: BUSY_MS })
      writers.push(writer)
      writer.exec('begin immediate')
    }
    for (const file of files) {
      const reader = new DatabaseSync(file, { timeout: BUSY_MS })
      readers.set(file, reader)
      reader.exec('begin')
      reader.prepare('select count(*) from sqlite_schema').get()
    }
  } catch (error) {
    close(readers.values())
    throw error
  } finally {
    close(writers)
  }
  return {
    async copy (file, to) {
      const reader = readers.get(file)
      if (reader === undefined) throw new Error(`${file} is not pinned`)
      await copyDatabase(reader, to, { rate: ALL_PAGES })
      reader.close()
      const copy = new DatabaseSync(to)
      try {
        copy.exec('pragma journal_mode = delete')
      } finally {
        copy.close()
      }
    },
    close: () => close(readers.values())
  }
}

/** A copy of one database that is being written to. */
export async function copyOf (file: string, to: string): Promise<void> {
  const pinned = pin([file])
  try {
    await pinned.copy(file, to)
  } finally {
    pinned.close()
  }
}

/** Copies one topic into the place. */
export async function backUpTopic (path: string, topic: string, pinned: Pinned, place: BackupPlace): Promise<BackedTopic> {
  const copy = await place.scratchFile()
  await pinned.copy(path, copy)
  const database = new DatabaseSync(copy, { readOnly: true })
  let told: Pick<BackedTopic, 'rows' | 'groups'>
  try {
    const { rows } = database.prepare('select coalesce(sum(rows), 0) as rows from log').get() as { rows: number }
    const groups = database.prepare('select name as "group", partition, offset from groups order by name, partition').all() as unknown as BackedTopic['groups']
    told = { rows, groups: groups.map(({ group, partition, offset }) => ({ group, partition, offset })) }
  } finally {
    database.close()
  }
  return { topic, ...await place.storeFile(copy, { compressed: true, remove: true }), epoch: epochOf(path), ...told }
}

/**
 * Brings a topic back. `above`: by partition, offsets below are known to a lake that was not brought back, because it was never lost.
 * The next rows get others, or the lake would take them for what it holds.
 */
export async function restoreTopic (folder: string, { topic, epoch, rows, ...blob }: BackedTopic, place: BackupPlace, above: ReadonlyMap<number, number> = new Map()): Promise<void> {
  await makeFolder(folder)
  const path = join(folder, `${topic}.db`)
  await writeBlob(place, blob, path)
  await writeFile(`${path}.epoch`, String(epoch))
  const database = new DatabaseSync(path)
  try {
    checkRows(database, rows, path)
    // Who has taken all rows goes on behind the gap.
    for (const [partition, offset] of above) {
      database.prepare('update groups set offset = ?1 where partition = ?2 and intent is null and offset < ?1 and offset = (select next from partitions where partition = ?2)').run(offset, partition)
      database.prepare('update partitions set next = max(next, ?) where partition = ?').run(offset, partition)
    }
  } finally {
    database.close()
  }
}

function checkRows (database: DatabaseSync, rows: number, path: string): void {
  const found = database.prepare('select coalesce(sum(rows), 0) as rows from log').get() as { rows: number }
  const [check] = database.prepare('pragma quick_check(1)').all() as Array<{ quick_check: string }>
  if (found.rows !== rows || check?.quick_check !== 'ok') throw damaged(path, `a topic has ${found.rows} rows where ${rows} belong, or its file is torn`)
}

export async function writeBlob (place: BackupPlace, blob: Blob, path: string): Promise<void> {
  await pipeline(place.stream(blob), createWriteStream(path, { mode: 0o600, flush: true }))
}

function epochOf (path: string): number {
  return existsSync(`${path}.epoch`) ? Number.parseInt(readFileSync(`${path}.epoch`, 'utf8'), 10) || 0 : 0
}

// Topics of the embedded broker, as consistent copies of their files: rows, checkpoints, offsets and intents of one moment.

import { existsSync, readFileSync } from 'node:fs'
import { createWriteStream } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { backup as copyDatabase, DatabaseSync } from 'node:sqlite'
import { pipeline } from 'node:stream/promises'
import { offsetBehind } from '../broker/epoch.ts'
import { makeFolder } from '../durable.ts'
import { damaged } from './manifest.ts'
import type { Pipeline } from '../pipeline.ts'
import type { BackupPlace } from './place.ts'
import type { BackedTopic, Blob } from './manifest.ts'

/** A copy in several rounds would begin anew with each row that comes meanwhile; writers are not held up by a reader. */
const ALL_PAGES = 2 ** 31 - 1
/** Offsets of two lives of a topic are apart by that. */
const EPOCH_ROWS = 2 ** 40

/** A copy of a database that is being written to, as one file without a log beside it. */
export async function copyOf (file: string, to: string): Promise<void> {
  const source = new DatabaseSync(file, { readOnly: true, timeout: 5000 })
  try {
    await copyDatabase(source, to, { rate: ALL_PAGES })
  } finally {
    source.close()
  }
  const copy = new DatabaseSync(to)
  try {
    copy.exec('pragma journal_mode = delete')
  } finally {
    copy.close()
  }
}

/**
 * Topics in the order in which they are copied: one that an output fills comes after the one it is filled from, and refused
 * rows after the rows they were among. So no commit is in a copy whose rows are in none.
 */
export function inOrder (topics: readonly string[], pipelines: readonly Pipeline[]): string[] {
  const sources = new Map<string, Set<string>>()
  for (const { topic, outputs } of pipelines) {
    for (const { plugin, config } of outputs) {
      const into = plugin === 'topic' ? String(config['topic'] ?? '') : ''
      if (into !== '' && into !== topic) sources.set(into, new Set([...sources.get(into) ?? [], topic]))
    }
  }
  const done = new Set<string>()
  const visit = (topic: string, way: readonly string[]): void => {
    if (done.has(topic) || way.includes(topic)) return
    const before = topic.endsWith('.rejected') ? [topic.slice(0, -'.rejected'.length)] : [...sources.get(topic) ?? []]
    for (const source of before) visit(source, [...way, topic])
    done.add(topic)
  }
  for (const topic of topics) visit(topic, [])
  return [...done].filter(topic => topics.includes(topic))
}

/** Copies one topic into the place. */
export async function backUpTopic (folder: string, topic: string, place: BackupPlace): Promise<BackedTopic> {
  const path = join(folder, `${topic}.db`)
  const copy = await place.scratchFile()
  await copyOf(path, copy)
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
 * Brings a topic back. Its next rows get offsets above all that were ever used: rows that came after the backup may still
 * be at destinations that were not restored, and would be taken for the new ones. `above`: such offsets that are known.
 */
export async function restoreTopic (folder: string, { topic, epoch, rows, ...blob }: BackedTopic, place: BackupPlace, above: number): Promise<void> {
  await makeFolder(folder)
  const path = join(folder, `${topic}.db`)
  await writeBlob(place, blob, path)
  const database = new DatabaseSync(path)
  try {
    checkRows(database, rows, path)
    const next = (database.prepare('select next from partitions').all() as Array<{ next: number }>).map(row => row.next)
    await writeFile(`${path}.epoch`, String(epoch))
    const base = offsetBehind(path, [...next, above])
    await writeFile(`${path}.epoch`, String(base / EPOCH_ROWS))
    database.prepare('update partitions set next = ?').run(base)
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

// A backup into an empty data folder. While it is under way, `restoring.json` keeps the platform from starting on half of
// it; a restore that was ended begins anew.

import { existsSync, readdirSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { connectClickHouse } from '../clickhouse/client.ts'
import { startEmbedded } from '../clickhouse/embedded.ts'
import { describeTable } from '../clickhouse/migrate.ts'
import { quoteTable } from '../clickhouse/sql.ts'
import { makeFolder, writeDurably } from '../durable.ts'
import { PlatformError } from '../errors.ts'
import { readFiles } from '../files.ts'
import { lockFolder } from '../lock.ts'
import { restoreFiles } from './bundle.ts'
import { restoreLake } from './lakes.ts'
import { restoreTables } from './tables.ts'
import { restoreTopic, writeBlob } from './topics.ts'
import type { ClickHouse } from '../clickhouse/client.ts'
import type { PlatformConfig } from '../config.ts'
import type { Backup } from './manifest.ts'
import type { Making } from './make.ts'
import type { BackupPlace } from './place.ts'

const MARK = 'restoring.json'
const STATEMENT_SECONDS = 3600
/** What a lock leaves in a folder that holds nothing. */
const harmless = new Set(['lock.db', 'lock.db-wal', 'lock.db-shm', 'lock.db-journal', 'owner', 'cache'])

export interface RestoreOptions extends Making {
  readonly root: string
  readonly config: Pick<PlatformConfig, 'dataFolder' | 'clickhouse' | 'warehouse' | 'clickhouseMemoryGigabytes' | 'kafka'>
  /** The files of the project stay as they are, also those that are missing. */
  readonly keepFiles: boolean
}

export interface Restored {
  /** Project files that differ from those of the backup, and were left. */
  readonly filesKept: readonly string[]
}

/** Throws where a restore into the folder was begun and has not ended. */
export function checkRestored ({ dataFolder }: Pick<PlatformConfig, 'dataFolder'>): void {
  if (!existsSync(join(dataFolder, MARK))) return
  throw new PlatformError('BACKUP_REFUSED', 'A restore into this data folder has not ended', { where: dataFolder, remedy: 'Run npx twolane restore again; it begins anew.' })
}

/** Throws BACKUP_REFUSED where the folder, or a table of a server, holds something; BACKUP_DAMAGED where the backup is not what it was. */
export async function restoreBackup (backup: Backup, place: BackupPlace, options: RestoreOptions): Promise<Restored> {
  const { root, config: { dataFolder, kafka }, keepFiles, signal, say } = options
  await emptied(dataFolder)
  if (backup.broker === 'embedded' && backup.topics.length > 0 && kafka !== undefined) throw new PlatformError('BACKUP_REFUSED', 'The backup holds topics of the embedded broker, and the configuration names Kafka', { remedy: 'Restore it with TWOLANE_BROKER=embedded, then use npx twolane move.' })
  const lock = lockFolder(dataFolder)
  try {
    const mark = join(dataFolder, MARK)
    await writeDurably(mark, JSON.stringify({ id: backup.id, at: new Date().toISOString() }))
    say('Bringing back files')
    const filesKept = await restoreFiles(backup, place, { root: keepFiles ? undefined : root, dataFolder })
    const files = await readFiles(root)
    const pipelines = [...files.pipelines.values()]
    const above = new Map<string, ReadonlyMap<number, number>>()
    for (const lake of backup.lakes) {
      say(`Bringing back the lake of ${lake.topic}`)
      above.set(lake.topic, highest(above.get(lake.topic), await restoreLake(lake, pipelines, { place, dataFolder, signal })))
    }
    for (const topic of backup.topics) {
      signal.throwIfAborted()
      say(`Bringing back the topic ${topic.topic}`)
      await restoreTopic(join(dataFolder, 'topics'), topic, place, above.get(topic.topic))
    }
    await bringTables(backup, place, { ...options, schemas: files.schemas })
    await restoreControl(backup, place, dataFolder)
    await rm(mark)
    return { filesKept }
  } finally {
    lock.release()
  }
}

function highest (one: ReadonlyMap<number, number> = new Map(), other: ReadonlyMap<number, number>): Map<number, number> {
  const found = new Map(one)
  for (const [partition, offset] of other) found.set(partition, Math.max(offset, found.get(partition) ?? 0))
  return found
}

/** What an earlier restore has begun is removed; anything else is left, and refused. */
async function emptied (dataFolder: string): Promise<void> {
  await makeFolder(dataFolder)
  const there = readdirSync(dataFolder).filter(name => !harmless.has(name))
  if (there.includes(MARK)) {
    for (const name of there.filter(name => name !== MARK)) await rm(join(dataFolder, name), { recursive: true, force: true })
  } else if (there.length > 0) {
    throw new PlatformError('BACKUP_REFUSED', `The data folder is not empty: it has ${there.slice(0, 5).join(', ')}`, { where: dataFolder, remedy: 'Move it away, or name another one with TWOLANE_DATA.' })
  }
}

/** The admin token stays with the installation that had it: the first start shows a new one. */
export async function restoreControl ({ control }: Backup, place: BackupPlace, dataFolder: string): Promise<void> {
  const path = join(dataFolder, 'control.db')
  await makeFolder(dataFolder)
  await writeBlob(place, control, path)
  const database = new DatabaseSync(path)
  try {
    database.exec('delete from secrets where name = \'admin\'')
  } finally {
    database.close()
  }
}

async function bringTables (backup: Backup, place: BackupPlace, { config: { dataFolder, clickhouse, warehouse, clickhouseMemoryGigabytes }, ...rest }: RestoreOptions & { readonly schemas: Parameters<typeof restoreTables>[2]['schemas'] }): Promise<void> {
  if (backup.tables.length === 0) return
  const embedded = clickhouse === 'embedded' ? await startEmbedded({ folder: join(dataFolder, 'clickhouse'), memoryBytesMax: clickhouseMemoryGigabytes * 2 ** 30, log: { info () {}, warn () {}, error () {} } }) : undefined
  try {
    const streaming = embedded?.url ?? clickhouse
    for (const [server, url] of [['streaming', streaming], ['warehouse', warehouse ?? streaming]] as const) {
      const tables = backup.tables.filter(table => table.server === server)
      if (tables.length === 0) continue
      rest.say(`Bringing back the tables of the ${server} database`)
      const client = await connectClickHouse(url, { statementSeconds: STATEMENT_SECONDS, signal: rest.signal })
      try {
        for (const table of tables) await checkEmpty(client, table)
        await restoreTables(client, tables, { ...rest, place })
      } finally {
        await client.close()
      }
    }
  } finally {
    await embedded?.close()
  }
}

async function checkEmpty (client: ClickHouse, { database, table }: { readonly database: string, readonly table: string }): Promise<void> {
  if (await describeTable(client, { database, table }) === undefined) return
  const [row] = await client.rows<{ rows: string }>(`SELECT count() AS rows FROM ${quoteTable({ database, table })}`)
  if (Number(row?.rows) > 0) throw new PlatformError('BACKUP_REFUSED', `${database}.${table} holds ${row?.rows} rows at ${client.address} already`, { remedy: 'Drop or rename that table, or choose another server.' })
}

// The backups of an installation: where they go, which there are, and whether they could be brought back. The job `backup`
// makes one each day where a place is set, and keeps as many as it is told.

import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { describe, PlatformError } from '../errors.ts'
import { transaction } from '../sqlite.ts'
import { makeBackup } from './make.ts'
import { totalsOf } from './manifest.ts'
import { openPlace } from './place.ts'
import { verifyBackup } from './verify.ts'
import type { DatabaseSync } from 'node:sqlite'
import type { Note } from '../health/facts.ts'
import type { Opening } from '../platform.ts'
import type { Backup, Totals } from './manifest.ts'
import type { Making } from './make.ts'
import type { BackupPlace } from './place.ts'

const CHECKS_MAX = 1000
const REQUESTS_MAX = 100
const PLACES_MAX = 20
const DAY_MS = 86_400_000
/** A daily backup may be late by half a day. */
const AGE_MS_MAX = 1.5 * DAY_MS

export interface Check {
  /** ms since 1970. */
  readonly at: number
  readonly ok: boolean
  readonly detail: string
}

export interface KnownBackup extends Totals {
  readonly id: string
  readonly at: string
  readonly ms: number
  readonly leftOut: readonly string[]
  /** The newest one; undefined: nobody has tried to bring it back. */
  readonly check: Check | undefined
}

export class Backups {
  readonly #platform: Opening
  readonly #database: DatabaseSync
  /** Places that the holder of the admin token asked for, until the run begins. */
  readonly #requests = new Map<string, string>()
  readonly #known = new Map<string, Omit<KnownBackup, 'check'>>()

  constructor (platform: Opening) {
    this.#platform = platform
    this.#database = platform.store.database
    this.#database.exec(`
      create table if not exists backups (id text primary key, at integer not null, place text not null) strict;
      create table if not exists backup_places (place text primary key, since integer not null) strict;
      create table if not exists backup_checks (id text primary key, at integer not null, ok integer not null, detail text not null) strict;
    `)
  }

  /** Empty: none is set, and no backup is made by itself. */
  get address (): string {
    return this.#platform.config.backupTo
  }

  /** Throws BACKUP_REFUSED where none is set. */
  checkPlace (): void {
    if (this.address === '') throw new PlatformError('BACKUP_REFUSED', 'No place for backups is set', { remedy: 'Set backup_to in config/platform.yaml, or name one: npx twolane backup --to folder.' })
  }

  /** A word for the params of a run, which stands for the place. */
  request (address: string): string {
    const word = randomUUID()
    this.#requests.set(word, address)
    for (const oldest of this.#requests.keys()) if (this.#requests.size > REQUESTS_MAX) this.#requests.delete(oldest)
    return word
  }

  /** Newest first. Throws where no place is set, or it cannot be reached. */
  async list (): Promise<KnownBackup[]> {
    return this.#at(this.address, async place => {
      const found: KnownBackup[] = []
      for (const id of await place.ids()) found.push({ ...await this.#describe(place, id), check: this.#checkOf(id) })
      return found
    })
  }

  /** Makes one in the place that a word stands for, or in the one that is set; resolves to its id. */
  async make (word: string | undefined, making: Making): Promise<Backup> {
    const address = word === undefined ? this.address : this.#requests.get(word) ?? ''
    const { root, config, version, broker, clickhouse, warehouse, supervisor } = this.#platform
    return this.#at(address, async place => {
      const backup = await makeBackup({ root, dataFolder: config.dataFolder, version, embeddedBroker: config.kafka === undefined, broker, clickhouse, warehouse, pipelines: [...supervisor.files.pipelines.values()], schemas: supervisor.schemas }, place, making)
      transaction(this.#database, () => {
        this.#database.prepare('insert or replace into backups (id, at, place) values (?, ?, ?)').run(backup.id, Date.parse(backup.at), place.address)
        this.#database.prepare('delete from backups where id in (select id from backups order by at desc limit -1 offset ?)').run(CHECKS_MAX)
      })
      if (word === undefined) for (const id of await place.prune(config.backupKeep)) this.#known.delete(id)
      return backup
    })
  }

  /** Brings one back into a scratch place. Throws BACKUP_DAMAGED; either way what was found is kept. */
  async verify (id: string | undefined, making: Making): Promise<string> {
    const { config, supervisor } = this.#platform
    return this.#at(this.address, async place => {
      const wanted = id ?? (await place.ids())[0]
      if (wanted === undefined) throw new PlatformError('NOT_FOUND', 'There is no backup yet', { where: place.address, remedy: 'Make one: npx twolane backup.' })
      try {
        const backup = await place.read(wanted)
        if (backup === undefined) throw new PlatformError('NOT_FOUND', `There is no backup ${wanted}`, { where: place.address })
        const { topics, rows, bytesRead } = await verifyBackup(backup, place, { ...making, schemas: supervisor.schemas, scratch: join(config.dataFolder, 'scratch', 'restore') })
        const detail = `${wanted}: ${topics} topics and ${rows} rows of tables were brought back, ${Math.round(bytesRead / 2 ** 20)} MiB more were compared with their hashes`
        this.#keep(wanted, { at: Date.now(), ok: true, detail })
        return detail
      } catch (error) {
        if (!making.signal.aborted) this.#keep(wanted, { at: Date.now(), ok: false, detail: describe(error) })
        throw error
      }
    })
  }

  /** What health is told. */
  notes (now = Date.now()): Note[] {
    if (this.address === '') return [{ part: 'backup', severity: 'notice', cause: 'No backups are made: no place for them is set', remedy: 'Set backup_to in config/platform.yaml, to a folder on another disk or a bucket.' }]
    const last = this.lastAt
    const since = last ?? this.#since(now)
    if (now - since > AGE_MS_MAX) return [{ part: 'backup', severity: 'error', cause: last === undefined ? `No backup was made since the place for them was set, ${daysText(now - since)} ago` : `The newest backup is ${daysText(now - last)} old`, remedy: 'Look at the runs of the job backup: npx twolane job show backup.' }]
    const bad = this.#database.prepare('select detail from backup_checks where ok = 0 and id = (select id from backup_checks order by at desc limit 1)').get() as { detail: string } | undefined
    return bad === undefined ? [] : [{ part: 'backup', severity: 'error', cause: `The newest backup that was tried could not be brought back: ${bad.detail}`, remedy: 'Make a new one, and look at the disk of the backups.' }]
  }

  /** When the newest one was made that is known here, ms since 1970; undefined: none was. */
  get lastAt (): number | undefined {
    return (this.#database.prepare('select max(at) as at from backups').get() as { at: number | null }).at ?? undefined
  }

  /** Since when one could have been made: since that place was set for the first time, whatever was started since. */
  #since (now: number): number {
    const known = this.#database.prepare('select since from backup_places where place = ?').get(this.address) as { since: number } | undefined
    if (known !== undefined) return known.since
    this.#database.prepare('insert into backup_places (place, since) values (?, ?)').run(this.address, now)
    this.#database.prepare('delete from backup_places where place in (select place from backup_places order by since desc limit -1 offset ?)').run(PLACES_MAX)
    return now
  }

  #checkOf (id: string): Check | undefined {
    const row = this.#database.prepare('select at, ok, detail from backup_checks where id = ?').get(id) as { at: number, ok: number, detail: string } | undefined
    return row === undefined ? undefined : { ...row, ok: row.ok === 1 }
  }

  #keep (id: string, { at, ok, detail }: Check): void {
    this.#database.prepare('insert or replace into backup_checks (id, at, ok, detail) values (?, ?, ?, ?)').run(id, at, ok ? 1 : 0, detail)
    this.#database.prepare('delete from backup_checks where id in (select id from backup_checks order by at desc limit -1 offset ?)').run(CHECKS_MAX)
  }

  /** A manifest never changes, so each is read once. */
  async #describe (place: BackupPlace, id: string): Promise<Omit<KnownBackup, 'check'>> {
    const known = this.#known.get(id)
    if (known !== undefined) return known
    const backup = await place.read(id).catch(() => undefined)
    const told = backup === undefined ? { id, at: '', ms: 0, leftOut: ['its manifest is damaged'], rows: 0, bytes: 0 } : { id, at: backup.at, ms: backup.ms, leftOut: backup.leftOut, ...totalsOf(backup) }
    this.#known.set(id, told)
    return told
  }

  async #at<T> (address: string, work: (place: BackupPlace) => Promise<T>): Promise<T> {
    const { config: { dataFolder, backupEndpoint } } = this.#platform
    if (address === '') throw new PlatformError('BACKUP_REFUSED', 'No place for backups is set', { remedy: 'Set backup_to in config/platform.yaml, or name one: npx twolane backup --to folder.' })
    const place = await openPlace({ address, dataFolder, endpoint: backupEndpoint === '' ? null : backupEndpoint })
    try {
      return await work(place)
    } finally {
      place.close()
    }
  }
}

function daysText (ms: number): string {
  return `${Math.round(ms / DAY_MS * 10) / 10} days`
}

const made = new WeakMap<object, Backups>()

/** Those of one platform, told by its store. */
export function backupsOf (platform: Opening): Backups {
  const backups = made.get(platform.store) ?? new Backups(platform)
  made.set(platform.store, backups)
  return backups
}

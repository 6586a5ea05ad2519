// What the control side keeps: one SQLite database, `control.db`, in the data folder.

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { chmodSync, closeSync, mkdirSync, openSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { makeFolder, writeDurably, writeDurablySync } from './durable.ts'
import { describe, PlatformError } from './errors.ts'
import { syncOpened } from './sqlite.ts'
import type { KeptRevision } from './kept-revision.ts'
import type { Pipeline } from './pipeline.ts'
import type { Receipt } from './receipt.ts'
import type { Topic } from './schema.ts'

const RECEIPTS_MAX = 1000
/** Small texts; the one that an output is stuck with must be among them. */
const REVISIONS_KEPT = 1000
/** In the data folder: the admin token that the platform made itself. */
export const ADMIN_TOKEN_FILE = 'admin-token'

export class Store {
  readonly #folder: string
  readonly #database: DatabaseSync

  constructor (dataFolder: string) {
    this.#folder = dataFolder
    mkdirSync(dataFolder, { recursive: true })
    const file = join(dataFolder, 'control.db')
    keepPrivate(file)
    this.#database = new DatabaseSync(file, { timeout: 5000 })
    try {
      this.#prepare()
    } catch (cause) {
      this.#database.close()
      throw new PlatformError('CONFIG_INVALID', `The state of the control side cannot be used: ${describe(cause)}`, { where: file, remedy: 'Where the file is damaged, bring the newest backup back into an empty data folder: npx twolane restore <place>.', cause })
    }
  }

  #prepare (): void {
    this.#database.exec(`
      pragma journal_mode = wal; pragma synchronous = full;
      create table if not exists receipts (revision integer primary key autoincrement, time integer not null, receipt text not null) strict;
      create table if not exists paused (pipeline text primary key) strict;
      create table if not exists secrets (name text primary key, hash text not null) strict;
    `)
    syncOpened(join(this.#folder, 'control.db'))
  }

  /** For those who keep something of their own in it, in tables of their own. */
  get database (): DatabaseSync {
    return this.#database
  }

  /** Numbers the receipt and keeps it; the oldest ones go. */
  addReceipt (receipt: Omit<Receipt, 'revision'>): Receipt {
    const { lastInsertRowid } = this.#database.prepare('insert into receipts (time, receipt) values (?, ?)').run(receipt.time, JSON.stringify(receipt))
    this.#database.prepare('delete from receipts where revision <= ?').run(Number(lastInsertRowid) - RECEIPTS_MAX)
    return { revision: Number(lastInsertRowid), ...receipt }
  }

  /** Newest first. */
  receipts (limit: number): Receipt[] {
    const rows = this.#database.prepare('select revision, receipt from receipts order by revision desc limit ?').all(limit) as Array<{ revision: number, receipt: string }>
    return rows.map(({ revision, receipt }) => ({ revision, ...JSON.parse(receipt) as Omit<Receipt, 'revision'> }))
  }

  paused (): Set<string> {
    return new Set((this.#database.prepare('select pipeline from paused').all() as Array<{ pipeline: string }>).map(row => row.pipeline))
  }

  setPaused (pipeline: string, paused: boolean): void {
    this.#database.prepare(paused ? 'insert or ignore into paused values (?)' : 'delete from paused where pipeline = ?').run(pipeline)
  }

  /**
   * The admin token, where there was none before; only its hash is kept. The file lets the user who started the platform
   * use the command line without it: only that user can read it, and may remove it.
   */
  makeAdminToken (): string | undefined {
    if (this.#hash('admin') !== undefined) return undefined
    const token = `tl_${randomBytes(32).toString('base64url')}`
    const file = join(this.#folder, ADMIN_TOKEN_FILE)
    // The mode holds for a new file only. Durable before the hash is: otherwise a power cut leaves a token that nobody knows.
    rmSync(`${file}.tmp`, { force: true })
    writeDurablySync(file, `${token}\n`, { mode: 0o600 })
    this.#database.prepare('insert into secrets values (?, ?)').run('admin', sha256(token))
    return token
  }

  /** Replaces the admin token by one from the configuration. */
  setAdminToken (token: string): void {
    rmSync(join(this.#folder, ADMIN_TOKEN_FILE), { force: true })
    this.#database.prepare('insert into secrets values (?1, ?2) on conflict (name) do update set hash = ?2').run('admin', sha256(token))
  }

  isAdminToken (token: string): boolean {
    const hash = this.#hash('admin')
    return hash !== undefined && timingSafeEqual(Buffer.from(hash, 'hex'), Buffer.from(sha256(token), 'hex'))
  }

  /** Durable before a worker runs the revision. */
  async keepRevision (pipeline: Pipeline, schemas: ReadonlyMap<string, Topic>): Promise<void> {
    const folder = join(this.#folder, 'revisions', pipeline.id)
    const kept: KeptRevision = { file: pipeline.file, text: pipeline.publicText, schemas: [...schemas.values()] }
    await makeFolder(folder)
    await writeDurably(join(folder, `${pipeline.revision}.json`), JSON.stringify(kept))
    const byAge = readdirSync(folder).filter(name => name.endsWith('.json')).map(name => ({ name, time: statSync(join(folder, name)).mtimeMs })).sort((a, b) => b.time - a.time)
    for (const { name } of byAge.slice(REVISIONS_KEPT)) rmSync(join(folder, name), { force: true })
  }

  close (): void {
    this.#database.close()
  }

  #hash (name: string): string | undefined {
    return (this.#database.prepare('select hash from secrets where name = ?').get(name) as { hash: string } | undefined)?.hash
  }
}

function sha256 (text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/** Also in a folder that others may read; what SQLite puts beside the file gets the same rights. */
function keepPrivate (file: string): void {
  try {
    closeSync(openSync(file, 'a', 0o600))
    chmodSync(file, 0o600)
  } catch {
    // A file of another user: whether it can be used at all, SQLite says next.
  }
}

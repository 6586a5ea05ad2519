// Exports as control.db keeps them: what was asked, by whom, and what has come of it.

import { PlatformError } from '../errors.ts'
import type { DatabaseSync } from 'node:sqlite'
import type { Principal } from '../access/principal.ts'
import type { Format } from '../data/spec.ts'
import type { QuerySpec } from '../queries/spec.ts'

export type ExportState = 'queued' | 'running' | 'done' | 'failed' | 'cancelled'

export interface ExportFile {
  readonly name: string
  readonly bytes: number
  readonly sha256: string
  readonly rows: number
}

export interface ExportRecord {
  readonly id: string
  readonly asker: Pick<Principal, 'kind' | 'user' | 'token'>
  /** The range is absolute. */
  readonly spec: QuerySpec
  readonly format: Exclude<Format, 'json'>
  readonly split: 'none' | 'day'
  /** What was granted of the datasets, as text: files made under another grant are not handed out. */
  readonly grants: string
  readonly state: ExportState
  /** Why it failed. */
  readonly reason: string
  readonly files: readonly ExportFile[]
  /** ms since 1970. */
  readonly createdAt: number
  readonly endedAt: number | undefined
}

interface Row { readonly record: string }

export class ExportRecords {
  readonly #database: DatabaseSync

  constructor (database: DatabaseSync) {
    this.#database = database
    database.exec('create table if not exists exports (id text primary key, owner text not null, created_at integer not null, record text not null) strict')
  }

  put (record: ExportRecord): void {
    this.#database.prepare('insert into exports values (?1, ?2, ?3, ?4) on conflict (id) do update set record = ?4').run(record.id, record.asker.user, record.createdAt, JSON.stringify(record))
  }

  /** Newest first. */
  all (owner?: string): ExportRecord[] {
    const statement = this.#database.prepare(`select record from exports ${owner === undefined ? '' : 'where owner = ?'} order by created_at desc`)
    return ((owner === undefined ? statement.all() : statement.all(owner)) as unknown as Row[]).map(({ record }) => JSON.parse(record) as ExportRecord)
  }

  find (id: string): ExportRecord | undefined {
    const row = this.#database.prepare('select record from exports where id = ?').get(id) as unknown as Row | undefined
    return row === undefined ? undefined : JSON.parse(row.record) as ExportRecord
  }

  remove (id: string): void {
    this.#database.prepare('delete from exports where id = ?').run(id)
  }
}

/** The same words for an export of somebody else and for one that is not there. */
export function noExport (id: string): PlatformError {
  return new PlatformError('NOT_FOUND', `There is no export "${id}"`, { remedy: 'GET /v1/exports lists yours.' })
}

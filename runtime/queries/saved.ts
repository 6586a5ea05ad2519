// Saved queries, kept in control.db: a question about rows as data, under a name that is part of an address. Whoever asks
// under that name asks with their own rights, whoever has saved it.

import { PlatformError } from '../errors.ts'
import type { DatabaseSync } from 'node:sqlite'
import type { QuerySpec } from './spec.ts'

/** Of one user. */
export const QUERIES_OF_ONE_MAX = 1000
const QUERIES_MAX = 10_000

export interface SavedQuery {
  readonly slug: string
  readonly title: string
  readonly spec: QuerySpec
  readonly owner: string
  /** Whether others see and use it. */
  readonly shared: boolean
  /** ms since 1970. */
  readonly changedAt: number
}

interface QueryRow { readonly slug: string, readonly title: string, readonly spec: string, readonly owner: string, readonly shared: number, readonly changed_at: number }

export class SavedQueries {
  readonly #database: DatabaseSync

  constructor (database: DatabaseSync) {
    this.#database = database
    database.exec('create table if not exists saved_queries (slug text primary key, title text not null, spec text not null, owner text not null, shared integer not null, changed_at integer not null) strict')
  }

  /** Those that `user` sees: own ones and shared ones. */
  list (user: string): SavedQuery[] {
    return (this.#database.prepare('select * from saved_queries where owner = ? or shared = 1 order by slug limit ?').all(user, QUERIES_MAX) as unknown as QueryRow[]).map(queryOf)
  }

  /** Throws NOT_FOUND, in the same words for one that is not shared and for one that is not there. */
  get (slug: string, user: string): SavedQuery {
    const row = this.#database.prepare('select * from saved_queries where slug = ? and (owner = ? or shared = 1)').get(slug, user) as unknown as QueryRow | undefined
    if (row === undefined) throw new PlatformError('NOT_FOUND', `There is no saved query "${slug}"`, { remedy: 'GET /v1/queries lists those that you may use.' })
    return queryOf(row)
  }

  /** Throws NAME_TAKEN where another one has the name, TOO_MANY_REQUESTS where `owner` has very many. */
  add ({ slug, title, spec, owner, shared }: Omit<SavedQuery, 'changedAt'>): SavedQuery {
    const { n } = this.#database.prepare('select count(*) as n from saved_queries where owner = ?').get(owner) as { n: number }
    if (n >= QUERIES_OF_ONE_MAX) throw new PlatformError('TOO_MANY_REQUESTS', `${owner} has ${n} saved queries already`, { remedy: 'Delete some.' })
    const { changes } = this.#database.prepare('insert or ignore into saved_queries values (?, ?, ?, ?, ?, ?)').run(slug, title, JSON.stringify(spec), owner, Number(shared), Date.now())
    if (changes === 0) throw new PlatformError('NAME_TAKEN', `There is a saved query "${slug}" already`, { remedy: 'Choose another name.' })
    return this.get(slug, owner)
  }

  /** Only its owner may. Throws NOT_FOUND, and REQUEST_REFUSED to others who see it. */
  change (slug: string, user: string, { title, spec, shared }: Pick<SavedQuery, 'title' | 'spec' | 'shared'>): SavedQuery {
    this.#own(slug, user)
    this.#database.prepare('update saved_queries set title = ?, spec = ?, shared = ?, changed_at = ? where slug = ?').run(title, JSON.stringify(spec), Number(shared), Date.now(), slug)
    return this.get(slug, user)
  }

  /** As `change`. */
  remove (slug: string, user: string): void {
    this.#own(slug, user)
    this.#database.prepare('delete from saved_queries where slug = ?').run(slug)
  }

  /** Those of all users that ask for rows of a dataset. */
  about (dataset: string): SavedQuery[] {
    const rows = this.#database.prepare('select * from saved_queries order by slug limit ?').all(QUERIES_MAX) as unknown as QueryRow[]
    return rows.map(queryOf).filter(({ spec }) => spec.dataset === dataset || spec['right'] === dataset)
  }

  #own (slug: string, user: string): void {
    const { owner } = this.get(slug, user)
    if (owner !== user) throw new PlatformError('REQUEST_REFUSED', `The saved query "${slug}" belongs to ${owner}`, { remedy: 'Save it under another name.' })
  }
}

function queryOf ({ slug, title, spec, owner, shared, changed_at: changedAt }: QueryRow): SavedQuery {
  return { slug, title, spec: JSON.parse(spec) as QuerySpec, owner, shared: shared === 1, changedAt }
}

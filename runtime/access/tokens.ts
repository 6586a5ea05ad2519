// Tokens for programs: `tl_` and 256 random bits, shown once; here is their hash only. A token belongs to a user, has some
// of what that user has, and ends after a year at most.

import { randomBytes, randomUUID } from 'node:crypto'
import { PlatformError } from '../errors.ts'
import { hashSecret, isSame } from './sessions.ts'
import { TOKENS_PER_USER_MAX } from './tables.ts'
import type { DatabaseSync } from 'node:sqlite'
import type { Grant } from './grants.ts'
import type { Scope } from './scopes.ts'
import type { StoredQuota } from './directory.ts'

export const TOKEN_DAYS_MAX = 365
export const TOKEN_DAYS = 90
/** The last use of a token is known so exactly: not every one is a write. */
const USED_MS = 60_000
const DAY_MS = 86_400_000

export interface Token {
  readonly id: string
  readonly user: string
  readonly title: string
  readonly scopes: readonly Scope[]
  /** null: all that its owner has. */
  readonly grants: readonly Grant[] | null
  readonly quota: StoredQuota
  /** ms since 1970, as those below. */
  readonly expires: number
  readonly created: number
  readonly lastUsed: number | undefined
}

type Row = Record<string, string | number | null>

export class Tokens {
  readonly #database: DatabaseSync
  readonly #now: () => number

  constructor (database: DatabaseSync, now: () => number) {
    this.#database = database
    this.#now = now
  }

  make ({ days, ...token }: Pick<Token, 'user' | 'title' | 'scopes' | 'grants' | 'quota'> & { readonly days: number }): Token & { readonly secret: string } {
    const now = this.#now()
    const { n } = this.#database.prepare('select count(*) as n from access_tokens where user = ?').get(token.user) as { n: number }
    if (n >= TOKENS_PER_USER_MAX) throw new PlatformError('REQUEST_INVALID', `${token.user} has ${TOKENS_PER_USER_MAX} tokens already, which is the most`, { remedy: 'Revoke those that are not used.' })
    const secret = `tl_${randomBytes(32).toString('base64url')}`
    const made = { id: randomUUID().replaceAll('-', '').slice(0, 16), ...token, created: now, expires: now + days * DAY_MS, lastUsed: undefined }
    this.#database.prepare('insert into access_tokens values (?, ?, ?, ?, ?, ?, ?, ?, ?, null)').run(
      made.id, hashSecret(secret), made.user, made.title, JSON.stringify(made.scopes), made.grants === null ? null : JSON.stringify(made.grants), JSON.stringify(made.quota), made.expires, made.created)
    return { ...made, secret }
  }

  /** The token with this secret, as long as it holds. */
  find (secret: string): Token | undefined {
    const hash = hashSecret(secret)
    const row = this.#database.prepare('select * from access_tokens where hash = ?').get(hash) as Row | undefined
    if (row === undefined || !isSame(String(row['hash']), hash)) return undefined
    const token = tokenOf(row)
    const now = this.#now()
    if (token.expires <= now) return undefined
    if ((token.lastUsed ?? 0) <= now - USED_MS) this.#database.prepare('update access_tokens set last_used = ? where id = ?').run(now, token.id)
    return token
  }

  get (id: string): Token | undefined {
    const row = this.#database.prepare('select * from access_tokens where id = ?').get(id) as Row | undefined
    return row === undefined ? undefined : tokenOf(row)
  }

  holds (id: string): boolean {
    return this.#database.prepare('select 1 from access_tokens where id = ? and expires > ?').get(id, this.#now()) !== undefined
  }

  /** Those of all users that hold now, with the SHA-256 of their secrets in hex. */
  held (): Array<Token & { readonly hash: string }> {
    return (this.#database.prepare('select * from access_tokens where expires > ? order by user, created, id').all(this.#now()) as Row[]).map(row => ({ ...tokenOf(row), hash: String(row['hash']) }))
  }

  /** Of one user, or of all; also those that have expired. */
  list (user: string | undefined): Token[] {
    return (this.#database.prepare('select * from access_tokens where ?1 is null or user = ?1 order by user, created, id').all(user ?? null) as Row[]).map(tokenOf)
  }

  revoke (id: string): void {
    this.#database.prepare('delete from access_tokens where id = ?').run(id)
  }

  revokeAll (user: string): void {
    this.#database.prepare('delete from access_tokens where user = ?').run(user)
  }
}

function tokenOf (row: Row): Token {
  return {
    id: String(row['id']),
    user: String(row['user']),
    title: String(row['title']),
    scopes: JSON.parse(String(row['scopes'])) as Scope[],
    grants: row['grants'] === null ? null : JSON.parse(String(row['grants'])) as Grant[],
    quota: JSON.parse(String(row['quota'])) as StoredQuota,
    expires: Number(row['expires']),
    created: Number(row['created']),
    lastUsed: row['last_used'] === null ? undefined : Number(row['last_used'])
  }
}

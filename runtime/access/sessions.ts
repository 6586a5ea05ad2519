// Sessions of people who have logged in. The cookie holds 256 random bits; here is their hash only. A session ends 30 minutes
// after its last request, 12 hours after its login, at a logout, and when the password or the roles of its user change.

import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { DatabaseSync } from 'node:sqlite'

export const SESSION_IDLE_MS_MAX = 30 * 60_000
export const SESSION_MS_MAX = 12 * 60 * 60_000
/** Of one user; a further one ends the oldest. */
const SESSIONS_PER_USER_MAX = 20
/** The last request of a session is known so exactly: not every one is a write. */
const SEEN_MS = 60_000

export interface Session {
  /** Its id here: the hash of what the cookie holds. */
  readonly id: string
  readonly user: string
  /** What a request that changes something has to repeat in a header: a page of another site cannot know it. */
  readonly csrf: string
}

export class Sessions {
  readonly #database: DatabaseSync
  readonly #now: () => number

  constructor (database: DatabaseSync, now: () => number) {
    this.#database = database
    this.#now = now
  }

  /** A new one, with a new secret for the cookie. */
  open (user: string): Session & { readonly secret: string } {
    const secret = randomBytes(32).toString('base64url')
    const now = this.#now()
    const id = hashSecret(secret)
    this.#database.prepare('delete from access_sessions where seen <= ? or created <= ?').run(now - SESSION_IDLE_MS_MAX, now - SESSION_MS_MAX)
    this.#database.prepare('insert into access_sessions values (?, ?, ?, ?)').run(id, user, now, now)
    this.#database.prepare('delete from access_sessions where hash in (select hash from access_sessions where user = ? order by created desc, rowid desc limit -1 offset ?)').run(user, SESSIONS_PER_USER_MAX)
    return { id, user, secret, csrf: csrfOf(secret) }
  }

  /** The session of a cookie; undefined: there is none, or it has ended. */
  find (secret: string): Session | undefined {
    const id = hashSecret(secret)
    const user = this.#userOf(id)
    if (user === undefined) return undefined
    const now = this.#now()
    this.#database.prepare('update access_sessions set seen = ? where hash = ? and seen <= ?').run(now, id, now - SEEN_MS)
    return { id, user, csrf: csrfOf(secret) }
  }

  isOpen (id: string): boolean {
    return this.#userOf(id) !== undefined
  }

  end (id: string): void {
    this.#database.prepare('delete from access_sessions where hash = ?').run(id)
  }

  /** Ends all of a user, but for one. */
  endAll (user: string, but = ''): void {
    this.#database.prepare('delete from access_sessions where user = ? and hash <> ?').run(user, but)
  }

  #userOf (id: string): string | undefined {
    const now = this.#now()
    return (this.#database.prepare('select user from access_sessions where hash = ? and seen > ? and created > ?').get(id, now - SESSION_IDLE_MS_MAX, now - SESSION_MS_MAX) as { user: string } | undefined)?.user
  }
}

export function hashSecret (secret: string): string {
  return createHash('sha256').update(secret).digest('hex')
}

export function isSame (one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)]
  return a.length === b.length && timingSafeEqual(a, b)
}

function csrfOf (secret: string): string {
  return createHmac('sha256', secret).update('csrf').digest('base64url')
}

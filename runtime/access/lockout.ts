// Guessing a password: after five wrong ones for a user from an address, that address waits for that user, each time twice
// as long. Others can still log in as that user, so nobody is locked out by somebody else's guesses. An unknown user is
// treated alike: the answer does not tell who there is.

import { clientOf } from './client-address.ts'
import type { DatabaseSync } from 'node:sqlite'

const FREE_FAILURES = 5
const FIRST_WAIT_MS = 15_000
const WAIT_MS_MAX = 15 * 60_000
/** Failures are forgotten so long after the last one. */
const MEMORY_MS = 60 * 60_000
/** Beyond that the oldest one goes. */
const FAILURES_MAX = 20_000

export class Lockout {
  readonly #database: DatabaseSync
  readonly #now: () => number

  constructor (database: DatabaseSync, now: () => number) {
    this.#database = database
    this.#now = now
  }

  /** Seconds until this address may try again as this user; 0: now. */
  waitSeconds (user: string, address: string): number {
    const client = clientOf(address)
    const found = this.#database.prepare('select until from access_failures where user = ? and address = ?').get(user, client) as { until: number } | undefined
    return Math.max(0, Math.ceil(((found?.until ?? 0) - this.#now()) / 1000))
  }

  fail (user: string, address: string): void {
    const client = clientOf(address)
    const now = this.#now()
    const found = this.#database.prepare('select failures, at from access_failures where user = ? and address = ?').get(user, client) as { failures: number, at: number } | undefined
    const failures = 1 + (found === undefined || found.at < now - MEMORY_MS ? 0 : found.failures)
    const wait = failures < FREE_FAILURES ? 0 : Math.min(WAIT_MS_MAX, FIRST_WAIT_MS * 2 ** (failures - FREE_FAILURES))
    this.#database.prepare('insert into access_failures values (?1, ?2, ?3, ?4, ?5) on conflict do update set failures = ?3, at = ?4, until = ?5').run(user, client, failures, now, now + wait)
    if (found === undefined) {
      this.#database.prepare('delete from access_failures where at < ?').run(now - MEMORY_MS)
      this.#database.prepare('delete from access_failures where rowid in (select rowid from access_failures order by at desc limit -1 offset ?)').run(FAILURES_MAX)
    }
  }

  succeed (user: string, address: string): void {
    this.#database.prepare('delete from access_failures where user = ? and address = ?').run(user, clientOf(address))
  }

  /** Forgets all failures of a user: an admin has set a new password. */
  forget (user: string): void {
    this.#database.prepare('delete from access_failures where user = ?').run(user)
  }

  /** Until when some address waits for this user, ms since 1970; undefined: none does. */
  lockedUntil (user: string): number | undefined {
    const { until } = this.#database.prepare('select max(until) as until from access_failures where user = ?').get(user) as { until: number | null }
    return until === null || until <= this.#now() ? undefined : until
  }
}

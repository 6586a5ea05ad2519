// How many rows of the data API somebody has had today (UTC). Counted in memory and written once a second: a crash forgets
// the rows of a second, not those of the day.

import { PlatformError } from '../errors.ts'
import { transaction } from '../sqlite.ts'
import type { DatabaseSync } from 'node:sqlite'

const WRITE_MS = 1000
const DAY_MS = 86_400_000
/** Users and tokens whose rows are in memory; beyond that all are written and read again. */
const COUNTED_MAX = 20_000

export class RowQuota {
  readonly #database: DatabaseSync
  readonly #now: () => number
  readonly #rows = new Map<string, number>()
  readonly #changed = new Set<string>()
  #day = ''
  #writtenAt = 0

  constructor (database: DatabaseSync, now: () => number) {
    this.#database = database
    this.#now = now
  }

  /** Rows of today. `key`: `user anna`, `token 1f…`. */
  today (key: string): number {
    this.#turn()
    const known = this.#rows.get(key)
    if (known !== undefined) return known
    const row = this.#database.prepare('select rows from access_rows where day = ? and principal = ?').get(this.#day, key) as { rows: number } | undefined
    this.#rows.set(key, row?.rows ?? 0)
    return row?.rows ?? 0
  }

  /** Counts `rows` for each of the keys; throws QUOTA_EXCEEDED, and counts nothing, where that would be more than one of them may have. */
  take (bounds: ReadonlyArray<{ readonly key: string, readonly max: number | undefined }>, rows: number): void {
    for (const { key, max } of bounds) {
      const had = this.today(key)
      if (max === undefined || had + rows <= max) continue
      const seconds = Math.ceil((DAY_MS - this.#now() % DAY_MS) / 1000)
      throw new PlatformError('QUOTA_EXCEEDED', `The quota is ${max} rows a day (UTC); ${had} are used, and these are ${rows} more`, { remedy: 'Ask for fewer rows, wait for the next day, or ask an admin for a larger quota.', retryAfterSeconds: seconds })
    }
    for (const { key } of bounds) {
      this.#rows.set(key, this.today(key) + rows)
      this.#changed.add(key)
    }
    if (this.#now() - this.#writtenAt >= WRITE_MS) this.write()
  }

  write (): void {
    this.#writtenAt = this.#now()
    if (this.#changed.size === 0) return
    const put = this.#database.prepare('insert into access_rows values (?1, ?2, ?3) on conflict do update set rows = ?3')
    transaction(this.#database, () => {
      for (const key of this.#changed) put.run(this.#day, key, this.#rows.get(key) ?? 0)
    })
    this.#changed.clear()
    if (this.#rows.size > COUNTED_MAX) this.#rows.clear()
  }

  /** A new day begins with nothing. */
  #turn (): void {
    const day = new Date(this.#now()).toISOString().slice(0, 10)
    if (day === this.#day) return
    this.write()
    this.#rows.clear()
    this.#day = day
    this.#database.prepare('delete from access_rows where day < ?').run(day)
  }
}

// The audit log: who changed what, who was let in, who was refused. Entries are added and never changed; triggers of the
// database refuse it, and a chain of hashes (audit-chain.ts) shows what was done behind its back.
//
//   data/control.db       the newest million entries
//   data/audit/<first>-<last>.ndjson    older ones, moved there whole before the database lets go of them

import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { transaction } from '../sqlite.ts'
import { ChainCheck, FIRST_HASH, hashOf } from './audit-chain.ts'
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { AuditEntry, Verdict } from './audit-chain.ts'
import type { Json } from '../plugin.ts'
import type { Principal } from './principal.ts'

/** Entries that the database keeps; at that the oldest tenth goes into a file. */
const ENTRIES_MAX = 1_000_000
const TEXT_CHARACTERS_MAX = 500
const DETAIL_CHARACTERS_MAX = 4000
const PAGE_ROWS = 1000
/** Refusals of one kind in a minute are one entry, after the first one. */
const REFUSALS_MS = 60_000
/** Kinds that are counted apart from each other at once; beyond that they count together. */
const KINDS_MAX = 500

export interface Audited {
  /** Who it was, as far as that is known. */
  readonly principal?: Principal | undefined
  /** Instead of the principal's: who somebody said to be. */
  readonly user?: string | undefined
  readonly address?: string | undefined
  /** `user.add`, `POST /v1/reload`: what was to be done. */
  readonly action: string
  /** To what. */
  readonly target?: string
  readonly outcome: AuditEntry['outcome']
  /** No secrets, no rows. */
  readonly detail?: Readonly<Record<string, Json>>
}

export interface AuditQuery {
  /** ISO 8601; from is inclusive, to is exclusive. */
  readonly from?: string | undefined
  readonly to?: string | undefined
  readonly user?: string | undefined
  /** Its beginning. */
  readonly action?: string | undefined
  readonly outcome?: string | undefined
  readonly before?: number | undefined
  readonly limit: number
}

export interface AuditOptions {
  readonly database: DatabaseSync
  /** Data folder. */
  readonly folder: string
  readonly now: () => number
  /** Takes secrets out of a text. */
  readonly mask: (text: string) => string
  readonly entriesMax?: number
}

interface Row extends Omit<AuditEntry, 'detail'> {
  readonly detail: string
}

interface Counted {
  readonly entry: Audited
  readonly until: number
  count: number
}

export class Audit {
  readonly #options: AuditOptions
  readonly #database: DatabaseSync
  readonly #insert: StatementSync
  readonly #refusals = new Map<string, Counted>()
  #last: { seq: number, hash: string }

  constructor (options: AuditOptions) {
    this.#options = options
    this.#database = options.database
    this.#insert = this.#database.prepare('insert into audit values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)')
    this.#last = this.#database.prepare('select seq, hash from audit order by seq desc limit 1').get() as { seq: number, hash: string } | undefined ?? this.#archived()
  }

  /** Durable when it returns; within a transaction, when that ends. Throws what the database says where it cannot write. */
  add ({ principal, user, address, action, target = '', outcome, detail = {} }: Audited): AuditEntry {
    const { seq, hash: previous } = this.#newest()
    const entry = {
      seq: seq + 1,
      at: new Date(this.#options.now()).toISOString(),
      user: this.#clean(user ?? principal?.user),
      token: this.#clean(principal?.token),
      address: this.#clean(address),
      action: this.#clean(action) ?? '',
      target: this.#clean(target) ?? '',
      outcome,
      detail: this.#detail(detail)
    }
    const hash = hashOf(previous, entry)
    this.#insert.run(entry.seq, entry.at, entry.user, entry.token, entry.address, entry.action, entry.target, outcome, JSON.stringify(entry.detail), hash)
    this.#last = { seq: entry.seq, hash }
    return { ...entry, hash }
  }

  /**
   * A refused access: the first one of its kind (action, user, address, reason) is an entry at once, more of them within a
   * minute are counted and become one, so that whoever is refused all the time does not fill the log.
   */
  refuse (refused: Omit<Audited, 'outcome'> & { readonly kind: string }): void {
    const now = this.#options.now()
    this.settle(now)
    const entry: Audited = { ...refused, outcome: 'refused' }
    const exact = JSON.stringify([refused.kind, refused.action, refused.user ?? refused.principal?.user, refused.principal?.token, refused.address])
    const isNew = !this.#refusals.has(exact)
    const key = isNew && this.#refusals.size >= KINDS_MAX ? 'others' : exact
    const known = this.#refusals.get(key)
    if (known !== undefined) {
      known.count++
      return
    }
    const counted: Audited = key === 'others' ? { action: 'refused', target: 'of many kinds', outcome: 'refused' } : entry
    this.#refusals.set(key, { entry: counted, until: now + REFUSALS_MS, count: 0 })
    this.add(counted)
  }

  /** Writes the counts of refusals whose minute is over; at the end (`now` is Infinity) all of them. */
  settle (now = Infinity): void {
    for (const [key, { entry, until, count }] of this.#refusals) {
      if (until > now) break
      this.#refusals.delete(key)
      if (count > 0) this.add({ ...entry, detail: { ...entry.detail, more_within_a_minute: count } })
    }
  }

  /** Newest first. `next`: what to give as `before` for the ones after that; null: there are none. */
  read ({ from, to, user, action, outcome, before, limit }: AuditQuery): { readonly entries: AuditEntry[], readonly next: number | null } {
    const rows = this.#database.prepare(`
      select * from audit where seq < ?1 and (?2 is null or at >= ?2) and (?3 is null or at < ?3) and (?4 is null or user = ?4)
        and (?5 is null or substr(action, 1, length(?5)) = ?5) and (?6 is null or outcome = ?6)
      order by seq desc limit ?7`)
      .all(before ?? Number.MAX_SAFE_INTEGER, from ?? null, to ?? null, user ?? null, action ?? null, outcome ?? null, limit + 1) as unknown as Row[]
    const entries = rows.slice(0, limit).map(entryOf)
    return { entries, next: rows.length > limit ? entries.at(-1)?.seq ?? null : null }
  }

  /** All entries of the database, oldest first. */
  async * entries (): AsyncGenerator<AuditEntry, void, void> {
    const page = this.#database.prepare('select * from audit where seq > ? order by seq limit ?')
    for (let seq = 0; ;) {
      const rows = page.all(seq, PAGE_ROWS) as unknown as Row[]
      for (const row of rows) yield entryOf(row)
      const last = rows.at(-1)
      if (last === undefined) return
      seq = last.seq
      // A million of them must not hold up the platform.
      await new Promise(resolve => setImmediate(resolve))
    }
  }

  async verify (): Promise<Verdict> {
    const check = new ChainCheck(this.#archived())
    for await (const entry of this.entries()) check.add(entry)
    return check.verdict
  }

  /** Moves the oldest entries into a file where there are too many. */
  archive (): void {
    const max = this.#options.entriesMax ?? ENTRIES_MAX
    const archived = this.#archived().seq
    if (this.#last.seq - archived <= max) return
    const to = archived + Math.ceil(max / 10)
    const rows = this.#database.prepare('select * from audit where seq <= ? order by seq').all(to) as unknown as Row[]
    const last = rows.at(-1)
    if (last === undefined) return
    writeLines(join(this.#options.folder, 'audit'), `${archived + 1}-${to}.ndjson`, rows)
    transaction(this.#database, () => {
      this.#database.prepare('insert into audit_archived values (?, ?)').run(last.seq, last.hash)
      this.#database.prepare('delete from audit where seq <= ?').run(last.seq)
    })
  }

  #archived (): { seq: number, hash: string } {
    return this.#database.prepare('select seq, hash from audit_archived order by seq desc limit 1').get() as { seq: number, hash: string } | undefined ?? { seq: 0, hash: FIRST_HASH }
  }

  /** A transaction that was taken back took its entries along. */
  #newest (): { seq: number, hash: string } {
    const { seq } = this.#database.prepare('select max(seq) as seq from audit').get() as { seq: number | null }
    if ((seq ?? this.#archived().seq) !== this.#last.seq) this.#last = this.#database.prepare('select seq, hash from audit order by seq desc limit 1').get() as { seq: number, hash: string } | undefined ?? this.#archived()
    return this.#last
  }

  #clean (text: string | undefined): string | null {
    return text === undefined ? null : this.#options.mask(visible(text)).slice(0, TEXT_CHARACTERS_MAX)
  }

  #detail (detail: Readonly<Record<string, Json>>): Readonly<Record<string, Json>> {
    const text = this.#options.mask(JSON.stringify(detail, (_name, value: unknown) => typeof value === 'string' ? visible(value) : value))
    return text.length > DETAIL_CHARACTERS_MAX ? { too_long: true } : JSON.parse(text) as Record<string, Json>
  }
}

/** Control characters, and those that turn the direction of writing, as `\u{1b}`: no entry can look like another one, or move a cursor. */
export function visible (text: string): string {
  // eslint-disable-next-line no-control-regex -- they are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g, character => `\\u{${character.charCodeAt(0).toString(16)}}`)
}

function entryOf ({ detail, ...row }: Row): AuditEntry {
  const { seq, at, user, token, address, action, target, outcome, hash } = row
  return { seq, at, user, token, address, action, target, outcome, detail: JSON.parse(detail) as Record<string, Json>, hash }
}

function writeLines (folder: string, name: string, rows: readonly Row[]): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const aside = join(folder, `${name}.tmp`)
  const file = openSync(aside, 'w', 0o600)
  try {
    for (const row of rows) writeFileSync(file, `${JSON.stringify(entryOf(row))}\n`)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(aside, join(folder, name))
}

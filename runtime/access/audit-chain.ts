// The chain of the audit log. Each entry has a hash over the one before it and over itself:
//
//   hash = sha256(hash of the entry before + "\n" + JSON of [seq, at, user, token, address, action, target, outcome, detail])
//
// in hex; before the first one there are 64 zeros. So an entry that is changed, removed or put in between breaks the
// chain there, also in an exported file. That the newest ones are missing shows only who has noted the last hash elsewhere.

import { createHash } from 'node:crypto'
import type { Json } from '../plugin.ts'

export interface AuditEntry {
  readonly seq: number
  /** ISO 8601, UTC, ms. */
  readonly at: string
  readonly user: string | null
  readonly token: string | null
  readonly address: string | null
  readonly action: string
  readonly target: string
  readonly outcome: 'ok' | 'refused' | 'failed'
  readonly detail: Readonly<Record<string, Json>>
  readonly hash: string
}

export interface Verdict {
  readonly ok: boolean
  readonly entries: number
  /** `seq` of the first entry that does not fit; null: all do. */
  readonly broken_at: number | null
  /** Of the newest entry: what to note elsewhere. */
  readonly last_hash: string
}

export const FIRST_HASH = '0'.repeat(64)

export function hashOf (previous: string, { seq, at, user, token, address, action, target, outcome, detail }: Omit<AuditEntry, 'hash'>): string {
  return createHash('sha256').update(`${previous}\n${JSON.stringify([seq, at, user, token, address, action, target, outcome, detail])}`).digest('hex')
}

/** Takes entries one after the other. */
export class ChainCheck {
  #previous: string
  #seq: number
  #entries = 0
  #brokenAt: number | null = null

  /** `after`: what the first entry is to follow; undefined: it is taken as it is, as in a part of the log. */
  constructor (after: { readonly seq: number, readonly hash: string } | undefined) {
    this.#previous = after?.hash ?? ''
    this.#seq = after?.seq ?? -1
  }

  add (entry: AuditEntry): void {
    this.#entries++
    const isPart = this.#seq === -1
    const fits = isPart ? entry.seq !== 1 || hashOf(FIRST_HASH, entry) === entry.hash : entry.seq === this.#seq + 1 && hashOf(this.#previous, entry) === entry.hash
    if (!fits) this.#brokenAt ??= entry.seq
    this.#previous = entry.hash
    this.#seq = entry.seq
  }

  get verdict (): Verdict {
    return { ok: this.#brokenAt === null, entries: this.#entries, broken_at: this.#brokenAt, last_hash: this.#previous }
  }
}

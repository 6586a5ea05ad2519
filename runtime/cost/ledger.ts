// What was used, a row a day, kind and name, in the control side's database:
//
//   cpu_seconds       by part: `pipeline quotes`, `clickhouse`, `control panel`
//   disk_byte_hours   by place and dataset: `topic quotes`, `streaming quotes`, `files exports`
//   store_byte_hours  likewise, of an object store
//   store_writes, store_reads      requests
//   sent_bytes        by `dataset quotes`, `token …`
//   hours             for which the above was measured
//
// Bounds: 400 days; names of a day and kind, the rest goes to `others`.

import { transaction } from '../sqlite.ts'
import type { DatabaseSync } from 'node:sqlite'

export const usageKinds = ['cpu_seconds', 'disk_byte_hours', 'store_byte_hours', 'store_writes', 'store_reads', 'sent_bytes', 'hours'] as const
export type UsageKind = typeof usageKinds[number]

const DAYS_KEPT = 400
const NAMES_MAX = 2000
const OTHERS = 'others'
const DAY_MS = 86_400_000

export interface Used {
  /** 2024-01-02, UTC */
  readonly day: string
  readonly kind: UsageKind
  readonly name: string
  readonly amount: number
}

export class UsageLedger {
  readonly #database: DatabaseSync

  constructor (database: DatabaseSync) {
    this.#database = database
    database.exec(`
      create table if not exists usage_days (day text not null, kind text not null, name text not null, amount real not null, primary key (day, kind, name)) strict, without rowid;
      create table if not exists usage_began (id integer primary key check (id = 1), ms integer not null) strict;
    `)
  }

  /** When it was first asked, ms since 1970: nothing is known of the time before. */
  began (now: number): number {
    this.#database.prepare('insert or ignore into usage_began values (1, ?)').run(now)
    return (this.#database.prepare('select ms from usage_began').get() as { ms: number }).ms
  }

  /** Adds to the day of `now`, all in one write; old days go. */
  add (used: ReadonlyArray<Omit<Used, 'day'>>, now: number): void {
    const day = dayOf(now)
    const names = new Map<string, number>(usageKinds.map(kind => [kind, (this.#database.prepare('select count(*) as n from usage_days where day = ? and kind = ?').get(day, kind) as { n: number }).n]))
    const known = this.#database.prepare('select 1 from usage_days where day = ? and kind = ? and name = ?')
    const add = this.#database.prepare('insert into usage_days values (?1, ?2, ?3, ?4) on conflict do update set amount = amount + ?4')
    transaction(this.#database, () => {
      for (const { kind, name, amount } of used) {
        if (!(amount > 0) || !Number.isFinite(amount)) continue
        const isNew = known.get(day, kind, name) === undefined
        const count = names.get(kind) ?? 0
        if (isNew) names.set(kind, count + 1)
        add.run(day, kind, isNew && count >= NAMES_MAX ? OTHERS : name, amount)
      }
      this.#database.prepare('delete from usage_days where day < ?').run(dayOf(now - DAYS_KEPT * DAY_MS))
    })
  }

  /** Of the days [from, to), as 2024-01-02. */
  between (from: string, to: string): Used[] {
    return this.#database.prepare('select day, kind, name, amount from usage_days where day >= ? and day < ? order by day, kind, name').all(from, to) as unknown as Used[]
  }
}

export function dayOf (ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}

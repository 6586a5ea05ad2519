// What health remembers, in control.db:
//
//   problems        all that are there now, with when each was seen first
//   incidents       one row a problem of severity error, from when it was seen first until it was gone
//   health_days     seconds in each state by UTC day; a time in which nobody looked counts as down
//   health_looks    when a user looked the last time, and the time before that
//   disk_samples    room on the disk, one row an hour

import { transaction } from '../sqlite.ts'
import type { DatabaseSync } from 'node:sqlite'
import type { Problem, State, Verdict } from './verdict.ts'

const INCIDENTS_MAX = 1000
const DAYS_MAX = 400
const SAMPLES_MAX = 24 * 14
const USERS_MAX = 10_000
const HOUR_MS = 3_600_000
const DAY_MS = 86_400_000
/** Who comes back after that long has looked anew. */
const LOOK_MS = 1_800_000

export interface Incident {
  readonly id: number
  readonly problem: string
  readonly part: string
  readonly cause: string
  readonly state: State
  /** ms since 1970; `until` 0: it goes on. */
  readonly since: number
  readonly until: number
}

export class HealthRecord {
  readonly #database: DatabaseSync

  constructor (database: DatabaseSync) {
    this.#database = database
    database.exec(`
      create table if not exists problems (problem text primary key, since integer not null) strict;
      create table if not exists incidents (id integer primary key autoincrement, problem text not null, part text not null, cause text not null, state text not null, since integer not null, until integer not null) strict;
      create table if not exists health_days (day text primary key, ok integer not null, degraded integer not null, down integer not null) strict;
      create table if not exists health_looks (user text primary key, last integer not null, before integer not null) strict;
      create table if not exists disk_samples (at integer primary key, free integer not null) strict;
      create table if not exists health_beat (one integer primary key check (one = 1), at integer not null) strict;
    `)
  }

  /** Opens and closes incidents, and counts the time since the look before in the state of now. Times are ms since 1970. */
  note ({ at, state, problems }: Pick<Verdict, 'at' | 'state' | 'problems'>): void {
    const errors = problems.filter(({ severity }) => severity === 'error')
    transaction(this.#database, () => {
      for (const { id } of problems) this.#database.prepare('insert or ignore into problems (problem, since) values (?, ?)').run(id, at)
      const there = new Set(problems.map(({ id }) => id))
      for (const id of this.#since().keys()) if (!there.has(id)) this.#database.prepare('delete from problems where problem = ?').run(id)
      const open = this.#open()
      for (const { id, part, cause } of errors) {
        if (open.some(one => one.problem === id)) continue
        this.#database.prepare('insert into incidents (problem, part, cause, state, since, until) values (?, ?, ?, ?, ?, 0)').run(id, part, cause, state, at)
      }
      for (const one of open) if (!errors.some(({ id }) => id === one.problem)) this.#database.prepare('update incidents set until = ? where id = ?').run(at, one.id)
      this.#database.prepare('delete from incidents where id <= (select max(id) from incidents) - ?').run(INCIDENTS_MAX)
      this.#count(at, state)
    })
  }

  /** Since when a problem is there, of whatever severity; now where it is new. */
  since ({ id }: Pick<Problem, 'id'>, now: number): number {
    return this.#since().get(id) ?? now
  }

  /** Newest first. */
  incidents (limit: number): Incident[] {
    return this.#database.prepare('select * from incidents order by id desc limit ?').all(limit) as unknown as Incident[]
  }

  /** The share of the last days in which the platform was not down; undefined: nobody has looked. */
  uptime (days: number, now: number): number | undefined {
    const { good, all } = this.#database.prepare('select coalesce(sum(ok + degraded), 0) as good, coalesce(sum(ok + degraded + down), 0) as "all" from health_days where day > ?').get(dayOf(now - days * DAY_MS)) as { good: number, all: number }
    return all === 0 ? undefined : good / all
  }

  /** Notes that a user looks now, and says since when they have not. */
  look (user: string, now: number): number {
    const known = this.#database.prepare('select last, before from health_looks where user = ?').get(user) as { last: number, before: number } | undefined
    const before = known === undefined ? now - DAY_MS : now - known.last > LOOK_MS ? known.last : known.before
    this.#database.prepare('insert or replace into health_looks (user, last, before) values (?, ?, ?)').run(user, now, before)
    this.#database.prepare('delete from health_looks where user in (select user from health_looks order by last desc limit -1 offset ?)').run(USERS_MAX)
    return before
  }

  /** Remembers the room on the disk, and says in how many days it ends at the pace of the last days; undefined: it does not. */
  sample (freeBytes: number, now: number): number | undefined {
    this.#database.prepare('insert or ignore into disk_samples (at, free) values (?, ?)').run(Math.floor(now / HOUR_MS) * HOUR_MS, freeBytes)
    this.#database.prepare('delete from disk_samples where at in (select at from disk_samples order by at desc limit -1 offset ?)').run(SAMPLES_MAX)
    const first = this.#database.prepare('select at, free from disk_samples order by at limit 1').get() as { at: number, free: number }
    // Under a day a merge of the database looks like growth.
    if (now - first.at < DAY_MS || first.free <= freeBytes) return undefined
    return freeBytes / ((first.free - freeBytes) / ((now - first.at) / DAY_MS))
  }

  #since (): Map<string, number> {
    return new Map((this.#database.prepare('select problem, since from problems').all() as Array<{ problem: string, since: number }>).map(({ problem, since }) => [problem, since]))
  }

  #open (): Incident[] {
    return this.#database.prepare('select * from incidents where until = 0').all() as unknown as Incident[]
  }

  #count (at: number, state: State): void {
    const beat = this.#database.prepare('select at from health_beat').get() as { at: number } | undefined
    const passed = Math.max(0, at - (beat?.at ?? at))
    this.#database.prepare('insert or replace into health_beat (one, at) values (1, ?)').run(at)
    const counted = passed > UNSEEN_MS ? 'down' : state
    // A long absence may span days: each gets its own part.
    for (let from = at - Math.min(passed, DAYS_MAX * DAY_MS); from < at;) {
      const to = Math.min(at, (Math.floor(from / DAY_MS) + 1) * DAY_MS)
      this.#database.prepare('insert or ignore into health_days (day, ok, degraded, down) values (?, 0, 0, 0)').run(dayOf(from))
      this.#database.prepare(`update health_days set ${counted} = ${counted} + ? where day = ?`).run(Math.round((to - from) / 1000), dayOf(from))
      from = to
    }
    this.#database.prepare('delete from health_days where day < ?').run(dayOf(at - DAYS_MAX * DAY_MS))
  }
}

/** Several looks were missed: the platform was not running. */
const UNSEEN_MS = 120_000

function dayOf (ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}

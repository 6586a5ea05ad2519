// Runs and the clock's place, in the control side's database. What is written here survives a crash: a run is found again,
// and no interval of a schedule is begun twice.

import { transaction } from '../sqlite.ts'
import { afterAttempt } from './retry.ts'
import type { DatabaseSync } from 'node:sqlite'
import type { RunRecord } from './record.ts'

/** Where the clock of a job stands. */
export interface JobState {
  /** The schedule that it goes by, as text. */
  readonly when: string
  /** End of the last interval that was begun or passed over, ms since 1970. */
  readonly covered: number
  /** Fires up to there are past, ms since 1970. */
  readonly after: number
  /** End of the last interval that succeeded, ms since 1970; 0: none has. */
  readonly succeeded: number
}

/** Of a job that is gone everything is forgotten when its last run is so old. */
const REMOVED_MS_MAX = 90 * 86_400_000
/** Of the newest runs of a job the lines of the log are kept. */
export const LOGS_KEPT = 100

type Body = Omit<RunRecord, 'seq' | 'id' | 'job' | 'state'>
interface Row { readonly seq: number, readonly id: string, readonly job: string, readonly state: RunRecord['state'], readonly body: string }

export class Runs {
  readonly #database: DatabaseSync

  constructor (database: DatabaseSync) {
    this.#database = database
    database.exec(`
      create table if not exists jobs (job text primary key, state text not null) strict;
      create table if not exists runs (seq integer primary key autoincrement, id text not null unique, job text not null, state text not null, body text not null) strict;
      create index if not exists runs_by_job on runs (job, seq);
      create index if not exists runs_open on runs (seq) where state in ('queued', 'running', 'interrupted');
      create table if not exists run_logs (run text primary key, lines text not null) strict;
    `)
  }

  job (id: string): JobState | undefined {
    const row = this.#database.prepare('select state from jobs where job = ?').get(id) as { state: string } | undefined
    return row === undefined ? undefined : JSON.parse(row.state) as JobState
  }

  setJob (id: string, state: JobState): void {
    this.#database.prepare('insert into jobs values (?1, ?2) on conflict (job) do update set state = ?2').run(id, JSON.stringify(state))
  }

  /** Numbers the runs; with `state`, the clock of their job goes on in the same write. */
  add (records: ReadonlyArray<Omit<RunRecord, 'seq'>>, state?: JobState): RunRecord[] {
    return transaction(this.#database, () => {
      const [first] = records
      if (state !== undefined && first !== undefined) this.setJob(first.job, state)
      return records.map(record => {
        const { lastInsertRowid } = this.#database.prepare('insert into runs (id, job, state, body) values (?, ?, ?, ?)').run(record.id, record.job, record.state, bodyOf(record))
        return { ...record, seq: Number(lastInsertRowid) }
      })
    })
  }

  /** Puts the record in the place of the old one; with `state`, the clock of its job goes on in the same write. */
  save (record: RunRecord, { lines, state }: { readonly lines?: readonly string[], readonly state?: JobState | undefined } = {}): void {
    transaction(this.#database, () => {
      this.#database.prepare('update runs set state = ?, body = ? where id = ?').run(record.state, bodyOf(record), record.id)
      if (lines !== undefined && lines.length > 0) this.#database.prepare('insert into run_logs values (?1, ?2) on conflict (run) do update set lines = ?2').run(record.id, JSON.stringify(lines))
      if (state !== undefined) this.setJob(record.job, state)
    })
  }

  get (id: string): RunRecord | undefined {
    const row = this.#database.prepare('select * from runs where id = ?').get(id) as unknown as Row | undefined
    return row === undefined ? undefined : recordOf(row)
  }

  /** Newest first; those before the one with number `before`. */
  list (job: string, { limit, before = Number.MAX_SAFE_INTEGER }: { readonly limit: number, readonly before?: number | undefined }): RunRecord[] {
    return (this.#database.prepare('select * from runs where job = ? and seq < ? order by seq desc limit ?').all(job, before, limit) as unknown as Row[]).map(recordOf)
  }

  /** JSON lines, oldest first. */
  lines (id: string): string[] {
    const row = this.#database.prepare('select lines from run_logs where run = ?').get(id) as { lines: string } | undefined
    return row === undefined ? [] : JSON.parse(row.lines) as string[]
  }

  /** Those that have not ended, oldest first. One that is `running` was so when the process died: it is marked `interrupted`. */
  recover (now: number): RunRecord[] {
    const open = (this.#database.prepare("select * from runs where state in ('queued', 'running', 'interrupted') order by seq").all() as unknown as Row[]).map(recordOf)
    return open.map(record => {
      if (record.state !== 'running') return record
      const { record: marked } = afterAttempt(record, { how: 'interrupted', error: 'The platform ended meanwhile' }, now)
      this.save(marked)
      return marked
    })
  }

  /** The last run of each job that has ended by itself. */
  lastEnded (): RunRecord[] {
    return (this.#database.prepare("select * from runs where seq in (select max(seq) from runs where state in ('succeeded', 'failed') group by job)").all() as unknown as Row[]).map(recordOf)
  }

  /** Forgets jobs that are not there any more; those whose file cannot be read just now are younger. `known`: ids of those that are. */
  forgetRemoved (known: readonly string[], now: number): void {
    const [before, ids] = [now - REMOVED_MS_MAX, JSON.stringify(known)]
    transaction(this.#database, () => {
      const gone = this.#database.prepare("select job from (select job, json_extract(state, '$.after') as at from jobs union all select job, json_extract(body, '$.queued') from runs) group by job having max(at) < ?1 and job not in (select value from json_each(?2))").all(before, ids) as Array<{ job: string }>
      for (const { job } of gone) {
        this.#database.prepare('delete from run_logs where run in (select id from runs where job = ?)').run(job)
        this.#database.prepare('delete from runs where job = ?').run(job)
        this.#database.prepare('delete from jobs where job = ?').run(job)
      }
    })
  }

  /** Forgets the oldest runs of a job that have ended, and the lines of a few more. */
  prune (job: string, runsMax: number): void {
    const ended = "job = ?1 and state in ('succeeded', 'failed', 'cancelled')"
    const older = (keep: number): string => `seq <= (select seq from runs where ${ended} order by seq desc limit 1 offset ${Math.trunc(keep)})`
    transaction(this.#database, () => {
      this.#database.prepare(`delete from run_logs where run in (select id from runs where ${ended} and ${older(Math.min(LOGS_KEPT, runsMax))})`).run(job)
      this.#database.prepare(`delete from runs where ${ended} and ${older(runsMax)}`).run(job)
    })
  }
}

function bodyOf ({ seq: _seq, id: _id, job: _job, state: _state, ...body }: Omit<RunRecord, 'seq'> & { readonly seq?: number }): string {
  return JSON.stringify(body satisfies Body)
}

function recordOf ({ seq, id, job, state, body }: Row): RunRecord {
  const { share, ...rest } = JSON.parse(body) as Body
  return { ...rest, share, seq, id, job, state }
}

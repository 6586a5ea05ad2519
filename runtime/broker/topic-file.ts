// One topic of the embedded broker: one SQLite database, a row a batch.
//
//   log         one row a batch: where it begins, how many rows, when, and the frame (frame.ts)
//   partitions  the offset of the next row and the time of the newest batch; both survive when retention empties the log
//   producers   the checkpoint of each writer, written with its rows (invariant 1), and its epoch
//   groups      what each consumer group committed, its intent and its epoch
//
// WAL with synchronous=FULL: a commit returns after the fsync. A torn write is rolled back by SQLite when the file is
// opened again. Epochs fence: whoever opened last under a name is the owner, and the one before gets BROKER_FENCED.

import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { syncNow } from '../durable.ts'
import { PlatformError } from '../errors.ts'
import { syncOpened, transaction } from '../sqlite.ts'
import type { StatementSync, SQLInputValue } from 'node:sqlite'

const schema = `
  create table if not exists partitions (partition integer primary key, next integer not null, time integer not null default 0) strict;
  create table if not exists log (
    id integer primary key, partition integer not null, base integer not null, rows integer not null,
    time integer not null, body blob not null
  ) strict;
  create unique index if not exists log_base on log (partition, base);
  create table if not exists producers (name text primary key, epoch integer not null, sequence integer, checkpoint text) strict;
  create table if not exists groups (
    name text not null, partition integer not null, epoch integer not null, offset integer not null, state text, intent text,
    primary key (name, partition)
  ) strict;
`
/** Waiting for the lock blocks the thread: much shorter than what the supervisor takes for a hang. */
const BUSY_MS = 5000

export class TopicFile {
  readonly file: string
  readonly #database: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()

  constructor (file: string) {
    this.file = file
    this.#database = this.run(() => {
      mkdirSync(dirname(file), { recursive: true })
      return new DatabaseSync(file, { timeout: BUSY_MS })
    })
    try {
      this.run(() => {
        this.#database.exec('pragma page_size = 16384; pragma auto_vacuum = incremental; pragma journal_mode = wal; pragma synchronous = full')
        this.#database.exec(schema)
        syncOpened(file)
        // The folder may be new, too.
        syncNow(dirname(dirname(file)))
      })
      this.#addTimes()
    } catch (error) {
      this.close()
      throw error
    }
  }

  /** All of `work` or nothing of it, durable when it returns. */
  transaction<T> (work: () => T): T {
    return this.run(() => transaction(this.#database, work))
  }

  get<T> (sql: string, ...values: SQLInputValue[]): T | undefined {
    return this.run(() => this.#statement(sql).get(...values) as T | undefined)
  }

  all<T> (sql: string, ...values: SQLInputValue[]): T[] {
    return this.run(() => this.#statement(sql).all(...values) as T[])
  }

  /** Calls `take` with row after row, until it returns false. */
  each<T> (take: (row: T) => boolean, sql: string, ...values: SQLInputValue[]): void {
    this.run(() => {
      // Leaving the loop early resets the statement: an open read would keep the write-ahead log from being reused.
      for (const row of this.#statement(sql).iterate(...values) as Iterable<T>) if (!take(row)) break
    })
  }

  /** Returns the rows changed. */
  change (sql: string, ...values: SQLInputValue[]): number {
    return this.run(() => Number(this.#statement(sql).run(...values).changes))
  }

  /** Translates what SQLite throws into the platform's errors. */
  run<T> (work: () => T): T {
    try {
      return work()
    } catch (error) {
      if (error instanceof PlatformError) throw error
      const { errcode, code, message } = error as { errcode?: number, code?: string, message: string }
      const primary = (errcode ?? 0) & 0xff
      if (primary === 13 || code === 'ENOSPC') throw new PlatformError('DISK_FULL', `No space is left for the topic: ${message}`, { where: this.file, remedy: 'Free some space; the pipeline goes on by itself.', cause: error })
      if (primary === 11 || primary === 26) throw new PlatformError('BROKER_FRAME_CORRUPT', `The topic's file is damaged: ${message}`, { where: this.file, remedy: 'Restore it from a backup, or move it away to begin an empty topic.', cause: error })
      throw new PlatformError('BROKER_UNAVAILABLE', `The topic cannot be read or written: ${message}`, { where: this.file, cause: error })
    }
  }

  close (): void {
    if (this.#database.isOpen) this.#database.close()
  }

  /** Files of earlier versions have the times in the log alone. */
  #addTimes (): void {
    const lacks = (): boolean => this.get('select 1 from pragma_table_info(?) where name = ?', 'partitions', 'time') === undefined
    if (!lacks()) return
    this.transaction(() => {
      // Another thread may have opened the file meanwhile.
      if (!lacks()) return
      this.#database.exec(`alter table partitions add column time integer not null default 0;
        update partitions set time = coalesce((select max(time) from log where log.partition = partitions.partition), 0)`)
    })
  }

  #statement (sql: string): StatementSync {
    let statement = this.#statements.get(sql)
    if (statement === undefined) {
      statement = this.#database.prepare(sql)
      this.#statements.set(sql, statement)
    }
    return statement
  }
}

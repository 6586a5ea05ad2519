import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { syncNow } from './durable.ts'
import type { DatabaseSync } from 'node:sqlite'

/**
 * Makes durable what a database with a write-ahead log shows when it was opened. A process that was killed may have
 * committed without its sync, and SQLite goes on where it cannot sync the name of a new log. Throws what the system says.
 */
export function syncOpened (file: string): void {
  const log = `${file}-wal`
  if (existsSync(log)) syncNow(log)
  syncNow(dirname(file))
}

/** Runs `work` in one transaction: all of it is kept, or nothing. */
export function transaction<T> (database: DatabaseSync, work: () => T): T {
  database.exec('begin immediate')
  try {
    const result = work()
    database.exec('commit')
    return result
  } catch (error) {
    // A full disk has rolled it back already.
    if (database.isTransaction) database.exec('rollback')
    throw error
  }
}

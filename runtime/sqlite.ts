import type { DatabaseSync } from 'node:sqlite'

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

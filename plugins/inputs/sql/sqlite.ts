// SQLite, through node:sqlite: the file is opened for reading only, on one snapshot.

import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setImmediate as turn } from 'node:timers/promises'
import { formatTime } from '../../../runtime/data-interval.ts'
import { describe } from '../../../runtime/errors.ts'
import { failed } from './database.ts'
import type { TimeFormat } from '../../../runtime/data-interval.ts'
import type { PlatformError } from '../../../runtime/errors.ts'
import type { Ordered } from '../../../runtime/value-order.ts'
import type { Database, OpenOptions, Parameter } from './database.ts'

type Value = null | number | bigint | string | Uint8Array

export async function openSqlite ({ config, root, signal }: OpenOptions): Promise<Database> {
  const path = resolve(root, config.url.slice('sqlite:'.length))
  if (!existsSync(path)) throw failed('SOURCE_UNAVAILABLE', path, new Error('the file does not exist'), 'Check the path behind sqlite: in url.')
  let database: DatabaseSync
  try {
    database = new DatabaseSync(path, { readOnly: true, timeout: config.connect_seconds * 1000 })
    database.exec('BEGIN')
  } catch (error) {
    throw sqliteError(error, path)
  }
  return {
    quote: name => `"${name.replaceAll('"', '""')}"`,
    parameter: (_n: number, value: Ordered, type: string): Parameter => ({ sql: '?', value: type === 'integer' ? BigInt(value) : value }),
    time: (_n: number, ms: number, format: TimeFormat = 'sql'): Parameter => {
      const text = formatTime(ms, format)
      // Times are texts here: 14:30:01 would come before 14:30:01.000.
      return { sql: '?', value: format.startsWith('unix_') ? BigInt(text) : format === 'sql' ? text.replace('.000', '') : text }
    },
    async * read (sql, parameters) {
      try {
        const statement = database.prepare(sql)
        statement.setReadBigInts(true)
        statement.setReturnArrays(true)
        const names = statement.columns().map(({ name }) => name)
        let rows: unknown[][] = []
        let last: readonly Value[] = []
        const page = (): { columns: Array<{ name: string, type: string }>, rows: unknown[][] } => ({ columns: names.map((name, i) => ({ name, type: typeof last[i] === 'bigint' ? 'integer' : '' })), rows })
        for (const row of statement.iterate(...parameters.map(({ value }) => value as Value)) as unknown as Iterable<Value[]>) {
          rows.push(row.map(plain))
          last = row
          if (rows.length < config.fetch_rows) continue
          yield page()
          rows = []
          // Reading is synchronous: messages of the runtime would starve.
          await turn()
          if (signal.aborted) return
        }
        if (rows.length > 0) yield page()
      } catch (error) {
        throw sqliteError(error, path)
      }
    },
    async close () {
      if (database.isOpen) database.close()
    }
  }
}

function plain (value: Value): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value)
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value
}

function sqliteError (error: unknown, path: string): PlatformError {
  const { errcode } = error as { errcode?: number }
  // SQLITE_ERROR: the statement; SQLITE_CORRUPT and SQLITE_NOTADB: the file.
  if (errcode === 1) return failed('SOURCE_REFUSED', path, error, 'Check table, query, key and incremental.')
  if (errcode === 11 || errcode === 26 || /malformed|not a database/.test(describe(error))) return failed('SOURCE_REFUSED', path, error, 'The file is damaged, or none of SQLite: restore it.')
  return failed('SOURCE_UNAVAILABLE', path, error)
}

// PostgreSQL, through pg and pg-cursor: one transaction that reads only, on one snapshot, with a cursor on the server.

import { Socket } from 'node:net'
import pg from 'pg'
import Cursor from 'pg-cursor'
import { formatTime } from '../../../runtime/data-interval.ts'
import { failed, parseDatabaseUrl, tlsOf } from './database.ts'
import { converterOf } from './postgres-values.ts'
import type { QueryResult } from 'pg'
import type { TimeFormat } from '../../../runtime/data-interval.ts'
import type { PlatformError } from '../../../runtime/errors.ts'
import type { Ordered } from '../../../runtime/value-order.ts'
import type { Column, Database, OpenOptions, Parameter, Rows } from './database.ts'

/** As text, so that no digit is lost on the way. */
const asText = { getTypeParser: () => (text: string) => text }

export async function openPostgres ({ config, root, signal }: OpenOptions): Promise<Database> {
  const { place, host, port, user, password, database } = parseDatabaseUrl(config.url)
  const tls = tlsOf(config, root)
  const socket = new Socket()
  const client = new pg.Client({
    host,
    port: port ?? 5432,
    user: user === '' ? 'postgres' : user,
    database: database === '' ? 'postgres' : database,
    password,
    ssl: tls === undefined ? false : { ...tls, rejectUnauthorized: true },
    connectionTimeoutMillis: config.connect_seconds * 1000,
    application_name: 'twolane',
    keepAlive: true,
    stream: () => socket
  })
  // What was under way fails by itself; without a listener the error would end the thread.
  client.on('error', () => {})
  const onAbort = (): void => { socket.destroy(new Error('stopped')) }
  signal.addEventListener('abort', onAbort)
  let broken = false

  async function close (): Promise<void> {
    signal.removeEventListener('abort', onAbort)
    // A connection that is gone, or busy, cannot be told goodbye.
    if (!broken && !socket.destroyed) await client.end().catch(() => {})
    socket.destroy()
  }

  try {
    await client.connect()
    await client.query(`BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL IntervalStyle = 'iso_8601'; SET LOCAL bytea_output = 'hex'; SET LOCAL extra_float_digits = 1; SET LOCAL statement_timeout = ${Math.ceil(config.statement_seconds * 1000)}`)
  } catch (error) {
    broken = true
    await close()
    throw postgresError(error, place)
  }

  return {
    quote: name => `"${name.replaceAll('"', '""')}"`,
    parameter: (n: number, value: Ordered): Parameter => ({ sql: `$${n}`, value: String(value) }),
    time: (n: number, ms: number, format: TimeFormat = 'iso'): Parameter => ({ sql: `$${n}`, value: formatTime(ms, format) }),
    async * read (sql, parameters) {
      const cursor = client.query(new Cursor<string[]>(sql, parameters.map(({ value }) => value), { rowMode: 'array', types: asText as never }))
      let columns: readonly Column[] = []
      let converters: ReadonlyArray<(text: string) => unknown> = []
      broken = true // until the last row: a cursor under way keeps the connection busy
      for (;;) {
        const { rows, result } = await fetch(cursor, config.fetch_rows, socket).catch((error: unknown) => { throw postgresError(error, place) })
        if (columns.length === 0) {
          columns = result.fields.map(({ name, dataTypeID }) => ({ name, type: String(dataTypeID) }))
          converters = result.fields.map(({ dataTypeID }) => converterOf(dataTypeID))
        }
        if (rows.length > 0) yield converted(columns, rows, converters)
        if (rows.length < config.fetch_rows) break
      }
      broken = false
    },
    close
  }
}

function fetch (cursor: Cursor<string[]>, rowsMax: number, socket: Socket): Promise<{ rows: ReadonlyArray<ReadonlyArray<string | null>>, result: QueryResult }> {
  return new Promise((resolve, reject) => {
    // A cursor whose last row came is not told of the end of its connection, and would wait for ever.
    const onClose = (): void => reject(new Error('the connection was closed'))
    if (socket.destroyed) onClose()
    socket.once('close', onClose)
    cursor.read(rowsMax, (error, rows, result) => {
      socket.off('close', onClose)
      if (error === undefined || error === null) resolve({ rows, result })
      else reject(error)
    })
  })
}

/** Values by the converter of their column. */
function converted (columns: readonly Column[], rows: ReadonlyArray<ReadonlyArray<string | null>>, converters: ReadonlyArray<(text: string) => unknown>): Rows {
  return { columns, rows: rows.map(row => row.map((text, i) => text === null ? null : (converters[i] as (text: string) => unknown)(text))) }
}

/** Classes of SQLSTATE that no second attempt changes: data, login, database, feature, transaction, syntax and rights. */
const hopeless = /^(?:0A|22|25|28|3D|42)/

function postgresError (error: unknown, place: string): PlatformError {
  const { code = '', message = '' } = error as { code?: string, message?: string }
  if (/^28/.test(code) || /^SASL|password must be a string/.test(message)) return failed('SOURCE_REFUSED', place, error, 'Check user and password in url.')
  if (/SSL|certificate/i.test(message)) return failed('SOURCE_REFUSED', place, error, 'Check tls and ca_file.')
  if (code === '57014') return failed('SOURCE_UNAVAILABLE', place, error, 'Make the statement faster (an index on the incremental column), or raise statement_seconds.')
  if (/^(?:22P02|42846|42883)$/.test(code)) return failed('SOURCE_REFUSED', place, error, 'Where it concerns {from}, {to} or incremental.start: use the format that the column has.')
  if (hopeless.test(code)) return failed('SOURCE_REFUSED', place, error, 'Check table, query, key, incremental, and the rights of the user.')
  return failed('SOURCE_UNAVAILABLE', place, error)
}

// MySQL and MariaDB, through mysql2: one transaction that reads only, on one snapshot, whose rows are streamed.

import mysql2 from 'mysql2'
import { formatTime } from '../../../runtime/data-interval.ts'
import { parseJson } from '../../../runtime/json.ts'
import { failed, parseDatabaseUrl, plainTime, tlsOf } from './database.ts'
import type { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import type { Connection, FieldPacket } from 'mysql2'
import type { TimeFormat } from '../../../runtime/data-interval.ts'
import type { PlatformError } from '../../../runtime/errors.ts'
import type { Ordered } from '../../../runtime/value-order.ts'
import type { Column, Database, OpenOptions, Parameter } from './database.ts'
import type { SqlConfig } from './options.ts'

// Its CommonJS names are not all seen by an import.
const { createConnection, Types } = mysql2
/** A topic that is slow for longer loses the connection, and the next run goes on. */
const stallSeconds = 3600
const unsignedFlag = 32
const integers: ReadonlySet<number> = new Set([Types.TINY, Types.SHORT, Types.INT24, Types.LONG, Types.LONGLONG, Types.YEAR])
const times: ReadonlySet<number> = new Set([Types.TIMESTAMP, Types.DATETIME, Types.DATE, Types.NEWDATE])

interface Field extends FieldPacket {
  readonly columnType?: number
  readonly extendedFormat?: string
}

export async function openMysql ({ config, root, signal }: OpenOptions): Promise<Database> {
  const { place } = parseDatabaseUrl(config.url)
  const connection = connect(config, root)
  // A stream of rows is not told of the end of its connection, and would wait for ever.
  let stream: Readable | undefined
  connection.on('error', error => stream?.destroy(error))
  const socket = (connection as unknown as { readonly stream: Socket }).stream
  socket.once('close', () => stream?.destroy(new Error('the connection was closed')))
  const onAbort = (): void => { connection.destroy() }
  signal.addEventListener('abort', onAbort)
  let broken = false

  async function close (): Promise<void> {
    signal.removeEventListener('abort', onAbort)
    if (!broken && !signal.aborted) await new Promise(resolve => connection.end(resolve))
    connection.destroy()
  }

  try {
    const version = await ask(connection, 'SELECT VERSION() AS version', signal)
    const seconds = config.statement_seconds
    const limit = /mariadb/i.test(version) ? `max_statement_time = ${seconds}` : `max_execution_time = ${Math.ceil(seconds * 1000)}`
    await ask(connection, `SET SESSION time_zone = '+00:00', net_write_timeout = ${stallSeconds}, ${limit}`, signal)
    await ask(connection, 'START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY', signal)
  } catch (error) {
    broken = true
    await close()
    throw mysqlError(error, place)
  }

  return {
    quote: name => `\`${name.replaceAll('`', '``')}\``,
    parameter,
    time: (_n: number, ms: number, format: TimeFormat = 'sql'): Parameter => format.startsWith('unix_') ? { sql: 'CAST(? AS SIGNED)', value: formatTime(ms, format) } : { sql: format === 'date' ? 'CAST(? AS DATE)' : 'CAST(? AS DATETIME(3))', value: plainTime(formatTime(ms, format)) },
    async * read (sql, parameters) {
      broken = true // until the last row: a statement under way keeps the connection busy
      const command = connection.execute({ sql, rowsAsArray: true }, parameters.map(({ value }) => value as string))
      let columns: readonly Column[] = []
      let convert: ReadonlyArray<(value: unknown) => unknown> = []
      command.on('fields', (fields: Field[]) => {
        columns = fields.map(field => ({ name: field.name, type: typeOf(field) }))
        convert = fields.map(converterOf)
      })
      stream = command.stream({ highWaterMark: Math.min(1000, config.fetch_rows) })
      let rows: unknown[][] = []
      try {
        for await (const row of stream as AsyncIterable<unknown[]>) {
          rows.push(row.map((value, i) => value === null ? null : (convert[i] as (value: unknown) => unknown)(value)))
          if (rows.length < config.fetch_rows) continue
          yield { columns, rows }
          rows = []
        }
      } catch (error) {
        throw mysqlError(error, place)
      } finally {
        stream = undefined
      }
      if (rows.length > 0) yield { columns, rows }
      broken = false
    },
    close
  }
}

/** Begins to connect; the first statement waits for it. */
function connect (config: SqlConfig, root: string): Connection {
  const { host, port, user, password, database } = parseDatabaseUrl(config.url)
  const tls = tlsOf(config, root)
  return createConnection({
    host,
    port: port ?? 3306,
    user,
    password,
    database,
    ...(tls !== undefined && { ssl: { ...tls, rejectUnauthorized: true } }),
    connectTimeout: config.connect_seconds * 1000,
    charset: 'utf8mb4',
    timezone: 'Z',
    dateStrings: true,
    supportBigNumbers: true,
    bigNumberStrings: true,
    jsonStrings: true,
    enableKeepAlive: true
  })
}

/** One statement; the first value of its answer as text. */
function ask (connection: Connection, sql: string, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    // A connection that is destroyed answers no more.
    const onAbort = (): void => reject(new Error('stopped'))
    signal.addEventListener('abort', onAbort, { once: true })
    connection.query({ sql, rowsAsArray: true }, (error: Error | null, rows: unknown) => {
      signal.removeEventListener('abort', onAbort)
      if (error !== null) reject(error)
      else resolve(Array.isArray(rows) ? String((rows as unknown[][])[0]?.[0]) : '')
    })
  })
}

/** Compared as a text, a large integer would lose digits: MySQL makes a double of both sides. */
function parameter (_n: number, value: Ordered, type: string): Parameter {
  switch (type) {
    case 'signed': return { sql: 'CAST(? AS SIGNED)', value: String(value) }
    case 'unsigned': return { sql: 'CAST(? AS UNSIGNED)', value: String(value) }
    case 'decimal': return { sql: 'CAST(? AS DECIMAL(65, 30))', value: String(value) }
    case 'time': return { sql: 'CAST(? AS DATETIME(6))', value: plainTime(value) }
    default: return { sql: '?', value }
  }
}

function typeOf ({ columnType, flags }: Field): string {
  if (columnType === undefined) return ''
  if (integers.has(columnType)) return (Number(flags) & unsignedFlag) === 0 ? 'signed' : 'unsigned'
  if (columnType === Types.NEWDECIMAL || columnType === Types.DECIMAL) return 'decimal'
  return times.has(columnType) ? 'time' : ''
}

function converterOf ({ columnType, extendedFormat }: Field): (value: unknown) => unknown {
  if (columnType === Types.TIMESTAMP) return value => `${String(value).replace(' ', 'T')}Z`
  if (columnType === Types.DATETIME) return value => String(value).replace(' ', 'T')
  if (columnType === Types.JSON || extendedFormat === 'json') return value => parseJson(String(value))
  if (columnType === Types.BIT) return value => bits(value as Buffer)
  if (columnType === Types.FLOAT) return value => shortest(value as number)
  return value => Buffer.isBuffer(value) ? value.toString('base64') : value
}

function bits (bytes: Buffer): number | string {
  const value = BigInt(`0x${bytes.toString('hex')}`)
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : String(value)
}

/** A float of 32 bits arrives as a double; 1.1 is meant, not 1.10000002384185791015625. */
function shortest (value: number): number {
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits))
    if (Math.fround(short) === value) return short
  }
  return value
}

function mysqlError (error: unknown, place: string): PlatformError {
  const { code = '', errno = 0, sqlState = '', message = '' } = error as { code?: string, errno?: number, sqlState?: string, message?: string }
  if (errno === 1045 || errno === 1044) return failed('SOURCE_REFUSED', place, error, 'Check user and password in url, and the rights of the user.')
  if (/^HANDSHAKE|CERT|SSL/.test(code) || /certificate|secure connection/i.test(message)) return failed('SOURCE_REFUSED', place, error, 'Check tls and ca_file.')
  if (errno === 1969 || errno === 3024) return failed('SOURCE_UNAVAILABLE', place, error, 'Make the statement faster (an index on the incremental column), or raise statement_seconds.')
  if (/^(?:42|22|0A|25)/.test(sqlState)) return failed('SOURCE_REFUSED', place, error, 'Check table, query, key, incremental, and the rights of the user.')
  return failed('SOURCE_UNAVAILABLE', place, error)
}

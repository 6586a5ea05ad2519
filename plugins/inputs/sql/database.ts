// What a reading needs of a database. There is one file for each kind.

import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { describe, PlatformError } from '../../../runtime/errors.ts'
import type { TimeFormat } from '../../../runtime/data-interval.ts'
import type { ErrorCode } from '../../../runtime/errors.ts'
import type { Ordered } from '../../../runtime/value-order.ts'
import type { SqlConfig } from './options.ts'

export interface Column {
  readonly name: string
  /** In the words of the database: `parameter` gets it back. */
  readonly type: string
}

/** Values are plain JSON, exact: what a double does not hold is text. */
export interface Rows {
  readonly columns: readonly Column[]
  readonly rows: readonly unknown[][]
}

/** A value that a statement is given. */
export interface Parameter {
  /** What stands for it in the statement. */
  readonly sql: string
  readonly value: unknown
}

export interface Database {
  quote (name: string): string
  /** A value that was read from a column of that type (empty: not known), as the `n`th parameter, from 1 on. */
  parameter (n: number, value: Ordered, type: string): Parameter
  /** A moment, in ms since 1970; without a format in the one that the database compares with its times. */
  time (n: number, ms: number, format: TimeFormat | undefined): Parameter
  /** The rows of a statement as they come, `fetch_rows` at a time. Throws SOURCE_UNAVAILABLE or SOURCE_REFUSED; at the signal it throws anything. */
  read (sql: string, parameters: readonly Parameter[]): AsyncGenerator<Rows, void, void>
  /** Never throws. */
  close (): Promise<void>
}

export interface OpenOptions {
  readonly config: SqlConfig
  readonly root: string
  readonly signal: AbortSignal
}

export interface Address {
  /** Without user and password. */
  readonly place: string
  readonly protocol: string
  readonly host: string
  readonly port: number | undefined
  readonly user: string
  readonly password: string
  readonly database: string
}

/** Throws CONFIG_INVALID; no message holds the text, for there may be a password in it. */
export function parseDatabaseUrl (text: string): Address {
  const url = URL.parse(text)
  if (url === null || url.hostname === '') throw invalid('url', 'this is no address of a database', 'Write it as postgres://user:password@host:5432/name; % @ / : ? and # in a password as %25 %40 %2F %3A %3F and %23.')
  // What a driver could be told that way is an option here, or nothing.
  if (url.search !== '' || url.hash !== '') throw invalid('url', 'an address of a database takes no parameters here', 'Take out what follows the question mark, and use the options, such as tls.')
  return {
    place: `${url.protocol}//${url.host}${url.pathname}`,
    protocol: url.protocol.slice(0, -1),
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? undefined : Number(url.port),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    database: decodeURIComponent(url.pathname.slice(1))
  }
}

export interface Tls {
  readonly ca?: Buffer
  readonly cert?: Buffer
  readonly key?: Buffer
}

/** undefined: without TLS. */
export function tlsOf ({ tls, ca_file: ca, certificate_file: cert, key_file: key }: SqlConfig, root: string): Tls | undefined {
  if ((cert === null) !== (key === null)) throw invalid('certificate_file', 'a certificate needs its key, and a key its certificate', 'Name both files.')
  if (!tls && (ca !== null || cert !== null)) throw invalid('tls', 'certificates are for TLS, which is off', 'Set tls: true.')
  if (!tls) return undefined
  const read = (path: string): Buffer => {
    try {
      return readFileSync(resolve(root, path))
    } catch (cause) {
      throw invalid('ca_file', `a certificate file cannot be read: ${describe(cause)}`, 'Correct the path, or let this user read the file.')
    }
  }
  return { ...(ca !== null && { ca: read(ca) }), ...(cert !== null && key !== null && { cert: read(cert), key: read(key) }) }
}

export function invalid (option: string, message: string, remedy: string): PlatformError {
  return new PlatformError('CONFIG_INVALID', message, { where: `input.sql.${option}`, remedy })
}

/** What a database said, with its place. */
export function failed (code: Extract<ErrorCode, 'SOURCE_REFUSED' | 'SOURCE_UNAVAILABLE'>, place: string, cause: unknown, remedy?: string): PlatformError {
  const message = code === 'SOURCE_REFUSED' ? `The database refuses the reading: ${describe(cause)}` : `The database cannot be read: ${describe(cause)}`
  return new PlatformError(code, message, { where: place, cause, ...(remedy !== undefined && { remedy }) })
}

/** 2024-03-10T14:30:15.5Z as databases take it for a parameter of theirs: 2024-03-10 14:30:15.5. */
export function plainTime (value: Ordered): string {
  return String(value).replace('T', ' ').replace(/Z$/, '')
}

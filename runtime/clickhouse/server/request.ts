import { createHash, randomUUID, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { fault } from './errors.ts'

/** One query as it was asked: the URL's keys sorted by what they are for. */
export interface QueryRequest {
  /** The query, or its beginning: the body follows. Empty when all of it is in the body. */
  readonly query: string
  readonly queryId: string
  readonly database: string | undefined
  /** The answer's format where the query names none. */
  readonly format: string
  /** For this query only. */
  readonly settings: ReadonlyMap<string, string>
  /** Values of `{name:Type}` in ClickHouse's escaped text form. */
  readonly parameters: ReadonlyMap<string, string>
  readonly session: { readonly id: string, readonly timeoutSeconds: number, readonly mustExist: boolean } | undefined
  /** Answer only when the query is done, so that its status and summary are final. */
  readonly waitForEnd: boolean
  readonly compressAnswer: boolean
  /** GET and HEAD must not change anything. */
  readonly readonly: boolean
}

/** Keys that are no settings of the engine: read here, or of a server's HTTP layer and without effect here. */
const ownKeys = new Set([
  'query', 'query_id', 'database', 'default_format', 'session_id', 'session_timeout', 'session_check', 'user', 'password',
  'wait_end_of_query', 'enable_http_compression', 'compress', 'decompress',
  'quota_key', 'role', 'buffer_size', 'stacktrace', 'client_protocol_version', 'close_session', 'cache',
  'send_progress_in_http_headers', 'http_headers_progress_interval_ms', 'http_zlib_compression_level', 'http_response_buffer_size',
  'http_native_compression_disable_checksumming_on_decompress', 'cancel_http_readonly_queries_on_client_close', 'add_http_cors_header'
])
const identifier = /^[A-Za-z_][A-Za-z0-9_]*$/
const sessionSecondsMax = 3600

export function parseRequest (request: IncomingMessage, url: URL): QueryRequest {
  const keys = url.searchParams
  if (truth(keys.get('compress')) || truth(keys.get('decompress'))) {
    throw fault('NOT_IMPLEMENTED', 'compress and decompress (ClickHouse\'s own block format) are not supported here: use enable_http_compression with Accept-Encoding, and Content-Encoding')
  }
  const settings = new Map<string, string>()
  const parameters = new Map<string, string>()
  for (const [key, value] of keys) {
    if (key.startsWith('param_')) parameters.set(checked(key.slice(6)), value)
    else if (!ownKeys.has(key)) settings.set(checked(key), value)
  }
  const session = keys.get('session_id')
  return {
    query: keys.get('query') ?? '',
    queryId: keys.get('query_id') || header(request, 'x-clickhouse-query-id') || randomUUID(),
    database: keys.get('database') || header(request, 'x-clickhouse-database'),
    format: keys.get('default_format') || header(request, 'x-clickhouse-format') || 'TabSeparated',
    settings,
    parameters,
    session: session ? { id: session, timeoutSeconds: sessionSeconds(keys.get('session_timeout')), mustExist: truth(keys.get('session_check')) } : undefined,
    waitForEnd: truth(keys.get('wait_end_of_query')),
    compressAnswer: truth(keys.get('enable_http_compression')),
    readonly: request.method !== 'POST'
  }
}

function checked (name: string): string {
  if (!identifier.test(name)) throw fault('UNKNOWN_SETTING', `Unknown setting '${name}'`)
  return name
}

function truth (value: string | null): boolean {
  return value === '1' || value === 'true'
}

function sessionSeconds (value: string | null): number {
  if (value === null) return 60
  const seconds = Number(value)
  if (!Number.isInteger(seconds) || seconds < 0 || seconds > sessionSecondsMax) {
    throw fault('INVALID_SESSION_TIMEOUT', `Session timeout '${value}' is not a whole number of seconds up to ${sessionSecondsMax}`)
  }
  return seconds
}

function header (request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name]
  return typeof value === 'string' && value !== '' ? value : undefined
}

export interface Credentials {
  readonly user: string
  readonly password: string
}

/** Throws unless the request proves that it may ask: by ClickHouse's headers, basic authentication or the URL. */
export function authenticate (request: IncomingMessage, url: URL, allowed: Credentials | undefined): void {
  if (allowed === undefined) return
  const given = credentials(request, url)
  const right = same(given?.user ?? 'default', allowed.user) && same(given?.password ?? '', allowed.password)
  if (!right) {
    throw fault('AUTHENTICATION_FAILED', `${given?.user ?? 'default'}: Authentication failed: password is incorrect, or there is no user with such name`)
  }
}

/** Whether the request names nobody: then the answer asks for a name. */
export function anonymous (request: IncomingMessage, url: URL): boolean {
  return credentials(request, url) === undefined
}

function credentials (request: IncomingMessage, url: URL): Credentials | undefined {
  const user = header(request, 'x-clickhouse-user')
  const key = header(request, 'x-clickhouse-key')
  if (user !== undefined || key !== undefined) return { user: user ?? 'default', password: key ?? '' }
  const [scheme, encoded] = header(request, 'authorization')?.split(' ') ?? []
  if (scheme?.toLowerCase() === 'basic' && encoded !== undefined) {
    const text = Buffer.from(encoded, 'base64').toString()
    const colon = text.indexOf(':')
    return { user: text.slice(0, Math.max(0, colon)) || 'default', password: text.slice(colon + 1) }
  }
  const keys = url.searchParams
  if (keys.has('user') || keys.has('password')) return { user: keys.get('user') || 'default', password: keys.get('password') ?? '' }
  return undefined
}

/** Compares in a time that tells nothing about how much of it is right. */
function same (given: string, right: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given), digest(right))
}

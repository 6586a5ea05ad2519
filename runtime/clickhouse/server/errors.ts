/**
 * Errors as a ClickHouse server sends them: a code, its name, and an HTTP status chosen by the code.
 * The engine gives one line of text: `Code: N. DB::Exception: … (NAME)`.
 */
export class QueryError extends Error {
  /** ClickHouse's number of the error. */
  readonly code: number
  /** ClickHouse's name of the error, such as SYNTAX_ERROR. */
  readonly type: string

  constructor (code: number, type: string, message: string) {
    super(message)
    this.name = 'QueryError'
    this.code = code
    this.type = type
  }
}

/** The errors that do not come from the engine, under ClickHouse's own numbers and names. */
const codes = {
  AUTHENTICATION_FAILED: 516,
  BAD_ARGUMENTS: 36,
  CANNOT_DECOMPRESS: 271,
  INTO_OUTFILE_NOT_ALLOWED: 358,
  INVALID_SESSION_TIMEOUT: 374,
  NOT_ENOUGH_SPACE: 243,
  NOT_IMPLEMENTED: 48,
  QUERY_IS_TOO_LARGE: 229,
  QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING: 216,
  READONLY: 164,
  SESSION_IS_LOCKED: 373,
  SESSION_NOT_FOUND: 372,
  SYNTAX_ERROR: 62,
  TOO_MANY_SIMULTANEOUS_QUERIES: 202,
  UNKNOWN_QUERY_PARAMETER: 456,
  UNKNOWN_SETTING: 115,
  UNKNOWN_TYPE_OF_QUERY: 78
} as const

export function fault (type: keyof typeof codes, message: string): QueryError {
  return new QueryError(codes[type], type, message)
}

/** ClickHouse's table of HTTP statuses, and 503 for too many queries, so that clients wait and try again. All else is 500. */
const statuses = new Map<number, number>([
  [194, 401], // REQUIRED_PASSWORD
  ...[192, 193, 497, 512, 516].map(code => [code, 403] as const), // users, passwords, access
  // Arguments, parse errors, types and columns that do not fit.
  ...[6, 8, 15, 25, 26, 27, 36, 37, 38, 41, 44, 53, 62, 72, 117, 123, 167, 168, 223, 321, 376, 427, 441, 675, 676].map(code => [code, 400] as const),
  // Unknown functions, identifiers, types, engines, tables, formats, statements, databases, settings, directions, roles.
  ...[46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 152, 336, 511].map(code => [code, 404] as const),
  [159, 408], // TIMEOUT_EXCEEDED
  [381, 411], // HTTP_LENGTH_REQUIRED
  [229, 413], // QUERY_IS_TOO_LARGE
  [779, 415], // UNSUPPORTED_MEDIA_TYPE
  [48, 501], // NOT_IMPLEMENTED
  ...[76, 202, 209, 439].map(code => [code, 503] as const) // files, too many queries, timeouts of sockets, threads
])

export function statusOf (error: QueryError): number {
  return statuses.get(error.code) ?? 500
}

const line = /^Code: (\d+)\. DB::Exception: ([\s\S]*?)(?:\s*\(([A-Z][A-Z0-9_]+)\))?\s*$/
const repeated = /^(?:Code: \d+\. DB::Exception: )+/
const innerEnd = /\s*\([A-Z][A-Z0-9_]+\) \(version [^)]*\)(?=\.?\s*$)/
// An INSERT reads a spooled body; where that lay is nobody's business.
const spoolPlace = /:?\s*\(in file\/uri [^)]*\)|:?\s*data for INSERT was parsed from file[^(]*/g

/** What the engine threw, as a QueryError; a text that is not ClickHouse's keeps its words under code 1001. */
export function fromEngine (error: unknown): QueryError {
  if (error instanceof QueryError) return error
  const text = error instanceof Error ? error.message : String(error)
  const found = line.exec(text)
  if (found === null) return new QueryError(1001, 'STD_EXCEPTION', text)
  const message = (found[2] ?? '').replace(repeated, '').replace(innerEnd, '').replace(spoolPlace, '').trimEnd()
  return new QueryError(Number(found[1]), found[3] ?? 'UNKNOWN_EXCEPTION', message)
}

/** The body of an error's answer. */
export function render (error: QueryError, version: string): string {
  const stop = /[.:!?]$/.test(error.message) ? '' : '.'
  return `Code: ${error.code}. DB::Exception: ${error.message}${stop} (${error.type}) (version ${version} (official build))\n`
}

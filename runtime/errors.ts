import type { Problem } from './problems.ts'

/** What an error code means to a caller: the HTTP status of an answer that carries it, and whether trying again can help. */
interface Meaning {
  readonly status: number
  readonly retryable: boolean
}

/** Every code the platform throws. A caller branches on `code` or `retryable`, never on the text. */
const meanings = {
  BACKUP_DAMAGED: { status: 500, retryable: false },
  BACKUP_REFUSED: { status: 409, retryable: false },
  ACCESS_UNAVAILABLE: { status: 503, retryable: true },
  BROKER_FENCED: { status: 409, retryable: false },
  BROKER_FRAME_CORRUPT: { status: 500, retryable: false },
  BROKER_OFFSET_LOST: { status: 500, retryable: false },
  BROKER_REFUSED: { status: 502, retryable: false },
  BROKER_UNAVAILABLE: { status: 503, retryable: true },
  CONFIG_INVALID: { status: 422, retryable: false },
  DATA_FOLDER_IN_USE: { status: 409, retryable: false },
  DESTINATION_REFUSED: { status: 502, retryable: false },
  DESTINATION_UNAVAILABLE: { status: 503, retryable: true },
  DISK_FULL: { status: 507, retryable: true },
  ENGINE_MISSING: { status: 503, retryable: false },
  ENGINE_UNAVAILABLE: { status: 503, retryable: true },
  FILE_CHANGED: { status: 409, retryable: false },
  FILE_REFUSED: { status: 422, retryable: false },
  FILES_READ_ONLY: { status: 409, retryable: false },
  LAKE_CONFLICT: { status: 409, retryable: false },
  LAKE_DAMAGED: { status: 500, retryable: false },
  IN_USE: { status: 409, retryable: false },
  JOB_RUNNING: { status: 409, retryable: true },
  LAST_ADMIN: { status: 409, retryable: false },
  HANDOFF_UNVERIFIED: { status: 500, retryable: false },
  HANDOFF_WAITING: { status: 409, retryable: true },
  MEDIA_TYPE_UNSUPPORTED: { status: 415, retryable: false },
  MOVE_REFUSED: { status: 409, retryable: false },
  MOVE_UNVERIFIED: { status: 500, retryable: false },
  NAME_TAKEN: { status: 409, retryable: false },
  NOT_CONTROL: { status: 421, retryable: true },
  NOT_FOUND: { status: 404, retryable: false },
  NOT_RUNNING: { status: 503, retryable: false },
  PANEL_UNAVAILABLE: { status: 503, retryable: true },
  PASSWORD_REFUSED: { status: 422, retryable: false },
  PIPELINE_DISABLED: { status: 409, retryable: false },
  PLUGIN_FAILED: { status: 500, retryable: true },
  PLUGIN_INVALID: { status: 422, retryable: false },
  PLUGIN_STUCK: { status: 500, retryable: true },
  PORT_IN_USE: { status: 409, retryable: false },
  RELOAD_BUSY: { status: 409, retryable: true },
  RUN_ENDED: { status: 409, retryable: false },
  PAGE_EXPIRED: { status: 409, retryable: false },
  QUERY_REFUSED: { status: 422, retryable: false },
  QUERY_TIMEOUT: { status: 504, retryable: false },
  RESULT_TOO_LARGE: { status: 422, retryable: false },
  QUOTA_EXCEEDED: { status: 429, retryable: true },
  ROW_INVALID: { status: 422, retryable: false },
  SCOPE_MISSING: { status: 403, retryable: false },
  SCHEMA_BREAKING: { status: 409, retryable: false },
  SOURCE_REFUSED: { status: 502, retryable: false },
  SOURCE_UNAVAILABLE: { status: 503, retryable: true },
  REQUEST_INVALID: { status: 400, retryable: false },
  REQUEST_REFUSED: { status: 403, retryable: false },
  STILL_READ: { status: 409, retryable: false },
  STALE_PLAN: { status: 409, retryable: false },
  TESTS_FAILED: { status: 500, retryable: false },
  TOO_MANY_REQUESTS: { status: 429, retryable: true },
  UNAUTHORIZED: { status: 401, retryable: false }
} as const satisfies Record<string, Meaning>

export type ErrorCode = keyof typeof meanings

/** All codes with what they mean: the catalogue of the documentation. */
export const errorMeanings: Readonly<Record<ErrorCode, Meaning>> = meanings

export interface ErrorContext {
  /** The place of the fault, such as `pipelines/quotes.yaml:3:5 outputs[0].lake.folder`. */
  readonly where?: string
  /** What to do about it: one sentence. */
  readonly remedy?: string
  readonly cause?: unknown
  /** Of a CONFIG_INVALID: what is wrong, place by place; the message has a line for each. */
  readonly problems?: readonly Problem[]
  /** When trying again can help; an answer says it as Retry-After. */
  readonly retryAfterSeconds?: number
}

/** The only error class that code outside a plugin throws. Its message says what is wrong; `where` and `remedy` follow it in print. */
export class PlatformError extends Error {
  readonly code: ErrorCode
  readonly where: string | undefined
  readonly remedy: string | undefined
  readonly problems: readonly Problem[] | undefined
  readonly retryAfterSeconds: number | undefined

  constructor (code: ErrorCode, message: string, { where, remedy, cause, problems, retryAfterSeconds }: ErrorContext = {}) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'PlatformError'
    this.code = code
    this.where = where
    this.remedy = remedy
    this.problems = problems
    this.retryAfterSeconds = retryAfterSeconds
  }

  get retryable (): boolean {
    return meanings[this.code].retryable
  }

  get status (): number {
    return meanings[this.code].status
  }

  /** One line for a person: where, what, what to do. */
  override toString (): string {
    const place = this.where === undefined ? '' : `${this.where}: `
    const remedy = this.remedy === undefined ? '' : `${/[.!?]$/.test(this.message) ? '' : '.'} ${this.remedy}`
    return `${place}${this.message}${remedy}`
  }
}

/** One line about anything that was thrown; never a stack trace. */
export function describe (error: unknown): string {
  if (error instanceof PlatformError) return error.toString()
  if (error instanceof Error) {
    // A failed connect hides its reasons in an AggregateError without a message.
    if (error instanceof AggregateError && error.message === '') return error.errors.map(describe).join('; ')
    const cause = error.cause instanceof Error ? ` (${describe(error.cause)})` : ''
    return `${error.message === '' ? error.name : error.message}${cause}`
  }
  return String(error)
}

// Errors of the platform in ClickHouse's words: clients branch on its codes.

import { EngineRefusal } from '../clickhouse/ask.ts'
import { QueryError, statusOf } from '../clickhouse/server/errors.ts'
import { describe, PlatformError } from '../errors.ts'
import { publicForm } from './public-form.ts'
import type { FastifyError, FastifyRequest } from 'fastify'
import type { ErrorCode } from '../errors.ts'
import type { Platform } from '../platform.ts'

export interface Fault {
  readonly error: QueryError
  /** Of the answer. */
  readonly status: number
  /** Nobody said who they are. */
  readonly isAnonymous: boolean
}

const meanings: Partial<Record<ErrorCode, readonly [code: number, name: string]>> = {
  ACCESS_UNAVAILABLE: [210, 'NETWORK_ERROR'],
  ENGINE_UNAVAILABLE: [210, 'NETWORK_ERROR'],
  MEDIA_TYPE_UNSUPPORTED: [48, 'NOT_IMPLEMENTED'],
  QUERY_REFUSED: [497, 'ACCESS_DENIED'],
  QUERY_TIMEOUT: [159, 'TIMEOUT_EXCEEDED'],
  QUOTA_EXCEEDED: [201, 'QUOTA_EXCEEDED'],
  REQUEST_REFUSED: [497, 'ACCESS_DENIED'],
  RESULT_TOO_LARGE: [396, 'TOO_MANY_ROWS_OR_BYTES'],
  SCOPE_MISSING: [497, 'ACCESS_DENIED'],
  TOO_MANY_REQUESTS: [202, 'TOO_MANY_SIMULTANEOUS_QUERIES'],
  UNAUTHORIZED: [516, 'AUTHENTICATION_FAILED']
}
/** Names of the engine's codes that are met most; clients go by the number. */
const names: Readonly<Record<number, string>> = { 6: 'CANNOT_PARSE_TEXT', 36: 'BAD_ARGUMENTS', 42: 'NUMBER_OF_ARGUMENTS_DOESNT_MATCH', 43: 'ILLEGAL_TYPE_OF_ARGUMENT', 46: 'UNKNOWN_FUNCTION', 47: 'UNKNOWN_IDENTIFIER', 53: 'TYPE_MISMATCH', 60: 'UNKNOWN_TABLE', 62: 'SYNTAX_ERROR', 115: 'UNKNOWN_SETTING', 184: 'ILLEGAL_AGGREGATION', 215: 'NOT_AN_AGGREGATE', 456: 'UNKNOWN_QUERY_PARAMETER' }

export function fault (code: number, name: string, message: string): QueryError {
  return new QueryError(code, name, message)
}

export function faultOf (platform: Platform, error: unknown, request: FastifyRequest): Fault {
  if (error instanceof QueryError) return { error, status: statusOf(error), isAnonymous: false }
  if (!(error instanceof PlatformError)) return ofFramework(platform, error as FastifyError, request)
  const text = publicForm(platform)(error.toString())
  if (error.code === 'QUERY_REFUSED' && error.cause instanceof EngineRefusal) {
    const { code } = error.cause
    const shown = fault(code, names[code] ?? 'QUERY_REFUSED', text)
    // The engine says 500 of many a statement that is wrong; nothing here is.
    const status = statusOf(shown)
    return { error: shown, status: status < 500 ? status : 400, isAnonymous: false }
  }
  const [code, name] = meanings[error.code] ?? [1001, 'STD_EXCEPTION']
  const isAnonymous = error.code === 'UNAUTHORIZED' && request.headers.authorization === undefined && request.headers['x-clickhouse-key'] === undefined
  const status = code === 497 || (code === 516 && !isAnonymous) ? 403 : error.status
  return { error: fault(code, name, text), status, isAnonymous }
}

/** What is wrong with the address or the body, or inside. */
function ofFramework (platform: Platform, error: FastifyError, request: FastifyRequest): Fault {
  const unknown = error.validation?.find(({ keyword }) => keyword === 'additionalProperties')?.params['additionalProperty']
  const shown = unknown === 'user' || unknown === 'password'
    ? fault(516, 'AUTHENTICATION_FAILED', 'User and password are not taken from the address, which others can read: send them by Basic authentication, or as X-ClickHouse-User and X-ClickHouse-Key')
    : typeof unknown === 'string'
      ? fault(115, 'UNKNOWN_SETTING', `Setting ${unknown} is neither allowed nor ignored here`)
      : error.validation !== undefined
        ? fault(36, 'BAD_ARGUMENTS', `The address has a parameter twice, or a wrong one: ${error.message}`)
        : error.statusCode === 413 ? fault(229, 'QUERY_IS_TOO_LARGE', 'The statement is too long') : fault(1001, 'STD_EXCEPTION', 'Something went wrong inside; the log has it')
  if (shown.code === 1001) platform.log.error({ instance: request.id, reason: describe(error) }, 'A request of the gateway failed')
  return { error: shown, status: statusOf(shown), isAnonymous: false }
}

// Errors as RFC 9457 problems: one form for all of them, without stack traces, without paths of this machine.

import { describe, PlatformError } from '../errors.ts'
import { suggest } from '../problems.ts'
import { publicForm } from './public-form.ts'
import type { ErrorObject } from 'ajv'
import type { FastifyError, FastifyReply, FastifyRequest, FastifySchemaValidationError } from 'fastify'
import type { Platform } from '../platform.ts'
import type { Receipt } from '../receipt.ts'

export interface Problem {
  readonly status: number
  /** For programs: `RELOAD_BUSY`. */
  readonly code: string
  readonly detail: string
  /** Further members, such as `remedy`. */
  readonly [member: string]: unknown
}

/** The JSON Schema of an answer that is no success. */
export const problemResponse = {
  description: 'What is wrong, as RFC 9457 has it',
  content: {
    'application/problem+json': {
      schema: {
        type: 'object',
        additionalProperties: true,
        required: ['type', 'title', 'status', 'code', 'detail', 'instance'],
        properties: {
          type: { type: 'string' },
          title: { type: 'string' },
          status: { type: 'integer' },
          code: { type: 'string', description: 'What a program branches on' },
          detail: { type: 'string' },
          instance: { type: 'string', description: 'The request; the log knows it under the same id' },
          where: { type: 'string' },
          remedy: { type: 'string', description: 'What to do' },
          problems: { type: 'array', description: 'Place by place, with file, line and column', items: { type: 'object', additionalProperties: true } }
        }
      }
    }
  }
}

export function answerError (platform: Platform, error: FastifyError | PlatformError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const found = problemOf(error)
  if (error instanceof PlatformError && error.retryAfterSeconds !== undefined) void reply.header('retry-after', error.retryAfterSeconds)
  // Whoever has gone away, as a browser does from each page that is left, waits for no answer.
  if (found.status >= 500 && !(error instanceof PlatformError) && !reply.raw.destroyed) platform.log.error({ instance: request.id, method: request.method, url: request.url.split('?')[0], reason: describe(error) }, 'A request failed')
  return sendProblem(platform, reply, found)
}

export function sendProblem (platform: Platform, reply: FastifyReply, { status, code, detail, ...more }: Problem): FastifyReply {
  const body = { type: `urn:twolane:error:${code.toLowerCase().replaceAll('_', '-')}`, title: titleOf(code), status, code, detail, instance: reply.request.id, ...more }
  return reply.code(status).type('application/problem+json; charset=utf-8').send(publicForm(platform)(JSON.stringify(body)))
}

/** 200 where the files run now; else a problem that holds the receipt. */
export function answerReceipt (platform: Platform, reply: FastifyReply, receipt: Receipt): FastifyReply {
  if (receipt.outcome === 'applied' || receipt.outcome === 'unchanged') return reply.send(receipt)
  const problems = receipt.problems.flatMap(({ file, message, problems }) => problems.length > 0 ? problems : [{ file, line: 0, column: 0, path: '', message }])
  return sendProblem(platform, reply, { status: 422, code: receipt.outcome === 'rejected' ? 'RELOAD_REJECTED' : 'RELOAD_ROLLED_BACK', detail: receipt.reason, problems, receipt })
}

function problemOf (error: FastifyError | PlatformError): Problem {
  if (error instanceof PlatformError) {
    const { code, status, message: detail, where, remedy, problems } = error
    return { status, code, detail, ...(where !== undefined && { where }), ...(remedy !== undefined && { remedy }), ...(problems !== undefined && { problems }) }
  }
  if (error.validation !== undefined) {
    const problems = error.validation.map(fault => ({ path: `${error.validationContext ?? ''}${fault.instancePath}`, message: messageOf(fault) }))
    return { status: 422, code: 'REQUEST_INVALID', detail: problems.map(({ path, message }) => `${path} ${message}`).join('; '), problems }
  }
  const status = error.statusCode ?? 500
  if (status >= 500) return { status: 500, code: 'INTERNAL', detail: 'Something went wrong inside; the log has it under this instance.' }
  return { status, code: codes[status] ?? 'REQUEST_INVALID', detail: error.message }
}

/** What Ajv says, and what would be right. */
function messageOf ({ keyword, message = '', params, parentSchema = {}, data }: FastifySchemaValidationError & Pick<ErrorObject, 'parentSchema' | 'data'>): string {
  const { properties = {}, enum: values = [], examples = [] } = parentSchema as { properties?: object, enum?: readonly unknown[], examples?: readonly unknown[] }
  if (keyword === 'additionalProperties') {
    const name = String(params['additionalProperty'])
    return `${message}: ${JSON.stringify(name)}${suggest(name, Object.keys(properties))}`
  }
  if (keyword === 'enum') return `is ${JSON.stringify(data)?.slice(0, 100)}${suggest(String(data), values.map(String))}`
  return keyword === 'pattern' && examples.length > 0 ? `is not written like ${examples.join(' or ')}` : message
}

const codes: Readonly<Record<number, string>> = { 404: 'NOT_FOUND', 413: 'BODY_TOO_LARGE', 414: 'ADDRESS_TOO_LONG', 415: 'MEDIA_TYPE_UNSUPPORTED' }

/** `RELOAD_BUSY` as `Reload busy`. */
function titleOf (code: string): string {
  return code.charAt(0) + code.slice(1).toLowerCase().replaceAll('_', ' ')
}

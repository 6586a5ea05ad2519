// Every request that changes something is written down with its outcome, and so is every refused one. A route need not think
// of it; it can say more by `note`, or write its entry together with the change itself (`access.change`) and `note` that.

import { createHash } from 'node:crypto'
import { describe } from '../errors.ts'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Audited } from '../access/audit.ts'
import type { Platform } from '../platform.ts'

export interface Note {
  /** `files.change`; without it the method and the route. */
  readonly action?: string
  /** Without it the path. */
  readonly target?: string
  /** Never a secret. */
  readonly detail?: Audited['detail']
  /** Who somebody says to be. */
  readonly user?: string
  /** The entry is written already. */
  readonly isWritten?: boolean
}

declare module 'fastify' {
  interface FastifyRequest {
    audited: Note | undefined
  }
}

/** What the audit log is to say of a request, besides who, when, from where and how it ended. */
export function note (request: FastifyRequest, noted: Note): void {
  request.audited = { ...request.audited, ...noted }
}

export function auditRequests (app: FastifyInstance, platform: Platform): void {
  app.decorateRequest('audited', undefined)
  app.addHook('onResponse', async (request, reply) => {
    try {
      write(platform, request, reply)
    } catch (error) {
      platform.log.error({ reason: describe(error), instance: request.id }, 'The audit log could not be written')
    }
  })
}

function write ({ access }: Platform, request: FastifyRequest, { statusCode: status }: FastifyReply): void {
  const { url = 'unknown route', config: { action: named } } = request.routeOptions
  const parameters = Object.values(request.params as Record<string, string>).join(' ')
  const { action = named ?? `${request.method} ${url}`, target = named === undefined ? request.url.split('?')[0] ?? '' : parameters, detail = {}, user, isWritten = false } = request.audited ?? {}
  const entry = { principal: request.principal, user, address: request.ip, action, target }
  const isRefused = status === 401 || status === 403
  if (!isRefused && (isWritten || !isAudited(request))) return
  // Counted, not listed: whoever may not get in, or asks too often, must not fill the disk with entries about it.
  if (isRefused || status === 429 || (status >= 400 && request.principal === undefined)) access.audit.refuse({ ...entry, kind: String(status), detail: { ...detail, status } })
  else access.audit.add({ ...entry, outcome: status < 400 ? 'ok' : 'failed', detail: { ...detail, status, ...bodyHash(request.body) } })
}

function isAudited ({ method, routeOptions: { url, config: { asks = false, audit = method !== 'GET' && method !== 'HEAD' && !asks } } }: FastifyRequest): boolean {
  return audit && url !== undefined
}

/** SQL, or a file: what was sent can be compared later, and is not kept here. */
function bodyHash (body: unknown): { body_sha256?: string } {
  return typeof body === 'string' ? { body_sha256: createHash('sha256').update(body).digest('hex') } : {}
}

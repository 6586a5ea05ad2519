// What is written down of a change that somebody asked for.

import { principalOf } from './guard.ts'
import type { FastifyRequest } from 'fastify'
import type { Platform } from '../platform.ts'

export interface AuditedChange {
  /** Such as `files.change`. */
  readonly action: string
  readonly target: string
  readonly outcome: string
  /** Never a secret. */
  readonly detail?: Readonly<Record<string, unknown>>
}

/** Who, from where and what: to the log of the platform, where it is not written elsewhere. */
export function audit (platform: Platform, request: FastifyRequest, { action, target, outcome, detail = {} }: AuditedChange): void {
  const { user, token } = principalOf(request)
  platform.log.info({ user, token, address: request.ip, action, target, outcome, ...detail }, 'Changed over the network')
}

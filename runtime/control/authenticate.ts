// Who asks: by a token in the header, or by the cookie of a session. An address never carries either.

import { adminPrincipal } from '../access/principal.ts'
import { isSame } from '../access/sessions.ts'
import { describe, PlatformError } from '../errors.ts'
import { sessionSecret } from './session-cookie.ts'
import type { FastifyRequest } from 'fastify'
import type { Principal } from '../access/principal.ts'
import type { Session } from '../access/sessions.ts'
import type { Platform } from '../platform.ts'

export interface Authenticated {
  readonly principal: Principal
  /** Where it is by a session. */
  readonly session: Session | undefined
}

/** What stands in other headers than Authorization: Bearer. */
export interface Credentials {
  /** The user whose token it is; undefined: any. */
  readonly user: string | undefined
  readonly token: string
}

/** undefined: nobody that is known. Throws ACCESS_UNAVAILABLE where that cannot be told: then nobody gets in. */
export function authenticate (platform: Platform, request: FastifyRequest): Authenticated | undefined {
  const { authorization } = request.headers
  const { credentials } = request.routeOptions.config
  try {
    if (credentials !== undefined) {
      const given = credentials(request.headers)
      const principal = given === undefined ? undefined : principalOfToken(platform, given.token)
      return principal === undefined || (given?.user !== undefined && given.user !== principal.user) ? undefined : { principal, session: undefined }
    }
    if (authorization !== undefined) {
      const [, token] = /^bearer +(\S+)$/i.exec(authorization) ?? []
      const principal = token === undefined ? undefined : principalOfToken(platform, token)
      return principal === undefined ? undefined : { principal, session: undefined }
    }
    const secret = sessionSecret(platform, request)
    const session = secret === undefined || !platform.fleet.isControl ? undefined : platform.access.sessions.find(secret)
    const principal = session === undefined ? undefined : platform.access.principalOfSession(session)
    return principal === undefined ? undefined : { principal, session }
  } catch (cause) {
    platform.log.error({ reason: describe(cause) }, 'Who may ask cannot be told')
    throw new PlatformError('ACCESS_UNAVAILABLE', 'Who may ask cannot be told: the database of the control side does not answer', { remedy: 'See the log of the platform; restart it when its disk is well.', cause })
  }
}

/** Of the admin token, or of one that a user has made; those are known on the control side only. */
export function principalOfToken (platform: Platform, token: string): Principal | undefined {
  if (platform.isAdminToken(token)) return adminPrincipal(() => platform.isAdminToken(token))
  return platform.fleet.isControl ? platform.access.principalOfToken(token) : undefined
}

/** A browser sends the cookie along whoever asks it to; what changes something has to show that it knows more. */
export function checkCsrf ({ method, headers }: FastifyRequest, session: Session): void {
  if (method === 'GET' || method === 'HEAD') return
  const given = headers['x-csrf-token']
  if (typeof given !== 'string' || !isSame(given, session.csrf)) {
    throw new PlatformError('REQUEST_REFUSED', 'The header x-csrf-token is missing, or is not that of this session', { remedy: 'GET /v1/me says what to send.' })
  }
}

// The cookie of a session. `__Host-` and Secure where the page comes by TLS, from here or from a proxy in front that
// advertised_url names; plain HTTP is for this machine, where a browser would not send a Secure cookie back.

import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Platform } from '../platform.ts'

type Where = Pick<Platform, 'config'>

/** Whether the browser of those who use the platform talks TLS. */
export function isSecure ({ config }: Where, request: Pick<FastifyRequest, 'protocol'>): boolean {
  return request.protocol === 'https' || config.advertisedUrl.startsWith('https://')
}

export function cookieName (platform: Where, request: Pick<FastifyRequest, 'protocol'>): string {
  return isSecure(platform, request) ? '__Host-twolane' : 'twolane'
}

/** What the session's cookie holds; undefined: there is none. */
export function sessionSecret (platform: Where, request: FastifyRequest): string | undefined {
  return request.cookies[cookieName(platform, request)]
}

/** Until the browser is closed, at most; the session itself ends on the server. */
export function setSession (platform: Where, reply: FastifyReply, secret: string): void {
  void reply.setCookie(cookieName(platform, reply.request), secret, { path: '/', httpOnly: true, sameSite: 'strict', secure: isSecure(platform, reply.request) })
}

export function dropSession (platform: Where, reply: FastifyReply): void {
  void reply.clearCookie(cookieName(platform, reply.request), { path: '/', httpOnly: true, sameSite: 'strict', secure: isSecure(platform, reply.request) })
}

// Who may ask, and from where. Every request passes here before its route.
//
//   token    everything but health and the API's description needs one, in the header; an address never carries it
//   scope    a route says what it needs (config.access), and a principal that lacks it is told its name
//   host     a listener on loopback answers to loopback names only: a web page whose name was pointed at 127.0.0.1
//            (DNS rebinding) comes with its own name
//   rate     an address asks so often, and guesses tokens less often
//   site     a browser says where a request comes from; one from another site changes nothing

import { BlockList, isIP } from 'node:net'
import { adminPrincipal } from '../access/principal.ts'
import { PlatformError } from '../errors.ts'
import { RateLimit } from './rate-limit.ts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Principal } from '../access/principal.ts'
import type { Access } from '../access/scopes.ts'
import type { PlatformConfig } from '../config.ts'
import type { Platform } from '../platform.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who may use the route. Every route says it. */
    access?: Access
  }
  interface FastifyRequest {
    /** undefined: nobody that is known; then the route is open to anyone. */
    principal: Principal | undefined
  }
}

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8)
loopback.addAddress('::1', 'ipv6')

/** Whether an address, or a name, stays on this machine. */
export function isLoopback (host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, '$1')
  if (isIP(bare) === 0) return bare.toLowerCase() === 'localhost'
  // Also `::ffff:127.0.0.1`.
  return loopback.check(bare, isIP(bare) === 6 ? 'ipv6' : 'ipv4')
}

/** Throws where other machines could reach the platform and the only token is one that it made itself. */
export function checkExposure ({ host, adminToken }: Pick<PlatformConfig, 'host' | 'adminToken'>): void {
  if (isLoopback(host) || adminToken !== undefined) return
  throw new PlatformError('CONFIG_INVALID', `Other machines can reach ${host}, and no admin token is set`, {
    remedy: 'Set TWOLANE_ADMIN_TOKEN (16 characters or more), and put TLS in front; or listen on 127.0.0.1.'
  })
}

const headers = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY'
}

export function addHeaders (request: FastifyRequest, reply: FastifyReply): void {
  void reply.headers(headers).header('x-request-id', request.id)
}

export interface Rates {
  /** Of one address. */
  readonly requestsPerSecondMax: number
  readonly wrongTokensPerMinuteMax: number
}

/** Makes the check that throws unless a request may go on to its route. */
export function makeGuard (platform: Platform, { requestsPerSecondMax, wrongTokensPerMinuteMax }: Rates): (request: FastifyRequest, reply: FastifyReply) => void {
  const requests = new RateLimit({ perSecond: requestsPerSecondMax, burst: 2 * requestsPerSecondMax })
  const wrongTokens = new RateLimit({ perSecond: wrongTokensPerMinuteMax / 60, burst: wrongTokensPerMinuteMax })
  return (request, reply) => {
    const now = performance.now()
    slowDown(reply, requests.take(request.ip, now))
    checkHost(platform.config, request)
    checkSite(request)
    // What there is not, is told only to those who are known.
    const { access = 'known' } = request.routeOptions.config
    request.principal = authenticate(platform, request)
    if (request.principal === undefined && access !== 'anyone') {
      slowDown(reply, wrongTokens.take(request.ip, now))
      void reply.header('www-authenticate', 'Bearer realm="twolane"')
      throw new PlatformError('UNAUTHORIZED', 'This needs a token', { remedy: 'Send it as "Authorization: Bearer …". The one of the admin was shown at the first start; TWOLANE_ADMIN_TOKEN sets another one.' })
    }
    if (access !== 'anyone' && access !== 'known' && !principalOf(request).scopes.has(access)) {
      throw new PlatformError('SCOPE_MISSING', `This needs the scope ${access}, which ${principalOf(request).user} lacks`, { remedy: 'Ask an admin for a role that has it.' })
    }
    checkMedia(request)
  }
}

/** Who asks, on a route that is not open to anyone. */
export function principalOf ({ principal }: FastifyRequest): Principal {
  if (principal === undefined) throw new PlatformError('UNAUTHORIZED', 'This needs a token')
  return principal
}

/** Routes that change nothing although they are no GET. */
const askingRoutes: ReadonlySet<string> = new Set(['/v1/plan', '/v1/query'])

/** Every runtime shows all of them; only the control side changes something. */
export async function checkControl ({ fleet }: Platform, { method, routeOptions: { url = '' } }: FastifyRequest): Promise<void> {
  if (fleet.isControl || method === 'GET' || method === 'HEAD' || askingRoutes.has(url)) return
  throw await notControl(fleet)
}

/** Says which runtime is to be asked instead. */
export async function notControl (fleet: Platform['fleet']): Promise<PlatformError> {
  const control = (await fleet.members()).find(member => member.control)
  return new PlatformError('NOT_CONTROL', control === undefined ? `No runtime is the control side${fleet.trouble === '' ? ' yet' : `: ${fleet.trouble}`}` : `The control side is runtime ${control.runtime}`, {
    remedy: control === undefined ? 'Try again in a few seconds.' : `Ask ${control.url}.`
  })
}

function slowDown (reply: FastifyReply, seconds: number): void {
  if (seconds === 0) return
  void reply.header('retry-after', seconds)
  throw new PlatformError('TOO_MANY_REQUESTS', 'This address asks too often', { remedy: `Try again in ${seconds} s.` })
}

function authenticate (platform: Platform, request: FastifyRequest): Principal | undefined {
  const [, token] = /^bearer +(\S+)$/i.exec(request.headers.authorization ?? '') ?? []
  if (token === undefined || !platform.isAdminToken(token)) return undefined
  return adminPrincipal(() => platform.isAdminToken(token))
}

function checkHost ({ host }: PlatformConfig, request: FastifyRequest): void {
  if (!isLoopback(host)) return
  const name = URL.parse(`http://${request.headers.host ?? ''}`)?.hostname
  if (name === undefined || !isLoopback(name)) throw new PlatformError('REQUEST_REFUSED', 'The platform listens on this machine only and does not answer to that host name', { remedy: 'Use 127.0.0.1 or localhost.' })
}

function checkSite ({ method, headers: { origin, host, 'sec-fetch-site': site } }: FastifyRequest): void {
  if (method === 'GET' || method === 'HEAD') return
  const foreign = site !== undefined && site !== 'same-origin' && site !== 'none'
  if (foreign || (origin !== undefined && URL.parse(origin)?.host !== host)) throw new PlatformError('REQUEST_REFUSED', 'A page of another site asks for this')
}

/** A route that takes a body says of which types; none is taken in compressed form. */
function checkMedia (request: FastifyRequest): void {
  const encoding = request.headers['content-encoding']
  const given = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase()
  const { consumes } = (request.routeOptions.schema ?? {}) as { consumes?: readonly string[] }
  if (encoding !== undefined && encoding !== 'identity') throw new PlatformError('MEDIA_TYPE_UNSUPPORTED', 'The body is compressed', { remedy: 'Send it as it is.' })
  if (consumes !== undefined && !consumes.includes(given ?? '')) throw new PlatformError('MEDIA_TYPE_UNSUPPORTED', `The body must be ${consumes.join(' or ')}`, { remedy: 'Say which in the header Content-Type.' })
}

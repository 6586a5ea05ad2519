// Who may ask, and from where. Every request passes here before its route.
//
//   who      everything but health, login and the page itself needs a token in the header, or the cookie of a session
//   csrf     with a cookie, what changes something repeats a secret of the session in a header
//   scope    a route says what it needs (config.access), and a principal that lacks it is told its name
//   host     a listener on loopback answers to loopback names only: a web page whose name was pointed at 127.0.0.1
//            (DNS rebinding) comes with its own name
//   rate     an address asks so often, and so does a user or token; guesses, logins and queries less often
//   site     a browser says where a request comes from; one from another site changes nothing

import { BlockList, isIP } from 'node:net'
import { clientOf } from '../access/client-address.ts'
import { PlatformError } from '../errors.ts'
import { authenticate, checkCsrf } from './authenticate.ts'
import { RateLimit } from './rate-limit.ts'
import { isSecure } from './session-cookie.ts'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { IncomingHttpHeaders } from 'node:http'
import type { Credentials } from './authenticate.ts'
import type { Principal } from '../access/principal.ts'
import type { Access } from '../access/scopes.ts'
import type { Session } from '../access/sessions.ts'
import type { PlatformConfig } from '../config.ts'
import type { Platform } from '../platform.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who may use the route. Every route says it. */
    access?: Access
    /** It changes nothing although it is no GET: any runtime answers it, and only its refusals are audited. */
    asks?: boolean
    /** What the audit log calls it, its target being the parameters of the path; without it method and route. */
    action?: string
    /** Whether it is audited; without it that is what is no GET and does not merely ask. */
    audit?: boolean
    /** Requests a minute from one address; without it the platform's bounds alone. */
    perMinute?: number
    /** How who asks is told, where that is no bearer token and no session; undefined: by nothing. */
    credentials?: (headers: IncomingHttpHeaders) => Credentials | undefined
  }
  interface FastifyRequest {
    /** undefined: nobody that is known; then the route is open to anyone. */
    principal: Principal | undefined
    /** The session of the cookie, where it is by that. */
    session: Session | undefined
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

/** Throws where other machines could reach the platform, and the only token is one that it made itself, or what they say could be read on the way. */
export function checkExposure ({ host, adminToken, tls, insecureHttp }: Pick<PlatformConfig, 'host' | 'adminToken' | 'tls' | 'insecureHttp'>): void {
  if (isLoopback(host)) return
  if (adminToken === undefined) {
    throw new PlatformError('CONFIG_INVALID', `Other machines can reach ${host}, and no admin token is set`, {
      remedy: 'Set TWOLANE_ADMIN_TOKEN (16 characters or more); or listen on 127.0.0.1.'
    })
  }
  if (tls === undefined && !insecureHttp) {
    throw new PlatformError('CONFIG_INVALID', `Other machines can reach ${host}, and passwords and tokens would go there in the clear`, {
      remedy: 'Set tls_certificate_file and tls_key_file; or TWOLANE_INSECURE_HTTP=true where a proxy in front speaks TLS; or listen on 127.0.0.1.'
    })
  }
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

const HSTS = 'max-age=31536000'

export function addHeaders (platform: Pick<Platform, 'config'>, request: FastifyRequest, reply: FastifyReply): void {
  void reply.headers(headers).header('x-request-id', request.id)
  if (isSecure(platform, request)) void reply.header('strict-transport-security', HSTS)
}

export interface Rates {
  /** Of one address. */
  readonly requestsPerSecondMax: number
  readonly wrongTokensPerMinuteMax: number
}

/** Makes the check that throws unless a request may go on to its route. */
export function makeGuard (platform: Platform, { requestsPerSecondMax, wrongTokensPerMinuteMax }: Rates): (request: FastifyRequest, reply: FastifyReply) => void {
  const addresses = new RateLimit({ perSecond: requestsPerSecondMax, burst: 2 * requestsPerSecondMax })
  const principals = new RateLimit({ perSecond: requestsPerSecondMax, burst: 2 * requestsPerSecondMax })
  const wrongTokens = new RateLimit({ perSecond: wrongTokensPerMinuteMax / 60, burst: wrongTokensPerMinuteMax })
  const routes = new RateLimit({ perSecond: 1, burst: 1 })
  return (request, reply) => {
    const now = performance.now()
    const client = clientOf(request.ip)
    slowDown(reply, addresses.take(client, now))
    checkHost(platform.config, request)
    checkSite(request)
    // What there is not, is told only to those who are known.
    const { access = 'known', perMinute } = request.routeOptions.config
    if (perMinute !== undefined) slowDown(reply, routes.take(`${client} ${request.routeOptions.url}`, now, { perSecond: perMinute / 60, burst: perMinute }))
    const known = authenticate(platform, request)
    request.principal = known?.principal
    request.session = known?.session
    if (known === undefined && access !== 'anyone') {
      slowDown(reply, wrongTokens.take(client, now))
      void reply.header('www-authenticate', 'Bearer realm="twolane"')
      throw unauthorized(platform)
    }
    if (access !== 'anyone') checkPrincipal(request, access, reply)
    checkMedia(request)
  }

  function checkPrincipal (request: FastifyRequest, access: Exclude<Access, 'anyone'>, reply: FastifyReply): void {
    const principal = principalOf(request)
    const { user, token, quota: { requestsPerSecond }, scopes } = principal
    const rate = requestsPerSecond === undefined ? undefined : { perSecond: requestsPerSecond, burst: 2 * requestsPerSecond }
    slowDown(reply, principals.take(token ?? `user ${user}`, performance.now(), rate), 'This user, or this token,')
    if (request.session !== undefined) checkCsrf(request, request.session)
    if (access !== 'known' && !scopes.has(access)) {
      throw new PlatformError('SCOPE_MISSING', `This needs the scope ${access}, which ${token === undefined ? user : `this token of ${user}`} lacks`, { remedy: `Ask an admin for a role that has it; GET /v1/access/explain?scope=${access} says more.` })
    }
  }
}

function unauthorized ({ fleet }: Platform): PlatformError {
  if (!fleet.isControl) return new PlatformError('UNAUTHORIZED', 'This needs the admin token', { remedy: 'This runtime is not the control side, which alone knows users and their tokens; GET /v1/runtimes with the admin token names it.' })
  return new PlatformError('UNAUTHORIZED', 'This needs a token, or a login', { remedy: 'Log in on the page, or send a token as "Authorization: Bearer …". The one of the admin was shown at the first start; TWOLANE_ADMIN_TOKEN sets another one.' })
}

/** Who asks, on a route that is not open to anyone. */
export function principalOf ({ principal }: FastifyRequest): Principal {
  if (principal === undefined) throw new PlatformError('UNAUTHORIZED', 'This needs a token')
  return principal
}

/** Routes that change nothing although they are no GET. */
const askingRoutes: ReadonlySet<string> = new Set(['/v1/plan', '/v1/query'])

/** Every runtime shows all of them; only the control side changes something. */
export async function checkControl ({ fleet }: Platform, { method, routeOptions: { url = '', config } }: FastifyRequest): Promise<void> {
  if (fleet.isControl || method === 'GET' || method === 'HEAD' || askingRoutes.has(url) || config.asks === true) return
  throw await notControl(fleet)
}

/** Says which runtime is to be asked instead. */
export async function notControl (fleet: Platform['fleet']): Promise<PlatformError> {
  const control = (await fleet.members()).find(member => member.control)
  return new PlatformError('NOT_CONTROL', control === undefined ? `No runtime is the control side${fleet.trouble === '' ? ' yet' : `: ${fleet.trouble}`}` : `The control side is runtime ${control.runtime}`, {
    remedy: control === undefined ? 'Try again in a few seconds.' : `Ask ${control.url}.`
  })
}

function slowDown (reply: FastifyReply, seconds: number, who = 'This address'): void {
  if (seconds === 0) return
  void reply.header('retry-after', seconds)
  throw new PlatformError('TOO_MANY_REQUESTS', `${who} asks too often`, { remedy: `Try again in ${seconds} s.` })
}

function checkHost ({ host }: PlatformConfig, request: FastifyRequest): void {
  // Of two, somebody in front could have gone by the other one.
  if (request.raw.rawHeaders.filter((name, i) => i % 2 === 0 && name.toLowerCase() === 'host').length > 1) throw new PlatformError('REQUEST_INVALID', 'The header Host comes twice')
  if (!isLoopback(host)) return
  const name = URL.parse(`http://${request.headers.host ?? ''}`)?.hostname
  if (name === undefined || !isLoopback(name)) throw new PlatformError('REQUEST_REFUSED', 'The platform listens on this machine only and does not answer to that host name', { remedy: 'Use 127.0.0.1 or localhost.' })
}

function checkSite ({ method, headers: { origin, host, upgrade, 'sec-fetch-site': site } }: FastifyRequest): void {
  // No rule of the browser keeps a page of another site from opening a WebSocket.
  if ((method === 'GET' || method === 'HEAD') && upgrade === undefined) return
  const foreign = site !== undefined && site !== 'same-origin' && site !== 'none'
  if (foreign || (origin !== undefined && URL.parse(origin)?.host !== host)) throw new PlatformError('REQUEST_REFUSED', 'A page of another site asks for this')
}

/** A route that takes a body says of which types; none is taken in compressed form. */
function checkMedia (request: FastifyRequest): void {
  const encoding = request.headers['content-encoding']
  const given = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase()
  const { consumes = implied(request) } = (request.routeOptions.schema ?? {}) as { consumes?: readonly string[] }
  if (encoding !== undefined && encoding !== 'identity') throw new PlatformError('MEDIA_TYPE_UNSUPPORTED', 'The body is compressed', { remedy: 'Send it as it is.' })
  if (consumes !== undefined && !consumes.includes(given ?? '')) throw new PlatformError('MEDIA_TYPE_UNSUPPORTED', `The body must be ${consumes.join(' or ')}`, { remedy: 'Say which in the header Content-Type.' })
}

/** A body that a route describes is JSON unless it says otherwise; one that is left out has no type. */
function implied ({ headers, routeOptions: { schema } }: FastifyRequest): readonly string[] | undefined {
  const isThere = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
  return schema?.body !== undefined && isThere ? ['application/json'] : undefined
}

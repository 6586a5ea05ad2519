// The way in: the first user, login, logout, and the login at an identity provider.

import { dropSession, isSecure, sessionSecret, setSession } from './session-cookie.ts'
import { done, password, scopeName, text, userName } from './access-forms.ts'
import { checkPassword } from '../access/passwords.ts'
import { PlatformError } from '../errors.ts'
import { note } from './audited.ts'
import { isLoopback } from './guard.ts'
import { Provider } from '../access/oidc.ts'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Opened } from '../access/access.ts'
import type { Platform } from '../platform.ts'

/** Of one address; a person needs two. */
const LOGINS_PER_MINUTE_MAX = 30
/** Stand for the installation's own token, and for a token at the gateway. */
const RESERVED: ReadonlySet<string> = new Set(['admin', 'token'])

const entered = {
  type: 'object',
  properties: {
    user: text,
    scopes: { type: 'array', items: scopeName },
    csrf: { type: 'string', description: 'What requests with the cookie repeat in the header x-csrf-token, unless they are GET' }
  }
}

export function loginRoutes (app: FastifyInstance, platform: Platform): void {
  const { access, config: { oidc } } = platform
  const limited = { access: 'anyone', perMinute: LOGINS_PER_MINUTE_MAX } as const

  app.get('/v1/setup', {
    config: { access: 'anyone' },
    schema: {
      summary: 'Whether the first user is still to be made, and what one can log in with',
      tags: ['access'],
      response: { 200: { type: 'object', properties: { first_start: { type: 'boolean' }, oidc: { anyOf: [{ type: 'null' }, { type: 'object', properties: { title: text } }] } } } }
    }
  }, async () => ({ first_start: access.directory.isEmpty, oidc: oidc === undefined ? null : { title: oidc.title } }))

  app.post<{ Body: { code: string, user: string, password: string } }>('/v1/setup', {
    config: limited,
    schema: {
      summary: 'Makes the first user, who may do everything, with the code that the platform printed at its start',
      tags: ['access'],
      body: { type: 'object', additionalProperties: false, required: ['code', 'user', 'password'], properties: { code: { type: 'string', minLength: 1, maxLength: 100 }, user: userName, password } },
      response: { 200: entered }
    }
  }, async (request, reply) => {
    const { code, user, password } = request.body
    note(request, { action: 'setup', target: user })
    checkName(user)
    await checkPassword(password, user)
    const opened = await access.setUp({ user, password, code, address: request.ip })
    note(request, { isWritten: true })
    return enter(platform, reply, opened)
  })

  app.post<{ Body: { user: string, password: string } }>('/v1/login', {
    config: limited,
    schema: {
      summary: 'Opens a session: the answer sets its cookie',
      tags: ['access'],
      body: { type: 'object', additionalProperties: false, required: ['user', 'password'], properties: { user: { type: 'string', minLength: 1, maxLength: 100 }, password } },
      response: { 200: entered }
    }
  }, async (request, reply) => {
    const { user, password } = request.body
    note(request, { action: 'login', target: user, user })
    const opened = await access.login({ user, password, address: request.ip })
    note(request, { isWritten: true })
    endOld(platform, request)
    return enter(platform, reply, opened)
  })

  app.post('/v1/logout', {
    config: { access: 'known' },
    schema: { summary: 'Ends the session', tags: ['access'], response: { 200: done } }
  }, async (request, reply) => {
    note(request, { action: 'logout' })
    if (request.session !== undefined) access.sessions.end(request.session.id)
    dropSession(platform, reply)
    return { done: true }
  })

  if (oidc !== undefined) providerRoutes(app, platform, new Provider(oidc, access))
}

/** The session that the browser had before is nobody's any more. */
function endOld (platform: Platform, request: FastifyRequest): void {
  const secret = sessionSecret(platform, request)
  const old = secret === undefined ? undefined : platform.access.sessions.find(secret)
  if (old !== undefined) platform.access.sessions.end(old.id)
}

/** Throws REQUEST_INVALID for a name that means something else. */
export function checkName (user: string): void {
  if (RESERVED.has(user)) throw new PlatformError('REQUEST_INVALID', `No user can be called ${user}: the name stands for the ${user === 'admin' ? "installation's own token" : 'token of a program'}`, { remedy: 'Choose the name of a person, or of what the user is for.' })
}

function enter (platform: Platform, reply: FastifyReply, { user, csrf, secret }: Opened): object {
  setSession(platform, reply, secret)
  return { user, scopes: [...platform.access.directory.rights(user).scopes], csrf }
}

/** Ties the two halves of a login together; Lax, as the browser comes back from another site. */
const FLOW_COOKIE = 'twolane-login'

function providerRoutes (app: FastifyInstance, platform: Platform, provider: Provider): void {
  const config = { access: 'anyone', perMinute: LOGINS_PER_MINUTE_MAX } as const
  const options = { path: '/v1/login/oidc', httpOnly: true, sameSite: 'lax' } as const

  app.get('/v1/login/oidc', {
    config,
    schema: { summary: 'Sends the browser to the identity provider', tags: ['access'], response: { 302: { description: 'To the provider', type: 'null' } } }
  }, async (request, reply) => {
    const { flow, url } = await provider.begin(backOf(platform, request))
    return reply.setCookie(FLOW_COOKIE, flow, { ...options, secure: isSecure(platform, request) }).redirect(url, 302)
  })

  app.get('/v1/login/oidc/callback', {
    config: { ...config, audit: true },
    schema: {
      summary: 'Where the identity provider sends the browser back to',
      tags: ['access'],
      // What a provider adds to the address is its own.
      querystring: { type: 'object', additionalProperties: { type: 'string', maxLength: 4000 }, maxProperties: 20 },
      response: { 302: { description: 'To the page', type: 'null' } }
    }
  }, async (request, reply) => {
    note(request, { action: 'login', target: 'oidc' })
    const { [FLOW_COOKIE]: flow = '' } = request.cookies
    const opened = await provider.finish({ flow, back: backOf(platform, request), query: request.url.split('?')[1] ?? '', address: request.ip })
    note(request, { user: opened.user, target: opened.user, isWritten: true })
    endOld(platform, request)
    setSession(platform, reply, opened.secret)
    return reply.clearCookie(FLOW_COOKIE, options).redirect('/#/home', 302)
  })
}

/** The address that is registered at the provider; on a machine of one's own, the one that the browser uses. */
function backOf ({ config: { advertisedUrl, host }, url }: Platform, request: FastifyRequest): string {
  const base = advertisedUrl !== '' ? advertisedUrl : isLoopback(host) ? `${request.protocol}://${request.host}` : url
  return `${base.replace(/\/+$/, '')}/v1/login/oidc/callback`
}

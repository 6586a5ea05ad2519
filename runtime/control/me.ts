import { checkPassword, hashPassword } from '../access/passwords.ts'
import { PlatformError } from '../errors.ts'
import { byOf, done, grantsShown, numberOrNull, password, scopeName, text, textOrNull, texts } from './access-forms.ts'
import { note } from './audited.ts'
import { principalOf } from './guard.ts'
import type { FastifyInstance } from 'fastify'
import type { Platform } from '../platform.ts'

export function meRoutes (app: FastifyInstance, platform: Platform): void {
  const { access } = platform

  app.get('/v1/me', {
    config: { access: 'known' },
    schema: {
      summary: 'Who asks, and what they may do',
      tags: ['access'],
      response: {
        200: {
          type: 'object',
          properties: {
            kind: { type: 'string', enum: ['admin', 'user', 'token'] },
            user: text,
            token: { ...textOrNull, description: 'Its id' },
            roles: texts,
            teams: texts,
            scopes: { type: 'array', items: scopeName },
            quota: { type: 'object', properties: { requests_per_second: numberOrNull, rows_per_day: numberOrNull, rows_today: { type: 'integer' } } },
            grants: { ...grantsShown, description: 'Each one lets something through; what several let through of a dataset is what the dataset shows' },
            within: { description: 'Of a token: what its grants let through of those', anyOf: [{ type: 'null' }, grantsShown] },
            csrf: { ...textOrNull, description: 'Of a session: what to repeat in the header x-csrf-token' }
          }
        }
      }
    }
  }, async request => {
    const principal = principalOf(request)
    const user = principal.kind === 'admin' ? undefined : access.directory.user(principal.user)
    const { grants, within = null } = access.rightsOf(principal)
    return {
      kind: principal.kind,
      user: principal.user,
      token: principal.token ?? null,
      roles: user === undefined ? ['admin'] : [...new Set(access.directory.rolesOf(user).map(({ role }) => role))],
      teams: user?.teams ?? [],
      scopes: [...principal.scopes],
      quota: { requests_per_second: principal.quota.requestsPerSecond ?? null, rows_per_day: principal.quota.rowsPerDay ?? null, rows_today: access.rowsToday(principal) },
      grants,
      within,
      csrf: request.session?.csrf ?? null
    }
  })

  app.post<{ Body: { current: string, password: string } }>('/v1/me/password', {
    config: { access: 'known', perMinute: 30 },
    schema: {
      summary: 'A new password for the user who is logged in; their other sessions end',
      tags: ['access'],
      body: { type: 'object', additionalProperties: false, required: ['current', 'password'], properties: { current: password, password } },
      response: { 200: done }
    }
  }, async request => {
    const { session, ip: address } = request
    note(request, { action: 'password.change' })
    if (session === undefined) throw new PlatformError('REQUEST_REFUSED', 'A password is changed in a session, not with a token', { remedy: 'Log in; an admin sets another one with POST /v1/users/{user}/password.' })
    const { user } = session
    if (access.directory.user(user)?.password === undefined) throw new PlatformError('REQUEST_REFUSED', 'This user logs in at the identity provider, and has no password here')
    await access.checkLogin({ user, password: request.body.current, address })
    access.lockout.succeed(user, address)
    await checkPassword(request.body.password, user)
    const hash = await hashPassword(request.body.password)
    access.change(byOf(request), { action: 'password.change', target: user }, () => {
      const now = access.directory.user(user)
      if (now === undefined) throw new PlatformError('UNAUTHORIZED', 'This user is gone')
      access.directory.putUser({ ...now, password: hash })
      access.sessions.endAll(user, session.id)
    })
    note(request, { isWritten: true })
    return { done: true }
  })
}

import { checkGrants } from '../access/grants.ts'
import { noQuota } from '../access/directory.ts'
import { lacks, nothing } from '../access/rights.ts'
import { TOKEN_DAYS, TOKEN_DAYS_MAX } from '../access/tokens.ts'
import { PlatformError } from '../errors.ts'
import { byOf, checkNames, done, grants, grantsShown, moment, notFound, quota, quotaOf, quotaShown, scopeName, scopeNames, text, textOrNull, title, userName } from './access-forms.ts'
import { note } from './audited.ts'
import { principalOf } from './guard.ts'
import type { FastifyInstance } from 'fastify'
import type { StoredQuota } from '../access/directory.ts'
import type { GivenGrant } from '../access/grants.ts'
import type { Principal } from '../access/principal.ts'
import type { Scope } from '../access/scopes.ts'
import type { Token } from '../access/tokens.ts'
import type { Platform } from '../platform.ts'

interface Given {
  readonly title: string
  readonly scopes: readonly Scope[]
  readonly grants?: readonly GivenGrant[] | null
  readonly expires_days: number
  readonly quota?: Partial<StoredQuota>
  readonly user?: string
}

const shown = {
  type: 'object',
  properties: {
    id: text,
    title: text,
    user: text,
    scopes: { type: 'array', items: scopeName },
    grants: { description: 'null: all that its owner has', anyOf: [{ type: 'null' }, grantsShown] },
    expires_at: text,
    created_at: text,
    last_used_at: textOrNull,
    quota: quotaShown
  }
}

export function tokenRoutes (app: FastifyInstance, platform: Platform): void {
  const { access } = platform

  app.get('/v1/tokens', {
    config: { access: 'known' },
    schema: { summary: 'Your tokens; with access:read those of all users', tags: ['access'], response: { 200: { type: 'object', properties: { tokens: { type: 'array', items: shown } } } } }
  }, async request => {
    const { scopes, user } = principalOf(request)
    return { tokens: access.tokens.list(scopes.has('access:read') ? undefined : user).map(show) }
  })

  app.post<{ Body: Given }>('/v1/tokens', {
    config: { access: 'known' },
    schema: {
      summary: 'Makes a token: its secret is in this answer, and never again',
      tags: ['access'],
      body: {
        type: 'object',
        additionalProperties: false,
        required: ['title', 'scopes'],
        properties: {
          title: { ...title, minLength: 1 },
          scopes: { ...scopeNames, minItems: 1 },
          grants: { description: 'Of what its owner has; null: all of it', anyOf: [{ type: 'null' }, grants] },
          expires_days: { type: 'integer', minimum: 1, maximum: TOKEN_DAYS_MAX, default: TOKEN_DAYS },
          quota,
          user: { ...userName, description: 'Whose it is to be; for those with access:write' }
        }
      },
      response: { 201: { ...shown, properties: { ...shown.properties, secret: { type: 'string', description: 'Shown only this once' } } } }
    }
  }, async (request, reply) => {
    const { title, scopes, expires_days: days, quota, user: given } = request.body
    note(request, { action: 'token.add', target: title })
    const user = ownerOf(principalOf(request), given)
    checkNames(access.directory, { users: [user] })
    const grants = request.body.grants == null ? null : checkGrants(request.body.grants)
    const owner = access.directory.rights(user)
    const missing = lacks(owner, { ...nothing, scopes: new Set(scopes) })
    if (missing.length > 0) throw new PlatformError('SCOPE_MISSING', `A token has at most what its owner has, and ${user} lacks ${missing.join(', ')}`, { remedy: 'Ask for fewer scopes, or ask an admin for a role that has them.' })
    const made = access.change(byOf(request), { action: 'token.add', target: user, detail: JSON.parse(JSON.stringify({ title, scopes, grants, days })) as Record<string, never> }, () =>
      access.tokens.make({ user, title, scopes: [...new Set(scopes)], grants, quota: quotaOf(quota, noQuota), days }))
    note(request, { isWritten: true })
    return reply.code(201).send({ ...show(made), secret: made.secret })
  })

  app.delete<{ Params: { id: string } }>('/v1/tokens/:id', {
    config: { access: 'known' },
    schema: { summary: 'Revokes a token; what it has open ends within a second', tags: ['access'], params: { type: 'object', required: ['id'], properties: { id: { type: 'string', pattern: '^[0-9a-f]{1,64}$' } } }, response: { 200: done } }
  }, async request => {
    const { id } = request.params
    const principal = principalOf(request)
    const token = access.tokens.get(id)
    note(request, { action: 'token.revoke' })
    // That somebody else has such a token is not told.
    if (token === undefined || (token.user !== principal.user && !principal.scopes.has('access:write'))) throw notFound('token', id)
    access.change(byOf(request), { action: 'token.revoke', target: id, detail: { user: token.user, title: token.title } }, () => access.tokens.revoke(id))
    note(request, { isWritten: true })
    return { done: true }
  })

  /** Throws unless this principal may make tokens for that user. */
  function ownerOf (principal: Principal, given: string | undefined): string {
    const user = given ?? principal.user
    if (principal.kind === 'admin' && given === undefined) throw new PlatformError('REQUEST_INVALID', 'The admin token is no user: say whose token it is to be', { remedy: 'Give user.' })
    // Else a token that got lost would live on in those that it has made.
    if (principal.kind === 'token') throw new PlatformError('REQUEST_REFUSED', 'A token makes no tokens', { remedy: 'Log in, or use the admin token.' })
    if (user !== principal.user) {
      if (!principal.scopes.has('access:write')) throw new PlatformError('SCOPE_MISSING', `Tokens of others need the scope access:write, which ${principal.user} lacks`, { remedy: 'Ask an admin.' })
      access.checkGives(principal, access.directory.rights(user))
    }
    return user
  }
}

function show ({ id, title, user, scopes, grants, expires, created, lastUsed, quota }: Token): object {
  return { id, title, user, scopes, grants, expires_at: moment(expires), created_at: moment(created), last_used_at: moment(lastUsed), quota }
}

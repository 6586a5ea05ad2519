// What users, teams, roles and tokens look like in requests and answers.

import { PlatformError } from '../errors.ts'
import { grantsBody, grantShown } from '../access/grants.ts'
import { scopes } from '../access/scopes.ts'
import type { FastifyRequest } from 'fastify'
import type { By } from '../access/access.ts'
import type { Directory, StoredQuota, User } from '../access/directory.ts'
import type { Platform } from '../platform.ts'

export const userName = { type: 'string', pattern: '^[a-z0-9][a-z0-9._@+-]{0,99}$' }
export const name = { type: 'string', pattern: '^[a-z0-9][a-z0-9_-]{0,63}$' }
export const title = { type: 'string', maxLength: 200, pattern: '^[^\\u0000-\\u001f\\u007f]*$' }
export const email = { type: 'string', maxLength: 200, pattern: '^(?:[^@\\s]+@[^@\\s]+)?$' }
/** Its length is checked where it is set; here only that it takes no room. */
export const password = { type: 'string', minLength: 1, maxLength: 1000 }
export const names = { type: 'array', maxItems: 200, items: name }
export const scopeName = { type: 'string', enum: Object.keys(scopes) }
export const scopeNames = { type: 'array', maxItems: 50, items: scopeName }
export { grantsBody as grants }

const bound = (description: string): object => ({ description, anyOf: [{ type: 'null' }, { type: 'integer', minimum: 1, maximum: 1_000_000_000_000 }] })
export const quota = {
  type: 'object',
  additionalProperties: false,
  description: 'null: no bound besides those of the platform',
  properties: { requests_per_second: bound('Requests a second'), rows_per_day: bound('Rows of the data API a day (UTC)') }
}

export const text = { type: 'string' }
export const texts = { type: 'array', items: text }
export const textOrNull = { type: ['string', 'null'] }
export const numberOrNull = { type: ['integer', 'null'] }
export const quotaShown = { type: 'object', properties: { requests_per_second: numberOrNull, rows_per_day: numberOrNull } }
export const grantsShown = { type: 'array', items: grantShown }
export const done = { type: 'object', properties: { done: { type: 'boolean' } } }

export const userShown = {
  type: 'object',
  properties: {
    user: text,
    title: text,
    email: text,
    roles: texts,
    provider_roles: { ...texts, description: 'As the identity provider said at the last login' },
    teams: texts,
    grants: grantsShown,
    disabled: { type: 'boolean' },
    password: { type: 'boolean', description: 'Whether there is one' },
    created_at: text,
    last_login_at: textOrNull,
    locked_until: { ...textOrNull, description: 'After wrong passwords, for the addresses that they came from' },
    quota: quotaShown
  }
}

/** ms since 1970 as ISO 8601. */
export function moment (ms: number): string
export function moment (ms: number | undefined): string | null
export function moment (ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString()
}

export function showUser ({ access }: Pick<Platform, 'access'>, { user, title, email, roles, providerRoles, teams, grants, disabled, password, created, lastLogin, quota }: User): object {
  return {
    user,
    title,
    email,
    roles,
    provider_roles: providerRoles,
    teams,
    grants,
    disabled,
    password: password !== undefined,
    created_at: moment(created),
    last_login_at: moment(lastLogin),
    locked_until: moment(access.lockout.lockedUntil(user)),
    quota
  }
}

/** Who makes the change that a request asks for. */
export function byOf (request: FastifyRequest): By {
  return { principal: request.principal, address: request.ip }
}

/** Throws REQUEST_INVALID where a list names a role or team that there is not. */
export function checkNames (directory: Directory, { roles = [], teams = [], users = [] }: { readonly roles?: readonly string[] | undefined, readonly teams?: readonly string[] | undefined, readonly users?: readonly string[] | undefined }): void {
  const missing = [
    ...roles.filter(role => directory.role(role) === undefined).map(role => `role ${role}`),
    ...teams.filter(team => directory.team(team) === undefined).map(team => `team ${team}`),
    ...users.filter(user => directory.user(user) === undefined).map(user => `user ${user}`)
  ]
  if (missing.length > 0) throw new PlatformError('REQUEST_INVALID', `There is no ${missing.join(', no ')}`, { remedy: 'GET /v1/roles, /v1/teams and /v1/users list what there is.' })
}

export function notFound (what: string, name: string): PlatformError {
  return new PlatformError('NOT_FOUND', `There is no ${what} ${name}`)
}

/** The parts of a quota that a body gives; those it leaves out stay. */
export function quotaOf (given: Partial<StoredQuota> | undefined, before: StoredQuota): StoredQuota {
  return { ...before, ...given }
}

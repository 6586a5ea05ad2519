import { checkGrants } from '../access/grants.ts'
import { checkPassword, hashPassword } from '../access/passwords.ts'
import { noQuota } from '../access/directory.ts'
import { PlatformError } from '../errors.ts'
import { byOf, checkNames, done, email, grants, names, notFound, password, quota, quotaOf, showUser, title, userName, userShown } from './access-forms.ts'
import { note } from './audited.ts'
import { principalOf } from './guard.ts'
import { checkName } from './login.ts'
import type { FastifyInstance } from 'fastify'
import type { StoredQuota, User } from '../access/directory.ts'
import type { GivenGrant, Grant } from '../access/grants.ts'
import type { Platform } from '../platform.ts'

interface ByName { readonly Params: { readonly user: string } }
interface Given {
  readonly title?: string
  readonly email?: string
  readonly roles?: readonly string[]
  readonly teams?: readonly string[]
  readonly grants?: readonly GivenGrant[]
  readonly quota?: Partial<StoredQuota>
  readonly disabled?: boolean
}

type Checked = Omit<Given, 'grants'> & { readonly grants?: readonly Grant[] }

const params = { type: 'object', required: ['user'], properties: { user: userName } }
const properties = { title, email, roles: names, teams: names, grants, quota, disabled: { type: 'boolean' } }

export function userRoutes (app: FastifyInstance, platform: Platform): void {
  const { access } = platform
  const { directory } = access
  const known = (user: string): User => userNamed(platform, user)
  const check = (given: Given): Checked => checked(platform, given)

  app.get('/v1/users', {
    config: { access: 'access:read' },
    schema: { summary: 'All users', tags: ['access'], response: { 200: { type: 'object', properties: { users: { type: 'array', items: userShown } } } } }
  }, async () => ({ users: directory.users().map(user => showUser(platform, user)) }))

  app.get<ByName>('/v1/users/:user', {
    config: { access: 'access:read' },
    schema: { summary: 'One user', tags: ['access'], params, response: { 200: userShown } }
  }, async request => showUser(platform, known(request.params.user)))

  app.post<{ Body: Given & { user: string, password?: string } }>('/v1/users', {
    config: { access: 'access:write' },
    schema: {
      summary: 'Adds a user; without a password it is one for programs, or for the identity provider',
      tags: ['access'],
      body: { type: 'object', additionalProperties: false, required: ['user'], properties: { user: userName, password, ...properties } },
      response: { 201: userShown }
    }
  }, async (request, reply) => {
    const { user, password, ...sent } = request.body
    note(request, { action: 'user.add', target: user })
    checkName(user)
    const given = check(sent)
    if (password !== undefined) await checkPassword(password, user)
    const hash = password === undefined ? undefined : await hashPassword(password)
    access.change(byOf(request), { action: 'user.add', target: user, detail: told(given) }, () => {
      if (directory.user(user) !== undefined) throw new PlatformError('NAME_TAKEN', `There is a user ${user} already`, { remedy: 'Choose another name, or change that user.' })
      directory.putUser(changed(access.newUser(user, { password: hash }), given))
    })
    note(request, { isWritten: true })
    return reply.code(201).send(showUser(platform, known(user)))
  })

  app.patch<ByName & { Body: Given }>('/v1/users/:user', {
    config: { access: 'access:write' },
    schema: {
      summary: 'Changes what is given of a user; whoever may do less or more than before has to log in again',
      tags: ['access'],
      params,
      body: { type: 'object', additionalProperties: false, minProperties: 1, properties },
      response: { 200: userShown }
    }
  }, async request => {
    const { user } = request.params
    note(request, { action: 'user.change' })
    known(user)
    const given = check(request.body)
    access.change(byOf(request), { action: 'user.change', target: user, detail: told(given) }, () => directory.putUser(changed(known(user), given)))
    note(request, { isWritten: true })
    return showUser(platform, known(user))
  })

  removalRoutes(app, platform)
}

/** A user goes, or gets another password. */
function removalRoutes (app: FastifyInstance, platform: Platform): void {
  const { access } = platform
  const { directory } = access
  const known = (user: string): User => userNamed(platform, user)

  app.delete<ByName>('/v1/users/:user', {
    config: { access: 'access:write' },
    schema: { summary: 'Removes a user with their tokens and sessions', tags: ['access'], params, response: { 200: done } }
  }, async request => {
    const { user } = request.params
    note(request, { action: 'user.remove' })
    known(user)
    access.change(byOf(request), { action: 'user.remove', target: user }, () => {
      access.sessions.endAll(user)
      access.tokens.revokeAll(user)
      access.lockout.forget(user)
      directory.removeUser(user)
    })
    note(request, { isWritten: true })
    return { done: true }
  })

  app.post<ByName & { Body: { password: string } }>('/v1/users/:user/password', {
    config: { access: 'access:write' },
    schema: {
      summary: 'Sets the password of a user; their sessions end, and they are locked out no more',
      tags: ['access'],
      params,
      body: { type: 'object', additionalProperties: false, required: ['password'], properties: { password } },
      response: { 200: done }
    }
  }, async request => {
    const { user } = request.params
    note(request, { action: 'password.set' })
    // Whoever knows the password of somebody has all that they have.
    access.checkGives(principalOf(request), directory.wholeRights(known(user)))
    await checkPassword(request.body.password, user)
    const hash = await hashPassword(request.body.password)
    access.change(byOf(request), { action: 'password.set', target: user }, () => {
      directory.putUser({ ...known(user), password: hash })
      access.sessions.endAll(user)
      access.lockout.forget(user)
    })
    note(request, { isWritten: true })
    return { done: true }
  })
}

function userNamed ({ access }: Platform, user: string): User {
  const found = access.directory.user(user)
  if (found === undefined) throw notFound('user', user)
  return found
}

/** Throws REQUEST_INVALID where a role, team or filter is none. */
function checked ({ access }: Platform, { grants, quota, ...given }: Given): Checked {
  checkNames(access.directory, given)
  return { ...given, ...(grants !== undefined && { grants: checkGrants(grants) }), ...(quota !== undefined && { quota }) }
}

function changed (user: User, { quota, ...given }: Checked): User {
  return { ...user, ...given, quota: quotaOf(quota, user.quota ?? noQuota) }
}

/** For the audit log: what was changed, and the new values that say who may do what. */
function told ({ roles, teams, grants, disabled, ...others }: Checked): Record<string, never> {
  const more = Object.keys(others)
  return JSON.parse(JSON.stringify({ roles, teams, grants, disabled, ...(others.quota !== undefined && { quota: others.quota }), ...(more.length > 0 && { also: more }) })) as Record<string, never>
}

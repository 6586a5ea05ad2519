import { checkGrants } from '../access/grants.ts'
import { builtinRoles, rightsOfRole } from '../access/roles.ts'
import { PlatformError } from '../errors.ts'
import { byOf, done, grants, grantsShown, name, notFound, scopeName, scopeNames, text, texts, title } from './access-forms.ts'
import { note } from './audited.ts'
import { principalOf } from './guard.ts'
import type { FastifyInstance } from 'fastify'
import type { GivenGrant } from '../access/grants.ts'
import type { Scope } from '../access/scopes.ts'
import type { Platform } from '../platform.ts'

interface ByName { readonly Params: { readonly role: string } }
interface Given {
  readonly title: string
  readonly scopes: readonly Scope[]
  readonly grants: readonly GivenGrant[]
  readonly plugins?: readonly string[] | null
}

const params = { type: 'object', required: ['role'], properties: { role: name } }
const shown = {
  type: 'object',
  properties: {
    role: text,
    title: text,
    scopes: { type: 'array', items: scopeName },
    grants: grantsShown,
    plugins: { description: 'That pipelines of those who have it may use; null: all', anyOf: [{ type: 'null' }, texts] },
    builtin: { type: 'boolean' }
  }
}

export function roleRoutes (app: FastifyInstance, platform: Platform): void {
  const { access } = platform
  const { directory } = access

  app.get('/v1/roles', {
    config: { access: 'access:read' },
    schema: { summary: 'All roles', tags: ['access'], response: { 200: { type: 'object', properties: { roles: { type: 'array', items: shown } } } } }
  }, async () => ({ roles: directory.roles() }))

  app.put<ByName & { Body: Given }>('/v1/roles/:role', {
    config: { access: 'access:write' },
    schema: {
      summary: 'Makes or changes a role; those that come with the platform stay as they are',
      tags: ['access'],
      params,
      body: {
        type: 'object',
        additionalProperties: false,
        required: ['scopes'],
        properties: {
          title: { ...title, default: '' },
          scopes: scopeNames,
          grants: { ...grants, default: [] },
          plugins: { description: 'That pipelines may use, as a pipeline is code that runs; null: all', anyOf: [{ type: 'null' }, { type: 'array', maxItems: 500, items: { type: 'string', minLength: 1, maxLength: 200 } }] }
        }
      },
      response: { 200: shown }
    }
  }, async request => {
    const { role } = request.params
    const { title, scopes, plugins = null } = request.body
    note(request, { action: 'role.set' })
    checkOwn(role)
    const grants = checkGrants(request.body.grants)
    // Also where nobody has it yet: it would lie there until an admin gives it to somebody.
    access.checkGives(principalOf(request), rightsOfRole({ scopes, grants, plugins }))
    const detail = JSON.parse(JSON.stringify({ scopes, grants, plugins })) as Record<string, never>
    access.change(byOf(request), { action: 'role.set', target: role, detail }, () => directory.putRole({ role, title, scopes: [...new Set(scopes)], grants, plugins }))
    note(request, { isWritten: true })
    return directory.role(role)
  })

  app.delete<ByName>('/v1/roles/:role', {
    config: { access: 'access:write' },
    schema: { summary: 'Removes a role that nobody has', tags: ['access'], params, response: { 200: done } }
  }, async request => {
    const { role } = request.params
    note(request, { action: 'role.remove' })
    if (directory.role(role) === undefined) throw notFound('role', role)
    checkOwn(role)
    const having = [...directory.users().filter(({ roles, providerRoles }) => roles.includes(role) || providerRoles.includes(role)).map(({ user }) => `user ${user}`), ...directory.teams().filter(({ roles }) => roles.includes(role)).map(({ team }) => `team ${team}`)]
    if (having.length > 0) throw new PlatformError('IN_USE', `The role ${role} belongs to ${having.slice(0, 5).join(', ')}${having.length > 5 ? ` and ${having.length - 5} more` : ''}`, { remedy: 'Take it from them first.' })
    access.change(byOf(request), { action: 'role.remove', target: role }, () => directory.removeRole(role))
    note(request, { isWritten: true })
    return { done: true }
  })
}

function checkOwn (role: string): void {
  if (builtinRoles.has(role)) throw new PlatformError('NAME_TAKEN', `The role ${role} comes with the platform and is not changed`, { remedy: 'Make one of another name.' })
}

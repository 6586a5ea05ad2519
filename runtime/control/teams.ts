import { checkGrants } from '../access/grants.ts'
import { rightsOfRole } from '../access/roles.ts'
import { byOf, checkNames, done, grants, grantsShown, name, names, notFound, text, texts, title, userName } from './access-forms.ts'
import { note } from './audited.ts'
import { principalOf } from './guard.ts'
import type { FastifyInstance } from 'fastify'
import type { Team } from '../access/directory.ts'
import type { GivenGrant } from '../access/grants.ts'
import type { Platform } from '../platform.ts'

interface ByName { readonly Params: { readonly team: string } }
interface Given {
  readonly title: string
  readonly roles: readonly string[]
  readonly grants: readonly GivenGrant[]
  readonly members?: readonly string[]
}

const params = { type: 'object', required: ['team'], properties: { team: name } }
const shown = { type: 'object', properties: { team: text, title: text, roles: texts, grants: grantsShown, members: texts } }

export function teamRoutes (app: FastifyInstance, platform: Platform): void {
  const { access } = platform
  const { directory } = access
  const members = (team: string): string[] => directory.users().filter(({ teams }) => teams.includes(team)).map(({ user }) => user)
  const show = (team: Team): object => ({ ...team, members: members(team.team) })

  app.get('/v1/teams', {
    config: { access: 'access:read' },
    schema: { summary: 'All teams', tags: ['access'], response: { 200: { type: 'object', properties: { teams: { type: 'array', items: shown } } } } }
  }, async () => ({ teams: directory.teams().map(show) }))

  app.put<ByName & { Body: Given }>('/v1/teams/:team', {
    config: { access: 'access:write' },
    schema: {
      summary: 'Makes or changes a team: its members have its roles and grants',
      tags: ['access'],
      params,
      body: {
        type: 'object',
        additionalProperties: false,
        properties: { title: { ...title, default: '' }, roles: { ...names, default: [] }, grants: { ...grants, default: [] }, members: { type: 'array', maxItems: 10_000, items: userName, description: 'Without it they stay' } }
      },
      response: { 200: shown }
    }
  }, async request => {
    const { team } = request.params
    const { title, roles, members: given } = request.body
    note(request, { action: 'team.set' })
    checkNames(directory, { roles, users: given })
    const grants = checkGrants(request.body.grants)
    // Also where it has no members yet: it would lie there until an admin adds one.
    for (const rights of roles.map(role => directory.role(role)).filter(role => role !== undefined)) access.checkGives(principalOf(request), rightsOfRole(rights))
    access.checkGives(principalOf(request), { grants: grants.map(grant => ({ ...grant, through: '' })) })
    const detail = JSON.parse(JSON.stringify({ roles, grants, members: given })) as Record<string, never>
    access.change(byOf(request), { action: 'team.set', target: team, detail }, () => {
      directory.putTeam({ team, title, roles, grants })
      if (given !== undefined) setMembers(team, new Set(given))
    })
    note(request, { isWritten: true })
    return show(directory.team(team)!)
  })

  app.delete<ByName>('/v1/teams/:team', {
    config: { access: 'access:write' },
    schema: { summary: 'Removes a team; its members stay users', tags: ['access'], params, response: { 200: done } }
  }, async request => {
    const { team } = request.params
    note(request, { action: 'team.remove' })
    if (directory.team(team) === undefined) throw notFound('team', team)
    access.change(byOf(request), { action: 'team.remove', target: team }, () => {
      setMembers(team, new Set())
      directory.removeTeam(team)
    })
    note(request, { isWritten: true })
    return { done: true }
  })

  function setMembers (team: string, given: ReadonlySet<string>): void {
    for (const user of directory.users()) {
      const [is, shall] = [user.teams.includes(team), given.has(user.user)]
      if (is !== shall) directory.putUser({ ...user, teams: shall ? [...user.teams, team] : user.teams.filter(one => one !== team) })
    }
  }
}

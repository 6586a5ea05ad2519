// `twolane user …`: who may log in.

import { parseArgs } from 'node:util'
import { adminOptions, connect } from './admin.ts'
import { readSecret } from './secret-input.ts'
import { table } from './table.ts'
import { listOf, UsageError } from './terminal.ts'
import type { Terminal } from './terminal.ts'

interface ShownUser {
  readonly user: string
  readonly title: string
  readonly roles: readonly string[]
  readonly provider_roles: readonly string[]
  readonly teams: readonly string[]
  readonly disabled: boolean
  readonly last_login_at: string | null
}

export async function run (args: readonly string[], terminal: Terminal): Promise<number> {
  const { values, positionals: [verb = '', user, ...more] } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { ...adminOptions, json: { type: 'boolean', default: false }, roles: { type: 'string' }, teams: { type: 'string' }, datasets: { type: 'string' }, title: { type: 'string' }, email: { type: 'string' }, 'no-password': { type: 'boolean', default: false } }
  })
  const isList = verb === 'list'
  if (!['add', 'list', 'disable', 'enable', 'password', 'remove'].includes(verb)) throw new UsageError(verb === '' ? '"user" needs a verb: add, list, disable, enable, password or remove' : `There is no "user ${verb}"; there are add, list, disable, enable, password, remove`)
  if (more.length > 0 || isList !== (user === undefined)) throw new UsageError(isList ? '"user list" takes no name' : `"user ${verb}" takes the name of a user`)
  const admin = await connect(terminal, values.token)
  const path = `/v1/users/${encodeURIComponent(user ?? '')}`
  const say = (answer: object, text: string): number => {
    terminal.print(values.json ? JSON.stringify(answer) : text)
    return 0
  }
  switch (verb) {
    case 'list': {
      const { users } = await admin.json<{ users: ShownUser[] }>('GET', '/v1/users')
      for (const line of values.json ? [JSON.stringify(users)] : users.length === 0 ? ['There are no users'] : lines(users)) terminal.print(line)
      return 0
    }
    case 'add': {
      const { title, email } = values
      const given = { ...(title !== undefined && { title }), ...(email !== undefined && { email }), roles: listOf(values.roles), teams: listOf(values.teams), grants: listOf(values.datasets).map(dataset => ({ dataset })) }
      const password = values['no-password'] ? undefined : await readSecret(`Password of ${user}: `)
      return say(await admin.json<ShownUser>('POST', '/v1/users', 201, { user, ...given, ...(password !== undefined && { password }) }), `${user} is added`)
    }
    case 'password':
      return say(await admin.json<object>('POST', `${path}/password`, 200, { password: await readSecret(`New password of ${user}: `) }), `${user} has a new password, and no sessions`)
    case 'remove':
      return say(await admin.json<object>('DELETE', path), `${user} is removed`)
    default:
      return say(await admin.json<object>('PATCH', path, 200, { disabled: verb === 'disable' }), `${user} is ${verb}d`)
  }
}

function lines (users: readonly ShownUser[]): string[] {
  return table(['USER', 'ROLES', 'TEAMS', 'LAST LOGIN', 'TITLE'], users.map(({ user, title, roles, provider_roles: provided, teams, disabled, last_login_at: last }) => [
    user, disabled ? '(disabled)' : [...new Set([...roles, ...provided])].join(', '), teams.join(', '), last?.slice(0, 16).replace('T', ' ') ?? 'never', title
  ]))
}

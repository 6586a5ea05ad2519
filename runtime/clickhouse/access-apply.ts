// Brings a ClickHouse server to the users, roles and policies that there should be (access.ts), and takes them back.

import { accessStatements, revokeStatements } from './access.ts'
import type { AccessOptions, AccessState, AccessUser } from './access.ts'
import type { ClickHouse } from './client.ts'

/**
 * Reads what is ours: by its name, and users by their profile as well, which no user that somebody made themselves has.
 * Throws DESTINATION_REFUSED where the user of the platform may not (SHOW ACCESS), or the engine has no users.
 */
export async function readAccess (client: ClickHouse): Promise<AccessState> {
  const names = async (sql: string): Promise<string[]> => (await client.rows<{ name: string }>(sql)).map(({ name }) => name)
  const users = await names('SELECT name FROM system.users WHERE match(name, \'^twolane_.+[.][0-9a-f]{16}$\') AND name IN (SELECT user_name FROM system.settings_profile_elements WHERE inherit_profile = \'twolane_reader\')')
  const granted = await client.rows<{ user: string, role: string }>('SELECT user_name AS user, granted_role_name AS role FROM system.role_grants WHERE startsWith(user_name, \'twolane_\')')
  return {
    users: new Map(users.map(name => [name, granted.filter(({ user }) => user === name).map(({ role }) => role)])),
    roles: new Set(await names('SELECT name FROM system.roles WHERE match(name, \'^twolane_rights_[0-9a-f]{16}$\')')),
    policies: new Set(await names('SELECT name FROM system.row_policies WHERE match(short_name, \'^twolane_(others|rights_[0-9a-f]{16})$\')')),
    quotas: new Set(await names('SELECT name FROM system.quotas WHERE match(name, \'^twolane_.+[.](quota|[0-9a-f]{16})$\')'))
  }
}

/** Does what is missing, in order, and returns it. What failed in the middle is done by the next call: nobody has more than before or after. */
export async function applyAccess (client: ClickHouse, wanted: readonly AccessUser[], options: Omit<AccessOptions, 'cluster'>): Promise<string[]> {
  return await run(client, accessStatements(wanted, await readAccess(client), { ...options, cluster: client.cluster }))
}

/** Takes everything back that is ours. */
export async function revokeAccess (client: ClickHouse): Promise<string[]> {
  return await run(client, revokeStatements(await readAccess(client), { cluster: client.cluster }))
}

async function run (client: ClickHouse, statements: readonly string[]): Promise<string[]> {
  for (const statement of statements) await client.command(statement)
  return [...statements]
}

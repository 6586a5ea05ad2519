// Brings a ClickHouse server to the users, roles and policies that there should be (access.ts), and takes them back.

import { accessStatements, revokeStatements } from './access.ts'
import type { AccessOptions, AccessState, AccessUser } from './access.ts'
import type { ClickHouse } from './client.ts'

/** Reads what has a name of ours. Throws DESTINATION_REFUSED where the user of the platform may not (SHOW ACCESS), or the engine has no users. */
export async function readAccess (client: ClickHouse): Promise<AccessState> {
  const names = async (table: string): Promise<string[]> => (await client.rows<{ name: string }>(`SELECT name FROM system.${table} WHERE startsWith(name, 'twolane_')`)).map(({ name }) => name)
  const granted = await client.rows<{ user: string, role: string }>('SELECT user_name AS user, granted_role_name AS role FROM system.role_grants WHERE startsWith(user_name, \'twolane_\')')
  return {
    users: new Map((await names('users')).map(name => [name, granted.filter(({ user }) => user === name).map(({ role }) => role)])),
    roles: new Set((await names('roles')).filter(name => name.startsWith('twolane_rights_'))),
    policies: new Set(await names('row_policies')),
    quotas: new Set(await names('quotas'))
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

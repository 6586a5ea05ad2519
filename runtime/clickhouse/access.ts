// Who may read what on a ClickHouse server, in its own words: users, roles, column grants, row policies, quotas and a
// profile, all of whose names begin with twolane_. A pure function of what there should be and what there is; access-apply.ts
// asks and does.
//
//   twolane_reader              profile: reading only, with limits that a query cannot change
//   twolane_rights_<hash>       role: the columns of the datasets, and a row policy for each of them. The hash is over the
//                               rights, so a role never changes; a user whose rights change gets another one
//   twolane_others              row policy: where a dataset has policies, those who have none of these roles see it as before
//   twolane_<user>.<token>      user, for one token of somebody: with one role and at most one quota
//   twolane_<user>.quota        quota of all tokens of somebody together: ClickHouse counts a user by one quota only
//
// What has such a name and, of users, this profile, is ours; nothing else is touched. A user has one role, with what all of their roles, teams and grants come to: ClickHouse would add up the columns of one
// grant and the rows of another, and show what neither lets through.

import { createHash } from 'node:crypto'
import { onCluster } from './cluster.ts'
import { quoteName, quoteText } from './sql.ts'

const PREFIX = 'twolane_'
const PROFILE = `${PREFIX}reader`
const OTHERS = `${PREFIX}others`

/** What may be read of one view of a dataset. */
export interface ViewRight {
  /** `data`, `realtime` or `history`. */
  readonly database: string
  readonly view: string
  /** undefined: all. */
  readonly columns: readonly string[] | undefined
  /** SQL; undefined: all rows. */
  readonly condition: string | undefined
}

export interface AccessQuota {
  /** The same for all who share it. */
  readonly name: string
  readonly rowsPerDay: number | undefined
  readonly requestsPerSecond: number | undefined
}

export interface AccessUser {
  /** `anna.<id of the token>`. */
  readonly user: string
  /** SHA-256 of the token, in hex, as the platform keeps it: the token is the password. */
  readonly passwordHash: string
  /** ms since 1970. */
  readonly until: number
  readonly rights: readonly ViewRight[]
  readonly quota: AccessQuota | undefined
}

/** Of the server: what has a name of ours. */
export interface AccessState {
  /** Roles by user. */
  readonly users: ReadonlyMap<string, readonly string[]>
  readonly roles: ReadonlySet<string>
  /** Names such as `twolane_others ON data.quotes`. */
  readonly policies: ReadonlySet<string>
  /** Names of quotas. */
  readonly quotas: ReadonlySet<string>
}

export interface AccessLimits {
  readonly secondsMax: number
  readonly memoryBytesMax: number
  readonly readRowsMax: number
  readonly readBytesMax: number
  readonly resultRowsMax: number
  readonly threadsMax: number
}

export interface AccessOptions {
  readonly limits: AccessLimits
  /** Empty: one server. */
  readonly cluster: string
}

export const noAccess: AccessState = { users: new Map(), roles: new Set(), policies: new Set(), quotas: new Set() }

/**
 * The statements that bring a server from what there is to what there should be, in an order that never shows more than
 * either: a role has its policies before anybody has the role, and nobody has it any more when they go.
 */
export function accessStatements (wanted: readonly AccessUser[], found: AccessState, { limits, cluster }: AccessOptions): string[] {
  const on = onCluster(cluster)
  const users = wanted.filter(({ rights }) => rights.length > 0)
  const roles = new Map(users.map(({ rights }) => [roleOf(rights), rights]))
  const policies = policiesOf(roles, found.roles, on)
  const kept = new Set(users.map(({ user }) => nameOf(user)))
  const quotas = quotasOf(users)
  const newRoles = [...roles].filter(([role]) => !found.roles.has(role))
  return [
    profile(limits, on),
    ...definers(roles, on),
    ...newRoles.map(([role]) => `CREATE ROLE IF NOT EXISTS ${quoteName(role)}${on}`),
    // Also where it is there: which roles it leaves out changes with them.
    ...policies.filter(({ name }) => name.startsWith(`${OTHERS} `) || !found.policies.has(name)).map(({ statement }) => statement),
    ...newRoles.flatMap(([role, rights]) => rights.map(right => grant(right, role, on))),
    // A user is bounded before there is anything to be had.
    ...users.flatMap(user => newUser(user, found, on)),
    ...[...quotas].map(([name, { quota, users }]) => quotaStatement(name, { quota, users, isThere: found.quotas.has(name) }, on)),
    ...users.flatMap(user => roleStatements(user, found, on)),
    ...[...found.users.keys()].filter(user => !kept.has(user)).map(user => `DROP USER IF EXISTS ${quoteName(user)}${on}`),
    ...[...found.quotas].filter(quota => !quotas.has(quota)).map(quota => `DROP QUOTA IF EXISTS ${quoteName(quota)}${on}`),
    ...[...found.roles].filter(role => !roles.has(role)).map(role => `DROP ROLE IF EXISTS ${quoteName(role)}${on}`),
    ...dropPolicies(found.policies, new Set(policies.map(({ name }) => name)), on)
  ]
}

/** Everything that is ours goes; nobody whom the platform made can log in any more. */
export function revokeStatements (found: AccessState, { cluster }: Pick<AccessOptions, 'cluster'>): string[] {
  const on = onCluster(cluster)
  return [
    ...[...found.users.keys()].map(user => `DROP USER IF EXISTS ${quoteName(user)}${on}`),
    ...[...found.quotas].map(quota => `DROP QUOTA IF EXISTS ${quoteName(quota)}${on}`),
    ...[...found.roles].map(role => `DROP ROLE IF EXISTS ${quoteName(role)}${on}`),
    ...dropPolicies(found.policies, new Set(), on),
    `DROP SETTINGS PROFILE IF EXISTS ${quoteName(PROFILE)}${on}`
  ]
}

/** `twolane_anna.1f…`: the user of ClickHouse that stands for a token. */
export function nameOf (user: string): string {
  return `${PREFIX}${user}`
}

function roleOf (rights: readonly ViewRight[]): string {
  const text = rights.map(({ database, view, columns, condition }) => JSON.stringify([database, view, columns === undefined ? null : columns.toSorted(), condition ?? null])).sort()
  return `${PREFIX}rights_${createHash('sha256').update(text.join('\n')).digest('hex').slice(0, 16)}`
}

function profile ({ secondsMax, memoryBytesMax, readRowsMax, readBytesMax, resultRowsMax, threadsMax }: AccessLimits, on: string): string {
  const bounded: ReadonlyArray<readonly [string, number]> = [
    ['max_execution_time', secondsMax], ['max_memory_usage', memoryBytesMax], ['max_rows_to_read', readRowsMax], ['max_bytes_to_read', readBytesMax],
    ['max_result_rows', resultRowsMax], ['max_threads', threadsMax]
  ]
  const settings = [
    // readonly = 1 would refuse the settings that every client sends.
    'readonly = 2 CONST', 'allow_ddl = 0 CONST', 'allow_introspection_functions = 0 CONST', 'max_concurrent_queries_for_user = 2 CONST',
    'read_overflow_mode = \'throw\' CONST', 'result_overflow_mode = \'throw\' CONST', 'timeout_overflow_mode = \'throw\' CONST',
    // No setting of a query may stand in for a row policy, or tell of rows that it hides.
    'additional_table_filters = \'{}\' CONST', 'query_plan_filter_push_down = 0 CONST', 'query_plan_merge_filters = 0 CONST',
    // Zero means no bound, so it is below the least.
    ...bounded.map(([name, max]) => `${name} = ${max} MIN 1 MAX ${max}`)
  ]
  return `CREATE SETTINGS PROFILE OR REPLACE ${quoteName(PROFILE)}${on} SETTINGS ${settings.join(', ')}`
}

/** The views read their tables by the right of the platform, for who asks has none to those. */
function definers (roles: ReadonlyMap<string, readonly ViewRight[]>, on: string): string[] {
  const views = new Set([...roles.values()].flat().map(({ database, view }) => `${quoteName(database)}.${quoteName(view)}`))
  return [...views].map(view => `ALTER TABLE ${view}${on} MODIFY SQL SECURITY DEFINER DEFINER = CURRENT_USER`)
}

interface Policy {
  /** As system.row_policies has it. */
  readonly name: string
  readonly statement: string
}

function policiesOf (roles: ReadonlyMap<string, readonly ViewRight[]>, found: ReadonlySet<string>, on: string): Policy[] {
  const views = new Map<string, { right: ViewRight, role: string }[]>()
  for (const [role, rights] of roles) {
    for (const right of rights) views.set(`${right.database}.${right.view}`, [...views.get(`${right.database}.${right.view}`) ?? [], { right, role }])
  }
  const policy = (name: string, { database, view }: ViewRight, condition: string, to: string): Policy => ({
    name: `${name} ON ${database}.${view}`,
    statement: `CREATE ROW POLICY OR REPLACE ${quoteName(name)}${on} ON ${quoteName(database)}.${quoteName(view)} FOR SELECT USING ${condition} AS PERMISSIVE TO ${to}`
  })
  // Roles that go are left out, too: somebody has them until the end.
  const except = (own: readonly string[]): string => [...new Set([...own, ...found])].map(quoteName).join(', ')
  const others = [...views.values()].map(all => policy(OTHERS, (all[0] as { right: ViewRight }).right, '1', `ALL EXCEPT ${except(all.map(({ role }) => role))}`))
  const own = [...views.values()].flatMap(all => all.map(({ right, role }) => policy(role, right, right.condition ?? '1', quoteName(role))))
  return [...others, ...own]
}

function dropPolicies (found: ReadonlySet<string>, kept: ReadonlySet<string>, on: string): string[] {
  return [...found].filter(name => !kept.has(name)).map(name => {
    const [policy = '', table = ''] = name.split(' ON ', 2)
    const point = table.indexOf('.')
    return `DROP ROW POLICY IF EXISTS ${quoteName(policy)} ON ${quoteName(table.slice(0, point))}.${quoteName(table.slice(point + 1))}${on}`
  })
}

function grant ({ database, view, columns }: ViewRight, role: string, on: string): string {
  const only = columns === undefined ? '' : `(${columns.map(quoteName).join(', ')})`
  return `GRANT${on} SELECT${only} ON ${quoteName(database)}.${quoteName(view)} TO ${quoteName(role)}`
}

/** By name, with who shares them. */
function quotasOf (users: readonly AccessUser[]): Map<string, { readonly quota: AccessQuota, readonly users: string[] }> {
  const quotas = new Map<string, { readonly quota: AccessQuota, readonly users: string[] }>()
  for (const { user, quota } of users) {
    if (quota === undefined) continue
    const known = quotas.get(nameOf(quota.name)) ?? { quota, users: [] }
    known.users.push(nameOf(user))
    quotas.set(nameOf(quota.name), known)
  }
  return quotas
}

interface SharedQuota {
  readonly quota: AccessQuota
  readonly users: readonly string[]
  readonly isThere: boolean
}

/** One that is there is altered: what was counted of the day stays. */
function quotaStatement (name: string, { quota: { requestsPerSecond, rowsPerDay }, users, isThere }: SharedQuota, on: string): string {
  const bound = (interval: string, what: string, max: number | undefined): string => `FOR INTERVAL 1 ${interval} ${max === undefined ? 'NO LIMITS' : `MAX ${what} = ${max}`}`
  return `${isThere ? 'ALTER QUOTA' : 'CREATE QUOTA IF NOT EXISTS'} ${quoteName(name)}${on} NOT KEYED ${bound('second', 'queries', requestsPerSecond)}, ${bound('day', 'result_rows', rowsPerDay)} TO ${users.map(quoteName).join(', ')}`
}

/** A token keeps its secret and its end, so a user who is there stays as it is. */
function newUser ({ user, passwordHash, until }: AccessUser, { users }: AccessState, on: string): string[] {
  if (users.has(nameOf(user))) return []
  return [`CREATE USER IF NOT EXISTS ${quoteName(nameOf(user))}${on} IDENTIFIED WITH sha256_hash BY ${quoteText(passwordHash)} VALID UNTIL ${quoteText(`${new Date(until).toISOString().slice(0, 19)}Z`)} SETTINGS PROFILE ${quoteText(PROFILE)}`]
}

function roleStatements (user: AccessUser, found: AccessState, on: string): string[] {
  const [name, role] = [nameOf(user.user), roleOf(user.rights)]
  const before = found.users.get(name) ?? []
  return [
    // The first one goes before the other comes, so that a user never has the rights of both.
    ...before.filter(one => one !== role).map(one => `REVOKE${on} ${quoteName(one)} FROM ${quoteName(name)}`),
    ...before.includes(role) ? [] : [`GRANT${on} ${quoteName(role)} TO ${quoteName(name)}`, `ALTER USER ${quoteName(name)}${on} DEFAULT ROLE ${quoteName(role)}`]
  ]
}

// Users, teams and roles, as they are stored. What follows from them is rights.ts; who may change them is access.ts.

import { PlatformError } from '../errors.ts'
import { builtinRoles } from './roles.ts'
import { everything, nothing } from './rights.ts'
import { ROLES_MAX, TEAMS_MAX, USERS_MAX } from './tables.ts'
import type { DatabaseSync } from 'node:sqlite'
import type { Grant } from './grants.ts'
import type { Rights } from './rights.ts'
import type { Role } from './roles.ts'
import type { Scope } from './scopes.ts'

/** As in the API; null: no bound. */
export interface StoredQuota {
  readonly requests_per_second: number | null
  readonly rows_per_day: number | null
}

export const noQuota: StoredQuota = { requests_per_second: null, rows_per_day: null }

export interface User {
  readonly user: string
  readonly title: string
  readonly email: string
  /** Given here; `providerRoles` are those that the identity provider says at each login. */
  readonly roles: readonly string[]
  readonly providerRoles: readonly string[]
  readonly teams: readonly string[]
  readonly grants: readonly Grant[]
  readonly quota: StoredQuota
  readonly disabled: boolean
  /** ms since 1970. */
  readonly created: number
  readonly lastLogin: number | undefined
  /** Hash (passwords.ts); undefined: no login by password. */
  readonly password: string | undefined
  /** Issuer and subject at the identity provider. */
  readonly subject: string | undefined
}

export interface Team {
  readonly team: string
  readonly title: string
  readonly roles: readonly string[]
  readonly grants: readonly Grant[]
}

type Row = Record<string, string | number | null>

export class Directory {
  readonly #database: DatabaseSync
  // What was read since the last change: every request asks.
  #rights = new Map<string, Rights>()
  #users = new Map<string, User | undefined>()
  #teams: Team[] | undefined
  #roles: Map<string, Role> | undefined
  #version = 0

  constructor (database: DatabaseSync) {
    this.#database = database
  }

  /** Another one after each change that can change what somebody may do. */
  get version (): number {
    return this.#version
  }

  /** To be called after a transaction that changed something, also after one that was taken back. */
  forget (): void {
    this.#version++
    this.#rights = new Map()
    this.#users = new Map()
    this.#teams = undefined
    this.#roles = undefined
  }

  get isEmpty (): boolean {
    return this.#database.prepare('select 1 from access_users limit 1').get() === undefined
  }

  user (name: string): User | undefined {
    if (this.#users.has(name)) return this.#users.get(name)
    const row = this.#database.prepare('select * from access_users where user = ?').get(name) as Row | undefined
    const user = row === undefined ? undefined : userOf(row)
    // Names come from outside: those that are none take no room.
    if (user !== undefined) this.#users.set(name, user)
    return user
  }

  userOfSubject (subject: string): User | undefined {
    const row = this.#database.prepare('select * from access_users where subject = ?').get(subject) as Row | undefined
    return row === undefined ? undefined : userOf(row)
  }

  users (): User[] {
    return (this.#database.prepare('select * from access_users order by user').all() as Row[]).map(userOf)
  }

  putUser (user: User): void {
    if (this.user(user.user) === undefined) this.#checkCount('access_users', USERS_MAX, 'users')
    this.#database.prepare('insert or replace into access_users values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)').run(
      user.user, user.title, user.email, user.password ?? null, user.subject ?? null, JSON.stringify(user.roles), JSON.stringify(user.providerRoles),
      JSON.stringify(user.teams), JSON.stringify(user.grants), JSON.stringify(user.quota), user.disabled ? 1 : 0, user.created, user.lastLogin ?? null)
    this.forget()
  }

  removeUser (user: string): void {
    this.#database.prepare('delete from access_users where user = ?').run(user)
    this.forget()
  }

  team (team: string): Team | undefined {
    return this.teams().find(one => one.team === team)
  }

  teams (): Team[] {
    this.#teams ??= (this.#database.prepare('select * from access_teams order by team').all() as Row[]).map(row => ({ team: String(row['team']), title: String(row['title']), roles: parsed(row['roles']), grants: parsed(row['grants']) }))
    return this.#teams
  }

  putTeam ({ team, title, roles, grants }: Team): void {
    if (this.team(team) === undefined) this.#checkCount('access_teams', TEAMS_MAX, 'teams')
    this.#database.prepare('insert or replace into access_teams values (?, ?, ?, ?)').run(team, title, JSON.stringify(roles), JSON.stringify(grants))
    this.forget()
  }

  removeTeam (team: string): void {
    this.#database.prepare('delete from access_teams where team = ?').run(team)
    this.forget()
  }

  role (role: string): Role | undefined {
    this.#roles ??= new Map([...builtinRoles, ...this.#ownRoles().map(one => [one.role, one] as const)])
    return this.#roles.get(role)
  }

  /** The built-in ones first. */
  roles (): Role[] {
    return [...builtinRoles.values(), ...this.#ownRoles()]
  }

  putRole ({ role, title, scopes, grants, plugins }: Omit<Role, 'builtin'>): void {
    if (this.role(role) === undefined) this.#checkCount('access_roles', ROLES_MAX, 'roles')
    this.#database.prepare('insert or replace into access_roles values (?, ?, ?, ?, ?)').run(role, title, JSON.stringify(scopes), JSON.stringify(grants), plugins === null ? null : JSON.stringify(plugins))
    this.forget()
  }

  removeRole (role: string): void {
    this.#database.prepare('delete from access_roles where role = ?').run(role)
    this.forget()
  }

  /** Roles of a user, with where they come from: `user anna`, `team quants`, `identity provider`. */
  rolesOf ({ user, roles, providerRoles, teams }: User): Array<{ readonly role: string, readonly through: string }> {
    const known = this.teams()
    return [
      ...roles.map(role => ({ role, through: `user ${user}` })),
      ...providerRoles.map(role => ({ role, through: 'identity provider' })),
      ...teams.flatMap(name => known.filter(({ team }) => team === name)).flatMap(({ team, roles }) => roles.map(role => ({ role, through: `team ${team}` })))
    ]
  }

  /** What a user may do now: nothing where there is no such user, or where they are disabled. */
  rights (name: string): Rights {
    const known = this.#rights.get(name)
    if (known !== undefined) return known
    const rights = this.#rightsOf(this.user(name))
    if (rights !== nothing) this.#rights.set(name, rights)
    return rights
  }

  /** What a user would have if they were not disabled. */
  wholeRights (user: User): Rights {
    return user.disabled ? this.#rightsOf({ ...user, disabled: false }) : this.rights(user.user)
  }

  #rightsOf (user: User | undefined): Rights {
    if (user === undefined || user.disabled) return nothing
    const own = this.rolesOf(user)
    const roles = [...new Set(own.map(({ role }) => role))].map(name => this.role(name)).filter(role => role !== undefined)
    const teams = this.teams().filter(({ team }) => user.teams.includes(team))
    const makers = roles.filter(({ scopes }) => scopes.includes('pipelines:write'))
    return {
      scopes: new Set(roles.flatMap(({ scopes }) => scopes)),
      grants: [
        ...user.grants.map(grant => ({ ...grant, through: `user ${user.user}` })),
        ...teams.flatMap(({ team, grants }) => grants.map(grant => ({ ...grant, through: `team ${team}` }))),
        ...roles.flatMap(({ role, grants }) => grants.map(grant => ({ ...grant, through: `role ${role}` })))
      ],
      within: undefined,
      plugins: makers.some(({ plugins }) => plugins === null) ? everything.plugins : new Set(makers.flatMap(({ plugins }) => plugins ?? []))
    }
  }

  #ownRoles (): Role[] {
    return (this.#database.prepare('select * from access_roles order by role').all() as Row[]).map(row => ({
      role: String(row['role']), title: String(row['title']), scopes: parsed<Scope>(row['scopes']), grants: parsed(row['grants']), plugins: row['plugins'] === null ? null : parsed(row['plugins']), builtin: false
    }))
  }

  #checkCount (table: string, max: number, what: string): void {
    const { n } = this.#database.prepare(`select count(*) as n from ${table}`).get() as { n: number }
    if (n >= max) throw new PlatformError('REQUEST_INVALID', `There are ${max} ${what} already, which is the most`, { remedy: `Remove ${what} that nobody needs.` })
  }
}

function userOf (row: Row): User {
  return {
    user: String(row['user']),
    title: String(row['title']),
    email: String(row['email']),
    roles: parsed(row['roles']),
    providerRoles: parsed(row['provider_roles']),
    teams: parsed(row['teams']),
    grants: parsed(row['grants']),
    quota: JSON.parse(String(row['quota'])) as StoredQuota,
    disabled: row['disabled'] === 1,
    created: Number(row['created']),
    lastLogin: row['last_login'] === null ? undefined : Number(row['last_login']),
    password: row['password'] === null ? undefined : String(row['password']),
    subject: row['subject'] === null ? undefined : String(row['subject'])
  }
}

function parsed<T = never> (text: string | number | null | undefined): T[] {
  return JSON.parse(String(text)) as T[]
}

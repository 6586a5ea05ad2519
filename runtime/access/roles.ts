// The roles that there always are, and cannot be changed.

import { allScopes } from './scopes.ts'
import type { Grant } from './grants.ts'
import type { Rights } from './rights.ts'
import type { Scope } from './scopes.ts'

export interface Role {
  readonly role: string
  readonly title: string
  readonly scopes: readonly Scope[]
  readonly grants: readonly Grant[]
  /** Plugins that pipelines of those who have it may use, as a pipeline is code that runs; null: all. */
  readonly plugins: readonly string[] | null
  readonly builtin: boolean
}

/** Who has it can do everything; at least one user keeps it. */
export const ADMIN_ROLE = 'admin'

/** What a role gives to who has it and nothing else. */
export function rightsOfRole ({ scopes, grants, plugins }: Pick<Role, 'scopes' | 'grants' | 'plugins'>): Rights {
  return { scopes: new Set(scopes), grants: grants.map(grant => ({ ...grant, through: '' })), within: undefined, plugins: plugins === null ? undefined : new Set(plugins) }
}

const viewer: readonly Scope[] = ['platform:read', 'data:read']
const analyst: readonly Scope[] = [...viewer, 'queries:write', 'sql:read']
const maintainer: readonly Scope[] = [...analyst, 'topics:read', 'pipelines:write', 'jobs:run', 'alerts:write', 'backup:write', 'access:read']

const builtin = (role: string, title: string, scopes: Iterable<Scope>, grants: readonly Grant[] = []): Role => ({ role, title, scopes: [...scopes], grants, plugins: null, builtin: true })

export const builtinRoles: ReadonlyMap<string, Role> = new Map([
  builtin('viewer', 'Sees how the platform is, and the rows that are granted', viewer),
  builtin('analyst', 'Also saves queries, makes exports and reads by SQL', analyst),
  builtin('maintainer', 'Also runs the platform: pipelines, jobs, alerts and backups', maintainer),
  builtin(ADMIN_ROLE, 'May do everything, and sees all datasets', allScopes, [{ dataset: '*', columns: null, where: null }])
].map(role => [role.role, role]))

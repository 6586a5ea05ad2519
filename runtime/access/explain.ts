// Why can I, why can I not: in words, from the same rights that decide.

import { PlatformError } from '../errors.ts'
import { matches } from './grants.ts'
import { grantOf } from './rights.ts'
import { builtinRoles } from './roles.ts'
import { scopes } from './scopes.ts'
import type { Access } from './access.ts'
import type { Grant } from './grants.ts'
import type { DatasetGrant, Principal } from './principal.ts'
import type { Rights } from './rights.ts'
import type { Scope } from './scopes.ts'
import type { Token } from './tokens.ts'

export interface Question {
  readonly user?: string
  /** Id of a token. */
  readonly token?: string
  readonly scope?: Scope
  readonly dataset?: string
}

export interface Explained {
  readonly allowed: boolean
  readonly because: readonly string[]
  readonly missing: readonly string[]
  readonly remedy: string
}

export interface ReviewRow {
  readonly user: string
  readonly token: string | null
  readonly scopes: readonly Scope[]
  readonly datasets: ReadonlyArray<Grant & { readonly through: string }>
}

/** Throws NOT_FOUND where there is no such user or token. */
export function explain (access: Access, principal: Principal, question: Question): Explained {
  const { user, scope, dataset, token: id = user === undefined ? principal.token : undefined } = question
  if (user === undefined && id === undefined && principal.kind === 'admin') return { allowed: true, because: ['The admin token may do everything'], missing: [], remedy: '' }
  const token = tokenOf(access, id, user)
  const name = token?.user ?? user ?? principal.user
  const known = access.directory.user(name)
  if (known === undefined) throw new PlatformError('NOT_FOUND', `There is no user ${name}`)

  const told: Told = { because: [], missing: [] }
  if (known.disabled) told.missing.push(`${name} is disabled`)
  if (token !== undefined && !access.tokens.holds(token.id)) told.missing.push(`The token "${token.title}" expired at ${new Date(token.expires).toISOString()}`)
  const owner = access.directory.rights(name)
  const rights = token === undefined ? owner : access.rightsOfToken(token)
  for (const needed of scopesNeeded(question)) explainScope(access, { name, needed, token, owner }, told)
  if (dataset !== undefined) explainDataset({ name, dataset, token, rights, owner }, told)
  if (scope === undefined && dataset === undefined) told.because.push(overview(token === undefined ? name : `The token "${token.title}"`, rights))
  const allowed = told.missing.length === 0
  return { allowed, ...told, remedy: allowed ? '' : remedyOf({ scope, dataset, disabled: known.disabled, token, owner }) }
}

function tokenOf (access: Access, id: string | undefined, user: string | undefined): Token | undefined {
  if (id === undefined) return undefined
  const token = access.tokens.get(id)
  if (token === undefined || (user !== undefined && token.user !== user)) throw new PlatformError('NOT_FOUND', `There is no token ${id}${user === undefined ? '' : ` of ${user}`}`)
  return token
}

function scopesNeeded ({ scope, dataset }: Question): Set<Scope> {
  return new Set([...scope === undefined ? [] : [scope], ...dataset === undefined ? [] : ['data:read' as const]])
}

function overview (who: string, { scopes, grants }: Rights): string {
  const datasets = [...new Set(grants.map(({ dataset }) => dataset))]
  return `${who} has ${scopes.size === 0 ? 'no scope' : [...scopes].join(', ')}, and ${datasets.length === 0 ? 'no grant of a dataset' : `grants of ${datasets.join(', ')}`}`
}

/** A row for each user and each token, as they are now. */
export function review (access: Access): ReviewRow[] {
  const tokens = access.tokens.list(undefined)
  return access.directory.users().flatMap(({ user }) => {
    const rights = access.directory.rights(user)
    const own = tokens.filter(token => token.user === user && access.tokens.holds(token.id))
    return [
      { user, token: null, scopes: [...rights.scopes], datasets: rights.grants },
      ...own.map(token => {
        const { scopes, grants, within } = access.rightsOfToken(token)
        return { user, token: token.id, scopes: [...scopes], datasets: within === undefined ? grants : narrowed(grants, within) }
      })
    ]
  })
}

/** A grant of the owner is seen through each of the token's that touches the same datasets. */
function narrowed (grants: Rights['grants'], within: readonly Grant[]): ReviewRow['datasets'] {
  return grants.flatMap(grant => within.filter(({ dataset }) => matches(dataset, grant.dataset) || matches(grant.dataset, dataset)).map(own => ({
    dataset: matches(own.dataset, grant.dataset) ? grant.dataset : own.dataset,
    columns: grant.columns === null ? own.columns : own.columns === null ? grant.columns : grant.columns.filter(column => own.columns?.includes(column)),
    where: grant.where === null ? own.where : own.where === null ? grant.where : { and: [grant.where, own.where] },
    through: `${grant.through}, narrowed by the token`
  })))
}

interface Told {
  readonly because: string[]
  readonly missing: string[]
}

function explainScope (access: Access, { name, needed, token, owner }: { readonly name: string, readonly needed: Scope, readonly token: Token | undefined, readonly owner: Rights }, { because, missing }: Told): void {
  const user = access.directory.user(name)
  const roles = user === undefined || user.disabled ? [] : access.directory.rolesOf(user).filter(({ role }) => access.directory.role(role)?.scopes.includes(needed) === true)
  for (const { role, through } of roles) because.push(`The role ${role} (${through}) has the scope ${needed}`)
  if (!owner.scopes.has(needed)) missing.push(`${name} lacks the scope ${needed}: ${scopes[needed]}`)
  else if (token !== undefined && !token.scopes.includes(needed)) missing.push(`The token "${token.title}" was made without the scope ${needed}`)
}

function explainDataset ({ name, dataset, token, rights, owner }: { readonly name: string, readonly dataset: string, readonly token: Token | undefined, readonly rights: Rights, readonly owner: Rights }, { because, missing }: Told): void {
  const found = owner.grants.filter(grant => matches(grant.dataset, dataset))
  for (const grant of found) because.push(`${dataset} is granted through ${grant.through} (${limitsOf(grant)})`)
  if (found.length === 0) missing.push(`No grant of ${name}, of their teams or of their roles matches ${dataset}`)
  else if (token?.grants != null && !token.grants.some(grant => matches(grant.dataset, dataset))) missing.push(`The token "${token.title}" was made without ${dataset}`)
  else if (grantOf(rights, dataset) === undefined) missing.push(`The grants that match ${dataset} have no column in common`)
  const all = grantOf(rights, dataset)
  if (all !== undefined && (found.length > 1 || token?.grants != null)) because.push(`Together that is ${limitsOf(all)}`)
}

function limitsOf ({ columns, where }: Grant | DatasetGrant): string {
  const rows = where == null ? 'all rows' : `rows where ${JSON.stringify(where)}`
  return `${columns == null ? 'all columns' : `columns ${columns.join(', ')}`}, ${rows}`
}

function remedyOf ({ scope, dataset, disabled, token, owner }: { readonly scope: Scope | undefined, readonly dataset: string | undefined, readonly disabled: boolean, readonly token: Token | undefined, readonly owner: Rights }): string {
  if (disabled) return 'An admin can enable the user again.'
  const ownerHas = (scope === undefined || owner.scopes.has(scope)) && (dataset === undefined || (owner.scopes.has('data:read') && grantOf(owner, dataset) !== undefined))
  if (token !== undefined && ownerHas) return 'Make another token that has it.'
  const role = [...builtinRoles.values()].find(({ scopes }) => scopes.includes(scope ?? 'data:read'))
  const asks = [
    ...(scope !== undefined && !owner.scopes.has(scope)) || (dataset !== undefined && !owner.scopes.has('data:read')) ? [`a role that has the scope, such as ${role?.role ?? 'admin'}`] : [],
    ...dataset !== undefined && grantOf(owner, dataset) === undefined ? [`a grant of ${dataset}`] : []
  ]
  return `Ask an admin for ${asks.join(', and for ')}.`
}

// What somebody may do, put together from roles, teams and their own grants; and whether one has at least what another has.

import { combine, covers, narrow } from './grants.ts'
import { allScopes } from './scopes.ts'
import type { Grant } from './grants.ts'
import type { DatasetGrant } from './principal.ts'
import type { Scope } from './scopes.ts'

/** A grant and where it comes from: `user anna`, `team quants`, `role analyst`. */
export interface OwnedGrant extends Grant {
  readonly through: string
}

export interface Rights {
  readonly scopes: ReadonlySet<Scope>
  /** Alternatives to each other. */
  readonly grants: readonly OwnedGrant[]
  /** Of a token that narrows them: both must let a row through. undefined: nothing is narrowed. */
  readonly within: readonly Grant[] | undefined
  /** Plugins that a pipeline of theirs may use; undefined: all. */
  readonly plugins: ReadonlySet<string> | undefined
}

export const everything: Rights = { scopes: allScopes, grants: [{ dataset: '*', columns: null, where: null, through: 'the admin token' }], within: undefined, plugins: undefined }
export const nothing: Rights = { scopes: new Set(), grants: [], within: undefined, plugins: new Set() }

export function grantOf ({ grants, within }: Rights, dataset: string): DatasetGrant | undefined {
  const whole = combine(grants, dataset)
  return within === undefined ? whole : narrow(whole, combine(within, dataset))
}

/** What `giver` lacks of `given`, in words; none: they may give it. */
export function lacks (giver: Rights, given: Pick<Rights, 'scopes' | 'grants' | 'plugins'>): string[] {
  const missing: string[] = [...given.scopes].filter(scope => !giver.scopes.has(scope)).map(scope => `the scope ${scope}`)
  for (const grant of given.grants) {
    const has = covers(giver.grants, grant) && (giver.within === undefined || covers(giver.within, grant))
    if (!has) missing.push(`what is granted of ${grant.dataset}`)
  }
  if (given.scopes.has('pipelines:write') && giver.plugins !== undefined) {
    if (given.plugins === undefined) missing.push('the right to all plugins')
    else missing.push(...[...given.plugins].filter(plugin => !giver.plugins?.has(plugin)).map(plugin => `the plugin ${plugin}`))
  }
  return [...new Set(missing)]
}

/** A text that is the same as long as the rights are. */
export function fingerprint ({ scopes, grants, within, plugins }: Rights): string {
  return JSON.stringify([[...scopes].sort(), grants.map(({ dataset, columns, where }) => [dataset, columns, where]), within ?? null, plugins === undefined ? null : [...plugins].sort()])
}

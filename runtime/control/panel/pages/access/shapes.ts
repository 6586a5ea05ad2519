// What the routes of access answer, and what is sent to them.

export type Scalar = string | number | boolean
export type Comparison = readonly [column: string, operator: string, value?: Scalar | readonly Scalar[]]
/** Which rows: data, never code. */
export type Filter = Comparison | { readonly and: readonly Filter[] } | { readonly or: readonly Filter[] }

export interface Grant {
  /** A dataset; `*` stands for any characters. */
  readonly dataset: string
  /** null: all. */
  readonly columns: readonly string[] | null
  /** null: all rows. */
  readonly where: Filter | null
}

export interface Quota {
  /** null: no bound besides those of the platform. */
  readonly requests_per_second: number | null
  readonly rows_per_day: number | null
}

export interface User {
  readonly user: string
  readonly title: string
  readonly email: string
  readonly roles: readonly string[]
  readonly provider_roles: readonly string[]
  readonly teams: readonly string[]
  readonly grants: readonly Grant[]
  readonly disabled: boolean
  readonly password: boolean
  readonly created_at: string
  readonly last_login_at: string | null
  readonly locked_until: string | null
  readonly quota: Quota
}

export interface Team {
  readonly team: string
  readonly title: string
  readonly roles: readonly string[]
  readonly grants: readonly Grant[]
  readonly members: readonly string[]
}

export interface Role {
  readonly role: string
  readonly title: string
  readonly scopes: readonly string[]
  readonly grants: readonly Grant[]
  readonly plugins: readonly string[] | null
  readonly builtin: boolean
}

export interface Token {
  readonly id: string
  readonly title: string
  readonly user: string
  readonly scopes: readonly string[]
  readonly grants: readonly Grant[] | null
  readonly expires_at: string
  readonly created_at: string
  readonly last_used_at: string | null
  readonly quota: Quota
}

/** As far as grants need it. */
export interface Dataset {
  readonly dataset: string
  readonly title: string
  readonly columns: ReadonlyArray<{ readonly name: string, readonly type: string, readonly description: string }>
}

/** All scopes, as the platform names them, with what each one lets somebody do. */
export { scopes } from '../../../../access/scopes.ts'

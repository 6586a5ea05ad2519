import { allScopes } from './scopes.ts'
import type { Filter } from '../data/filter.ts'
import type { Scope } from './scopes.ts'

/** What of a dataset may be read. */
export interface DatasetGrant {
  /** Names of the columns; undefined: all. */
  readonly columns: readonly string[] | undefined
  /** Which rows; undefined: all. */
  readonly where: Filter | undefined
}

/** Bounds of one user or token; undefined: no bound besides those of the platform. */
export interface Quota {
  readonly requestsPerSecond: number | undefined
  /** Rows in answers of the data API, a UTC day. */
  readonly rowsPerDay: number | undefined
}

/** Who asks. Made anew for every request, so a change of access holds for the next one. */
export interface Principal {
  /** `admin`: the token of the installation, which may do everything. */
  readonly kind: 'admin' | 'user' | 'token'
  /** Who is answerable, in the audit log: the name of the user, also where a token of theirs is used; `admin`. */
  readonly user: string
  /** Id of the token, which is no secret; undefined: a session, or the admin. */
  readonly token: string | undefined
  readonly scopes: ReadonlySet<Scope>
  readonly quota: Quota
  /** Plugins that a pipeline of theirs may use; undefined: all. */
  readonly plugins?: ReadonlySet<string> | undefined
  /** What may be read of a dataset; undefined: nothing. */
  grant (dataset: string): DatasetGrant | undefined
  /** Whether it still holds; those that go on for long ask once a second. */
  isValid (): boolean
}

export const unlimited: Quota = { requestsPerSecond: undefined, rowsPerDay: undefined }

/** The principal of the admin token; `isValid` tells whether it is still that token. */
export function adminPrincipal (isValid: () => boolean): Principal {
  return { kind: 'admin', user: 'admin', token: undefined, scopes: allScopes, quota: unlimited, grant: () => ({ columns: undefined, where: undefined }), isValid }
}

// What a request may need. Every route names one; whoever lacks it is refused with its name.

export const scopes = {
  'platform:read': 'Pipelines, jobs, runs, logs, metrics, health and costs, without the rows of any dataset',
  'topics:read': 'Rows in topics, also rejected ones, as they came from the source',
  'pipelines:write': 'Add, change, remove, pause and restart pipelines, schemas and settings',
  'jobs:run': 'Start, cancel and backfill jobs; redeliver, replay, check quality and parity',
  'data:read': 'Rows of the datasets that are granted',
  'queries:write': 'Save queries, and make exports',
  'sql:read': 'SQL that reads the datasets that are granted',
  'sql:write': 'SQL of any kind on the databases of the platform',
  'alerts:write': 'Alert rules, silences and their destinations',
  'access:read': 'Users, teams, roles and tokens, without their secrets',
  'access:write': 'Add, change and remove users, teams, roles, grants and the tokens of others',
  'audit:read': 'The audit log',
  'backup:write': 'Make backups and restore them'
} as const satisfies Record<string, string>

export type Scope = keyof typeof scopes

export const allScopes: ReadonlySet<Scope> = new Set(Object.keys(scopes) as Scope[])

/**
 * Who may use a route: everybody (`anyone`), whoever is known, whatever they may do (`known`), or who has the scope.
 * `data:read` and `sql:read` open the door only: which datasets are behind it, the grants say.
 */
export type Access = 'anyone' | 'known' | Scope

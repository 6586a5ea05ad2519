import type { Config } from '../../../runtime/plugin.ts'
import type { Ordered } from '../../../runtime/value-order.ts'

export const options = {
  url: {
    type: 'string',
    description: 'The database: postgres://user:password@host:5432/name, mysql://… (MariaDB, too), clickhouse://… (or http:// and https://), sqlite:path.',
    pattern: '^(?:(?:postgres|postgresql|mysql|mariadb|clickhouse|https?)://|sqlite:)[^\\s]+$',
    examples: ['postgres://reader:secret@db.example.com/market'],
    writeOnly: true
  },
  table: { type: 'string', description: 'The table or view, with its schema where that is not the default one; either table or query.', default: null, examples: ['public.trades'] },
  query: { type: 'string', description: 'A SELECT, without a semicolon; {from} and {to} stand for the interval of the run, as parameters: without quotes around them. A format can be asked for, such as {from:unix_ms}.', default: null, examples: ['SELECT * FROM trades WHERE time >= {from} AND time < {to}'] },
  key: { type: 'array', description: 'Columns that together tell a row from all others and are never null. With them a reading that broke off goes on behind its last row.', items: { type: 'string' }, minItems: 1, default: null, examples: [['id']] },
  incremental: {
    type: 'object',
    description: 'Take only what is new, by a column whose values grow; null: every reading takes all.',
    properties: {
      column: { type: 'string' },
      start: { type: ['string', 'number'], description: 'The first value.' },
      lag: { type: ['string', 'number'], description: 'How far behind the greatest value rows may still come in: a duration for times, such as 5m, a number otherwise.' }
    },
    required: ['column'],
    additionalProperties: false,
    default: null,
    examples: [{ column: 'updated_at', lag: '5m' }]
  },
  remembered_rows_max: { type: 'integer', description: 'Rows with the greatest value, or within lag, that are remembered at most, so that they are not taken twice; more fail the reading.', default: 10_000, minimum: 1, maximum: 100_000 },
  start: { type: 'string', description: 'Where the first reading begins, for {from}: an ISO 8601 time; by default where the run does.', default: null, examples: ['2024-01-01T00:00:00Z'] },
  poll_seconds: { type: 'number', description: 'Without a schedule: how long after a reading the next one begins, in seconds; null: the input ends.', default: null, minimum: 0.01 },
  fetch_rows: { type: 'integer', description: 'Rows of one batch; so many are in memory at a time.', default: 5000, minimum: 1, maximum: 100_000 },
  connect_seconds: { type: 'number', description: 'How long connecting may take, in seconds.', default: 10, minimum: 0.1, maximum: 600 },
  statement_seconds: { type: 'number', description: 'How long the database may work on a statement, in seconds; in MySQL, MariaDB and ClickHouse until its last row is read.', default: 3600, minimum: 0.1, maximum: 86_400 },
  tls: { type: 'boolean', description: 'Connect with TLS and check the certificate; for ClickHouse the address says so (https).', default: false },
  ca_file: { type: 'string', description: 'Certificate of the authority that signed that of the database (PEM), where the system does not know it.', default: null },
  certificate_file: { type: 'string', description: 'Certificate of this client (PEM), where the database wants one.', default: null },
  key_file: { type: 'string', description: 'Its private key (PEM).', default: null }
} as const

export interface Incremental {
  readonly column: string
  readonly start?: Ordered
  readonly lag?: string | number
}

export type SqlConfig = Omit<Config<typeof options>, 'incremental'> & { readonly incremental: Incremental | null }

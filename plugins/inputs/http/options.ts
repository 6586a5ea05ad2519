import { DURATION_PATTERN } from '../../../runtime/duration.ts'
import type { Config, Json } from '../../../runtime/plugin.ts'
import type { Ordered } from '../../../runtime/value-order.ts'

const pointer = { type: 'string', pattern: '^(/.*)?$' } as const

/** Those that may hold keys are `writeOnly`: they are never shown. */
export const options = {
  url: { type: 'string', description: 'Address of the source, without user or password, because it is shown: they belong in auth, keys in headers or query. Templates such as {from:date} are filled in.', pattern: '^https?://[^/?#@]*(?:[/?#]|$)', examples: ['https://api.example.com/v1/trades'] },
  method: { type: 'string', description: 'How it is asked; a POST has to be one that only reads, because it is repeated after a failure.', enum: ['GET', 'POST'], default: 'GET' },
  headers: { type: 'object', description: 'Headers of every request.', additionalProperties: { type: 'string' }, default: {}, writeOnly: true },
  query: { type: 'object', description: 'Parameters added to the address; a template stands for its value, and a parameter whose value is not known yet is left out.', additionalProperties: { type: ['string', 'number', 'boolean'] }, default: {}, examples: [{ symbol: 'AAPL', since: '{from:unix_ms}', until: '{to:unix_ms}' }], writeOnly: true },
  body: { type: 'object', description: 'What a POST sends, as JSON; templates are filled in as in query.', default: null, writeOnly: true },
  auth: {
    type: 'object',
    description: 'How to log in: { kind: bearer, token }, { kind: basic, user, password }, { kind: header, name, value } or { kind: query, name, value }, a parameter of every request.',
    properties: {
      kind: { type: 'string', enum: ['none', 'bearer', 'basic', 'header', 'query'], default: 'none' },
      token: { type: 'string' },
      user: { type: 'string' },
      password: { type: 'string' },
      name: { type: 'string' },
      value: { type: 'string' }
    },
    additionalProperties: false,
    default: { kind: 'none' },
    writeOnly: true
  },
  format: { type: 'string', description: 'What the answer holds.', enum: ['json', 'ndjson', 'csv'], default: 'json' },
  rows: { ...pointer, description: 'JSON pointer to the rows of an answer; the empty one is the whole answer. An array holds several rows.', default: '', examples: ['/data/items'] },
  columns: { type: 'array', description: 'Names for rows that are arrays, by position; CSV: the names of the columns where the first line has none.', items: { type: 'string' }, minItems: 1, default: null },
  delimiter: { type: 'string', description: 'CSV: what stands between two values.', default: ',', pattern: '^[^\\r\\n]+$' },
  envelope: { type: 'object', description: 'Fields that every row gets from its answer: name and JSON pointer.', additionalProperties: pointer, default: {}, examples: [{ symbol: '/meta/symbol' }] },
  paging: {
    type: 'object',
    description: 'How an answer is followed by the next one.',
    properties: {
      kind: { type: 'string', enum: ['none', 'page', 'offset', 'cursor', 'link', 'window'], default: 'none' },
      parameter: { type: 'string', description: 'Of the page number, the offset or the cursor; by default the kind itself.' },
      first: { type: 'integer', description: 'Number of the first page (1) or of the first row (0).' },
      size: { type: 'integer', minimum: 1, description: 'Rows of a page that are asked for; of a window: as many rows mean that there are more, and it is asked for again in halves.' },
      size_parameter: { type: 'string', description: 'Where size goes; without it only a template or the source itself says so.' },
      next: { ...pointer, description: 'cursor: where the answer has the next one; link: where it has the next address, instead of the Link header.' },
      field: { type: 'string', description: 'cursor: the field of the last row that is the next cursor, instead of next.' },
      more: { ...pointer, description: 'Where the answer says whether another page follows.' },
      end_statuses: { type: 'array', items: { type: 'integer' }, description: 'Statuses by which the source says that there is no such page, behind the first one.', default: [] },
      window: { type: 'string', pattern: DURATION_PATTERN, description: 'The interval is asked for in pieces of this length, each one with its pages.' },
      to_inclusive: { type: 'boolean', description: 'The source includes the moment {to} in its answer: it gets the one before.', default: false }
    },
    additionalProperties: false,
    default: { kind: 'none' },
    examples: [{ kind: 'page', parameter: 'page', size: 500, size_parameter: 'per_page' }, { kind: 'cursor', next: '/meta/next_cursor' }, { kind: 'window', window: '1d', size: 1000 }]
  },
  incremental: {
    type: 'object',
    description: 'Take only what is new, by a field whose values grow; null: every reading takes all.',
    properties: {
      field: { type: 'string', description: 'The field; numbers and times are compared as such, anything else as text.' },
      parameter: { type: 'string', description: 'Of the query: gets the greatest value that was taken. Without it, or a template {since}, the source is asked for everything.' },
      start: { type: ['string', 'number'], description: 'The first value of the parameter, in the form of the field.' },
      format: { type: 'string', enum: ['raw', 'iso', 'date', 'unix_s', 'unix_ms', 'unix_us', 'unix_ns'], default: 'raw' },
      key: { type: 'array', items: { type: 'string' }, minItems: 1, description: 'Fields that tell rows of one value apart; without it all fields do.' },
      ascending: { type: 'boolean', description: 'The source gives the rows in the order of the field: a reading that broke off can then begin anew without a double.', default: false }
    },
    required: ['field'],
    additionalProperties: false,
    default: null,
    examples: [{ field: 'updated_at', parameter: 'updated_since' }]
  },
  remembered_rows_max: { type: 'integer', description: 'Rows with the greatest value that are remembered at most, so that they are not taken twice; more fail the reading.', default: 10_000, minimum: 1, maximum: 100_000 },
  start: { type: 'string', description: 'Where the first reading begins, for {from}: an ISO 8601 time; by default where the run does.', default: null, examples: ['2024-01-01T00:00:00Z'] },
  poll_seconds: { type: 'number', description: 'Without a schedule: how long after a reading the next one begins, in seconds; null: the input ends.', default: null, minimum: 0.01 },
  requests_per_second: { type: 'number', description: 'Requests at most; null: no limit.', default: null, exclusiveMinimum: 0 },
  timeout_seconds: { type: 'number', description: 'How long an answer may take with all its bytes, in seconds.', default: 60, minimum: 0.01, maximum: 3600 },
  retries: { type: 'integer', description: 'How often a request is repeated that failed with 408, 425, 429 or 5xx, or without an answer.', default: 5, minimum: 0, maximum: 100 },
  retry_ms: { type: 'integer', description: 'The longest wait before the first repetition, in milliseconds; it doubles up to 60 s, and chance chooses below it.', default: 1000, minimum: 1, maximum: 60_000 },
  retry_after_seconds_max: { type: 'integer', description: 'How long Retry-After is obeyed, in seconds; a source that wants more fails the reading.', default: 300, minimum: 0, maximum: 86_400 },
  pages_max: { type: 'integer', description: 'Pages of one reading, or of one window, at most; more fail it.', default: 10_000, minimum: 1 },
  response_bytes_max: { type: 'integer', description: 'Bytes of an answer at most, once decompressed.', default: 64 * 2 ** 20, minimum: 1, maximum: 512 * 2 ** 20 },
  redirects_max: { type: 'integer', description: 'Redirects that a request follows, within the same origin.', default: 5, minimum: 0, maximum: 20 },
  ca_file: { type: 'string', description: 'Certificate of the authority that signed that of the source (PEM), where the system does not know it.', default: null },
  certificate_file: { type: 'string', description: 'Certificate of this client (PEM), where the source wants one.', default: null },
  key_file: { type: 'string', description: 'Its private key (PEM).', default: null }
} as const

export interface Paging {
  readonly kind: 'none' | 'page' | 'offset' | 'cursor' | 'link' | 'window'
  readonly parameter?: string
  readonly first?: number
  readonly size?: number
  readonly size_parameter?: string
  readonly next?: string
  readonly field?: string
  readonly more?: string
  readonly end_statuses: readonly number[]
  readonly window?: string
  readonly to_inclusive: boolean
}

export interface Incremental {
  readonly field: string
  readonly parameter?: string
  readonly start?: Ordered
  readonly format: 'raw' | 'iso' | 'date' | 'unix_s' | 'unix_ms' | 'unix_us' | 'unix_ns'
  readonly key?: readonly string[]
  readonly ascending: boolean
}

export type Auth =
  | { readonly kind: 'none' }
  | { readonly kind: 'bearer', readonly token: string }
  | { readonly kind: 'basic', readonly user: string, readonly password: string }
  | { readonly kind: 'header' | 'query', readonly name: string, readonly value: string }

/** The options, checked and with their defaults; the maps in the shape that the schema above has checked. */
export type HttpConfig = Omit<Config<typeof options>, 'paging' | 'incremental' | 'auth' | 'query'> & {
  readonly paging: Paging
  readonly incremental: Incremental | null
  readonly auth: Auth
  readonly query: Readonly<Record<string, Json>>
}

import type { Config } from '../../../runtime/plugin.ts'

/** They shape single requests; the pipeline's `flush` says how often rows are sent. */
export const options = {
  url: { type: 'string', pattern: '^https?://', description: 'Where to send the rows.', examples: ['https://example.com/quotes'] },
  format: { type: 'string', enum: ['json', 'ndjson'], default: 'json', description: 'A request carries a JSON array of rows, or a row a line.' },
  headers: { type: 'object', additionalProperties: { type: 'string' }, default: {}, description: 'Headers of every request; a secret belongs in the token.' },
  token: { type: 'string', writeOnly: true, default: null, description: 'Sent as `Authorization: Bearer …`.' },
  rows: { type: 'integer', minimum: 1, maximum: 100_000, default: 1000, description: 'Rows of one request at most.' },
  kilobytes: { type: 'integer', minimum: 1, maximum: 65_536, default: 1024, description: 'Kilobytes (1024 bytes) of one request at most; a single row that is larger goes alone.' },
  timeout_ms: { type: 'integer', minimum: 100, maximum: 600_000, default: 10_000, description: 'How long one request may take, from connecting to the end of the answer, in milliseconds.' },
  reject_on: {
    type: 'array', items: { type: 'integer' }, default: [400, 422], description: 'Answers that mean that the rows are bad: they go to the rejected topic, and the step goes on. Any other refusal stops the step.'
  }
} as const

/** The options, checked and with their defaults. */
export type HttpConfig = Config<typeof options>

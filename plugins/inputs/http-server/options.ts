import type { Config } from '../../../runtime/plugin.ts'

/** Whatever a sender could let grow has a limit: bytes, rows, connections, time. */
export const options = {
  host: { type: 'string', description: 'The address to listen on; 0.0.0.0: all of this machine.', default: '127.0.0.1' },
  port: { type: 'integer', description: 'The TCP port to listen on; 0: any free one, told in the log.', minimum: 0, maximum: 65535 },
  path: { type: 'string', description: 'The path that takes posts.', default: '/', pattern: '^/[^?#]*$' },
  token: { type: 'string', description: 'What senders have to show as Authorization: Bearer <token>.', default: null, pattern: '^\\S+$', writeOnly: true },
  signature_header: { type: 'string', description: 'The header with the signature, where signature_secret is set.', default: 'x-hub-signature-256', pattern: '^[A-Za-z0-9-]+$' },
  signature_secret: { type: 'string', description: 'Senders have to sign the body with it: HMAC SHA-256, in hex (sha256=… or bare) or base64.', default: null, pattern: '.', writeOnly: true },
  body_bytes_max: { type: 'integer', description: 'Bytes of one post at most; a larger one is answered with 413.', default: 16 * 2 ** 20, minimum: 1, maximum: 256 * 2 ** 20 },
  rows_max: { type: 'integer', description: 'Rows of one post at most; one with more is answered with 413.', default: 1_000_000, minimum: 1, maximum: 10_000_000 },
  batch_rows: { type: 'integer', description: 'Posts that wait are taken together up to this number of rows.', default: 5000, minimum: 1, maximum: 100_000 },
  pending_rows_max: { type: 'integer', description: 'Rows that wait for the topic at most; beyond it posts are answered with 503.', default: 100_000, minimum: 1 },
  pending_bytes_max: { type: 'integer', description: 'Bytes of posts in memory at most; beyond it posts are answered with 503. Rows take several times as much as their text.', default: 64 * 2 ** 20, minimum: 1 },
  connections_max: { type: 'integer', description: 'Open connections at most; more are closed at once.', default: 1000, minimum: 1 },
  headers_ms: { type: 'integer', description: 'How long a sender may take for the headers of a request, in milliseconds.', default: 10_000, minimum: 100, maximum: 600_000 },
  request_ms: { type: 'integer', description: 'How long a sender may take for a whole request, in milliseconds.', default: 30_000, minimum: 100, maximum: 600_000 }
} as const

/** The options, checked and with their defaults. */
export type HttpServerConfig = Config<typeof options>

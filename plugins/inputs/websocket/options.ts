import type { Config } from '../../../runtime/plugin.ts'

/** Those that may hold keys are `writeOnly`: they are never shown. */
export const options = {
  url: { type: 'string', description: 'Address of the feed; keys belong in query.', pattern: '^wss?://', examples: ['wss://feed.example.com/v1'] },
  query: { type: 'object', description: 'Parameters added to the address, for keys.', additionalProperties: { type: 'string' }, default: {}, writeOnly: true },
  headers: { type: 'object', description: 'Headers of the handshake, for keys.', additionalProperties: { type: 'string' }, default: {}, writeOnly: true },
  login: { type: 'array', description: 'Messages sent first, for keys: texts as they are, anything else as JSON.', items: {}, default: [], writeOnly: true },
  subscribe: { type: 'array', description: 'Messages sent when the connection is open: texts as they are, anything else as JSON.', items: {}, default: [], examples: [[{ op: 'subscribe', args: ['trades'] }]] },
  rows: { type: 'array', description: 'JSON pointers to the rows of a message; the empty one is the whole message. An array holds several rows.', items: { type: 'string', pattern: '^(/.*)?$' }, minItems: 1, default: [''], examples: [['/data']] },
  where: { type: 'object', description: 'Only messages that have this value, or one of these values, at each JSON pointer.', default: {}, examples: [{ '/type': 'trade' }] },
  envelope: { type: 'object', description: 'Fields that every row gets from its message: name and JSON pointer.', additionalProperties: { type: 'string', pattern: '^(/.*)?$' }, default: {}, examples: [{ channel: '/channel' }] },
  heartbeat_interval_seconds: { type: 'number', description: 'How often heartbeat_message is sent, in seconds; 0: never.', default: 0, minimum: 0 },
  heartbeat_message: { type: 'string', description: 'What is sent to keep the connection open.', default: 'ping' },
  idle_seconds: { type: 'number', description: 'Without any message for so long, in seconds, the connection is made anew; 0: never.', default: 60, minimum: 0 },
  message_bytes_max: { type: 'integer', description: 'Bytes of one message at most; a larger one breaks the connection.', default: 16 * 2 ** 20, minimum: 1, maximum: 256 * 2 ** 20 },
  batch_rows: { type: 'integer', description: 'Rows of one batch at most.', default: 1000, minimum: 1, maximum: 100_000 },
  batch_ms: { type: 'integer', description: 'How long a row waits for others, in milliseconds.', default: 20, minimum: 0, maximum: 60_000 },
  pending_rows_max: { type: 'integer', description: 'Rows that wait for the topic at most; beyond it rows are dropped and counted.', default: 100_000, minimum: 1 }
} as const

/** The options, checked and with their defaults. */
export type WebSocketConfig = Config<typeof options>

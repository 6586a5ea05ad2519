import { standardFields } from './fields.ts'
import type { Config } from '../../../runtime/plugin.ts'

/** As people write them; `settle` makes Settings of them. */
export const options = {
  gateway: {
    type: 'string',
    description: 'Address of the Client Portal gateway\'s API; http and https both work, and the WebSocket goes to the same place. Without a path, /v1/api is added. The word simulator starts a simulated gateway that replays recorded prices.',
    pattern: '^(https?://[^/]+|simulator$)',
    examples: ['https://localhost:5000/v1/api', 'simulator']
  },
  instruments: {
    type: 'array',
    items: { type: ['string', 'integer'] },
    minItems: 1,
    description: 'What to stream: a stock symbol (AAPL), a symbol with its listing exchange (AAPL@MEXI), or a contract id (265598), which is the only way for anything but stocks. A contract id that was found once is kept.'
  },
  fields: {
    type: 'array',
    items: { type: ['string', 'integer'] },
    minItems: 1,
    default: standardFields,
    description: 'Numbers of the market data fields to ask for; whatever the gateway sends is kept.'
  },
  takeover: {
    type: 'string',
    enum: ['never', 'once', 'always'],
    default: 'never',
    description: 'What to do when another program with the same login holds the brokerage session: wait until it is gone, take the session back once a start, or take it back every time.'
  },
  live_only: {
    type: 'boolean',
    default: false,
    description: 'Refuse rows that the gateway marks as delayed by 15 to 20 minutes; false keeps them, flagged as delayed.'
  },
  backfill: {
    type: 'boolean',
    default: true,
    description: 'After a gap, fetch the one-minute bars of the missing time into the topic bars. They never mix with quotes.'
  },
  ca_file: {
    type: 'string',
    default: null,
    description: 'File with the certificate (PEM) that the gateway\'s own one is checked against; the system\'s authorities where it is left out.'
  },
  reject_unauthorized: {
    type: 'boolean',
    default: true,
    description: 'Refuse a gateway whose certificate cannot be checked. The gateway as shipped signs its own: name it in ca_file, or set this to false on loopback.'
  },
  lines_max: {
    type: 'integer',
    minimum: 1,
    maximum: 10_000,
    default: 100,
    description: 'Market data lines to take at most, one an instrument; the account\'s limit (100 unless raised) is shared with every other program of the login. Instruments beyond it are not subscribed, and health says so.'
  },
  requests_per_second: {
    type: 'number',
    minimum: 0.1,
    maximum: 50,
    default: 8,
    description: 'HTTP requests a second at most; the gateway punishes more than 10.'
  },
  penalty_minutes: {
    type: 'number',
    minimum: 0.001,
    maximum: 1440,
    default: 15,
    description: 'How many minutes no HTTP request is made after an answer 429 (too many requests); the stream goes on.'
  },
  stale_seconds: {
    type: 'number',
    minimum: 0.05,
    maximum: 3600,
    default: 60,
    description: 'After how many seconds without a row an instrument is asked for again: first once more, then anew, then over a new connection. Quiet markets are waited for with growing patience.'
  },
  silence_seconds: {
    type: 'number',
    minimum: 0.05,
    maximum: 600,
    default: 25,
    description: 'After how many seconds without any frame, heartbeats included, the connection is given up and opened again.'
  },
  renew_minutes: {
    type: 'number',
    minimum: 0.001,
    maximum: 60,
    default: 8,
    description: 'How often each subscription is renewed, in minutes; the gateway ends one without notice after 10.'
  },
  tickle_seconds: {
    type: 'number',
    minimum: 0.05,
    maximum: 300,
    default: 60,
    description: 'How often the session is kept alive and checked, in seconds; without it the gateway ends it after about 5 minutes.'
  },
  retry_seconds: {
    type: 'number',
    minimum: 0.01,
    maximum: 600,
    default: 1,
    description: 'First wait before a lost connection is opened again, in seconds; it doubles up to retry_seconds_max.'
  },
  retry_seconds_max: {
    type: 'number',
    minimum: 0.01,
    maximum: 3600,
    default: 60,
    description: 'Longest wait before a lost connection is opened again, in seconds.'
  },
  session_seconds: {
    type: 'number',
    minimum: 0.01,
    maximum: 3600,
    default: 60,
    description: 'Shortest time between two attempts to open the brokerage session, in seconds; it doubles up to session_seconds_max, as eager attempts block logins.'
  },
  session_seconds_max: {
    type: 'number',
    minimum: 0.01,
    maximum: 86_400,
    default: 1800,
    description: 'Longest time between two attempts to open the brokerage session, in seconds.'
  },
  pending_rows_max: {
    type: 'integer',
    minimum: 1,
    maximum: 10_000_000,
    default: 100_000,
    description: 'Rows that wait for the topic at most. The feed cannot be slowed down: rows beyond it are dropped, counted, and recorded as a gap.'
  }
} as const

/** The configuration as the connector uses it: one unit for all times, no optional shapes. */
export interface Settings {
  readonly api: URL
  readonly socket: URL
  readonly instruments: readonly string[]
  readonly fields: readonly string[]
  readonly takeover: 'never' | 'once' | 'always'
  readonly liveOnly: boolean
  readonly backfill: boolean
  readonly caFile: string | null
  readonly rejectUnauthorized: boolean
  readonly linesMax: number
  readonly requestsPerSecond: number
  readonly pendingRowsMax: number
  readonly penaltyMs: number
  readonly staleMs: number
  readonly silenceMs: number
  readonly renewMs: number
  readonly tickleMs: number
  readonly retryMs: number
  readonly retryMsMax: number
  readonly sessionMs: number
  readonly sessionMsMax: number
}

/** Completes the address, and gives all times one unit. */
export function settle (config: Config<typeof options>): Settings {
  const api = new URL(config.gateway)
  if (api.pathname === '/') api.pathname = '/v1/api'
  // With the slash at its end the address is a folder, so that paths are added to it.
  if (!api.pathname.endsWith('/')) api.pathname += '/'
  const socket = new URL('ws', api)
  socket.protocol = api.protocol === 'https:' ? 'wss:' : 'ws:'
  return {
    api,
    socket,
    instruments: [...new Set(config.instruments.map(text => String(text).trim().toUpperCase()))],
    fields: [...new Set(config.fields.map(String))],
    takeover: config.takeover,
    liveOnly: config.live_only,
    backfill: config.backfill,
    caFile: config.ca_file,
    rejectUnauthorized: config.reject_unauthorized,
    linesMax: config.lines_max,
    requestsPerSecond: config.requests_per_second,
    pendingRowsMax: config.pending_rows_max,
    penaltyMs: config.penalty_minutes * 60_000,
    staleMs: config.stale_seconds * 1000,
    silenceMs: config.silence_seconds * 1000,
    renewMs: config.renew_minutes * 60_000,
    tickleMs: config.tickle_seconds * 1000,
    retryMs: config.retry_seconds * 1000,
    retryMsMax: config.retry_seconds_max * 1000,
    sessionMs: config.session_seconds * 1000,
    sessionMsMax: config.session_seconds_max * 1000
  }
}

import type { Config } from '../../../runtime/plugin.ts'

/** What every plugin that works with the gateway is told, as people write it. */
export const gatewayOptions = {
  gateway: {
    type: 'string',
    description: 'Address of the Client Portal gateway\'s API; http and https both work. Without a path, /v1/api is added. The word simulator starts a simulated gateway that replays recorded prices.',
    pattern: '^(https?://[^/]+|simulator$)',
    examples: ['https://localhost:5000/v1/api', 'simulator']
  },
  instruments: {
    type: 'array',
    items: { type: ['string', 'integer'] },
    minItems: 1,
    description: 'Which ones: a stock symbol (AAPL), a symbol with its listing exchange (AAPL@MEXI), or a contract id (265598), which is the only way for anything but stocks. A contract id that was found once is kept.'
  },
  takeover: {
    type: 'string',
    enum: ['never', 'once', 'always'],
    default: 'never',
    description: 'What to do when another program with the same login holds the brokerage session: wait until it is gone, take the session back once a start, or take it back every time.'
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
    description: 'How many minutes no HTTP request is made after an answer 429 (too many requests); a stream goes on meanwhile.'
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
  }
} as const

/** The same as a plugin uses it: one unit for all times. */
export interface GatewaySettings {
  readonly api: URL
  readonly instruments: readonly string[]
  readonly takeover: 'never' | 'once' | 'always'
  readonly caFile: string | null
  readonly rejectUnauthorized: boolean
  readonly requestsPerSecond: number
  readonly penaltyMs: number
  readonly tickleMs: number
  readonly retryMs: number
  readonly retryMsMax: number
  readonly sessionMs: number
  readonly sessionMsMax: number
}

/** Completes the address, and gives all times one unit. */
export function settleGateway (config: Config<typeof gatewayOptions>): GatewaySettings {
  const api = new URL(config.gateway)
  if (api.pathname === '/') api.pathname = '/v1/api'
  // With the slash at its end the address is a folder, so that paths are added to it.
  if (!api.pathname.endsWith('/')) api.pathname += '/'
  return {
    api,
    instruments: [...new Set(config.instruments.map(text => String(text).trim().toUpperCase()))],
    takeover: config.takeover,
    caFile: config.ca_file,
    rejectUnauthorized: config.reject_unauthorized,
    requestsPerSecond: config.requests_per_second,
    penaltyMs: config.penalty_minutes * 60_000,
    tickleMs: config.tickle_seconds * 1000,
    retryMs: config.retry_seconds * 1000,
    retryMsMax: config.retry_seconds_max * 1000,
    sessionMs: config.session_seconds * 1000,
    sessionMsMax: config.session_seconds_max * 1000
  }
}

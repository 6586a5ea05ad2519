import { standardFields } from './fields.ts'
import { gatewayOptions, settleGateway } from './gateway-options.ts'
import type { Config } from '../../../runtime/plugin.ts'
import type { GatewaySettings } from './gateway-options.ts'

/** As people write them; `settle` makes Settings of them. */
export const options = {
  gateway: gatewayOptions.gateway,
  instruments: gatewayOptions.instruments,
  fields: {
    type: 'array',
    items: { type: ['string', 'integer'] },
    minItems: 1,
    default: standardFields,
    description: 'Numbers of the market data fields to ask for; whatever the gateway sends is kept.'
  },
  takeover: gatewayOptions.takeover,
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
  ca_file: gatewayOptions.ca_file,
  reject_unauthorized: gatewayOptions.reject_unauthorized,
  lines_max: {
    type: 'integer',
    minimum: 1,
    maximum: 10_000,
    default: 100,
    description: 'Market data lines to take at most, one an instrument; the account\'s limit (100 unless raised) is shared with every other program of the login. Instruments beyond it are not subscribed, and health says so.'
  },
  requests_per_second: gatewayOptions.requests_per_second,
  penalty_minutes: gatewayOptions.penalty_minutes,
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
  tickle_seconds: gatewayOptions.tickle_seconds,
  retry_seconds: gatewayOptions.retry_seconds,
  retry_seconds_max: gatewayOptions.retry_seconds_max,
  session_seconds: gatewayOptions.session_seconds,
  session_seconds_max: gatewayOptions.session_seconds_max,
  pending_rows_max: {
    type: 'integer',
    minimum: 1,
    maximum: 10_000_000,
    default: 100_000,
    description: 'Rows that wait for the topic at most. The feed cannot be slowed down: rows beyond it are dropped, counted, and recorded as a gap.'
  }
} as const

/** The configuration as the connector uses it: one unit for all times, no optional shapes. */
export interface Settings extends GatewaySettings {
  readonly socket: URL
  readonly fields: readonly string[]
  readonly liveOnly: boolean
  readonly backfill: boolean
  readonly linesMax: number
  readonly pendingRowsMax: number
  readonly staleMs: number
  readonly silenceMs: number
  readonly renewMs: number
}

/** Completes the address, and gives all times one unit. */
export function settle (config: Config<typeof options>): Settings {
  const gateway = settleGateway(config)
  const socket = new URL('ws', gateway.api)
  socket.protocol = gateway.api.protocol === 'https:' ? 'wss:' : 'ws:'
  return {
    ...gateway,
    socket,
    fields: [...new Set(config.fields.map(String))],
    liveOnly: config.live_only,
    backfill: config.backfill,
    linesMax: config.lines_max,
    pendingRowsMax: config.pending_rows_max,
    staleMs: config.stale_seconds * 1000,
    silenceMs: config.silence_seconds * 1000,
    renewMs: config.renew_minutes * 60_000
  }
}

import { PlatformError } from '../../../runtime/errors.ts'
import { parseDay } from '../../../runtime/calendar/day.ts'
import { parseDuration } from '../../../runtime/duration.ts'
import { barsMs } from '../interactive-brokers/bars.ts'
import { gatewayOptions, settleGateway } from '../interactive-brokers/gateway-options.ts'
import type { Config } from '../../../runtime/plugin.ts'
import type { BarName } from '../interactive-brokers/bars.ts'
import type { GatewaySettings } from '../interactive-brokers/gateway-options.ts'

const dayMs = 86_400_000

/** As people write them; `settle` makes Settings of them. */
export const options = {
  gateway: gatewayOptions.gateway,
  instruments: gatewayOptions.instruments,
  bar: {
    type: 'string',
    enum: Object.keys(barsMs) as BarName[],
    default: '1d',
    description: 'Length of a bar; 1m is a month.'
  },
  start: {
    type: 'string',
    pattern: '^(?:[1-9]\\d{0,8}(?:m|h|d)|\\d{4}-\\d\\d-\\d\\d)$',
    default: '365d',
    description: 'Where an instrument begins of which there are no bars yet: that long ago (365d, 12h), or a day (2020-01-31, UTC). A backfill has an interval of its own.',
    examples: ['365d', '2020-01-31']
  },
  outside_hours: {
    type: 'boolean',
    default: false,
    description: 'Count trades outside of the regular trading hours, too.'
  },
  source: {
    type: 'string',
    enum: ['Trades', 'Midpoint', 'Bid_Ask'],
    default: 'Trades',
    description: 'Which prices the bars are made of.'
  },
  calendar: {
    type: 'string',
    default: null,
    description: 'A market calendar (config/calendars), such as XNYS: the bar of a day is complete when its session has ended. Without it, and with outside_hours, a bar is complete when its whole length has passed: that of a day 24 hours after it began.'
  },
  settle_seconds: {
    type: 'number',
    minimum: 0,
    maximum: 86_400,
    default: 60,
    description: 'How long after its end a bar is left alone, in seconds: clocks differ, and trades are reported late. Where the gateway says that its data are delayed, 20 minutes are added.'
  },
  parallel: {
    type: 'integer',
    minimum: 1,
    maximum: 5,
    default: 1,
    description: 'Requests for bars at the same time. The gateway takes five of all its clients together, and the streaming connector uses up to four after a gap.'
  },
  poll_seconds: {
    type: 'number',
    minimum: 0.01,
    maximum: 86_400,
    default: 60,
    description: 'In a pipeline without a schedule: how long after it has read everything it looks again, in seconds.'
  },
  takeover: gatewayOptions.takeover,
  ca_file: gatewayOptions.ca_file,
  reject_unauthorized: gatewayOptions.reject_unauthorized,
  requests_per_second: {
    ...gatewayOptions.requests_per_second,
    default: 2,
    description: 'HTTP requests a second at most. The gateway punishes more than 10 of all its clients together, and the streaming connector makes up to 8.'
  },
  penalty_minutes: gatewayOptions.penalty_minutes,
  tickle_seconds: gatewayOptions.tickle_seconds,
  retry_seconds: gatewayOptions.retry_seconds,
  retry_seconds_max: gatewayOptions.retry_seconds_max,
  session_seconds: gatewayOptions.session_seconds,
  session_seconds_max: gatewayOptions.session_seconds_max
} as const

/** The configuration as the reader uses it. */
export interface Settings extends GatewaySettings {
  readonly bar: BarName
  /** Where an instrument without bars begins, at that time. */
  readonly startMs: (nowMs: number) => number
  readonly outsideHours: boolean
  readonly source: 'Trades' | 'Midpoint' | 'Bid_Ask'
  readonly calendar: string | null
  readonly settleMs: number
  readonly parallel: number
  readonly pollMs: number
}

/** Throws CONFIG_INVALID for a start that is no day. */
export function settle (config: Config<typeof options>): Settings {
  return {
    ...settleGateway(config),
    bar: config.bar,
    startMs: startOf(config.start),
    outsideHours: config.outside_hours,
    source: config.source,
    calendar: config.calendar,
    settleMs: config.settle_seconds * 1000,
    parallel: config.parallel,
    pollMs: config.poll_seconds * 1000
  }
}

function startOf (text: string): (nowMs: number) => number {
  const lengthMs = parseDuration(text)
  if (lengthMs !== undefined) return nowMs => nowMs - lengthMs
  const day = parseDay(text)
  if (day === undefined) throw new PlatformError('CONFIG_INVALID', `There is no such day as ${text}`, { where: 'start', remedy: 'Write a length such as 365d, or a day such as 2020-01-31.' })
  return () => day * dayMs
}

// Bars of the gateway's history: one request with its tries, and its answer as rows.
//
//   iserver/marketdata/history?conid=265598&period=8h&bar=1min&startTime=20240102-22:30:00
//
// The period ends at startTime, or now. An answer holds 1,000 bars at most, the newest ones, and the gateway serves five
// requests at once. A bar's `t` is when it begins, in ms; its prices are real ones, only the summary is scaled.

import { Backoff, pause } from '../../../runtime/backoff.ts'
import { objectOf } from './json-object.ts'
import { RestError } from './rest.ts'
import type { Row } from '../../../runtime/plugin.ts'
import type { Rest } from './rest.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs

/** Lengths of the bars that the gateway knows, by its word for them; a month is the longest one. */
export const barsMs = {
  '1min': minuteMs,
  '2min': 2 * minuteMs,
  '3min': 3 * minuteMs,
  '5min': 5 * minuteMs,
  '10min': 10 * minuteMs,
  '15min': 15 * minuteMs,
  '30min': 30 * minuteMs,
  '1h': hourMs,
  '2h': 2 * hourMs,
  '3h': 3 * hourMs,
  '4h': 4 * hourMs,
  '8h': 8 * hourMs,
  '1d': dayMs,
  '1w': 7 * dayMs,
  '1m': 31 * dayMs
} as const
export type BarName = keyof typeof barsMs

export interface BarRequest {
  readonly conid: number
  readonly bar: BarName
  /** In the gateway's words, such as `8h`. */
  readonly period: string
  /** Where the period ends, in ms since 1970; now where it is left out. */
  readonly untilMs?: number
  /** Bars outside of regular trading hours, too. */
  readonly outsideHours: boolean
  /** Which prices; trades where it is left out. */
  readonly source?: string
}

export interface AskOptions {
  readonly rest: Rest
  readonly signal: AbortSignal
  readonly retryMs: number
  readonly retryMsMax: number
  /** After each failure, before the next try. */
  readonly failed: (error: RestError) => Promise<void>
}

const triesMax = 3

/**
 * The gateway's answer; empty when it has no bars, and at the signal. What can pass is tried again for as long as it
 * takes. Throws RestError when the gateway refuses the request three times.
 */
export async function askBars (request: BarRequest, { rest, signal, retryMs, retryMsMax, failed }: AskOptions): Promise<Readonly<Record<string, unknown>>> {
  const retry = new Backoff({ firstMs: retryMs, maxMs: retryMsMax })
  for (let refusals = 0; ;) {
    try {
      return checked(await rest.call('GET', pathOf(request)), request.bar)
    } catch (error) {
      if (signal.aborted) return {}
      if (!(error instanceof RestError)) throw error
      if (/no data/i.test(error.message)) return {}
      if (!error.transient && ++refusals >= triesMax) throw error
      await pause(retry.nextMs(), signal)
      if (signal.aborted) return {}
      await failed(error)
    }
  }
}

function pathOf ({ conid, bar, period, untilMs, outsideHours, source }: BarRequest): string {
  const until = untilMs === undefined ? '' : `&startTime=${stamp(untilMs)}`
  return `iserver/marketdata/history?conid=${conid}&bar=${bar}&outsideRth=${outsideHours}&period=${period}${until}${source === undefined ? '' : `&source=${source}`}`
}

/** `20240102-15:30:00`, UTC. */
function stamp (ms: number): string {
  const text = new Date(Math.ceil(ms / 1000) * 1000).toISOString()
  return `${text.slice(0, 10).replaceAll('-', '')}-${text.slice(11, 19)}`
}

/** The gateway answers a bar size that it does not understand with another one, without a word. */
function checked (answer: unknown, bar: BarName): Readonly<Record<string, unknown>> {
  const history = objectOf(answer)
  const seconds = history['barLength']
  const wanted = barsMs[bar] / 1000
  // Months differ, and nothing says which one the gateway means.
  const fits = seconds === undefined || seconds === wanted || (bar === '1m' && Number(seconds) >= 28 * 86_400 && Number(seconds) < wanted)
  // In its maintenance windows it answers with nothing, which must not pass for a time without bars.
  if (!Array.isArray(history['data'])) throw new RestError(200, 'the gateway answered without bars')
  if (!fits) throw new RestError(200, `the gateway answered with bars of ${String(seconds)} s instead of ${wanted} s`)
  return history
}

/** One bar as the gateway sent it. */
export interface Bar {
  /** When it begins, in ms; undefined: the gateway does not say. */
  readonly start: number | undefined
  readonly fields: Row
}

/** In the order of the answer. What is no object becomes a bar without a beginning. */
export function barsOf ({ data }: Readonly<Record<string, unknown>>): Bar[] {
  return (Array.isArray(data) ? data as readonly unknown[] : []).map(bar => {
    const { t } = objectOf(bar)
    return { start: typeof t === 'number' && Number.isFinite(t) ? t : undefined, fields: typeof bar === 'object' && bar !== null ? bar as Row : { bar } }
  })
}

/** All fields of a bar, with what the gateway says about all bars of the answer and what the connector knows. */
export function barRow ({ fields }: Bar, answer: Readonly<Record<string, unknown>>, known: Row): Row {
  const { data: _, barLength, priceFactor, volumeFactor, mdAvailability, mktDataDelay, ...others } = answer
  return { ...fields, ...known, barLength, priceFactor, volumeFactor, mdAvailability, mktDataDelay, answer: others }
}

// One request reaches back only so far: the gateway gives 1,000 bars at most, and long periods have no small bars.

import { barsMs } from '../interactive-brokers/bars.ts'
import type { BarName } from '../interactive-brokers/bars.ts'

const dayMs = 86_400_000
const hourMs = dayMs / 24

/** The period of a request by bar: fewer than 1,000 bars of a market that never closes, and one that the gateway allows for the bar. */
const periods: Readonly<Record<BarName, readonly [name: string, ms: number]>> = {
  '1min': ['8h', 8 * hourMs],
  '2min': ['1d', dayMs],
  '3min': ['1d', dayMs],
  '5min': ['1d', dayMs],
  '10min': ['6d', 6 * dayMs],
  '15min': ['1w', 7 * dayMs],
  '30min': ['1w', 7 * dayMs],
  '1h': ['4w', 28 * dayMs],
  '2h': ['11w', 77 * dayMs],
  '3h': ['12w', 84 * dayMs],
  '4h': ['23w', 161 * dayMs],
  '8h': ['47w', 329 * dayMs],
  '1d': ['1y', 365 * dayMs],
  '1w': ['10y', 3650 * dayMs],
  '1m': ['15y', 5475 * dayMs]
}

/** One request: bars that begin in [from, to). */
export interface Window {
  readonly from: number
  readonly to: number
  readonly period: string
  /** Where the period ends; undefined: now. */
  readonly untilMs: number | undefined
}

/**
 * The next request from `from` on, for bars that begin before `to`. The period begins a bar before the window and ends a
 * bar after it: the gateway cuts off the bars in which a period begins and ends, and its clock may be another one.
 */
export function nextWindow (bar: BarName, from: number, to: number, nowMs: number): Window {
  const [period, periodMs] = periods[bar]
  const end = Math.min(to, from + periodMs - 2 * barsMs[bar])
  const untilMs = end + barsMs[bar]
  return { from, to: end, period, untilMs: untilMs >= nowMs ? undefined : untilMs }
}

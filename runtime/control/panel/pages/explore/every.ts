// How long bars are, so that a chart of a range has some hundred of them.

import type { RangeText } from '../../parts/range.ts'

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 }
export const lengths = ['1s', '5s', '15s', '1m', '5m', '15m', '1h', '4h', '1d', '1w', '1mo'] as const
const BARS_WANTED = 400

/** ms of `15m`; 0: it is no duration. */
export function msOfLength (text: string): number {
  const [, amount = '0', unit = ''] = /^(\d+)(ms|s|m|h|d|w)$/.exec(text) ?? []
  return Number(amount) * (unitMs[unit] ?? 0)
}

/** ms of a range; one that has no begin is a year. */
export function spanOf ({ last, start, end }: RangeText): number {
  if (last !== undefined) return msOfLength(last)
  const from = start === undefined ? NaN : Date.parse(withZone(start))
  const to = end === undefined ? Date.now() : Date.parse(withZone(end))
  return Number.isFinite(to - from) ? Math.max(0, to - from) : msOfLength('365d')
}

export function everyFor (spanMs: number): string {
  return lengths.find(length => length === '1mo' || spanMs / msOfLength(length) <= BARS_WANTED) ?? '1d'
}

function withZone (text: string): string {
  return /^\d{4}-\d\d-\d\d$/.test(text) || /(?:Z|[+-]\d\d:?\d\d)$/.test(text) ? text : `${text}Z`
}

// Moments and times as addresses and bodies give them.

import { parseDuration } from '../duration.ts'
import { PlatformError } from '../errors.ts'

/** ms since 1970 of a number, of digits, or of text such as 2024-01-02 or 2024-01-02T06:00:00Z, which is UTC where it names no zone. Throws REQUEST_INVALID. */
export function momentOf (name: string, given: string | number): number {
  // Without a zone, Date.parse would mean that of the machine.
  const text = typeof given === 'string' && /^\d{4}-\d\d-\d\dT[\d:.]+$/.test(given) ? `${given}Z` : given
  const ms = typeof text === 'number' ? text : /^\d+$/.test(text) ? Number(text) : /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : NaN
  if (Number.isSafeInteger(ms) && ms >= 0 && ms <= 8.64e15) return ms
  throw new PlatformError('REQUEST_INVALID', `${name} is no moment`, { remedy: 'Give ms since 1970, or write it as 2024-01-02 or 2024-01-02T06:00:00Z.' })
}

interface Span {
  readonly from?: string | undefined
  readonly to?: string | undefined
  /** Up to now, such as 6h. */
  readonly last?: string | undefined
}

/** [from, to) in ms since 1970. Without any of them: the last `otherwiseMs`. Throws REQUEST_INVALID where it is upside down. */
export function spanOf ({ from, to, last }: Span, otherwiseMs: number): { readonly from: number, readonly to: number } {
  if (last !== undefined && (from !== undefined || to !== undefined)) throw new PlatformError('REQUEST_INVALID', 'last stands beside from or to', { remedy: 'Give one or the other.' })
  const ms = last === undefined ? otherwiseMs : parseDuration(last)
  if (ms === undefined) throw new PlatformError('REQUEST_INVALID', 'last is no duration', { remedy: 'Write one such as 90s, 15m, 6h or 7d.' })
  // What is measured at this very moment belongs to it.
  const until = to === undefined ? Date.now() + 1 : momentOf('to', to)
  const since = from === undefined ? Math.max(0, until - ms) : momentOf('from', from)
  if (since >= until) throw new PlatformError('REQUEST_INVALID', 'The time ends before it begins', { remedy: 'Give a "to" that is after "from".' })
  return { from: since, to: until }
}

const moment = (description: string): object => ({ type: 'string', maxLength: 40, description: `${description}: ms since 1970, or as 2024-01-02 or 2024-01-02T06:00:00Z` })

/** The parameters of `spanOf` in a query string. */
export const spanParameters = {
  from: moment('Begin'),
  to: moment('End, exclusive; left out: now'),
  last: { type: 'string', maxLength: 12, description: 'Instead of both: up to now, such as 6h' }
}

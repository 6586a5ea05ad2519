// Moments as requests write them: RFC 3339 text, a date, or a time since 1970 as a number, whose unit its length tells.
// Without a zone, UTC is meant. Inside they are nanoseconds as a bigint, so that no digit is lost.

import { parseDuration } from '../duration.ts'

const NS_OF_MS = 1_000_000n
const DAY_NS = 86_400_000n * NS_OF_MS
// A blank before the zone was a plus: that is what an address makes of one that is not written as %2B.
const form = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[ +-]\d\d:?\d\d)?)?$/i
/** For messages. */
export const MOMENT_FORMS = '2024-01-02, 2024-01-02T03:04:05Z, s, ms, µs or ns since 1970, today, yesterday, now, or -15m for so long ago'
/** What the engine's times can hold. */
const least = BigInt(Date.UTC(1900, 0, 1)) * NS_OF_MS
const most = BigInt(Date.UTC(2262, 0, 1)) * NS_OF_MS

/** Nanoseconds since 1970; undefined: it is no moment between 1900 and 2262. */
export function parseInstant (given: string | number): bigint | undefined {
  // JSON numbers beyond 2^53 have lost digits already.
  if (typeof given === 'number' && !Number.isSafeInteger(given)) return undefined
  const text = String(given)
  const ns = /^-?\d+$/.test(text) ? ofDigits(text) : ofText(text)
  return ns === undefined || ns < least || ns >= most ? undefined : ns
}

/** As `parseInstant`, and what is told from now on: `now`, `today` and `yesterday` (their begin in UTC), `-15m`. */
export function parseMoment (given: string | number, now = nowNs()): bigint | undefined {
  const today = now - now % DAY_NS
  if (given === 'now') return now
  if (given === 'today') return today
  if (given === 'yesterday') return today - DAY_NS
  const back = typeof given === 'string' && given.startsWith('-') ? parseDuration(given.slice(1)) : undefined
  return back === undefined ? parseInstant(given) : now - nsOfMs(back)
}

/** Read in a wrong unit, a number would be a moment of 1970, and its range everything: so 20240102 is a day, and s, ms, µs and ns are told by how long they have been since 1973. */
function ofDigits (text: string): bigint | undefined {
  const digits = text.replace('-', '').length
  if (digits === 8) return ofText(text.replace(/^(\d{4})(\d\d)(\d\d)$/, '$1-$2-$3'))
  if (digits < 9 || digits > 20) return undefined
  return BigInt(text) * (digits < 12 ? 1000n * NS_OF_MS : digits < 15 ? NS_OF_MS : digits < 18 ? 1000n : 1n)
}

function ofText (text: string): bigint | undefined {
  const [, day, minutes = '00:00', seconds = '00', fraction = '', zone = 'Z'] = form.exec(text) ?? []
  if (day === undefined) return undefined
  const sign = zone.replace(' ', '+').toUpperCase()
  const offset = sign.length === 5 ? `${sign.slice(0, 3)}:${sign.slice(3)}` : sign
  const ms = Date.parse(`${day}T${minutes}:${seconds}.000${offset}`)
  // 2024-02-30 would become a day in March.
  if (Number.isNaN(ms) || Number.isNaN(Date.parse(day)) || new Date(Date.parse(day)).toISOString().slice(0, 10) !== day) return undefined
  return BigInt(ms) * NS_OF_MS + BigInt(fraction.padEnd(9, '0'))
}

/** As RFC 3339 in UTC, with as many digits as it has, at least milliseconds. */
export function formatInstant (ns: bigint): string {
  const text = digitsOf(ns, 9).replace(' ', 'T')
  return `${text.replace(/(\.\d{3}(?:\d*[1-9])?)0*$/, '$1')}Z`
}

/** The first tick of a clock of so many digits that is not before the moment, in the engine's words: `2024-01-02 03:04:05.678`. */
export function ceilTo (ns: bigint, digits: number): string {
  const tick = 10n ** BigInt(9 - digits)
  const over = ((ns % tick) + tick) % tick
  return digitsOf(over === 0n ? ns : ns + tick - over, digits)
}

/** The first day, as `2024-01-02`, that does not begin before the moment. */
export function ceilToDay (ns: bigint): string {
  const day = 86_400_000n * NS_OF_MS
  const over = ((ns % day) + day) % day
  return digitsOf(over === 0n ? ns : ns + day - over, 0).slice(0, 10)
}

export function nowNs (): bigint {
  return BigInt(Date.now()) * NS_OF_MS
}

export function nsOfMs (ms: number): bigint {
  return BigInt(Math.round(ms)) * NS_OF_MS
}

function digitsOf (ns: bigint, digits: number): string {
  const second = 1_000_000_000n
  const rest = ((ns % second) + second) % second
  const whole = new Date(Number((ns - rest) / NS_OF_MS)).toISOString().slice(0, 19).replace('T', ' ')
  return digits === 0 ? whole : `${whole}.${String(rest).padStart(9, '0').slice(0, digits)}`
}

// Time for people: UTC everywhere, how long ago beside it, and the time of this machine where the pointer rests.

import { signal } from './html.ts'
import { seconds } from './number.ts'

/** ms since 1970, moved each second while the tab is seen. */
export const now = signal(Date.now())

setInterval(() => { if (!document.hidden) now.value = Date.now() }, 1000)

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** What a cell of a calendar says of a day such as 2024-03-01: its number, and of the first one of a month the month. */
export function dayLabel (day: string): string {
  return day.endsWith('-01') ? months[Number(day.slice(5, 7)) - 1] ?? '' : String(Number(day.slice(8)))
}

/** ms of what the API gives: a number, or ISO 8601 text; undefined: none. */
export function msOf (at: number | string | null | undefined): number | undefined {
  const ms = typeof at === 'string' ? Date.parse(at) : at ?? NaN
  return Number.isFinite(ms) && ms !== 0 ? ms : undefined
}

/** `2026-01-02 14:30:05`, UTC. */
export function utc (ms: number, { precise = true } = {}): string {
  return new Date(ms).toISOString().slice(0, precise ? 19 : 16).replace('T', ' ')
}

/** `14:30:05` of today, otherwise with its day. */
export function shortUtc (ms: number, today = Date.now()): string {
  const text = utc(ms)
  return text.slice(0, 10) === utc(today).slice(0, 10) ? text.slice(11) : text.slice(0, 16)
}

/** `12 s ago`, `in 3 min` */
export function relative (ms: number, from: number): string {
  const past = (from - ms) / 1000
  if (Math.abs(past) < 1.5) return 'now'
  return past > 0 ? `${coarse(past)} ago` : `in ${coarse(-past)}`
}

/** In the time zone of this machine, with its name. */
export function local (ms: number): string {
  return new Date(ms).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'medium' }) + ` (${Intl.DateTimeFormat().resolvedOptions().timeZone})`
}

function coarse (value: number): string {
  return value < 10 ? `${Math.round(value)} s` : seconds(value)
}

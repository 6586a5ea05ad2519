// The times in which a rule holds: all of a day, or the sessions of a market calendar within it.

/** [from, to), ms since 1970. */
export interface Window {
  readonly from: number
  readonly to: number
}

/** What is needed of a market calendar. */
export interface Sessions {
  sessions (fromDay: string, toDay: string): readonly Session[]
  /** The one that is held at that moment; undefined: none is. */
  sessionAt (ms: number): Session | undefined
}
interface Session {
  readonly openMs: number
  readonly closeMs: number
}

const dayMs = 86_400_000
/** A session that touches a day may belong to the one before or after it, by the calendar of its own place. */
const daysAround = 2

/** The parts of a span in which the market is open, ascending; without a calendar, the span itself. */
export function windowsOf (calendar: Sessions | undefined, span: Window): Window[] {
  if (calendar === undefined) return [span]
  return calendar.sessions(dayOf(span.from - daysAround * dayMs), dayOf(span.to + daysAround * dayMs))
    .map(({ openMs, closeMs }) => ({ from: Math.max(openMs, span.from), to: Math.min(closeMs, span.to) }))
    .filter(({ from, to }) => from < to)
    .sort((a, b) => a.from - b.from)
}

/** The UTC day of a moment, such as `2024-01-02`. */
export function dayOf (ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}

/** A UTC day as a span. */
export function spanOfDay (day: string): Window {
  const from = Date.parse(`${day}T00:00:00Z`)
  return { from, to: from + dayMs }
}

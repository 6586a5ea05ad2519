/** Between repetitions at most. */
const delayMsMax = 60_000

/** Full jitter: anywhere up to a bound that doubles, so that many that failed together do not return together. */
export function retryDelayMs (attempt: number, firstMs: number, random: () => number = Math.random): number {
  return Math.round(random() * Math.min(delayMsMax, firstMs * 2 ** Math.min(attempt, 30)))
}

/** Of `Retry-After`, in seconds or as a date; undefined where there is none. */
export function retryAfterMs (header: string | readonly string[] | undefined, now: number): number | undefined {
  if (typeof header !== 'string') return undefined
  const text = header.trim()
  const ms = /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now
  return Number.isNaN(ms) ? undefined : Math.max(0, ms)
}

/** The request may be answered another time. */
export function isTransient (status: number): boolean {
  return status === 408 || status === 425 || status === 429 || status >= 500
}

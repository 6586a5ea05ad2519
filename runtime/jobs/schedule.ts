// When a job runs.

/** `schedule:` of a pipeline, with all defaults filled in. */
export interface Schedule {
  readonly when:
    | { readonly kind: 'manual' }
    /** Intervals of that length, counted from 1970-01-01T00:00Z. */
    | { readonly kind: 'every', readonly ms: number }
    /** Five or six fields, in the words of croner; the zone is an IANA name. */
    | { readonly kind: 'cron', readonly expression: string, readonly timeZone: string }
  /** Of runs that were missed: none, one for all of them together, or one for each interval. */
  readonly catchUp: 'none' | 'once' | 'each'
  /** How often a run that failed is tried again. */
  readonly retries: number
  /** Before the first of them; it doubles. */
  readonly retryDelayMs: number
  /** A run that takes longer is ended and counts as failed. */
  readonly timeoutMs: number
  /** Runs that are kept in the history. */
  readonly historyRuns: number
}

export const manual: Schedule = { when: { kind: 'manual' }, catchUp: 'once', retries: 3, retryDelayMs: 10_000, timeoutMs: 86_400_000, historyRuns: 1000 }

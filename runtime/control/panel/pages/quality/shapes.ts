// What the routes of quality answer. Times are ms since 1970.

export type QualityLevel = 'ok' | 'warn' | 'error'

export interface QualityResult {
  readonly topic: string
  readonly rule: string
  readonly metric: string
  readonly dataset: string
  /** day: a whole day, before it is handed over; now: the last minutes. */
  readonly scope: 'day' | 'now'
  readonly at: number
  readonly from: number
  readonly to: number
  readonly level: QualityLevel
  readonly value: number | null
  readonly unit: string
  readonly threshold: string
  readonly rows: number
  readonly failing: number
  readonly examples: ReadonlyArray<Readonly<Record<string, unknown>>>
  readonly message: string
  readonly run: string
}

export interface QualityRule {
  readonly topic: string
  readonly rule: string
  readonly metric: string
  readonly description: string
  readonly dimension: string
  readonly during: string
  readonly warn: string | null
  readonly error: string | null
  readonly rejects: boolean
  readonly results: readonly QualityResult[]
}

export interface QualityDay {
  readonly topic: string
  readonly day: string
  readonly level: QualityLevel
  readonly checks: number
  readonly warnings: number
  readonly errors: number
  readonly rules: readonly string[]
}

export interface QualityReport {
  readonly level: QualityLevel
  readonly rules: readonly QualityRule[]
  readonly days: readonly QualityDay[]
}

// What `quality:` of a schema says, checked and with all defaults filled in. The words are those of the Open Data Contract
// Standard: a rule measures one number (`metric`) and says what it must be (`mustBeLessThan` and so on).

/** The first five are of the standard's library; the others are what market data needs besides. */
export const metrics = ['nullValues', 'missingValues', 'invalidValues', 'duplicateValues', 'rowCount', 'freshness', 'sequenceGaps', 'priceJumps'] as const
export type Metric = typeof metrics[number]

export const operators = ['mustBe', 'mustNotBe', 'mustBeGreaterThan', 'mustBeGreaterOrEqualTo', 'mustBeLessThan', 'mustBeLessOrEqualTo', 'mustBeBetween', 'mustNotBeBetween'] as const
export type Operator = typeof operators[number]

export const dimensions = ['accuracy', 'completeness', 'conformity', 'consistency', 'coverage', 'timeliness', 'uniqueness'] as const

/** What a measured value must be. */
export interface Threshold {
  readonly operator: Operator
  /** Two for `…Between`, ends included; else one. */
  readonly values: readonly number[]
}

/** What a value of a field has to be; null is always allowed. A bound is a number or the name of another field. */
export interface ValidValues {
  readonly minimum?: number | string
  readonly maximum?: number | string
  readonly exclusiveMinimum?: number | string
  readonly exclusiveMaximum?: number | string
  readonly validValues?: ReadonlyArray<string | number>
  /** Somewhere in the text, unless it says ^ and $. */
  readonly pattern?: string
}

interface Common {
  /** Unique in the schema; in metrics, results and reasons. */
  readonly name: string
  readonly description: string
  /** One of `dimensions`; empty: not said. */
  readonly dimension: string
  /** Of the measured value: rows (or numbers, for sequenceGaps), their share in percent, or seconds (freshness). */
  readonly unit: 'rows' | 'percent' | 'seconds'
  /** At least one of both is there; what breaks `error` breaks `warn`. */
  readonly warn?: Threshold
  readonly error?: Threshold
  /** Only rows within the sessions of this calendar count; empty: all. */
  readonly during: string
  /** Measured for each value of these fields; the worst one counts. Empty: for all rows together. */
  readonly by: readonly string[]
  /** A row that breaks it goes to the rejected topic; for metrics that look at one row at a time. */
  readonly reject: boolean
}

export type QualityRule = Common & (
  | { readonly metric: 'nullValues', readonly field: string }
  /** Besides null: NaN, the empty text and these texts. */
  | { readonly metric: 'missingValues', readonly field: string, readonly missing: readonly string[] }
  | { readonly metric: 'invalidValues', readonly field: string, readonly valid: ValidValues }
  /** Rows beyond the first one that have the same values in these fields. */
  | { readonly metric: 'duplicateValues', readonly fields: readonly string[] }
  /** Rows of the day, or of each full interval of it: then the worst one counts. */
  | { readonly metric: 'rowCount', readonly intervalMs: number | undefined }
  /** Age of the newest row; keys that had none for `lookbackMs` are forgotten. */
  | { readonly metric: 'freshness', readonly lookbackMs: number }
  /** Whole numbers that are missing between the least and the greatest one of each series. */
  | { readonly metric: 'sequenceGaps', readonly field: string, readonly series: readonly string[] }
  /** Rows whose value differs by more than this from the one before it in its series. */
  | { readonly metric: 'priceJumps', readonly field: string, readonly series: readonly string[], readonly percentMax: number }
)

export type RuleOf<M extends Metric> = Extract<QualityRule, { readonly metric: M }>
/** Rules that look at one row at a time, so that they can be checked on the way. */
export type RowRule = RuleOf<'nullValues' | 'missingValues' | 'invalidValues'>

export function isRowRule (rule: QualityRule): rule is RowRule {
  return rule.metric === 'nullValues' || rule.metric === 'missingValues' || rule.metric === 'invalidValues'
}

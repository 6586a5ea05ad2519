import type { Json } from '../plugin.ts'
import type { QualityRule } from './rule.ts'
import type { Level } from './threshold.ts'

export type { Level } from './threshold.ts'

/** What one rule found. */
export interface QualityResult {
  readonly topic: string
  readonly rule: string
  readonly metric: QualityRule['metric']
  readonly level: Level
  /** What was measured, in the unit of the rule; of the worst group where it has `by`. undefined: there was nothing to measure. */
  readonly value: number | undefined
  readonly unit: QualityRule['unit']
  /** What it must be, such as `must be less than 5`: the one that is broken, or else the one that would be first. */
  readonly threshold: string
  /** Rows that were looked at. */
  readonly rows: number
  /** Rows, numbers, intervals or groups that are not as they must be. */
  readonly failing: number
  /** Some of them, with key, position and value; the rule is not ok then. */
  readonly examples: ReadonlyArray<Readonly<Record<string, Json>>>
  /** One sentence for a person: what is wrong, or why there was nothing to measure. */
  readonly message: string
}

const order: readonly Level[] = ['ok', 'warn', 'error']

/** The worst level of all; `ok` where there are none. */
export function worst (results: ReadonlyArray<Pick<QualityResult, 'level'>>): Level {
  return order[Math.max(0, ...results.map(({ level }) => order.indexOf(level)))] as Level
}

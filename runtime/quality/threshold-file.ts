// Thresholds of a quality rule. They stand under `warn:` and `error:`, or one stands in the rule itself with its `severity:`.

import { parseDuration } from '../duration.ts'
import { quote } from '../problems.ts'
import type { Path } from '../problems.ts'
import { operators } from './rule.ts'
import type { Entry } from './rule-entry.ts'
import type { Operator, Threshold } from './rule.ts'
import { sideOf } from './threshold.ts'

type OperatorText = { readonly [O in Operator]?: number | string | ReadonlyArray<number | string> }

export interface ThresholdText extends OperatorText {
  readonly warn?: OperatorText
  readonly error?: OperatorText
  readonly severity?: 'warning' | 'error'
}

export interface Thresholds {
  readonly warn?: Threshold
  readonly error?: Threshold
}

const none: Threshold = { operator: 'mustBe', values: [0] }
const ageOperators: readonly Operator[] = ['mustBeLessThan', 'mustBeLessOrEqualTo']

/** `isAbsolute`: without a threshold, no row may break the rule. */
export function readThresholds (entry: Entry, isAbsolute: boolean): Thresholds {
  const { text, refuse } = entry
  const found: { warn?: Threshold, error?: Threshold } = {}
  const put = (severity: 'warn' | 'error', path: Path, threshold: Threshold | undefined): void => {
    if (threshold === undefined) return
    if (found[severity] !== undefined) refuse(path, `there is another threshold for ${severity}`)
    found[severity] = threshold
  }
  for (const severity of ['warn', 'error'] as const) {
    const nested = text[severity]
    if (nested === undefined) continue
    if (operators.every(operator => nested[operator] === undefined)) refuse([severity], 'says nothing; write what the value must be, such as { mustBeLessThan: 5 }')
    put(severity, [severity], readThreshold(entry, nested, [severity]))
  }
  put(text.severity === 'warning' ? 'warn' : 'error', [], readThreshold(entry, text, []))
  if (found.warn === undefined && found.error === undefined) {
    if (isAbsolute) return { error: none }
    refuse([], 'has no threshold; add one, such as mustBeLessThan: 5, or warn: and error: with one each')
  }
  if (found.warn !== undefined && found.error !== undefined) checkPair(entry, found.warn, found.error)
  return found
}

/** Whatever is an error has to be a warning as well. */
function checkPair ({ refuse }: Entry, warn: Threshold, error: Threshold): void {
  const [warnFirst = 0, warnLast = warnFirst] = warn.values
  const [errorFirst = 0, errorLast = errorFirst] = error.values
  const side = sideOf(warn)
  if (side !== sideOf(error) || (side === 'both' && (warn.operator !== 'mustBeBetween' || error.operator !== 'mustBeBetween'))) {
    refuse(['error'], `has ${error.operator}, which does not go with ${warn.operator} of warn: both must be upper limits, lower limits or mustBeBetween`)
  } else if (side === 'above' ? warnFirst > errorFirst : side === 'below' ? warnFirst < errorFirst : warnFirst < errorFirst || warnLast > errorLast) {
    refuse(['warn'], 'is broken later than error; the warning has to come first')
  }
}

function readThreshold (entry: Entry, text: OperatorText, path: Path): Threshold | undefined {
  const given = operators.filter(operator => text[operator] !== undefined)
  const [operator, other] = given
  if (operator === undefined) return undefined
  if (other !== undefined) entry.refuse([...path, other], `stands beside ${operator}; a threshold has one of them`)
  if (entry.text.metric === 'freshness' && !ageOperators.includes(operator)) entry.refuse([...path, operator], `is not for an age; use ${ageOperators.join(' or ')}`)
  const values = [text[operator] as number | string | ReadonlyArray<number | string>].flat().map((value, i) => number(entry, [...path, operator, ...operator.endsWith('Between') ? [i] : []], value))
  const [first = 0, second = first] = values
  if (second < first) entry.refuse([...path, operator], 'begins with the greater one')
  return { operator, values }
}

/** Seconds, of an age. */
function number ({ text: { metric }, refuse }: Entry, path: Path, value: number | string): number {
  const ms = typeof value === 'string' ? parseDuration(value) : undefined
  if (metric === 'freshness' ? ms === undefined : typeof value === 'string') {
    refuse(path, metric === 'freshness' ? `${quote(String(value))} is no duration; write one such as 60s or 5m` : 'must be a number')
  }
  return ms === undefined ? Number(value) : ms / 1000
}

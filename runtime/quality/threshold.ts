// Whether a measured value is as it must be, in JavaScript and in SQL alike.

import type { Operator, QualityRule, Threshold } from './rule.ts'

export type Level = 'ok' | 'warn' | 'error'

type Compare = (value: number, first: number, second: number) => boolean

const holds: Readonly<Record<Operator, Compare>> = {
  mustBe: (value, first) => value === first,
  mustNotBe: (value, first) => value !== first,
  mustBeGreaterThan: (value, first) => value > first,
  mustBeGreaterOrEqualTo: (value, first) => value >= first,
  mustBeLessThan: (value, first) => value < first,
  mustBeLessOrEqualTo: (value, first) => value <= first,
  mustBeBetween: (value, first, second) => value >= first && value <= second,
  mustNotBeBetween: (value, first, second) => value < first || value > second
}

const conditions: Readonly<Record<Operator, (value: string, first: string, second: string) => string>> = {
  mustBe: (value, first) => `${value} = ${first}`,
  mustNotBe: (value, first) => `${value} != ${first}`,
  mustBeGreaterThan: (value, first) => `${value} > ${first}`,
  mustBeGreaterOrEqualTo: (value, first) => `${value} >= ${first}`,
  mustBeLessThan: (value, first) => `${value} < ${first}`,
  mustBeLessOrEqualTo: (value, first) => `${value} <= ${first}`,
  mustBeBetween: (value, first, second) => `${value} >= ${first} AND ${value} <= ${second}`,
  mustNotBeBetween: (value, first, second) => `${value} < ${first} OR ${value} > ${second}`
}

/** How bad a value of a rule is. */
export function levelOf ({ warn, error }: Pick<QualityRule, 'warn' | 'error'>, value: number): Level {
  if (error !== undefined && !isMet(error, value)) return 'error'
  return warn !== undefined && !isMet(warn, value) ? 'warn' : 'ok'
}

export function isMet ({ operator, values: [first = 0, second = 0] }: Threshold, value: number): boolean {
  return holds[operator](value, first, second)
}

/** The same as a condition on a SQL expression. */
export function conditionOf ({ operator, values: [first = 0, second = 0] }: Threshold, value: string): string {
  return `(${conditions[operator](value, literal(first), literal(second))})`
}

/** The threshold that is broken first: every value that breaks the rule at all breaks it. */
export function strictest ({ warn, error }: Pick<QualityRule, 'warn' | 'error'>): Threshold {
  return (warn ?? error) as Threshold
}

/** `must be less than 5`, as a person reads it. */
export function formatThreshold ({ operator, values }: Threshold): string {
  return `${operator.replace(/[A-Z]/g, letter => ` ${letter.toLowerCase()}`)} ${values.map(String).join(' and ')}`
}

/** On which side the bad values are; no measured value is below 0. */
export function sideOf ({ operator, values: [first = 0] }: Threshold): 'above' | 'below' | 'both' {
  switch (operator) {
    case 'mustBeLessThan':
    case 'mustBeLessOrEqualTo': return 'above'
    case 'mustBeGreaterThan':
    case 'mustBeGreaterOrEqualTo': return 'below'
    case 'mustBe': return first === 0 ? 'above' : 'both'
    default: return 'both'
  }
}

/** Of the least and the greatest of several values, the one to judge by. */
export function worseOf (threshold: Threshold, least: string, greatest: string): string {
  switch (sideOf(threshold)) {
    case 'below': return least
    case 'above': return greatest
    case 'both': return `if(${conditionOf(threshold, least)}, ${greatest}, ${least})`
  }
}

/** Sorts values, the worst one first. */
export function badness (threshold: Threshold, value: string): string {
  const side = sideOf(threshold)
  if (side !== 'both') return `${value} ${side === 'below' ? 'ASC' : 'DESC'}`
  const { operator, values: [first = 0, second = first] } = threshold
  return `abs(${value} - ${literal((first + second) / 2)}) ${operator.startsWith('mustNot') ? 'ASC' : 'DESC'}`
}

/** A number as SQL: always a Float64, whatever its size. */
export function literal (value: number): string {
  return `toFloat64('${value}')`
}

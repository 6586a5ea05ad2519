// One rule of a schema file while it is checked.

import { quote, suggest } from '../problems.ts'
import type { Path } from '../problems.ts'
import type { Field } from '../schema.ts'
import type { Metric, ValidValues } from './rule.ts'
import type { ThresholdText } from './threshold-file.ts'

export interface RuleText extends ThresholdText {
  readonly name?: string
  readonly description?: string
  readonly metric: Metric
  readonly field?: string
  readonly arguments?: ArgumentsText
  readonly unit?: 'rows' | 'percent'
  readonly dimension?: string
  readonly during?: string
  readonly by?: readonly string[]
  readonly action?: 'reject'
}
export interface ArgumentsText extends ValidValues {
  readonly missingValues?: readonly string[]
  readonly properties?: readonly string[]
  readonly interval?: string
  readonly series?: readonly string[]
  readonly changePercent?: number
  readonly lookback?: string
}

/** The schema that the rules belong to, as far as it is known. */
export interface Ground {
  readonly fields: readonly Field[]
  readonly key: readonly string[]
  readonly eventTime: string
}

/** One rule of the file while it is checked. */
export interface Entry {
  readonly text: RuleText
  readonly ground: Ground
  refuse (path: Path, message: string): void
}

export type Fits = (field: Field) => boolean

/** Whether the schema has the field, and it fits. */
export function named ({ ground, refuse }: Entry, path: Path, name: string, fits: Fits, otherwise: string): void {
  const field = ground.fields.find(field => field.name === name)
  if (field === undefined) refuse(path, `the schema has no field ${quote(name)}${suggest(name, ground.fields.map(({ name }) => name))}`)
  else if (!fits(field)) refuse(path, `${name} is ${field.type.kind} and ${otherwise}`)
}

export function isNumeric ({ type: { kind } }: Pick<Field, 'type'>): boolean {
  return kind === 'decimal' || /^(?:u?int|float)\d+$/.test(kind)
}

export function isWhole ({ type: { kind } }: Pick<Field, 'type'>): boolean {
  return /^u?int\d+$/.test(kind)
}

export function isScalar ({ type: { kind } }: Pick<Field, 'type'>): boolean {
  return kind !== 'list' && kind !== 'json'
}

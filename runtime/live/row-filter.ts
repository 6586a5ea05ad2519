// A filter on rows in memory, with the meaning that SQL gives it on the same rows in the database: a comparison with
// null is never true, texts are ordered by their bytes, numbers and times are compared exactly.

import { cell } from '../batch.ts'
import { PlatformError } from '../errors.ts'
import { field } from '../schema.ts'
import { operandOf } from './operand.ts'
import { likeMatcher } from './like.ts'
import type { Batch, Column, DictionaryColumn, TextColumn } from '../batch.ts'
import type { Comparison, Filter, Operator, Scalar } from '../data/filter.ts'
import type { Field } from '../schema.ts'
import type { Operand } from './operand.ts'

/** Whether row `i` of a batch is wanted. */
export type RowTest = (i: number) => boolean
/** A filter that is ready for batches of one schema. */
export type BatchTest = (batch: Batch, topic: string) => RowTest
/** A value of row `i` that JavaScript can compare; undefined: null. */
type ValueAt = (i: number) => string | number | bigint | undefined
type Decide = (value: string | number | bigint) => boolean

/** Fields that every row has besides those of its schema. */
export const positionFields: readonly Field[] = [
  field('_topic', { kind: 'string' }),
  field('_partition', { kind: 'uint16' }),
  field('_offset', { kind: 'int64' }),
  field('_ingest_time', { kind: 'timestamp', unit: 'ms' })
]

/** Throws REQUEST_INVALID where the filter names no field, or a value does not fit its field. */
export function compileFilter (filter: Filter, fields: readonly Field[]): BatchTest {
  if ('and' in filter) {
    const parts = filter.and.map(part => compileFilter(part, fields))
    return (batch, topic) => all(parts.map(part => part(batch, topic)))
  }
  if ('or' in filter) {
    const parts = filter.or.map(part => compileFilter(part, fields))
    return (batch, topic) => {
      const tests = parts.map(part => part(batch, topic))
      return i => tests.some(test => test(i))
    }
  }
  return compileComparison(filter, fields)
}

function all (tests: readonly RowTest[]): RowTest {
  return tests.length === 1 ? tests[0] as RowTest : i => tests.every(test => test(i))
}

function compileComparison ([name, operator, value]: Comparison, fields: readonly Field[]): BatchTest {
  const found = [...fields, ...positionFields].find(field => field.name === name)
  if (found === undefined) throw new PlatformError('REQUEST_INVALID', `There is no field ${JSON.stringify(name)}`)
  if (operator === 'is null' || operator === 'is not null') {
    // In the database a list that is not there is empty, and not null.
    if (found.type.kind === 'list') return () => () => operator === 'is not null'
    return (batch, topic) => test(columnOf(batch, name, topic), found, 0, () => operator === 'is not null', operator === 'is null')
  }
  const { decide, scale } = decisionOf(found, operator, value)
  return (batch, topic) => test(columnOf(batch, name, topic), found, scale, decide, false)
}

/** What is compared, and by how many digits the column's value is extended for it: the same for all constants of one comparison. */
function decisionOf (field: Field, operator: Exclude<Operator, 'is null' | 'is not null'>, value: Scalar | readonly Scalar[] | undefined): { readonly decide: Decide, readonly scale: number } {
  const refuse = (message: string): PlatformError => new PlatformError('REQUEST_INVALID', `${field.name} ${operator}: ${message}`)
  if (operator === 'in' || operator === 'not in') {
    if (!Array.isArray(value) || value.length === 0) throw refuse('it takes a list of values')
    const operands = (value as readonly Scalar[]).map(one => operandOf(field, one))
    const scale = Math.max(...operands.map(scaleOf))
    const known = new Set(operands.map(one => scaled(one, scale)))
    return { scale, decide: operator === 'in' ? one => known.has(one) : one => !known.has(one) }
  }
  if (value === undefined || Array.isArray(value)) throw refuse('it takes one value')
  if (operator === 'like') {
    if (typeof value !== 'string' || !isText(field)) throw refuse('only text is like a pattern')
    const isLike = likeMatcher(value)
    return { scale: 0, decide: one => isLike(one as string) }
  }
  const operand = operandOf(field, value as Scalar)
  return { scale: scaleOf(operand), decide: decisions[operator](operand.value) }
}

const decisions: Readonly<Record<'=' | '!=' | '<' | '<=' | '>' | '>=', (constant: string | number | bigint) => Decide>> = {
  '=': constant => value => value === constant,
  '!=': constant => value => value !== constant,
  '<': constant => value => order(value, constant) < 0,
  '<=': constant => value => order(value, constant) <= 0,
  '>': constant => value => order(value, constant) > 0,
  '>=': constant => value => order(value, constant) >= 0
}

/** NaN where the values have no order. */
function order (a: string | number | bigint, b: string | number | bigint): number {
  // By UTF-8, as the database does; UTF-16 has another order beyond U+FFFF.
  if (typeof a === 'string') return a === b ? 0 : Buffer.compare(Buffer.from(a), Buffer.from(b as string))
  const other = b as number | bigint
  return a < other ? -1 : a > other ? 1 : a === other ? 0 : NaN
}

function scaleOf (operand: Operand): number {
  return operand.kind === 'exact' ? operand.scale : 0
}

function scaled (operand: Operand, scale: number): string | number | bigint {
  return operand.kind === 'exact' ? operand.value * 10n ** BigInt(scale - operand.scale) : operand.value
}

function isText ({ type: { kind } }: Field): boolean {
  return kind === 'string' || kind === 'enum' || kind === 'json'
}

/** A column of the batch, or one that says where its rows stand; undefined: all null. */
export function columnOf (batch: Batch, name: string, topic: string): Column | undefined {
  switch (name) {
    case '_topic': return { kind: 'dictionary', codes: new Uint8Array(batch.length), values: [topic] }
    case '_partition': return { kind: 'numbers', numbers: new Uint16Array(batch.length).fill(batch.position.partition) }
    case '_offset': return { kind: 'numbers', numbers: Float64Array.from({ length: batch.length }, (_, i) => batch.offsetAt(i)) }
    case '_ingest_time': return { kind: 'numbers', numbers: new BigInt64Array(batch.length).fill(BigInt(batch.position.time)), type: { kind: 'timestamp', unit: 'ms' } }
    default: return Object.hasOwn(batch.columns, name) ? batch.columns[name] : undefined
  }
}

function test (column: Column | undefined, field: Field, scale: number, decide: Decide, ofNull: boolean): RowTest {
  if (column === undefined) return () => ofNull
  if (column.kind === 'dictionary') return byCode(column, decide, ofNull)
  const valueAt = valuesOf(column, field, scale)
  const { valid } = column
  return i => {
    if (valid !== undefined && valid[i] === 0) return ofNull
    const value = valueAt(i)
    return value === undefined ? ofNull : decide(value)
  }
}

/** Each different text is looked at once. */
function byCode ({ codes, values, valid }: DictionaryColumn, decide: Decide, ofNull: boolean): RowTest {
  const answers = values.map(value => value === null || value === undefined ? ofNull : decide(String(value)))
  return i => valid !== undefined && valid[i] === 0 ? ofNull : answers[codes[i] as number] ?? ofNull
}

function valuesOf (column: Exclude<Column, DictionaryColumn>, { type }: Field, scale: number): ValueAt {
  const factor = 10n ** BigInt(scale)
  switch (column.kind) {
    case 'numbers': {
      const { numbers } = column
      if (type.kind === 'float32' || type.kind === 'float64') return i => Number(numbers[i])
      return i => BigInt(numbers[i] as number | bigint) * factor
    }
    case 'decimal': {
      const { words } = column
      return i => ((BigInt.asIntN(64, words[2 * i + 1] as bigint) << 64n) | (words[2 * i] as bigint)) * factor
    }
    case 'text': return i => cell(asText(column), i) as string
    default: return i => textOf(cell(column, i))
  }
}

/** A column of JSON as the text that it is. */
export function asText ({ kind, offsets, bytes, valid }: TextColumn): TextColumn {
  return { kind, offsets, bytes, ...(valid !== undefined && { valid }) }
}

function textOf (value: unknown): string | undefined {
  return value === null || value === undefined ? undefined : typeof value === 'string' ? value : JSON.stringify(value)
}

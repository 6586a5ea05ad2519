// A filter, or the row filter of a grant, as a condition in SQL: names checked against the columns, values bound.

import { PlatformError } from '../errors.ts'
import { nearest } from '../problems.ts'
import { quoteName } from '../clickhouse/sql.ts'
import type { Binder } from './binder.ts'
import { bareType, bindValue, bindValues, isText } from './column.ts'
import type { Column } from './column.ts'
import { operators } from './filter.ts'
import type { Comparison, Filter, Scalar } from './filter.ts'

const DEPTH_MAX = 8
const COMPARISONS_MAX = 100
const LIST_MAX = 2000
const words: ReadonlySet<string> = new Set(operators)

export interface FilterScope {
  readonly columns: ReadonlyMap<string, Column>
  readonly binder: Binder
  /** Put before column names, such as `l.`; empty by default. */
  readonly prefix?: string
}

/** Throws REQUEST_INVALID where the filter has not the form of one, or a name that is none of the columns. */
export function conditionOf (filter: unknown, scope: FilterScope): string {
  let comparisons = 0
  const of = (part: unknown, depth: number): string => {
    if (depth > DEPTH_MAX) throw invalid(`the filter is more than ${DEPTH_MAX} levels deep`)
    if (Array.isArray(part)) {
      if (++comparisons > COMPARISONS_MAX) throw invalid(`the filter has more than ${COMPARISONS_MAX} comparisons`)
      return comparison(part as unknown[], scope)
    }
    const { and, or, ...rest } = (typeof part === 'object' && part !== null ? part : {}) as { and?: unknown, or?: unknown }
    const parts = and ?? or
    if ((and === undefined) === (or === undefined) || Object.keys(rest).length > 0 || !Array.isArray(parts)) throw invalid('a filter is a comparison, {"and": […]} or {"or": […]}')
    // None of nothing holds, and all of nothing does.
    if (parts.length === 0) return and === undefined ? '0' : '1'
    return `(${parts.map(one => of(one, depth + 1)).join(and === undefined ? ' OR ' : ' AND ')})`
  }
  return of(filter, 1)
}

/** Names of the columns of a filter that has the form of one. */
export function columnsOfFilter (filter: Filter): string[] {
  if (isComparison(filter)) return [filter[0]]
  return ('and' in filter ? filter.and : filter.or).flatMap(columnsOfFilter)
}

function isComparison (filter: Filter): filter is Comparison {
  return Array.isArray(filter)
}

function comparison (given: readonly unknown[], { columns, binder, prefix = '' }: FilterScope): string {
  const [name, operator, value] = given
  const column = typeof name === 'string' ? columns.get(name) : undefined
  if (column === undefined) throw unknownColumn(name, columns)
  if (typeof operator !== 'string' || !words.has(operator)) throw invalid(`${JSON.stringify(operator)?.slice(0, 50)} is no operator`, `Use ${operators.join(', ')}.`)
  if (given.length > 3) throw invalid(`the comparison of ${column.name} has more than a column, an operator and a value`)
  const sql = `${prefix}${quoteName(column.name)}`
  if (operator === 'is null' || operator === 'is not null') {
    if (given.length > 2) throw invalid(`"${operator}" takes no value`)
    return `(${sql} ${operator.toUpperCase()})`
  }
  if (operator === 'in' || operator === 'not in') {
    if (!Array.isArray(value) || value.length === 0 || value.length > LIST_MAX || !value.every(isScalar)) throw invalid(`"${operator}" takes a list of 1 to ${LIST_MAX} values`)
    return `(${sql} ${operator.toUpperCase()} ${bindValues(binder, column, value)})`
  }
  if (!isScalar(value)) throw invalid(`${column.name} is compared with no value`, 'For what is not there there is "is null".')
  if (operator === 'like' && !isText(column.type)) throw invalid(`"like" compares texts, and ${column.name} is ${bareType(column.type)}`)
  return `(${sql} ${operator.toUpperCase()} ${bindValue(binder, column, value)})`
}

function isScalar (value: unknown): value is Scalar {
  return typeof value === 'string' || typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value))
}

/** The same words for a column that is not granted and for one that is not there. */
export function unknownColumn (name: unknown, columns: ReadonlyMap<string, Column>): PlatformError {
  const guess = typeof name === 'string' ? nearest(name, [...columns.keys()]) : undefined
  return invalid(`there is no column ${JSON.stringify(name)?.slice(0, 100)}`, `${guess === undefined ? '' : `Did you mean ${guess}? `}There are ${[...columns.keys()].slice(0, 50).join(', ')}.`)
}

function invalid (message: string, remedy = 'Write it as ["price", ">", 10], {"and": […]} or {"or": […]}.'): PlatformError {
  return new PlatformError('REQUEST_INVALID', message, { remedy })
}

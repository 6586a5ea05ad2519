// The row filter of a grant as a condition for a view, which takes no parameters: names and values are quoted.

import { quoteName, quoteText } from '../clickhouse/sql.ts'
import type { Comparison, Filter, Scalar } from '../data/filter.ts'

/** By name, in ClickHouse's words. */
export type ColumnTypes = ReadonlyMap<string, string>

/** SQL that is true of the rows that may be seen; undefined: a column is not there, so nothing can be said of any row. */
export function conditionOf (filter: Filter, types: ColumnTypes): string | undefined {
  if ('and' in filter) return joined(filter.and, 'AND', 'true', types)
  if ('or' in filter) return joined(filter.or, 'OR', 'false', types)
  return types.has(filter[0]) ? comparison(filter, types.get(filter[0]) as string) : undefined
}

function joined (filters: readonly Filter[], word: string, ofNone: string, types: ColumnTypes): string | undefined {
  const conditions = filters.map(filter => conditionOf(filter, types))
  if (conditions.includes(undefined)) return undefined
  return conditions.length === 0 ? ofNone : `(${conditions.join(` ${word} `)})`
}

function comparison ([column, operator, value]: Comparison, type: string): string {
  const name = quoteName(column)
  const literal = (one: Scalar): string => literalOf(one, type)
  switch (operator) {
    case 'is null':
      return `${name} IS NULL`
    case 'is not null':
      return `${name} IS NOT NULL`
    case 'in':
    case 'not in': {
      const values = [value].flat().filter(one => one !== undefined) as Scalar[]
      if (values.length === 0) return operator === 'in' ? 'false' : 'true'
      return `${name} ${operator === 'in' ? 'IN' : 'NOT IN'} (${values.map(literal).join(', ')})`
    }
    case 'like':
      return `${name} LIKE ${literal(value as Scalar)}`
    case '=':
    case '!=':
    case '<':
    case '<=':
    case '>':
    case '>=':
      return `${name} ${operator} ${literal(value as Scalar)}`
  }
}

function literalOf (value: Scalar, type: string): string {
  if (typeof value === 'boolean') return String(value)
  if (/^(?:Nullable\(|LowCardinality\()*DateTime/.test(type)) return `parseDateTime64BestEffort(${quoteText(String(value))}, 9, 'UTC')`
  // The engine reads a text as the type of the column: also numbers that a double does not hold exactly.
  return quoteText(String(value))
}

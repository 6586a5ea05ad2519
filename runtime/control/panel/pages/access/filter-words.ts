import type { Filter, Grant, Scalar } from './shapes.ts'

/** A filter for people: `symbol in (AAPL, MSFT) and price > 10`. */
export function filterWords (filter: Filter | null): string {
  if (filter === null) return 'all rows'
  if ('and' in filter) return filter.and.map(part => inner(part, 'and')).join(' and ')
  if ('or' in filter) return filter.or.map(part => inner(part, 'or')).join(' or ')
  const [column, operator, value] = filter as readonly [string, string, unknown?]
  if (value === undefined) return `${column} ${operator}`
  return `${column} ${operator} ${Array.isArray(value) ? `(${(value as readonly Scalar[]).join(', ')})` : String(value)}`
}

function inner (part: Filter, around: 'and' | 'or'): string {
  return ('and' in part && around === 'or') || ('or' in part && around === 'and') ? `(${filterWords(part)})` : filterWords(part)
}

/** A grant in a line: `quotes: symbol, price where symbol in (AAPL)`. */
export function grantWords ({ dataset, columns, where }: Grant): string {
  return `${dataset === '*' ? 'all datasets' : dataset}${columns === null ? '' : `: ${columns.length > 4 ? `${columns.length} columns` : columns.join(', ')}`}${where === null ? '' : ` where ${filterWords(where)}`}`
}

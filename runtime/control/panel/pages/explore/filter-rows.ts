// Conditions as the form has them, and as the API takes them: `["price", ">", 10]`, all of them in `{"and": […]}`.

import { kindOf } from '../data/shapes.ts'
import type { DatasetColumn } from '../data/shapes.ts'

export interface Condition {
  readonly column: string
  readonly operator: string
  /** As it is typed; of a list, with commas. */
  readonly value: string
}

const orders = ['=', '!=', '<', '<=', '>', '>=']
const nulls = ['is null', 'is not null']

export function takesNone (operator: string): boolean {
  return nulls.includes(operator)
}

/** Operators that mean something for a column. */
export function operatorsOf (column: DatasetColumn | undefined): readonly string[] {
  const kind = column === undefined ? 'text' : kindOf(column)
  if (kind === 'yes') return ['=', '!=', ...nulls]
  if (kind === 'time' || kind === 'day') return [...orders, ...nulls]
  return kind === 'number' ? [...orders, 'in', 'not in', ...nulls] : ['=', '!=', 'in', 'not in', 'like', ...nulls]
}

/** The JSON of those conditions that are complete; undefined: there is none. */
export function filterOf (conditions: readonly Condition[], columns: readonly DatasetColumn[]): string | undefined {
  const all = conditions.filter(({ operator, value }) => takesNone(operator) || value.trim() !== '').map(({ column, operator, value }) => {
    if (takesNone(operator)) return [column, operator]
    const found = columns.find(({ name }) => name === column)
    const typed = (text: string): unknown => found === undefined ? text : typedValue(text.trim(), found)
    return [column, operator, operator === 'in' || operator === 'not in' ? value.split(',').filter(text => text.trim() !== '').map(typed) : typed(value)]
  })
  return all.length === 0 ? undefined : JSON.stringify(all.length === 1 ? all[0] : { and: all })
}

/** The conditions of a filter that the form can show; undefined: it cannot. */
export function conditionsOf (where: string | undefined): readonly Condition[] | undefined {
  if (where === undefined) return []
  try {
    const filter = JSON.parse(where) as unknown
    const parts = Array.isArray(filter) ? [filter as unknown[]] : (filter as { readonly and: unknown }).and
    if (!Array.isArray(parts) || !parts.every(part => Array.isArray(part) && typeof part[0] === 'string' && typeof part[1] === 'string')) return undefined
    return (parts as Array<[string, string, unknown]>).map(([column, operator, value]) => ({ column, operator, value: Array.isArray(value) ? value.join(', ') : value === undefined ? '' : String(value) }))
  } catch {
    // Whoever wrote it into the address sees it as it is.
    return undefined
  }
}

/** Numbers that lose no digit as a number are one; everything else stays as it was typed. */
function typedValue (text: string, column: DatasetColumn): unknown {
  const kind = kindOf(column)
  if (kind === 'yes') return text === 'true'
  return kind === 'number' && String(Number(text)) === text ? Number(text) : text
}

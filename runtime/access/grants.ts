// What of which datasets may be read.
//
//   no grant matches       the dataset is not there, as far as the one who asks can tell
//   several grants match   a row is there if one of them lets it through; a column only if all of those that list columns do
//   a grant without limits lets everything through, whatever the others say
//   a token                has what its own grants let through of what its owner has: both filters, columns of both
//
// So nothing is ever seen that no single grant shows: each row comes with columns that the grant which lets it through has.

import { PlatformError } from '../errors.ts'
import { operators } from '../data/filter.ts'
import type { Filter } from '../data/filter.ts'
import type { DatasetGrant } from './principal.ts'

export interface Grant {
  /** Name of a dataset; `*` stands for any characters. */
  readonly dataset: string
  readonly columns: readonly string[] | null
  readonly where: Filter | null
}

const FILTER_DEPTH_MAX = 8
const FILTER_PARTS_MAX = 100
const VALUES_MAX = 1000

export const datasetPattern = '^[A-Za-z0-9_*][A-Za-z0-9_*-]{0,99}$'

/** The JSON Schema of a list of grants in a body. */
export const grantsBody = {
  type: 'array',
  maxItems: 200,
  items: {
    type: 'object',
    additionalProperties: false,
    required: ['dataset'],
    properties: {
      dataset: { type: 'string', pattern: datasetPattern, description: 'A dataset; * stands for any characters' },
      columns: { description: 'Names of columns; null: all', anyOf: [{ type: 'null' }, { type: 'array', minItems: 1, maxItems: 500, items: { type: 'string', minLength: 1, maxLength: 200 } }] },
      where: { description: 'Which rows, as a filter of the data API; null: all' }
    }
  }
}

/** The same in an answer. */
export const grantShown = {
  type: 'object',
  properties: {
    dataset: { type: 'string' },
    columns: { description: 'null: all', anyOf: [{ type: 'null' }, { type: 'array', items: { type: 'string' } }] },
    where: { description: 'null: all rows' }
  }
}

export function matches (pattern: string, dataset: string): boolean {
  const parts = pattern.split('*')
  // Without a regular expression: a pattern is written by people, and must not be able to take long.
  const first = parts.shift() ?? ''
  const last = parts.pop()
  if (last === undefined) return pattern === dataset
  if (!dataset.startsWith(first) || dataset.length < first.length + last.length || !dataset.endsWith(last)) return false
  let at = first.length
  for (const part of parts) {
    const found = dataset.indexOf(part, at)
    if (found === -1) return false
    at = found + part.length
  }
  return at <= dataset.length - last.length
}

/** What several grants let through of a dataset together; undefined: nothing. */
export function combine (grants: readonly Grant[], dataset: string): DatasetGrant | undefined {
  const found = grants.filter(grant => matches(grant.dataset, dataset))
  if (found.length === 0) return undefined
  if (found.some(({ columns, where }) => columns === null && where === null)) return { columns: undefined, where: undefined }
  const lists = found.flatMap(({ columns }) => columns === null ? [] : [columns])
  const columns = common(lists)
  if (columns?.length === 0) return undefined
  const filters = found.flatMap(({ where }) => where === null ? [] : [where])
  return { columns, where: filters.length < found.length ? undefined : filters.length === 1 ? filters[0] : { or: filters } }
}

/** What both let through. */
export function narrow (one: DatasetGrant | undefined, other: DatasetGrant | undefined): DatasetGrant | undefined {
  if (one === undefined || other === undefined) return undefined
  const columns = common([one.columns, other.columns].filter(list => list !== undefined))
  if (columns?.length === 0) return undefined
  const filters = [one.where, other.where].filter(filter => filter !== undefined)
  return { columns, where: filters.length < 2 ? filters[0] : { and: filters } }
}

/** Whether everything that `inner` lets through, one of `outer` lets through, too; careful: in doubt it says no. */
export function covers (outer: readonly Grant[], inner: Grant): boolean {
  return outer.some(({ dataset, columns, where }) =>
    matches(dataset, inner.dataset) &&
    (columns === null || (inner.columns !== null && inner.columns.every(column => columns.includes(column)))) &&
    (where === null || conjuncts(inner.where).some(part => JSON.stringify(part) === JSON.stringify(where))))
}

/** A grant as somebody sends it. */
export interface GivenGrant {
  readonly dataset: string
  readonly columns?: readonly string[] | null
  readonly where?: unknown
}

/** Throws REQUEST_INVALID unless each `where` has the form of a filter; its columns are checked where it is used. */
export function checkGrants (given: readonly GivenGrant[]): Grant[] {
  return given.map(({ dataset, columns = null, where = null }, i) => {
    const budget = { parts: FILTER_PARTS_MAX }
    if (where === null || isFilter(where, budget, FILTER_DEPTH_MAX)) return { dataset, columns, where }
    throw new PlatformError('REQUEST_INVALID', `grants[${i}].where is no filter${budget.parts < 0 ? `: it has more than ${FILTER_PARTS_MAX} parts` : ''}`, {
      remedy: `Write ["column", "=", value] with one of ${operators.join(', ')}, or {"and": […]}, {"or": […]}.`
    })
  })
}

function isFilter (filter: unknown, budget: { parts: number }, depth: number): filter is Filter {
  if (--budget.parts < 0 || depth === 0) return false
  if (Array.isArray(filter)) return isComparison(filter as unknown[])
  if (typeof filter !== 'object' || filter === null) return false
  const [[name, parts] = ['', undefined], ...more] = Object.entries(filter)
  return more.length === 0 && (name === 'and' || name === 'or') && Array.isArray(parts) && parts.length > 0 && parts.every(part => isFilter(part, budget, depth - 1))
}

function isComparison ([column, operator, value, ...more]: readonly unknown[]): boolean {
  if (typeof column !== 'string' || column === '' || column.length > 200 || more.length > 0 || !operators.includes(operator as typeof operators[number])) return false
  if (operator === 'is null' || operator === 'is not null') return value === undefined
  if (operator === 'in' || operator === 'not in') return Array.isArray(value) && value.length > 0 && value.length <= VALUES_MAX && value.every(isScalar)
  return isScalar(value)
}

function isScalar (value: unknown): boolean {
  return typeof value === 'boolean' || (typeof value === 'string' && value.length <= 1000) || (typeof value === 'number' && Number.isFinite(value))
}

function conjuncts (filter: Filter | null): readonly Filter[] {
  if (filter === null) return []
  return 'and' in filter ? [filter, ...filter.and] : [filter]
}

/** What all lists have; undefined where there is no list. */
function common (lists: ReadonlyArray<readonly string[]>): readonly string[] | undefined {
  const [first, ...others] = lists
  return first?.filter(name => others.every(list => list.includes(name)))
}

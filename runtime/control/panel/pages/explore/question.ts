// A question about rows. Its parameters have the same names in the address of the page, in the API, in saved queries and
// in exports: what stands in one can be put into the other.

import { addressOf } from '../../kit/api.ts'
import { route, setQuery } from '../../kit/route.ts'

export const kinds = ['data', 'bars', 'latest', 'join'] as const
export type Kind = typeof kinds[number]

export type Params = Readonly<Record<string, string | undefined>>

export interface Question {
  readonly kind: Kind
  readonly dataset: string
  /** By the names of the API, those of its kind only. */
  readonly params: Params
}

export const formats = ['json', 'ndjson', 'csv', 'parquet', 'arrow'] as const
export type Format = typeof formats[number]

const common = ['symbols', 'last', 'start', 'end', 'where', 'limit', 'sort', 'on_time', 'price_type']
const namesOf: Readonly<Record<Kind, readonly string[]>> = {
  data: [...common, 'fields'],
  latest: [...common, 'fields'],
  bars: [...common, 'every', 'price', 'size', 'fill', 'tz', 'label'],
  join: [...common, 'fields', 'right', 'take', 'tolerance', 'direction']
}

/** What the address of the page asks; undefined: no dataset is chosen. */
export function questionOf (query: Readonly<Record<string, string>> = route.value.query): Question | undefined {
  const { dataset } = query
  if (dataset === undefined) return undefined
  const kind = kinds.find(one => one === query['kind']) ?? 'data'
  return { kind, dataset, params: Object.fromEntries(namesOf[kind].map(name => [name, query[name]]).filter(([, value]) => value !== undefined && value !== '')) as Params }
}

/** Changes the question in the address; what was answered before is no answer to it. */
export function ask (changes: Readonly<Record<string, string | number | undefined>>): void {
  setQuery({ ...changes, run: undefined })
}

/** Whether it says all that its kind needs. */
export function isComplete ({ kind, params }: Question): boolean {
  return (kind !== 'bars' || params['every'] !== undefined) && (kind !== 'join' || params['right'] !== undefined)
}

/** Path and parameters of the call that answers it. */
export function callOf ({ kind, dataset, params }: Question, format: Format): { readonly path: string, readonly query: Params } {
  if (kind === 'join') return { path: `/v1/join/asof.${format}`, query: { left: dataset, ...params } }
  return { path: `/v1/${kind}/${encodeURIComponent(dataset)}.${format}`, query: params }
}

/** Address of the estimate. */
export function estimateOf ({ kind, dataset, params }: Question): string {
  return kind === 'join' ? addressOf('/v1/estimate/join', { left: dataset, ...params }) : addressOf(`/v1/estimate/${kind}/${encodeURIComponent(dataset)}`, params)
}

/** The same as JSON, for saved queries, exports and bodies. */
export function specOf ({ kind, dataset, params }: Question): Readonly<Record<string, unknown>> & { readonly kind: Kind, readonly dataset: string } {
  return { kind, dataset, ...typedOf(params) }
}

/** Parameters as a body has them: numbers and filters are no text. */
export function typedOf (params: Params): Readonly<Record<string, unknown>> {
  const { limit, where, ...rest } = params
  return { ...rest, ...(limit !== undefined && { limit: Number(limit) }), ...(where !== undefined && { where: parsed(where) }) }
}

/** What the address of the page says for a spec. */
export function queryOf ({ kind, dataset, ...params }: Readonly<Record<string, unknown>>): Record<string, string> {
  const text = (value: unknown): string => typeof value === 'string' ? value : Array.isArray(value) && value.every(one => typeof one === 'string') ? value.join(',') : JSON.stringify(value)
  return { dataset: String(dataset), kind: String(kind), ...Object.fromEntries(Object.entries(params).map(([name, value]) => [name, name === 'where' && typeof value !== 'string' ? JSON.stringify(value) : text(value)])) }
}

/** The parts of a list that is written with commas. */
export function listOf (text: string | undefined): string[] {
  return text === undefined ? [] : text.split(',').map(part => part.trim()).filter(part => part !== '')
}

function parsed (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The platform says what is wrong with it.
    return text
  }
}

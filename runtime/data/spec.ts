// What a request asks of a dataset, checked against what there is and what is granted. A body and a query string have the
// same names; a list may be a text with commas, and a filter its JSON text.

import { parseDuration } from '../duration.ts'
import { PlatformError } from '../errors.ts'
import type { Column } from './column.ts'
import type { Readable } from './catalog.ts'
import { unknownColumn } from './condition.ts'
import type { Filter } from './filter.ts'
import { formatInstant, MOMENT_FORMS, nowNs, nsOfMs, parseMoment } from './instant.ts'

/** Symbols of one request. */
export const SYMBOLS_MAX = 2000
const SYMBOL_LETTERS_MAX = 200
const FILTER_LETTERS_MAX = 100_000
/** Rows of a page of JSON. */
export const PAGE_ROWS = 1000
export const PAGE_ROWS_MAX = 10_000

export const onTimes = ['event', 'ingest'] as const
export const priceTypes = ['number', 'decimal', 'fixed'] as const
export const formats = ['json', 'ndjson', 'csv', 'parquet', 'arrow'] as const
export type Format = typeof formats[number]

/** The parameters that all questions about rows share, as they come. */
export interface Params {
  readonly symbols?: string | readonly string[]
  readonly start?: string | number
  readonly end?: string | number
  readonly last?: string
  readonly fields?: string | readonly string[]
  readonly where?: string | Filter
  readonly limit?: number
  readonly page_size?: number
  readonly page_token?: string
  readonly sort?: 'asc' | 'desc'
  readonly on_time?: typeof onTimes[number]
  readonly as_of?: string | number
  readonly price_type?: typeof priceTypes[number]
  readonly strict?: boolean | number
  readonly trailer?: boolean | number
}

/** Nanoseconds since 1970: start inclusive, end exclusive. */
export interface Range {
  readonly start: bigint | undefined
  readonly end: bigint | undefined
}

export interface Spec {
  readonly range: Range
  /** undefined: all. */
  readonly symbols: readonly string[] | undefined
  /** In the order of the answer. */
  readonly fields: readonly Column[]
  readonly where: Filter | undefined
  /** Rows in all; undefined: as many as there are. */
  readonly limit: number | undefined
  readonly descending: boolean
  /** Which time the range means, and the order. */
  readonly time: Column
  /** Rows as they were known then: those that were ingested by that moment; undefined: all. */
  readonly asOf: bigint | undefined
  readonly priceType: typeof priceTypes[number]
  /** Whether a symbol that is not there is an error. */
  readonly strict: boolean
}

/** Throws REQUEST_INVALID. `now` is in nanoseconds. */
export function parseSpec (readable: Readable, params: Params, now = nowNs()): Spec {
  const symbols = listOf('symbols', params.symbols)
  if (symbols !== undefined) {
    if (readable.symbol === undefined) throw invalid(`${readable.name} has no key that symbols could mean`, 'Filter with where instead.')
    if (symbols.length > SYMBOLS_MAX || symbols.some(symbol => symbol.length > SYMBOL_LETTERS_MAX)) throw invalid(`symbols are ${SYMBOLS_MAX} at most, of ${SYMBOL_LETTERS_MAX} letters at most`, 'Ask in several requests.')
  }
  return {
    range: parseRange(params, now),
    symbols: symbols === undefined ? undefined : [...new Set(symbols)],
    fields: parseFields(readable, params.fields),
    where: parseFilter(params.where),
    limit: params.limit,
    descending: params.sort === 'desc',
    time: params.on_time === 'ingest' ? readable.all.get('_ingest_time') ?? readable.time : readable.time,
    asOf: asOf(readable, params.as_of, now),
    priceType: params.price_type ?? 'number',
    strict: Boolean(params.strict)
  }
}

function asOf ({ name, dataset: { schema } }: Readable, given: Params['as_of'], now: bigint): bigint | undefined {
  const found = instant('as_of', given, now)
  if (found !== undefined && (schema.unique ?? []).length > 0) throw invalid(`rows of ${name} replace each other, so what was known before is not kept apart`, 'Leave as_of out.')
  return found
}

/** Throws REQUEST_INVALID where it is no range. */
export function parseRange ({ start, end, last }: Pick<Params, 'start' | 'end' | 'last'>, now = nowNs()): Range {
  if (last !== undefined) {
    if (start !== undefined || end !== undefined) throw invalid('last and start or end exclude each other', 'Give one of them.')
    const ms = parseDuration(last)
    if (ms === undefined || ms > 100 * 366 * 86_400_000) throw invalid(`last is ${JSON.stringify(last).slice(0, 50)}, which is no duration`, 'Write it as 15m, 12h or 7d.')
    return { start: now - nsOfMs(ms), end: now }
  }
  const range = { start: instant('start', start, now), end: instant('end', end, now) }
  if (range.start !== undefined && range.end !== undefined && range.end < range.start) throw invalid('end is before start', 'The range begins with start and ends before end.')
  return range
}

function instant (name: string, given: string | number | undefined, now: bigint): bigint | undefined {
  if (given === undefined || given === '') return undefined
  const ns = parseMoment(given, now)
  if (ns === undefined) {
    const tooLong = typeof given === 'number' && !Number.isSafeInteger(given)
    throw invalid(`${name} is ${JSON.stringify(given).slice(0, 50)}, which is no moment`, tooLong ? 'Send so many digits as text: JSON numbers lose the last of them.' : `Write it as ${MOMENT_FORMS}.`)
  }
  return ns
}

/** For people and the header X-Data-Range: `2024-01-02T00:00:00.000Z/2024-01-03T00:00:00.000Z`. */
export function formatRange ({ start, end }: Range): string {
  return `${start === undefined ? '..' : formatInstant(start)}/${end === undefined ? '..' : formatInstant(end)}`
}

/** All but those that say where a row stood, unless they are asked for. */
function parseFields ({ columns }: Readable, given: Params['fields']): Column[] {
  const names = listOf('fields', given) ?? [...columns.keys()].filter(name => !name.startsWith('_'))
  const found = [...new Set(names)].map(name => {
    const column = columns.get(name)
    if (column === undefined) throw unknownColumn(name, columns)
    return column
  })
  if (found.length === 0) throw invalid('there is no column to answer with', 'Name some in fields.')
  return found
}

/** The names of a list; undefined: it was not given. */
export function listOf (name: string, given: string | readonly string[] | undefined): string[] | undefined {
  if (given === undefined || given === '') return undefined
  const names = typeof given === 'string' ? given.split(',').map(text => text.trim()) : [...given]
  if (names.length === 0 || names.some(text => text === '')) throw invalid(`${name} has an empty part`, `Write it as ${name}=a,b,c.`)
  return names
}

export function parseFilter (given: Params['where']): Filter | undefined {
  if (given === undefined || given === '') return undefined
  if (typeof given !== 'string') return given
  if (given.length > FILTER_LETTERS_MAX) throw invalid(`where has more than ${FILTER_LETTERS_MAX} letters`, 'Write a shorter one.')
  try {
    // What it holds is checked when it becomes a condition.
    return JSON.parse(given) as Filter
  } catch (cause) {
    throw new PlatformError('REQUEST_INVALID', 'where is no JSON', { cause, remedy: 'Write it as ["price", ">", 10], {"and": […]} or {"or": […]}.' })
  }
}

function invalid (message: string, remedy: string): PlatformError {
  return new PlatformError('REQUEST_INVALID', message, { remedy })
}

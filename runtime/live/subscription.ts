// What somebody asks of a live stream, checked against the schema and the grant. A column that is not granted looks like
// one that is not there, and so does a dataset.

import { columnsOf, fieldsOf, timeColumn } from '../clickhouse/ddl.ts'
import { Binder } from '../data/binder.ts'
import { isText } from '../data/column.ts'
import { conditionOf, unknownColumn } from '../data/condition.ts'
import { MOMENT_FORMS, parseMoment } from '../data/instant.ts'
import { parseDuration } from '../duration.ts'
import { PlatformError } from '../errors.ts'
import { feedsOf } from './feeds.ts'
import { parsePosition } from './position.ts'
import { compileFilter, positionFields } from './row-filter.ts'
import type { DatasetGrant, Principal } from '../access/principal.ts'
import type { Column } from '../data/column.ts'
import type { Filter } from '../data/filter.ts'
import type { Subject } from '../parity/subject.ts'
import type { Platform } from '../platform.ts'
import type { Topic } from '../schema.ts'
import type { Selection } from './messages.ts'
import type { LivePosition } from './position.ts'

/** As it comes from outside, its form checked. */
export interface LiveAsk {
  readonly dataset: string
  /** Values of the first field of the key. */
  readonly symbols?: readonly string[] | undefined
  readonly fields?: readonly string[] | undefined
  /** As it came: its form is checked here. */
  readonly where?: unknown
  /** A time, or a span back from now, such as `-5m`: rows from there on are sent first. */
  readonly start?: string | undefined
  /** A duration: the newest row of each key so often. */
  readonly conflate?: string | undefined
  /** Id of the last event that arrived. */
  readonly resume?: string | undefined
}

export interface Subscription {
  readonly dataset: string
  readonly feeds: readonly Subject[]
  readonly schema: Topic
  readonly selection: Selection
  /** ns since 1970. */
  readonly start: bigint | undefined
  readonly resume: LivePosition | undefined
}

const SYMBOLS_MAX = 2000
const CONFLATE_MS_MAX = 3_600_000
const CONFLATE_MS_MIN = 50

/** Throws NOT_FOUND or REQUEST_INVALID. */
export function subscriptionOf (ask: LiveAsk, { supervisor }: Pick<Platform, 'supervisor'>, principal: Principal): Subscription {
  const grant = principal.grant(ask.dataset)
  const feeds = grant === undefined ? [] : feedsOf(ask.dataset, supervisor)
  const schema = feeds[0]?.schema
  if (grant === undefined || schema === undefined) throw new PlatformError('NOT_FOUND', `There is no dataset ${JSON.stringify(ask.dataset)}`, { remedy: 'GET /v1/datasets lists those that you may read; GET /v1/access/explain says why one is not among them.' })
  const granted = grantedColumns(schema, grant)
  const columns = ask.fields ?? [...granted.keys()].filter(name => !positionFields.some(field => field.name === name))
  for (const name of columns) if (!granted.has(name)) throw unknownColumn(name, granted)
  const own = [...symbolFilter(ask.symbols, schema, granted), ...ask.where === undefined ? [] : [ask.where as Filter]]
  // The same check as that of a query; what is wrong is said now, and not by the thread.
  for (const filter of own) {
    conditionOf(filter, { columns: granted, binder: new Binder() })
    compileFilter(filter, fieldsOf(schema))
  }
  return {
    dataset: ask.dataset,
    feeds,
    schema,
    selection: { columns, filters: [...own, ...grant.where === undefined ? [] : [grant.where]], conflateMs: conflateOf(ask.conflate) },
    start: startOf(ask.start),
    resume: ask.resume === undefined || ask.resume === '' ? undefined : parsePosition(ask.resume)
  }
}

/** All columns of a schema, as the engine has them. */
export function columnsByName (schema: Topic): Map<string, Column> {
  return new Map(columnsOf(schema).map(({ name, type, comment }) => [name, { name, type, unit: '', description: comment }]))
}

function grantedColumns (schema: Topic, { columns }: DatasetGrant): Map<string, Column> {
  const all = columnsByName(schema)
  return columns === undefined ? all : new Map([...all].filter(([name]) => columns.includes(name)))
}

function symbolFilter (symbols: readonly string[] | undefined, schema: Topic, granted: ReadonlyMap<string, Column>): Filter[] {
  if (symbols === undefined) return []
  const key = schema.key.filter(name => name !== timeColumn(schema)).flatMap(name => granted.get(name) ?? [])
  const instrument = key.find(({ type }) => isText(type)) ?? key[0]
  if (instrument === undefined) throw new PlatformError('REQUEST_INVALID', `${schema.name} has no key that you may read, so it has no symbols`, { remedy: 'Use where.' })
  if (symbols.length === 0 || symbols.length > SYMBOLS_MAX) throw new PlatformError('REQUEST_INVALID', `symbols has ${symbols.length} values; it takes 1 to ${SYMBOLS_MAX}`)
  return [[instrument.name, 'in', symbols]]
}

function conflateOf (text: string | undefined): number {
  if (text === undefined) return 0
  const ms = parseDuration(text)
  if (ms === undefined || ms < CONFLATE_MS_MIN || ms > CONFLATE_MS_MAX) throw new PlatformError('REQUEST_INVALID', `conflate ${JSON.stringify(text)} is no duration of ${CONFLATE_MS_MIN} ms to 1 h`, { remedy: 'Write it as 1s or 500ms.' })
  return ms
}

function startOf (text: string | undefined): bigint | undefined {
  if (text === undefined) return undefined
  const found = parseMoment(text)
  if (found === undefined) throw new PlatformError('REQUEST_INVALID', `start ${JSON.stringify(text)} is no moment`, { remedy: `Write it as ${MOMENT_FORMS}.` })
  return found
}

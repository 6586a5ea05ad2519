// One reading of a table or a query: one statement, or one for each interval that is due.
//
// Without `incremental` a reading takes all rows. With it, what is new: by remembering the newest rows (recent.ts) or,
// where `key` tells rows apart and none come late, by the place of the last row: (column, key…) > (its values).

import { intervalOf, sayReadBefore, timeFormats } from '../../../runtime/data-interval.ts'
import { parseDuration } from '../../../runtime/duration.ts'
import { RowBatch } from '../../../runtime/plugin.ts'
import { invalid } from './database.ts'
import { hashOf, Recent } from './recent.ts'
import type { Column as BatchColumn } from '../../../runtime/batch.ts'
import type { Interval, TimeFormat } from '../../../runtime/data-interval.ts'
import type { Chunk, Context, Json } from '../../../runtime/plugin.ts'
import type { Ordered } from '../../../runtime/value-order.ts'
import type { Column, Database, Parameter, Rows } from './database.ts'
import type { SqlConfig } from './options.ts'
import type { RecentState } from './recent.ts'

/** Where a row stands: its values in the columns that rows are ordered by, with their types. */
export interface RowPlace {
  readonly values: readonly Ordered[]
  readonly types: readonly string[]
}

export interface Checkpoint {
  /** The run that wrote it; absent: no run. */
  readonly run?: string
  /** That run, or that turn of a poll, has read all there was. */
  readonly done: boolean
  /** Of the statement that is under way. */
  readonly interval?: Interval
  /** Up to where intervals are complete, ms since 1970. */
  readonly end?: number
  /** Behind this row the statement goes on. */
  readonly place?: RowPlace
  readonly recent?: RecentState
  /** Rows of the statement are in the topic, and nothing says which: it begins anew. */
  readonly begun?: true
}

const template = new RegExp(`\\{(from|to)(?::(${timeFormats.join('|')}))?\\}`, 'g')

/** What a configuration means; throws CONFIG_INVALID for options that do not go together. */
export function planOf (config: SqlConfig): Plan {
  const { table, query, key, incremental, start } = config
  if ((table === null) === (query === null)) throw invalid('table', 'either table or query says what to read', 'Set one of them.')
  if (query !== null && /;\s*$/.test(query.trimEnd())) throw invalid('query', 'the query ends with a semicolon', 'Take it out: the query becomes a part of a larger one.')
  if (query !== null && /'\{(?:from|to)|(?:from|to)(?::\w+)?\}'/.test(query)) throw invalid('query', 'a template stands in quotes', 'Take the quotes out: it becomes a parameter.')
  const timed = query !== null && namesInterval(query)
  const startMs = start === null ? undefined : Date.parse(start)
  if (startMs !== undefined && Number.isNaN(startMs)) throw invalid('start', 'this is no ISO 8601 time', 'Write it as 2024-01-01T00:00:00Z.')
  const lag = incremental?.lag === undefined ? 0 : typeof incremental.lag === 'number' ? incremental.lag : parseDuration(incremental.lag)
  if (lag === undefined || lag < 0) throw invalid('incremental.lag', `${JSON.stringify(incremental?.lag)} is no lag`, 'Write a duration for times, such as 5m, or a number from 0 on.')
  const byPlace = key !== null && lag === 0
  return { timed, startMs, lag, order: byPlace ? [...incremental === null ? [] : [incremental.column], ...key] : incremental === null ? [] : [incremental.column], byPlace }
}

/** Whether {from} or {to} stands in a query. */
export function namesInterval (query: string): boolean {
  return query.search(template) !== -1
}

export interface Plan {
  /** The query names an interval. */
  readonly timed: boolean
  readonly startMs: number | undefined
  /** Ms for times, else in the unit of the column. */
  readonly lag: number
  /** Columns that the rows are ordered by. */
  readonly order: readonly string[]
  /** Their values say where to go on. */
  readonly byPlace: boolean
}

export interface ReadingOptions {
  readonly config: SqlConfig
  readonly plan: Plan
  readonly database: Database
  readonly context: Context
  readonly saved: Checkpoint | undefined
}

export class Reading {
  readonly #config: SqlConfig
  readonly #plan: Plan
  readonly #database: Database
  readonly #context: Context
  readonly #recent: Recent | undefined
  readonly #now: number
  #end: number | undefined
  #place: RowPlace | undefined
  #interval: Interval | undefined

  constructor ({ config, plan, database, context, saved }: ReadingOptions) {
    this.#config = config
    this.#plan = plan
    this.#database = database
    this.#context = context
    this.#now = context.clock.now()
    this.#end = saved?.end
    // The place of a statement that ended, or that another run will not go on with, says nothing without `incremental`.
    const goesOn = config.incremental !== null || (saved?.done === false && (plan.timed || saved.run === context.run?.id))
    this.#place = goesOn ? saved?.place : undefined
    this.#interval = plan.timed && saved?.done === false ? saved.interval : undefined
    const { incremental, remembered_rows_max: rememberedMax } = config
    if (incremental !== null && !plan.byPlace) this.#recent = new Recent({ column: incremental.column, start: incremental.start, lag: plan.lag, rememberedMax }, saved?.recent)
    if (saved?.begun === true && !saved.done) context.log.warn({}, 'A reading that broke off begins anew, so its rows come again; key would let it go on')
  }

  /** Ends when the database has nothing more for now, or at the signal. */
  async * chunks (): AsyncGenerator<Chunk & { readonly checkpoint: Json }, void, void> {
    const { signal, log, run } = this.#context
    for (let first = true; first || this.#plan.timed; first = false) {
      if (this.#plan.timed) this.#interval ??= this.#nextInterval()
      if (this.#plan.timed && this.#interval === undefined) {
        if (first) sayReadBefore(log, run)
        break
      }
      for await (const rows of this.#database.read(...this.#statement())) {
        if (signal.aborted) return
        yield this.#chunk(rows)
        if (signal.aborted) return
      }
      if (signal.aborted) return
      this.#end = this.#interval?.to ?? this.#end
      this.#interval = undefined
      if (this.#config.incremental === null) this.#place = undefined
    }
    yield { batch: new RowBatch(this.#context.topic, 0, {}), checkpoint: this.#checkpoint(true) }
  }

  #nextInterval (): Interval | undefined {
    return intervalOf({ run: this.#context.run, end: this.#end, start: this.#plan.startMs, now: this.#now })
  }

  /** The user's statement within ours, so that it can only be a SELECT. */
  #statement (): [string, Parameter[]] {
    const { table, query, incremental } = this.#config
    const { order, byPlace } = this.#plan
    const parameters: Parameter[] = []
    const add = (parameter: Parameter): string => {
      parameters.push(parameter)
      return parameter.sql
    }
    const quoted = order.map(name => this.#database.quote(name))
    const source = table !== null
      ? table.split('.').map(name => this.#database.quote(name)).join('.')
      : `(\n${(query as string).replaceAll(template, (_, name: keyof Interval, format?: TimeFormat) => add(this.#database.time(parameters.length + 1, (this.#interval as Interval)[name], format)))}\n) AS twolane_rows`
    const value = (one: Ordered, type: string): string => add(this.#database.parameter(parameters.length + 1, one, type))
    const conditions: string[] = []
    if (byPlace && this.#place !== undefined) {
      const { values, types } = this.#place
      conditions.push(after(quoted, values.map((one, i) => () => value(one, types[i] as string))))
    } else if (incremental !== null) {
      const bound = byPlace ? incremental.start === undefined ? undefined : { value: incremental.start, type: '' } : this.#recent?.bound
      conditions.push(bound === undefined ? `${quoted[0] as string} IS NOT NULL` : `${quoted[0] as string} >= ${value(bound.value, bound.type)}`)
    }
    const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`
    return [`SELECT * FROM ${source}${where}${quoted.length === 0 ? '' : ` ORDER BY ${quoted.join(', ')}`}`, parameters]
  }

  #chunk ({ columns, rows }: Rows): Chunk & { readonly checkpoint: Json } {
    const { incremental } = this.#config
    const { order, byPlace } = this.#plan
    const places = order.map(name => placeOf(columns, name))
    let taken = rows
    if (this.#recent !== undefined && incremental !== null) {
      const at = places[0] as number
      const marked = this.#config.key === null ? columns.map((_, i) => i) : [at, ...this.#config.key.map(name => placeOf(columns, name))]
      const indexes = this.#recent.take(rows.map(row => ordered(row[at], incremental.column)), (columns[at] as Column).type, i => hashOf(marked.map(j => (rows[i] as unknown[])[j])))
      if (indexes.length < rows.length) this.#context.metrics.count('rows_known', rows.length - indexes.length)
      taken = indexes.map(i => rows[i] as unknown[])
    } else if (byPlace) {
      const last = rows.at(-1) as unknown[]
      this.#place = { values: places.map((at, i) => ordered(last[at], order[i] as string)), types: places.map(at => (columns[at] as Column).type) }
    }
    return { batch: this.#batch(columns, taken), checkpoint: this.#checkpoint(false) }
  }

  #batch (columns: readonly Column[], rows: readonly unknown[][]): RowBatch {
    const byName: Record<string, BatchColumn> = Object.create(null)
    for (const [i, { name }] of columns.entries()) {
      if (name in byName) throw invalid('query', `two columns have the name ${JSON.stringify(name)}`, 'Give one of them another name with AS.')
      byName[name] = { kind: 'values', values: rows.map(row => row[i]) }
    }
    return new RowBatch(this.#context.topic, rows.length, byName)
  }

  #checkpoint (done: boolean): Json {
    const run = this.#context.run?.id
    const recent = this.#recent?.state
    const checkpoint: Checkpoint = {
      ...(run !== undefined && { run }),
      done,
      ...(this.#interval !== undefined && { interval: this.#interval }),
      ...(this.#end !== undefined && { end: this.#end }),
      ...(this.#place !== undefined && { place: this.#place }),
      ...(recent !== undefined && { recent }),
      ...(!done && this.#plan.order.length === 0 && { begun: true as const })
    }
    return checkpoint as unknown as Json
  }
}

/** Rows behind a place, written out: databases use an index for this form, and some do not for (a, b) > (1, 2). */
function after (names: readonly string[], values: ReadonlyArray<() => string>): string {
  const [name = '', ...names_] = names
  const [value, ...values_] = values as [() => string, ...Array<() => string>]
  if (names_.length === 0) return `${name} > ${value()}`
  return `(${name} >= ${value()} AND (${name} > ${value()} OR ${after(names_, values_)}))`
}

function placeOf (columns: readonly Column[], name: string): number {
  const at = columns.findIndex(column => column.name === name)
  if (at === -1) throw invalid('key', `there is no column ${JSON.stringify(name)}; there are ${columns.map(column => JSON.stringify(column.name)).join(', ')}`, 'Write it as the database does, capitals included.')
  return at
}

function ordered (value: unknown, name: string): Ordered {
  if (typeof value === 'string' || typeof value === 'number') return value
  throw invalid('key', `the column ${name} has the value ${JSON.stringify(value)}, which has no order`, 'Rows are ordered by columns of numbers, times or texts that are never null.')
}

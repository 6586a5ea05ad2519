// Each row of one dataset with the row of another one that was valid then: by the time it happened, or by the time it was
// known here, which is the one that a backtest may use.

import { text } from 'node:stream/consumers'
import { parseDuration } from '../duration.ts'
import { PlatformError } from '../errors.ts'
import { quoteName } from '../clickhouse/sql.ts'
import type { Asker } from './answer.ts'
import { Binder } from './binder.ts'
import type { Readable } from './catalog.ts'
import { afterOf, conditionsOf, cursorOf, orderOf, shown } from './compile.ts'
import type { Compiled, Part, Question } from './compile.ts'
import type { Column } from './column.ts'
import { timeDigits } from './column.ts'
import { unknownColumn } from './condition.ts'
import { nsOfMs } from './instant.ts'
import { pinOf } from './pin.ts'
import { runCompiled } from './run.ts'
import { sourceOf } from './source.ts'
import { listOf } from './spec.ts'
import type { Params, Range, Spec } from './spec.ts'
import type { Platform } from '../platform.ts'

export const directions = ['backward', 'forward'] as const
/** How old a row may be where nobody says. */
const TOLERANCE_MS = 86_400_000

export interface AsofParams extends Params {
  readonly left: string
  readonly right: string
  readonly tolerance?: string
  readonly direction?: typeof directions[number]
  /** Columns of the right dataset. */
  readonly take?: string | readonly string[]
}

interface Plan {
  readonly left: Readable
  readonly right: Readable
  readonly spec: Spec
  readonly toleranceMs: number
  readonly backward: boolean
  /** Names of a column of the left, and of the right, that have to be equal. */
  readonly pairs: ReadonlyArray<readonly [Column, Column]>
  readonly taken: readonly Column[]
  /** By which time of the right rows are matched. */
  readonly rightTime: Column
}

/** Throws REQUEST_INVALID. */
export function asofQuestion (platform: Platform, { left, right, spec, params, principal, signal }: Asker & { readonly left: Readable, readonly right: Readable, readonly spec: Spec, readonly params: AsofParams }): Question {
  const plan = planOf(left, right, { ...spec, time: left.time }, params)
  return {
    datasets: [left, right],
    spec: plan.spec,
    tagged: false,
    compile: part => compileAsof(plan, part),
    async warnings () {
      if (params.on_time === 'ingest' || !right.all.has('_ingest_time')) return []
      const { sql, params: values, relayed } = compileAsof(plan, { format: 'ndjson' })
      const { seq } = await pinOf(platform, left.name, { range: spec.range, signal })
      const { body } = await runCompiled(platform, { sql: `SELECT countIf(${quoteName(AHEAD)}) FROM (${sql})`, params: values, relayed }, { format: 'TabSeparated', lane: 'warehouse', seq, principal, signal })
      const ahead = Number((await text(body)).trim())
      return ahead === 0 ? [] : [`LookAhead: ${ahead} rows have a row of ${right.name} that was ingested after their own event time; on_time=ingest takes only what was known by then`]
    }
  }
}

/** Whether the right row was ingested after the left one happened. */
const AHEAD = 'look_ahead'

function planOf (left: Readable, right: Readable, spec: Spec, params: AsofParams): Plan {
  const tolerance = params.tolerance === undefined ? TOLERANCE_MS : parseDuration(params.tolerance)
  if (tolerance === undefined) throw invalid(`tolerance is ${JSON.stringify(params.tolerance)}, which is no duration`, 'Write it as 500ms, 1s or 1h.')
  const common = left.key.flatMap((column): Array<[Column, Column]> => {
    const other = right.key.find(({ name }) => name === column.name)
    return other === undefined ? [] : [[column, other]]
  })
  const [one, other] = [left.key[0], right.key[0]]
  const pairs = common.length > 0 ? common : left.key.length === 1 && right.key.length === 1 && one !== undefined && other !== undefined ? [[one, other] as const] : []
  if (pairs.length === 0) throw invalid(`${left.name} and ${right.name} have no key in common`, 'Rows are matched by the fields of the key that have the same name in both.')
  const rightTime = spec.time === left.time && params.on_time === 'ingest' ? right.all.get('_ingest_time') ?? right.time : right.time
  for (const [readable, columns] of [[left, [left.time, ...pairs.map(([column]) => column)]], [right, [rightTime.name === '_ingest_time' ? right.time : rightTime, ...pairs.map(([, column]) => column)]]] as const) {
    for (const { name } of columns) if (!readable.columns.has(name)) throw unknownColumn(name, readable.columns)
  }
  if (timeDigits(left.time.type) === undefined || timeDigits(rightTime.type) === undefined) throw invalid('rows are matched by times, and one of the datasets has days', 'Choose datasets whose event time is a timestamp.')
  const keys = new Set(pairs.map(([, column]) => column.name))
  const taken = (listOf('take', params.take) ?? [...right.columns.keys()].filter(name => !keys.has(name) && !name.startsWith('_'))).map(name => {
    const column = right.columns.get(name)
    if (column === undefined) throw unknownColumn(name, right.columns)
    return column
  })
  return { left, right, spec, toleranceMs: tolerance, backward: params.direction !== 'forward', pairs, taken, rightTime }
}

function compileAsof ({ left, right, spec, toleranceMs, backward, pairs, taken, rightTime }: Plan, { format, rows, after }: Part): Compiled {
  const binder = new Binder()
  const order = orderOf(left, spec)
  const conditions = conditionsOf(left, spec, binder)
  if (after !== undefined && after !== null) conditions.push(afterOf(order, after, spec.descending, binder))
  const direction = spec.descending ? ' DESC' : ''
  const sorted = (prefix: string): string => `ORDER BY ${order.map(({ name }) => `${prefix}${quoteName(name)}${direction}`).join(', ')}${rows === undefined ? '' : ` LIMIT ${rows}`}`
  const ours = sourceOf(left, { columns: [...spec.fields, ...order, ...pairs.map(([column]) => column)].map(({ name }) => name), conditions, binder, top: rows === undefined ? undefined : sorted('') })
  const ns = nsOfMs(toleranceMs)
  const range: Range = {
    start: spec.range.start === undefined ? undefined : spec.range.start - (backward ? ns : 0n),
    end: spec.range.end === undefined ? undefined : spec.range.end + (backward ? 0n : ns)
  }
  const symbols = right.symbol !== undefined && pairs.some(([, column]) => column === right.symbol) ? spec.symbols : undefined
  const ingest = right.all.get('_ingest_time')
  const theirs = sourceOf(right, {
    columns: [...taken, ...pairs.map(([, column]) => column), rightTime, right.time, ...ingest === undefined ? [] : [ingest]].map(({ name }) => name),
    conditions: conditionsOf(right, { range, time: rightTime, symbols, where: undefined, asOf: spec.asOf }, binder),
    binder
  })
  const ourTime = `l.${quoteName(left.time.name)}`
  const on = [...pairs.map(([a, b]) => `l.${quoteName(a.name)} = x.${quoteName(b.name)}`), `toDateTime64(${ourTime}, 9, 'UTC') ${backward ? '>=' : '<='} x._at`].join(' AND ')
  const distance = backward ? `toUnixTimestamp64Nano(toDateTime64(${ourTime}, 9, 'UTC')) - toUnixTimestamp64Nano(x._at)` : `toUnixTimestamp64Nano(x._at) - toUnixTimestamp64Nano(toDateTime64(${ourTime}, 9, 'UTC'))`
  const near = `(x._there = 1 AND ${distance} <= ${binder.bind('Int64', ns)})`
  const output = { format, priceType: spec.priceType }
  const used = new Set(spec.fields.map(({ name }) => name))
  // A list cannot be null: where there is no row it is empty, not a type of its own that data frames do not know.
  const others = taken.map(column => {
    const as = used.has(column.name) ? `right_${column.name}` : column.name
    return { as, sql: `if(${near}, ${shown(`x.${quoteName(column.name)}`, column, output)}, ${column.type.startsWith('Array(') ? '[]' : 'NULL'})`, type: column.type }
  })
  const fields = [
    ...spec.fields.map(column => `${shown(`l.${quoteName(column.name)}`, column, output)} AS ${quoteName(column.name)}`),
    ...others.map(({ as, sql }) => `${sql} AS ${quoteName(as)}`),
    `CAST(${ingest === undefined ? '0' : `(${near} AND x._ingest_time > ${ourTime})`}, 'Bool') AS ${quoteName(AHEAD)}`
  ]
  if (after !== undefined) fields.push(cursorOf(order, 'l.'))
  return {
    sql: `SELECT ${fields.join(', ')} FROM (SELECT * FROM ${ours.sql}) AS l ASOF LEFT JOIN (SELECT *, 1 AS _there, toDateTime64(${quoteName(rightTime.name)}, 9, 'UTC') AS _at FROM ${theirs.sql}) AS x ON ${on} ${sorted('l.')}`,
    params: binder.params,
    relayed: [...ours.relayed, ...theirs.relayed],
    columns: [...spec.fields, ...others.map(({ as, type }) => ({ name: as, type })), { name: AHEAD, type: 'Bool' }]
  }
}

function invalid (message: string, remedy: string): PlatformError {
  return new PlatformError('REQUEST_INVALID', message, { remedy })
}

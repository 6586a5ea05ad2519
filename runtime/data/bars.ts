// Bars of any length: open, high, low, close, volume, vwap and count of each interval in which there was something, or of
// all of them where gaps are to be filled.

import { PlatformError } from '../errors.ts'
import { quoteName, quoteText } from '../clickhouse/sql.ts'
import { Binder } from './binder.ts'
import type { Readable } from './catalog.ts'
import { afterOf, conditionsOf, cursorOf, orderOf, shown } from './compile.ts'
import type { Compiled, Part, Question } from './compile.ts'
import { isDecimal, isNumber, timeDigits } from './column.ts'
import type { Column } from './column.ts'
import { unknownColumn } from './condition.ts'
import { ceilTo } from './instant.ts'
import { sourceOf } from './source.ts'
import type { Params, Spec } from './spec.ts'

export const fills = ['none', 'null', 'prev', 'zero'] as const
export const EVERY_PATTERN = '^[1-9]\\d{0,4}(?:ms|s|m|h|d|w|mo)$'
/** Intervals of one symbol that are filled. */
const FILLED_MAX = 200_000
const units = { ms: ['MILLISECOND', 1], s: ['SECOND', 1000], m: ['MINUTE', 60_000], h: ['HOUR', 3_600_000], d: ['DAY', 86_400_000], w: ['WEEK', 604_800_000], mo: ['MONTH', 28 * 86_400_000] } as const
const adders = { ms: 'addMilliseconds', s: 'addSeconds', m: 'addMinutes', h: 'addHours', d: 'addDays', w: 'addWeeks', mo: 'addMonths' } as const

export interface BarParams extends Params {
  /** Such as `5m`, `1h`, `1d`, `1mo`. */
  readonly every: string
  readonly price?: string
  readonly size?: string
  readonly fill?: typeof fills[number]
  /** IANA zone in which days, weeks and months begin. */
  readonly tz?: string
  readonly label?: 'left' | 'right'
}

/** What open, high, low, close and volume are made of, in SQL of one row. */
interface Measures {
  readonly open: string
  readonly high: string
  readonly low: string
  readonly close: string
  /** undefined: the dataset has no sizes. */
  readonly size: string | undefined
  readonly price: Column
  readonly columns: readonly string[]
}

/** Throws REQUEST_INVALID. */
export function barsQuestion (readable: Readable, spec: Spec, params: BarParams): Question {
  const { fill = 'none', tz = 'UTC', label = 'left' } = params
  const [, count = '', unit = 'm'] = new RegExp(EVERY_PATTERN.replace('[1-9]\\d{0,4}', '([1-9]\\d{0,4})').replace('(?:', '(')).exec(params.every) ?? []
  if (count === '') throw invalid(`every is ${JSON.stringify(params.every)}, which is no interval`, 'Write it as 1s, 5m, 1h, 1d, 1w or 1mo.')
  if (!Intl.supportedValuesOf('timeZone').includes(tz) && tz !== 'UTC') throw invalid(`tz is ${JSON.stringify(tz)}, which is no time zone`, 'Use a name such as America/New_York.')
  for (const column of [spec.time, ...readable.key]) if (!readable.columns.has(column.name)) throw unknownColumn(column.name, readable.columns)
  if (timeDigits(spec.time.type) === undefined) throw invalid(`${readable.name} has days and no times`, 'Ask for its rows: GET /v1/data.')
  const interval = { count: Number(count), unit: unit as keyof typeof units, tz, label }
  if (fill !== 'none') checkFill(spec, interval)
  const measures = measuresOf(readable, params)
  return { datasets: [readable], spec, tagged: true, compile: part => compileBars(readable, spec, { interval, fill, measures, part }) }
}

interface Interval {
  readonly count: number
  readonly unit: keyof typeof units
  readonly tz: string
  readonly label: 'left' | 'right'
}

function checkFill ({ range: { start, end } }: Spec, { count, unit }: Interval): void {
  if (start === undefined || end === undefined) throw invalid('fill needs a range', 'Give start and end, or last.')
  const intervals = Number(end - start) / 1e6 / (count * units[unit][1])
  if (intervals > FILLED_MAX) throw invalid(`the range has ${Math.ceil(intervals)} intervals, and ${FILLED_MAX} are filled at most`, 'Ask for longer bars or a shorter range, or leave fill out.')
}

interface Plan {
  readonly interval: Interval
  readonly fill: typeof fills[number]
  readonly measures: Measures
  readonly part: Part
}

function compileBars (readable: Readable, spec: Spec, { interval, fill, measures, part: { format, rows, after, recent } }: Plan): Compiled {
  const binder = new Binder()
  const { open, high, low, close, size, price, columns } = measures
  const position = orderOf(readable, spec)
  const source = sourceOf(readable, { columns: [...columns, ...position.map(({ name }) => name)], conditions: conditionsOf(readable, spec, binder), binder, lane: recent === true ? 'recent' : undefined })
  const keys = readable.key.map(({ name }) => quoteName(name))
  const at = `tuple(${position.map(({ name }) => `r.${quoteName(name)}`).join(', ')})`
  const start = bucketOf(`r.${quoteName(spec.time.name)}`, interval)
  const grouped = `SELECT ${[
    `${start} AS _at`, ...keys.map(key => `r.${key} AS ${key}`),
    `argMin(${open}, ${at}) AS _open`, `max(${high}) AS _high`, `min(${low}) AS _low`, `argMax(${close}, ${at}) AS _close`,
    `${size === undefined ? 'CAST(NULL, \'Nullable(Float64)\')' : `sum(${size})`} AS _volume`,
    `${size === undefined ? 'CAST(NULL, \'Nullable(Float64)\')' : `if(sum(toFloat64(${size})) = 0, NULL, sum(toFloat64(${close}) * toFloat64(${size})) / sum(toFloat64(${size})))`} AS _vwap`,
    'count() AS _count'
  ].join(', ')} FROM ${source.sql} AS r WHERE ${close} IS NOT NULL GROUP BY _at${keys.map(key => `, ${key}`).join('')}`
  const bars = fill === 'none' ? grouped : filled(grouped, { spec, interval, fill, keys, binder })
  const shift = interval.label === 'right' ? `${adders[interval.unit]}(_at, ${interval.count})` : '_at'
  const time: Column = { name: 'time', type: `DateTime64(${interval.unit === 'ms' ? 3 : 0}, 'UTC')`, unit: '', description: '' }
  const order = [time, ...readable.key]
  const inner = `SELECT CAST(toTimeZone(${shift}, 'UTC'), ${quoteText(time.type)}) AS time${keys.map(key => `, ${key}`).join('')}, _open, _high, _low, _close, _volume, _vwap, _count FROM (${bars})`
  const condition = after === undefined || after === null ? '' : ` WHERE ${afterOf(order, after, spec.descending, binder, 'b.').sql}`
  const output = { format, priceType: spec.priceType }
  const decimal = { type: isDecimal(price.type) ? 'Nullable(Decimal(38, 8))' : 'Nullable(Float64)' }
  const shownAs: ReadonlyArray<readonly [string, string, Pick<Column, 'type'>]> = [
    ['time', 'b.time', time], ...readable.key.map(column => [column.name, `b.${quoteName(column.name)}`, column] as const),
    ...['open', 'high', 'low', 'close'].map(name => [name, `b._${name}`, decimal] as const),
    ['volume', 'toFloat64(b._volume)', { type: 'Nullable(Float64)' }], ['vwap', 'b._vwap', { type: 'Nullable(Float64)' }], ['count', 'toUInt32(b._count)', { type: 'UInt32' }]
  ]
  const direction = spec.descending ? ' DESC' : ''
  const fields = shownAs.map(([name, sql, column]) => `${shown(sql, column, output)} AS ${quoteName(name)}`)
  if (after !== undefined) fields.push(cursorOf(order, 'b.'))
  return {
    sql: `SELECT ${fields.join(', ')} FROM (${inner}) AS b${condition} ORDER BY ${order.map(({ name }) => `b.${quoteName(name)}${direction}`).join(', ')}${rows === undefined ? '' : ` LIMIT ${rows}`}`,
    params: binder.params,
    relayed: source.relayed,
    columns: shownAs.map(([name, , { type }]) => ({ name, type }))
  }
}

/** SQL: where the interval of a time begins; days and longer ones begin at midnight of the zone. */
function bucketOf (time: string, { count, unit, tz }: Interval): string {
  const zone = quoteText(tz)
  return `toDateTime64(toStartOfInterval(${time}, INTERVAL ${count} ${units[unit][0]}, ${zone}), ${unit === 'ms' ? 3 : 0}, ${zone})`
}

/** Every interval of the range, of each key that has a bar in it. */
function filled (grouped: string, { spec: { range }, interval, fill, keys, binder }: { readonly spec: Spec, readonly interval: Interval, readonly fill: Plan['fill'], readonly keys: readonly string[], readonly binder: Binder }): string {
  const { count, unit } = interval
  const bound = (ns: bigint): string => binder.bind('DateTime64(9, \'UTC\')', ceilTo(ns, 9))
  const [from, to] = [range.start ?? 0n, range.end ?? 0n]
  const steps = Math.ceil(Number(to - from) / 1e6 / (count * units[unit][1])) + 2
  const grid = `SELECT arrayJoin(arrayFilter(x -> x < ${bound(to)}, arrayMap(i -> ${adders[unit]}(${bucketOf(bound(from), interval)}, i * ${count}), range(${steps})))) AS _at`
  const list = ['_at', ...keys].join(', ')
  const distinct = keys.length === 0 ? grid : `SELECT * FROM (${grid}) AS g CROSS JOIN (SELECT DISTINCT ${keys.join(', ')} FROM bars) AS k`
  const within = `OVER (${keys.length === 0 ? '' : `PARTITION BY ${keys.join(', ')} `}ORDER BY _at ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)`
  const joined = `SELECT ${list}, b._open AS o, b._high AS h, b._low AS l, b._close AS c, b._volume AS v, b._vwap AS w, b._count AS n FROM (${distinct}) AS f LEFT JOIN bars AS b USING (${list})`
  const last = fill === 'prev' ? `, last_value(c) IGNORE NULLS ${within} AS p` : ''
  const price = (name: string): string => fill === 'prev' ? `ifNull(${name}, p)` : fill === 'zero' ? `if(n IS NULL, CAST(0, toTypeName(${name})), ${name})` : name
  const volume = fill === 'null' ? 'v' : 'if(n IS NULL, CAST(0, toTypeName(v)), v)'
  return `WITH bars AS (SELECT ${list}, ${['_open', '_high', '_low', '_close', '_volume', '_vwap', '_count'].map(name => `toNullable(${name}) AS ${name}`).join(', ')} FROM (${grouped}))
    SELECT ${list}, ${price('o')} AS _open, ${price('h')} AS _high, ${price('l')} AS _low, ${price('c')} AS _close, ${volume} AS _volume, w AS _vwap, ifNull(n, 0) AS _count FROM (SELECT *${last} FROM (${joined}))`
}

/** Which columns are prices and sizes: those that are named, or those whose names say it. */
function measuresOf ({ columns, name: dataset }: Readable, { price, size }: BarParams): Measures {
  const numeric = (name: string | undefined): Column | undefined => {
    if (name === undefined) return undefined
    const column = columns.get(name)
    if (column === undefined) throw unknownColumn(name, columns)
    if (!isNumber(column.type)) throw invalid(`${name} is no number`, 'Name a column of numbers.')
    return column
  }
  const first = (names: readonly string[]): Column | undefined => names.map(name => columns.get(name)).find(column => column !== undefined && isNumber(column.type))
  const of = (column: Column): string => `r.${quoteName(column.name)}`
  const simple = (column: Column, sizes: readonly string[]): Measures => {
    const sized = numeric(size) ?? first(sizes)
    const sql = of(column)
    return { open: sql, high: sql, low: sql, close: sql, size: sized === undefined ? undefined : of(sized), price: column, columns: [column.name, ...sized === undefined ? [] : [sized.name]] }
  }
  const named = numeric(price)
  if (named !== undefined) return simple(named, ['size', 'qty', 'quantity', 'amount'])
  const trade = first(['price', 'trade_price'])
  if (trade !== undefined) return simple(trade, ['size', 'qty', 'quantity', 'amount'])
  // A day's volume so far, which quotes carry, is no size of a trade.
  const last = first(['last', 'last_price'])
  if (last !== undefined) return simple(last, ['last_size'])
  const [open, high, low, close] = ['open', 'high', 'low', 'close'].map(name => first([name]))
  if (open !== undefined && high !== undefined && low !== undefined && close !== undefined) {
    const volume = numeric(size) ?? first(['volume'])
    return { open: of(open), high: of(high), low: of(low), close: of(close), size: volume === undefined ? undefined : of(volume), price: close, columns: [open, high, low, close, ...volume === undefined ? [] : [volume]].map(({ name }) => name) }
  }
  const [bid, ask] = [first(['bid', 'bid_price']), first(['ask', 'ask_price'])]
  if (bid !== undefined && ask !== undefined) {
    const mid = `((${of(bid)} + ${of(ask)}) / 2)`
    return { open: mid, high: mid, low: mid, close: mid, size: undefined, price: bid, columns: [bid.name, ask.name] }
  }
  const value = first(['close', 'value'])
  if (value !== undefined) return simple(value, ['volume'])
  throw invalid(`${dataset} has no column that is known to be a price`, `Name one: price=${[...columns.values()].find(({ type }) => isNumber(type))?.name ?? '…'}.`)
}

function invalid (message: string, remedy: string): PlatformError {
  return new PlatformError('REQUEST_INVALID', message, { remedy })
}

// Each metric as SQL. A measure is a query with one row a group:
//
//   _key      values of `by` as a JSON list of texts; `[]`: all rows together
//   _value    Float64, in the rule's unit; null: nothing to measure
//   _rows     that were looked at
//   _failing  rows, numbers or intervals that are not as they must be
//
// No field's name begins with _, so these names, and all others that are made here, cannot be taken for a field's.
//
// Numbers are compared as doubles, as the mapping does it.

import { quoteName, quoteTable, quoteText } from '../clickhouse/sql.ts'
import type { TableName } from '../clickhouse/sql.ts'
import type { Topic } from '../schema.ts'
import { conditionOf, strictest, worseOf } from './threshold.ts'
import type { QualityRule, RowRule, RuleOf } from './rule.ts'
import type { Window } from './windows.ts'

/** The rows that a rule looks at. */
export interface Source {
  readonly topic: Topic
  readonly table: TableName
  /** A condition on the table's columns. */
  readonly where: string
  /** Without the ones in which nothing counts; ascending. */
  readonly windows: readonly Window[]
  /** Whether the windows are all that `where` selects, so that they need not be asked for. */
  readonly whole: boolean
}

const EXAMPLES_MAX = 5

export function measureOf (rule: QualityRule, source: Source): string {
  switch (rule.metric) {
    case 'nullValues':
    case 'missingValues':
    case 'invalidValues': return shareOf(rule, from(source), `countIf(${failing(rule, source.topic)})`)
    case 'duplicateValues': return duplicates(rule, source)
    case 'rowCount': return rule.intervalMs === undefined ? total(rule, source) : intervals(rule, rule.intervalMs, source)
    case 'sequenceGaps': return gaps(rule, source)
    case 'priceJumps': return shareOf(rule, jumpsOf(rule, source), 'countIf(_jumped)')
    case 'freshness': throw new Error('the age of the newest row is not measured in rows')
  }
}

/** Some of what is wrong in one group: rows of any columns. */
export function examplesOf (rule: QualityRule, source: Source, key: string): string {
  const inGroup = `${keyOf(rule)} = ${quoteText(key)}`
  switch (rule.metric) {
    case 'nullValues':
    case 'missingValues':
    case 'invalidValues': return `SELECT ${place(source.topic, [rule.field, ...boundFields(rule)])} FROM ${from(source)} WHERE ${failing(rule, source.topic)} AND ${inGroup} ORDER BY _partition, _offset LIMIT ${EXAMPLES_MAX}`
    case 'duplicateValues': return `SELECT ${rule.fields.map(quoteName).join(', ')}, count() AS _rows FROM ${from(source)} WHERE ${present(rule.fields)} AND ${inGroup} GROUP BY ${rule.fields.map(quoteName).join(', ')} HAVING _rows > 1 ORDER BY _rows DESC LIMIT ${EXAMPLES_MAX}`
    case 'rowCount': return rule.intervalMs === undefined ? '' : intervalExamples(rule, rule.intervalMs, source, inGroup)
    case 'sequenceGaps': return gapExamples(rule, source, inGroup)
    case 'priceJumps': return `SELECT ${place(source.topic, [rule.field])}, _before, round(_change, 4) AS _change_percent FROM ${jumpsOf(rule, source)} WHERE _jumped AND ${inGroup} ORDER BY _change DESC LIMIT ${EXAMPLES_MAX}`
    case 'freshness': return ''
  }
}

/** The group of a row. */
export function keyOf ({ by }: Pick<QualityRule, 'by'>): string {
  return by.length === 0 ? '\'[]\'' : `toJSONString([${by.map(name => `ifNull(toString(${quoteName(name)}), '')`).join(', ')}])`
}

/** The column of the time at which a row happened. */
export function timeOf ({ eventTime }: Pick<Topic, 'eventTime'>): string {
  return quoteName(eventTime === '' ? '_ingest_time' : eventTime)
}

export function moment (ms: number): string {
  return `fromUnixTimestamp64Milli(${ms}, 'UTC')`
}

/** The table's rows that count, as something to select from. */
function from (source: Source, columns = '*'): string {
  return `(SELECT ${columns} FROM ${quoteTable(source.table)} WHERE ${condition(source)})`
}

function condition ({ topic, where, windows, whole }: Source): string {
  const time = timeOf(topic)
  const inside = windows.map(({ from, to }) => `(${time} >= ${moment(from)} AND ${time} < ${moment(to)})`)
  return whole ? `(${where})` : `(${where}) AND (${inside.length === 0 ? 'false' : inside.join(' OR ')})`
}

function grouped (rule: Pick<QualityRule, 'by'>): string {
  return rule.by.length === 0 ? '' : ` GROUP BY ${rule.by.map(quoteName).join(', ')}`
}

/** Failing rows of all rows: their number or their share. */
function shareOf (rule: QualityRule, rows: string, count: string): string {
  return `SELECT ${keyOf(rule)} AS _key, count() AS _rows, ${count} AS _failing, ${share(rule)} AS _value FROM ${rows}${grouped(rule)}`
}

function share ({ unit }: Pick<QualityRule, 'unit'>): string {
  return unit === 'percent' ? 'if(_rows = 0, NULL, 100 * _failing / _rows)' : 'toNullable(toFloat64(_failing))'
}

/** Whether a row breaks a rule about its own values. */
function failing (rule: RowRule, topic: Topic): string {
  const name = quoteName(rule.field)
  const kind = topic.fields.find(field => field.name === rule.field)?.type.kind
  const isFloat = kind === 'float32' || kind === 'float64'
  if (rule.metric === 'nullValues') return `isNull(${name})`
  if (rule.metric === 'missingValues') {
    const texts = kind === 'string' || kind === 'enum' ? [`${name} IN (${['', ...rule.missing].map(quoteText).join(', ')})`] : []
    return `ifNull(${[`isNull(${name})`, ...texts, ...isFloat ? [`isNaN(${name})`] : []].join(' OR ')}, false)`
  }
  return `ifNull(${[...isFloat ? [`NOT isFinite(${name})`] : [], ...broken(rule, name)].join(' OR ')}, false)`
}

const bounds = { minimum: '<', maximum: '>', exclusiveMinimum: '<=', exclusiveMaximum: '>=' } as const

function broken ({ valid }: RuleOf<'invalidValues'>, name: string): string[] {
  const conditions: string[] = []
  for (const [bound, sign] of Object.entries(bounds)) {
    const limit = valid[bound as keyof typeof bounds]
    // A null on the other side makes the comparison null, and an OR with it is true only where another one is.
    if (limit !== undefined) conditions.push(`toFloat64(${name}) ${sign} ${typeof limit === 'string' ? `toFloat64(${quoteName(limit)})` : `toFloat64('${limit}')`}`)
  }
  if (valid.validValues !== undefined) {
    const numbers = valid.validValues.every(value => typeof value === 'number')
    conditions.push(numbers ? `NOT has([${valid.validValues.map(value => `toFloat64('${value}')`).join(', ')}], toFloat64(${name}))` : `${name} NOT IN (${valid.validValues.map(value => quoteText(String(value))).join(', ')})`)
  }
  if (valid.pattern !== undefined) conditions.push(`NOT match(assumeNotNull(toString(${name})), ${quoteText(valid.pattern)})`)
  return conditions.map(condition => `(isNotNull(${name}) AND ${condition})`)
}

/** The other fields that a value is compared with. */
function boundFields (rule: RowRule): string[] {
  if (rule.metric !== 'invalidValues') return []
  return Object.keys(bounds).map(bound => rule.valid[bound as keyof typeof bounds]).filter(limit => typeof limit === 'string')
}

function present (fields: readonly string[]): string {
  return fields.map(name => `isNotNull(${quoteName(name)})`).join(' AND ')
}

function duplicates (rule: RuleOf<'duplicateValues'>, source: Source): string {
  const fields = rule.fields.map(quoteName).join(', ')
  const by = rule.by.map(name => `${quoteName(name)}, `).join('')
  // A hash of 128 bits stands for the values, so that a group costs as much as a number, whatever its fields hold.
  const groups = `(SELECT ${by}count() AS _copies FROM ${from(source)} WHERE ${present(rule.fields)} GROUP BY ${by}sipHash128(${fields}))`
  return `SELECT ${keyOf(rule)} AS _key, sum(_copies) AS _rows, sum(_copies - 1) AS _failing, ${share(rule)} AS _value FROM ${groups}${grouped(rule)}`
}

function total (rule: RuleOf<'rowCount'>, source: Source): string {
  return `SELECT ${keyOf(rule)} AS _key, count() AS _rows, 0 AS _failing, toNullable(toFloat64(_rows)) AS _value FROM ${from(source)}${grouped(rule)}`
}

/** Full intervals of the windows, each with a number of its own; a part of one at the end of a window does not count. */
function intervalsOf (windows: readonly Window[], ms: number): Array<{ readonly from: number, readonly first: number, readonly count: number }> {
  let first = 0
  return windows.map(({ from, to }) => {
    const count = Math.floor((to - from) / ms)
    first += count
    return { from, first: first - count, count }
  })
}

function intervalNumber (source: Source, ms: number): { readonly sql: string, readonly count: number } {
  const parts = intervalsOf(source.windows, ms)
  const time = `toUnixTimestamp64Milli(toDateTime64(${timeOf(source.topic)}, 3, 'UTC'))`
  const cases = parts.map(({ from, first, count }) => `${time} >= ${from} AND ${time} < ${from + count * ms}, ${first} + intDiv(${time} - ${from}, ${ms})`)
  return { sql: parts.length === 0 ? '-1' : `multiIf(${cases.join(', ')}, -1)`, count: parts.reduce((sum, { count }) => sum + count, 0) }
}

function intervals (rule: RuleOf<'rowCount'>, ms: number, source: Source): string {
  const { sql, count } = intervalNumber(source, ms)
  const threshold = strictest(rule)
  const [least, greatest] = [`if(_full < ${count}, 0, _least)`, '_greatest']
  const breaks = `NOT ${conditionOf(threshold, '_n')}`
  const by = rule.by.map(name => `${quoteName(name)}, `).join('')
  const counted = `(SELECT ${by}${sql} AS _number, count() AS _n FROM ${from(source)} GROUP BY ${by}_number HAVING _number >= 0)`
  const perGroup = `(SELECT ${keyOf(rule)} AS _key, count() AS _full, min(_n) AS _least, max(_n) AS _greatest, sum(_n) AS _rows, countIf(${breaks}) AS _few FROM ${counted}${grouped(rule)})`
  return `SELECT _key, _rows, _few + if(${conditionOf(threshold, '0')}, 0, ${count} - _full) AS _failing, ${count === 0 ? 'NULL' : `toNullable(toFloat64(${worseOf(threshold, least, greatest)}))`} AS _value FROM ${perGroup}`
}

function intervalExamples (rule: RuleOf<'rowCount'>, ms: number, source: Source, inGroup: string): string {
  const { sql, count } = intervalNumber(source, ms)
  const starts = intervalsOf(source.windows, ms).map(({ from, first, count }) => `number >= ${first} AND number < ${first + count}, ${from} + (number - ${first}) * ${ms}`)
  if (count === 0) return ''
  const counted = `(SELECT toUInt64(${sql}) AS number, count() AS _n FROM ${from(source)} WHERE ${inGroup} AND ${sql} >= 0 GROUP BY number)`
  return `SELECT fromUnixTimestamp64Milli(toInt64(multiIf(${starts.join(', ')}, 0)), 'UTC') AS _interval, _n AS _rows FROM numbers(${count}) AS _all LEFT JOIN ${counted} AS _counted USING (number) WHERE NOT ${conditionOf(strictest(rule), '_n')} ORDER BY _n, number LIMIT ${EXAMPLES_MAX}`
}

/** One row a series. A bitmap holds a run of numbers in a few bytes; 64-bit numbers are counted by their bits, whatever their sign. */
function seriesOf ({ field, series, by }: RuleOf<'sequenceGaps'>, source: Source): string {
  const name = quoteName(field)
  const names = [...new Set([...by, ...series])].map(quoteName)
  return `(SELECT ${[...names, 'count() AS _numbers', `toInt128(max(${name})) - toInt128(min(${name})) + 1 AS _expected`, `_expected - groupBitmap(reinterpretAsUInt64(toInt64(${name}))) AS _missing`].join(', ')} FROM ${from(source)} WHERE isNotNull(${name})${names.length === 0 ? '' : ` GROUP BY ${names.join(', ')}`})`
}

function gaps (rule: RuleOf<'sequenceGaps'>, source: Source): string {
  const value = rule.unit === 'percent' ? 'if(_rows = 0, NULL, 100 * toFloat64(_failing) / toFloat64(sum(_expected)))' : 'if(_rows = 0, NULL, toFloat64(_failing))'
  return `SELECT ${keyOf(rule)} AS _key, sum(_numbers) AS _rows, sum(_missing) AS _failing, ${value} AS _value FROM ${seriesOf(rule, source)} WHERE _numbers > 0${grouped(rule)}`
}

function gapExamples (rule: RuleOf<'sequenceGaps'>, source: Source, inGroup: string): string {
  const names = rule.series.map(quoteName)
  const name = quoteName(rule.field)
  const previous = `lagInFrame(toNullable(${name})) OVER (${names.length === 0 ? '' : `PARTITION BY ${names.join(', ')} `}ORDER BY ${name})`
  const steps = `(SELECT ${[...names, `${name} AS _before`, `${previous} AS _after`].join(', ')} FROM ${from(source)} WHERE isNotNull(${name}) AND ${inGroup})`
  return `SELECT ${[...names, '_after', '_before', 'toInt128(_before) - toInt128(_after) - 1 AS _missing'].join(', ')} FROM ${steps} WHERE isNotNull(_after) AND _missing > 0 ORDER BY _missing DESC LIMIT ${EXAMPLES_MAX}`
}

/** The rows with a value, and whether it jumped from the one before. From 0 there is no share. */
function jumpsOf (rule: RuleOf<'priceJumps'>, source: Source): string {
  const { topic } = source
  const name = quoteName(rule.field)
  const columns = [...new Set([...rule.by, ...rule.series, ...topic.key, rule.field].map(quoteName)), timeOf(topic), '_partition', '_offset']
  const order = `${rule.series.length === 0 ? '' : `PARTITION BY ${rule.series.map(quoteName).join(', ')} `}ORDER BY ${timeOf(topic)}, _partition, _offset`
  const valued = `(SELECT ${[...new Set(columns), `toFloat64(assumeNotNull(${name})) AS _now`].join(', ')} FROM ${from(source)} WHERE isNotNull(${name}) AND isFinite(_now))`
  return `(SELECT *, lagInFrame(toNullable(_now)) OVER (${order}) AS _before, 100 * abs(_now - _before) / abs(_before) AS _change, ifNull(_before != 0 AND _change > ${rule.percentMax}, false) AS _jumped FROM ${valued})`
}

/** What tells a row apart, and the values in question. */
function place (topic: Topic, fields: readonly string[]): string {
  const names = [...new Set([...topic.key, ...fields])].map(quoteName)
  return [...new Set(['_partition', '_offset', timeOf(topic), ...names])].join(', ')
}

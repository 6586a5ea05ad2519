// The rules that are about now: how fresh the data is, and what came in the last minutes.

import type { ClickHouse } from '../clickhouse/client.ts'
import { quoteName, quoteTable, quoteText } from '../clickhouse/sql.ts'
import type { Calendars } from './calendars.ts'
import { measure, optionsOf, resultOf } from './check-rule.ts'
import type { Dataset } from './datasets.ts'
import { keyOf, moment, timeOf } from './measure.ts'
import type { QualityResult } from './result.ts'
import type { QualityRule, RuleOf } from './rule.ts'
import { badness, conditionOf, levelOf, strictest } from './threshold.ts'
import { dayOf, spanOfDay, windowsOf } from './windows.ts'
import type { Sessions, Window } from './windows.ts'

/** Rows get that long to arrive before their interval is counted. */
export const SETTLE_MS = 60_000
const dayMs = 86_400_000
const EXAMPLES_MAX = 5

export interface NowCheck {
  /** From the check before to now, ms since 1970. */
  readonly span: Window
  readonly calendars: Calendars
  readonly signal?: AbortSignal
}

/** Checks the rules about now. A rule for which nothing new can be said has no result. */
export async function checkNow (client: ClickHouse, dataset: Dataset, { span, calendars, signal }: NowCheck): Promise<QualityResult[]> {
  const results: QualityResult[] = []
  for (const rule of dataset.schema.quality ?? []) {
    const calendar = rule.during === '' ? undefined : await calendars(rule.during)
    const result = await checkOne(client, rule, { dataset, span, calendar, signal })
    if (result !== undefined) results.push(result)
  }
  return results
}

interface Parts {
  readonly dataset: Dataset
  readonly span: Window
  readonly calendar: Sessions | undefined
  readonly signal: AbortSignal | undefined
}

async function checkOne (client: ClickHouse, rule: QualityRule, { dataset, span, calendar, signal }: Parts): Promise<QualityResult | undefined> {
  const { schema: topic, table } = dataset
  if (rule.metric === 'freshness') return freshness(client, rule, { dataset, span, calendar, signal })
  if (rule.metric !== 'priceJumps' && (rule.metric !== 'rowCount' || rule.intervalMs === undefined)) return undefined
  const settled = { from: span.from - SETTLE_MS, to: span.to - SETTLE_MS }
  const windows = rule.metric === 'priceJumps' ? windowsOf(calendar, settled) : endedIntervals(calendar, settled, rule.intervalMs as number)
  // No interval has ended since; what was found of the last one still holds.
  if (windows.length === 0 && (calendar === undefined || windowsOf(calendar, settled).length > 0)) return undefined
  return measure(client, rule, { topic, table, where: topicIs(dataset), windows, whole: false }, signal)
}

/** The full intervals that end within (from, to], as one window a session or day. */
function endedIntervals (calendar: Sessions | undefined, { from, to }: Window, ms: number): Window[] {
  const around = { from: from - 2 * dayMs, to }
  const bases = calendar === undefined ? daysOf(around) : windowsOf(calendar, around)
  return bases.map(base => {
    const first = Math.max(0, Math.floor((from - base.from) / ms))
    const end = Math.floor((Math.min(to, base.to) - base.from) / ms)
    return { from: base.from + first * ms, to: base.from + end * ms }
  }).filter(({ from, to }) => from < to)
}

function daysOf ({ from, to }: Window): Window[] {
  const days: Window[] = []
  for (let at = spanOfDay(dayOf(from)).from; at < to; at += dayMs) days.push({ from: at, to: at + dayMs })
  return days
}

function topicIs ({ topic }: Dataset): string {
  return `_topic = ${quoteText(topic)}`
}

/** The age of the newest row; of that of each key, the greatest. Time in which the market was closed does not count. */
async function freshness (client: ClickHouse, rule: RuleOf<'freshness'>, { dataset, span, calendar, signal }: Parts): Promise<QualityResult> {
  const now = span.to
  const session = calendar?.sessionAt(now)
  if (calendar !== undefined && session === undefined) return resultOf(rule, { topic: dataset.schema }, { message: `${rule.during} is closed` })
  const time = timeOf(dataset.schema)
  const strict = strictest(rule)
  const newest = `greatest(max(${time}), ${moment(Math.max(session?.openMs ?? 0, now - rule.lookbackMs))})`
  // A row from the future would hide that nothing comes any more.
  const where = `${topicIs(dataset)} AND ${time} > ${moment(now - rule.lookbackMs)} AND ${time} <= ${moment(now)}`
  const age = `toFloat64(${now} - toUnixTimestamp64Milli(toDateTime64(${newest}, 3, 'UTC'))) / 1000`
  const measured = `SELECT ${keyOf(rule)} AS _key, count() AS _rows, max(${time}) AS _newest, ${age} AS _value FROM ${quoteTable(dataset.table)} WHERE ${where}${rule.by.length === 0 ? '' : ` GROUP BY ${rule.by.map(quoteName).join(', ')}`}`
  const found = await client.rows<{ _key: string, _value: number, _newest: string, _all_rows: string, _failing: string, _rows: string }>(
    `SELECT _key, _rows, _value, _newest, sum(_rows) OVER () AS _all_rows, countIf(NOT ${conditionOf(strict, '_value')}) OVER () AS _failing FROM (${measured}) ORDER BY ${badness(strict, '_value')} LIMIT ${EXAMPLES_MAX}`, optionsOf(signal))
  const [first] = found
  if (first === undefined) return resultOf(rule, { topic: dataset.schema }, { message: 'There is nothing to be fresh: no key had a row in the time that it looks back' })
  const value = Number(first._value)
  const level = levelOf(rule, value)
  const groupOf = (key: string): Record<string, string> => Object.fromEntries(rule.by.map((name, i) => [name, (JSON.parse(key) as string[])[i] ?? '']))
  const examples = level === 'ok' ? [] : found.filter(({ _value: age }) => levelOf(rule, Number(age)) !== 'ok').map(({ _key: key, _rows: rows, _newest: newest, _value: age }) => ({ ...groupOf(key), newest: Number(rows) === 0 ? null : newest, age_seconds: Number(age) }))
  return resultOf(rule, { topic: dataset.schema }, { level, value, rows: Number(first._all_rows), failing: Number(first._failing), group: groupOf(first._key), examples })
}

// warehouse._quality: what the rules found, one row a rule and check, for RESULT_DAYS.
//
//   at                 when it was checked
//   topic, rule        the schema and its rule
//   dataset            the table that was looked at, such as streaming.quotes
//   scope              `day`: before that day was handed over, or when it was asked for; `now`: of the last minutes
//   from_time, to_time what was looked at
//   level, value, unit, threshold, rows, failing, examples, message
//   run                the run of the job that did it; empty: none

import type { ClickHouse } from '../clickhouse/client.ts'
import { onCluster } from '../clickhouse/cluster.ts'
import { ensureDatabase } from '../clickhouse/migrate.ts'
import { quoteTable } from '../clickhouse/sql.ts'
import type { TableName } from '../clickhouse/sql.ts'
import type { QualityResult } from './result.ts'
import type { Window } from './windows.ts'

export const qualityTable: TableName = { database: 'warehouse', table: '_quality' }
export const RESULT_DAYS = 400
/** How far back the latest result of a rule is looked for. */
const LATEST_DAYS = 35
/** Of the results that one query answers with. */
export const RESULTS_MAX = 1000

export interface Check {
  readonly dataset: string
  readonly scope: 'day' | 'now'
  /** The span that was looked at. */
  readonly span: Window
  /** ms since 1970. */
  readonly at: number
  readonly run: string
}

/** A result as it is kept. Times are ms since 1970. */
export interface KeptResult extends QualityResult, Omit<Check, 'span'> {
  readonly from: number
  readonly to: number
}

/** Makes the table where it is missing. Safe to run by several at a time. */
export async function ensureResults (client: ClickHouse): Promise<void> {
  const { cluster } = client
  await ensureDatabase(client, qualityTable.database)
  const time = 'DateTime64(3, \'UTC\')'
  await client.command([
    `CREATE TABLE IF NOT EXISTS ${quoteTable(qualityTable)}${onCluster(cluster)}`,
    `(at ${time}, topic LowCardinality(String), rule LowCardinality(String), metric LowCardinality(String), dataset LowCardinality(String), scope LowCardinality(String), from_time ${time}, to_time ${time},`,
    'level LowCardinality(String), value Nullable(Float64), unit LowCardinality(String), threshold LowCardinality(String), rows Float64, failing Float64, examples String, message String, run String)',
    `ENGINE = ${cluster === '' ? 'MergeTree' : 'ReplicatedMergeTree(\'/clickhouse/tables/all/{database}/{table}\', \'{shard}-{replica}\')'}`,
    'PARTITION BY toYYYYMM(at) ORDER BY (topic, rule, at)',
    `TTL toDateTime(at) + INTERVAL ${RESULT_DAYS} DAY SETTINGS ttl_only_drop_parts = 1 COMMENT 'Twolane: results of the quality rules'`
  ].join(' '))
}

/** Keeps results; the table is made where it is missing. */
export async function keepResults (client: ClickHouse, results: readonly QualityResult[], { dataset, scope, span, at, run }: Check): Promise<void> {
  if (results.length === 0) return
  await ensureResults(client)
  const rows = results.map(({ value, examples, ...result }) => JSON.stringify({
    at: timeText(at), dataset, scope, from_time: timeText(span.from), to_time: timeText(span.to), ...result, value: value ?? null, examples: JSON.stringify(examples), run
  }))
  await client.command(`INSERT INTO ${quoteTable(qualityTable)} FORMAT JSONEachRow\n${rows.join('\n')}`)
}

function timeText (ms: number): string {
  return new Date(ms).toISOString().slice(0, -1).replace('T', ' ')
}

const columns = [
  'topic', 'rule', 'metric', 'dataset', 'scope', 'level', 'value', 'unit', 'threshold', 'rows', 'failing', 'examples', 'message', 'run',
  'toUnixTimestamp64Milli(at) AS at_ms', 'toUnixTimestamp64Milli(from_time) AS from_ms', 'toUnixTimestamp64Milli(to_time) AS to_ms'
].join(', ')

/** The last result of each rule, dataset and scope, as it was at a moment, in ms since 1970. */
export async function latestResults (client: ClickHouse, { topic, at = Date.now() }: { readonly topic?: string | undefined, readonly at?: number } = {}): Promise<KeptResult[]> {
  const then = 'fromUnixTimestamp64Milli({at:Int64}, \'UTC\')'
  return read(client, `WHERE at <= ${then} AND at > ${then} - INTERVAL ${LATEST_DAYS} DAY${topic === undefined ? '' : ' AND topic = {topic:String}'} ORDER BY topic, rule, at DESC LIMIT 1 BY topic, rule, dataset, scope`, { topic, at })
}

export interface Wanted {
  readonly topic: string
  /** Checked at this moment or later, ms since 1970. */
  readonly from?: number
  /** Checked before. */
  readonly to?: number
  /** That level only. */
  readonly level?: QualityResult['level']
  readonly rule?: string
  readonly rows: number
}

/** The results of a topic, newest first, RESULTS_MAX at most. */
export async function listResults (client: ClickHouse, { topic, from, to, level, rule, rows }: Wanted): Promise<KeptResult[]> {
  const conditions = [
    'topic = {topic:String}',
    ...from === undefined ? [] : ['at >= fromUnixTimestamp64Milli({from:Int64}, \'UTC\')'],
    ...to === undefined ? [] : ['at < fromUnixTimestamp64Milli({to:Int64}, \'UTC\')'],
    ...level === undefined ? [] : ['level = {level:String}'],
    ...rule === undefined ? [] : ['rule = {rule:String}']
  ]
  return read(client, `WHERE ${conditions.join(' AND ')} ORDER BY at DESC, rule LIMIT ${Math.min(rows, RESULTS_MAX)}`, { topic, from, to, level, rule })
}

/** What the checks of one day said about a topic. */
export interface QualityDay {
  readonly topic: string
  /** `2026-01-02`, UTC. */
  readonly day: string
  readonly level: QualityResult['level']
  readonly checks: number
  readonly warnings: number
  readonly errors: number
  /** Rules that did not hold, DAY_RULES_MAX at most. */
  readonly rules: readonly string[]
}

/** How far back days are told. */
export const QUALITY_DAYS_MAX = 90
const DAY_RULES_MAX = 20

/** The last days before a moment in ms since 1970, `days` of them, in order. Of a whole day the newest check counts; of what is checked all the time, the worst. */
export async function qualityDays (client: ClickHouse, { topic, days, at = Date.now() }: { readonly topic?: string | undefined, readonly days: number, readonly at?: number }): Promise<QualityDay[]> {
  if (!await isThere(client)) return []
  const today = 'toDate(fromUnixTimestamp64Milli({at:Int64}, \'UTC\'))'
  const perRule = [
    'SELECT topic, rule, dataset, if(scope = \'day\', toDate(from_time), toDate(at)) AS about, count() AS found,',
    'if(scope = \'day\', argMax(level, at), multiIf(countIf(level = \'error\') > 0, \'error\', countIf(level = \'warn\') > 0, \'warn\', \'ok\')) AS worst',
    `FROM ${quoteTable(qualityTable)} WHERE at > ${today} - {days:UInt16} AND at < ${today} + 1${topic === undefined ? '' : ' AND topic = {topic:String}'}`,
    `GROUP BY topic, rule, dataset, scope, about HAVING about > ${today} - {days:UInt16}`
  ].join(' ')
  const rows = await client.rows<{ topic: string, day: string, checks: string, warnings: string, errors: string, rules: string[] }>([
    'SELECT topic, toString(about) AS day, sum(found) AS checks, countIf(worst = \'warn\') AS warnings, countIf(worst = \'error\') AS errors,',
    `groupUniqArrayIf(${DAY_RULES_MAX})(rule, worst != 'ok') AS rules FROM (${perRule}) GROUP BY topic, about ORDER BY topic, about`
  ].join(' '), { query_params: { days, at, ...(topic !== undefined && { topic }) } })
  return rows.map(({ checks, warnings, errors, rules, ...day }) => ({
    ...day, checks: Number(checks), warnings: Number(warnings), errors: Number(errors), level: Number(errors) > 0 ? 'error' : Number(warnings) > 0 ? 'warn' : 'ok', rules: rules.toSorted()
  }))
}

interface ResultRow {
  readonly topic: string
  readonly rule: string
  readonly metric: QualityResult['metric']
  readonly dataset: string
  readonly scope: Check['scope']
  readonly level: QualityResult['level']
  readonly value: number | null
  readonly unit: QualityResult['unit']
  readonly threshold: string
  readonly rows: number
  readonly failing: number
  readonly examples: string
  readonly message: string
  readonly run: string
  readonly at_ms: string
  readonly from_ms: string
  readonly to_ms: string
}

/** Before the first check there is no table, and nothing was found. */
async function read (client: ClickHouse, rest: string, params: Readonly<Record<string, unknown>>): Promise<KeptResult[]> {
  if (!await isThere(client)) return []
  const given = Object.fromEntries(Object.entries(params).filter(([, value]) => value !== undefined))
  const rows = await client.rows<ResultRow>(`SELECT ${columns} FROM ${quoteTable(qualityTable)} ${rest}`, { query_params: given })
  return rows.map(({ value, examples, at_ms: at, from_ms: from, to_ms: to, ...row }) => ({
    ...row, value: value ?? undefined, examples: JSON.parse(examples) as QualityResult['examples'], at: Number(at), from: Number(from), to: Number(to)
  }))
}

async function isThere (client: ClickHouse): Promise<boolean> {
  const [there] = await client.rows('SELECT 1 FROM system.tables WHERE database = {database:String} AND name = {table:String}', { query_params: { ...qualityTable } })
  return there !== undefined
}

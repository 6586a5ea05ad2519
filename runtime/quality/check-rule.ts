import type { ClickHouse, StatementOptions } from '../clickhouse/client.ts'
import type { Json } from '../plugin.ts'
import { examplesOf, measureOf } from './measure.ts'
import type { Source } from './measure.ts'
import type { QualityResult } from './result.ts'
import type { QualityRule } from './rule.ts'
import { badness, conditionOf, formatThreshold, isMet, levelOf, strictest } from './threshold.ts'

/** Beyond that much memory the engine groups and sorts on disk, so that a day of any size can be checked. */
const MEMORY_BYTES = 256 * 2 ** 20
/** Of one text in an example. */
const EXAMPLE_CHARACTERS_MAX = 200

/** Columns of a table, whose names begin with _ as well. */
const positions = new Set(['_topic', '_partition', '_offset', '_ingest_time', '_version'])

interface Measured {
  readonly _key: string
  readonly _value: number | null
  readonly _failing: string
  readonly _all_rows: string
  readonly _all_failing: string
  readonly _failing_groups: string
}

/** Measures one rule over the source and judges it. */
export async function measure (client: ClickHouse, rule: QualityRule, source: Source, signal?: AbortSignal): Promise<QualityResult> {
  if (source.windows.length === 0) return resultOf(rule, source, { message: `There is no session of ${rule.during}` })
  const options = optionsOf(signal)
  const strict = strictest(rule)
  const breaks = `_value IS NOT NULL AND NOT ${conditionOf(strict, '_value')}`
  const [found] = await client.rows<Measured>(
    `SELECT _key, _value, _failing, sum(_rows) OVER () AS _all_rows, sum(_failing) OVER () AS _all_failing, countIf(${breaks}) OVER () AS _failing_groups FROM (${measureOf(rule, source)}) ORDER BY _value IS NULL, ${badness(strict, '_value')} LIMIT 1`, options)
  if (found === undefined || found._value === null) return resultOf(rule, source, { message: 'There are no rows to measure' })

  const value = Number(found._value)
  const level = levelOf(rule, value)
  const judged = { value, level, rows: Number(found._all_rows), failing: rule.by.length === 0 ? Number(found._failing) : Number(found._failing_groups) }
  if (level === 'ok') return resultOf(rule, source, { ...judged, failing: Number(found._all_failing) })
  const sql = examplesOf(rule, source, found._key)
  const examples = sql === '' ? [] : await client.rows<Record<string, Json>>(sql, options)
  const group = rule.by.length === 0 ? {} : Object.fromEntries(rule.by.map((name, i) => [name, (JSON.parse(found._key) as string[])[i] ?? '']))
  return resultOf(rule, source, { ...judged, group, examples: examples.map(example => ({ ...group, ...shortened(example) })) })
}

export interface Judged {
  readonly level?: QualityResult['level']
  readonly value?: number
  readonly rows?: number
  readonly failing?: number
  readonly group?: Readonly<Record<string, Json>>
  readonly examples?: QualityResult['examples']
  readonly message?: string
}

/** A result with its sentence. */
export function resultOf (rule: QualityRule, { topic }: Pick<Source, 'topic'>, { level = 'ok', value, rows = 0, failing = 0, group = {}, examples = [], message }: Judged): QualityResult {
  const broken = value !== undefined && rule.error !== undefined && !isMet(rule.error, value) ? rule.error : strictest(rule)
  const threshold = formatThreshold(broken)
  const inGroup = Object.entries(group).map(([name, value]) => ` of ${name} ${String(value)}`).join('')
  const sentence = value === undefined ? '' : `${rule.name}: ${whatOf(rule)}${inGroup} is ${Number(value.toPrecision(6))}${unitOf(rule)} and ${threshold}${level === 'ok' ? ', which holds' : ''}`
  return { topic: topic.name, rule: rule.name, metric: rule.metric, level, value, unit: rule.unit, threshold, rows, failing, examples, message: message ?? sentence }
}

export function optionsOf (signal: AbortSignal | undefined): StatementOptions {
  return {
    settings: { max_bytes_before_external_group_by: String(MEMORY_BYTES), max_bytes_before_external_sort: String(MEMORY_BYTES) },
    ...(signal !== undefined && { signal })
  }
}

/** Names that measure.ts has made lose their mark, unless a field is called so. */
function plain (name: string, example: Readonly<Record<string, Json>>): string {
  return positions.has(name) || !name.startsWith('_') || Object.hasOwn(example, name.slice(1)) ? name : name.slice(1)
}

function whatOf (rule: QualityRule): string {
  switch (rule.metric) {
    case 'rowCount': return rule.intervalMs === undefined ? 'rowCount' : 'rowCount of an interval'
    case 'duplicateValues': return `duplicateValues of ${rule.fields.join(', ')}`
    case 'freshness': return 'freshness'
    default: return `${rule.metric} of ${rule.field}`
  }
}

function unitOf ({ unit }: QualityRule): string {
  return unit === 'percent' ? ' %' : unit === 'seconds' ? ' s' : ''
}

function shortened (example: Readonly<Record<string, Json>>): Record<string, Json> {
  return Object.fromEntries(Object.entries(example).map(([name, value]) => [plain(name, example), typeof value === 'string' && value.length > EXAMPLE_CHARACTERS_MAX ? `${value.slice(0, EXAMPLE_CHARACTERS_MAX)}…` : value]))
}

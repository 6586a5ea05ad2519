// `quality:` of a schema file: from the text to rules, or all that is wrong with them, with line and column.

import { parseDuration } from '../duration.ts'
import { describe } from '../errors.ts'
import { configInvalid, quote } from '../problems.ts'
import type { Problem } from '../problems.ts'
import type { Topic } from '../schema.ts'
import type { YamlFile } from '../yaml.ts'
import { calendarsOf } from './calendars.ts'
import { checkArguments } from './rule-arguments.ts'
import { isNumeric, isScalar, isWhole, named } from './rule-entry.ts'
import type { Entry, Fits, Ground, RuleText } from './rule-entry.ts'
import { isRowRule } from './rule.ts'
import type { Metric, QualityRule } from './rule.ts'
import { readThresholds } from './threshold-file.ts'

const lookbackDefault = '4d'
const intervalMsMin = 1000
const dayMs = 86_400_000

/** The rules of a schema; what is wrong with them goes to `problems`. */
export function readRules (yaml: YamlFile, texts: readonly RuleText[], ground: Ground, problems: Problem[]): QualityRule[] {
  const rules: QualityRule[] = []
  const names = new Set<string>()
  for (const [i, text] of texts.entries()) {
    const before = problems.length
    const entry: Entry = { text, ground, refuse: (path, message) => { problems.push(yaml.problem(['quality', i, ...path], message)) } }
    const name = nameOf(text)
    if (names.has(name)) entry.refuse(text.name === undefined ? [] : ['name'], `there is already a rule ${quote(name)}; give it a name of its own`)
    names.add(name)
    const rule = readRule(entry, name)
    if (rule !== undefined && problems.length === before) rules.push(rule)
  }
  return rules
}

/** Whether there are the market calendars that the rules name. Throws one CONFIG_INVALID with the places. */
export async function checkCalendars (root: string, { quality = [] }: Pick<Topic, 'quality'>, yaml: () => YamlFile): Promise<void> {
  const calendars = calendarsOf(root)
  const problems: Problem[] = []
  for (const [i, { during }] of quality.entries()) {
    if (during === '') continue
    await calendars(during).catch((error: unknown) => { problems.push(yaml().problem(['quality', i, 'during'], describe(error))) })
  }
  if (problems.length > 0) throw configInvalid(problems)
}

function readRule (entry: Entry, name: string): QualityRule | undefined {
  const { text, ground } = entry
  checkField(entry)
  checkArguments(entry)
  checkTime(entry)
  for (const [i, name] of (text.by ?? []).entries()) named(entry, ['by', i], name, isScalar, 'cannot group rows')
  const unit = unitOf(entry)
  const { warn, error } = readThresholds(entry, text.action === 'reject')
  const common = {
    name,
    description: text.description ?? '',
    dimension: text.dimension ?? '',
    unit,
    ...(warn !== undefined && { warn }),
    ...(error !== undefined && { error }),
    during: text.during ?? '',
    by: text.by ?? [],
    reject: text.action === 'reject'
  }
  const rule = { ...common, ...ownOf(text, ground) } as QualityRule
  if (rule.reject && !isRowRule(rule)) entry.refuse(['action'], `is for nullValues, missingValues and invalidValues: ${rule.metric} is not about one row`)
  if (rule.reject && error === undefined) entry.refuse(['action'], 'needs the severity error: what is only a warning is not rejected')
  return rule
}

/** What only rules of that metric have. */
function ownOf ({ metric, field = '', arguments: given = {} }: RuleText, { key }: Ground): object {
  switch (metric) {
    case 'nullValues': return { metric, field }
    case 'missingValues': return { metric, field, missing: given.missingValues ?? [] }
    case 'invalidValues': return { metric, field, valid: given }
    case 'duplicateValues': return { metric, fields: given.properties ?? [field] }
    case 'rowCount': return { metric, intervalMs: given.interval === undefined ? undefined : parseDuration(given.interval) }
    case 'freshness': return { metric, lookbackMs: parseDuration(given.lookback ?? lookbackDefault) }
    case 'sequenceGaps': return { metric, field, series: given.series ?? key }
    case 'priceJumps': return { metric, field, series: given.series ?? key, percentMax: given.changePercent }
  }
}

/** `null_values_last`. */
function nameOf ({ name, metric, field, arguments: given }: RuleText): string {
  if (name !== undefined) return name
  const parts = [metric.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`), ...field === undefined ? given?.properties ?? [] : [field]]
  return parts.join('_').slice(0, 64)
}

const fieldUses: Readonly<Record<Metric, readonly [Fits, string] | undefined>> = {
  nullValues: [({ type }) => type.kind !== 'list', 'is never null in a table: an absent list is an empty one'],
  missingValues: [isScalar, 'is not looked into'],
  invalidValues: [isScalar, 'is not looked into'],
  duplicateValues: [isScalar, 'is not compared'],
  rowCount: undefined,
  freshness: undefined,
  sequenceGaps: [isWhole, 'has no sequence; it must be a whole number'],
  priceJumps: [isNumeric, 'is no number']
}

function checkField (entry: Entry): void {
  const { metric, field, arguments: given } = entry.text
  const use = fieldUses[metric]
  if (use === undefined) {
    if (field !== undefined) entry.refuse(['field'], `${metric} is about rows, not about a field`)
  } else if (field !== undefined) {
    named(entry, ['field'], field, ...use)
  } else if (metric !== 'duplicateValues' || given?.properties === undefined) {
    entry.refuse(['field'], 'is missing: the field that is looked at')
  }
}

/** Rules that follow the clock need more than a date. */
function checkTime ({ text, ground, refuse }: Entry): void {
  const { metric, during, arguments: given } = text
  const [place] = [during === undefined ? [] : [['during']], given?.interval === undefined ? [] : [['arguments', 'interval']], metric === 'freshness' ? [['metric']] : []].flat()
  const kind = ground.fields.find(({ name }) => name === ground.eventTime)?.type.kind
  if (place !== undefined && kind === 'date') refuse(place, `needs to know the time, and ${ground.eventTime}, the event time, is a date`)
  const intervalMs = parseDuration(given?.interval ?? '')
  if (intervalMs !== undefined && (intervalMs < intervalMsMin || intervalMs > dayMs)) refuse(['arguments', 'interval'], 'must be from 1s to 1d')
}

function unitOf ({ text: { metric, unit }, refuse }: Entry): QualityRule['unit'] {
  if ((metric === 'rowCount' && unit === 'percent') || (metric === 'freshness' && unit !== undefined)) refuse(['unit'], metric === 'rowCount' ? 'of rowCount is rows' : 'of freshness is the time; its threshold is a duration such as 60s')
  return metric === 'freshness' ? 'seconds' : unit ?? 'rows'
}

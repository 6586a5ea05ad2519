// `arguments:` of a quality rule: whether they are for its metric, and make sense for its field.

import { quote } from '../problems.ts'
import { LinearPattern } from './pattern.ts'
import { isNumeric, isScalar, named } from './rule-entry.ts'
import type { ArgumentsText, Entry } from './rule-entry.ts'
import type { Metric } from './rule.ts'

const uses: Readonly<Record<keyof ArgumentsText, readonly Metric[]>> = {
  minimum: ['invalidValues'],
  maximum: ['invalidValues'],
  exclusiveMinimum: ['invalidValues'],
  exclusiveMaximum: ['invalidValues'],
  validValues: ['invalidValues'],
  pattern: ['invalidValues'],
  missingValues: ['missingValues'],
  properties: ['duplicateValues'],
  interval: ['rowCount'],
  series: ['sequenceGaps', 'priceJumps'],
  changePercent: ['priceJumps'],
  lookback: ['freshness']
}
const boundNames = ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'] as const

export function checkArguments (entry: Entry): void {
  const { text: { metric, arguments: given = {} }, refuse } = entry
  for (const key of Object.keys(given) as Array<keyof ArgumentsText>) {
    if (!uses[key].includes(metric)) refuse(['arguments', key], `is for ${uses[key].join(' and ')}, not for ${metric}`)
  }
  if (metric === 'invalidValues') checkValid(entry, given)
  if (metric === 'priceJumps' && given.changePercent === undefined) refuse(['arguments', 'changePercent'], 'is missing: the change in percent above which it is a jump')
  for (const [i, name] of (given.properties ?? []).entries()) named(entry, ['arguments', 'properties', i], name, isScalar, 'is not compared')
  for (const [i, name] of (given.series ?? []).entries()) named(entry, ['arguments', 'series', i], name, isScalar, 'cannot tell series apart')
}

function checkValid (entry: Entry, given: ArgumentsText): void {
  const { text, ground, refuse } = entry
  const field = ground.fields.find(({ name }) => name === text.field)
  if (Object.keys(given).length === 0) refuse(['arguments'], 'is missing: what a valid value is, such as { minimum: 0 }')
  if (field === undefined) return
  for (const name of boundNames) {
    const bound = given[name]
    if (bound === undefined) continue
    if (!isNumeric(field)) refuse(['arguments', name], `is for numbers, and ${field.name} is ${field.type.kind}`)
    if (typeof bound === 'string') named(entry, ['arguments', name], bound, isNumeric, 'is no number to compare with')
  }
  const texts = field.type.kind === 'string' || field.type.kind === 'enum'
  for (const [i, value] of (given.validValues ?? []).entries()) {
    if ((typeof value === 'string') !== texts) refuse(['arguments', 'validValues', i], `is a ${texts ? 'number, and the values are texts: quote it' : 'text, and the values are numbers'}`)
  }
  if (given.validValues !== undefined && !texts && !isNumeric(field)) refuse(['arguments', 'validValues'], `is for texts and numbers, and ${field.name} is ${field.type.kind}`)
  if (given.pattern !== undefined) {
    if (!texts) refuse(['arguments', 'pattern'], `is for texts, and ${field.name} is ${field.type.kind}`)
    checkPattern(entry, given.pattern)
  }
}

/** It is asked here and in the engine, so it may only use what both have. */
function checkPattern ({ refuse }: Entry, pattern: string): void {
  try {
    // eslint-disable-next-line no-new -- only whether it can be made is asked.
    new LinearPattern(pattern)
  } catch (error) {
    refuse(['arguments', 'pattern'], `${quote(pattern)} ${(error as Error).message}`)
  }
}

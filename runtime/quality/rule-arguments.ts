// `arguments:` of a quality rule: whether they are for its metric, and make sense for its field.

import { quote } from '../problems.ts'
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
  const path = ['arguments', 'pattern']
  if (/\(\?(?!:)|\\[1-9k]|\\[pPuxcbB]/.test(pattern)) refuse(path, 'looks around, refers back, or has an escape that the engine reads in another way; write it without')
  // On a text that almost fits it would take longer than the rest of the day, for each row anew.
  if (repeatsRepetition(pattern)) refuse(path, 'repeats a group in which something is repeated without end; write it without, or with a bound such as {1,20}')
  try {
    // eslint-disable-next-line no-new -- only whether it can be made is asked.
    new RegExp(pattern, 'su')
  } catch {
    refuse(path, `${quote(pattern)} is no regular expression`)
  }
}

/** Such as `(a+)+`. */
function repeatsRepetition (pattern: string): boolean {
  const endless = /^(?:[*+]|\{\d+,\})/
  // Of each group that is open: whether something in it is repeated.
  const open = [false]
  const repeated = (): void => { open[open.length - 1] = true }
  for (let i = 0; i < pattern.length; i++) {
    const character = pattern[i]
    if (character === '\\') i++
    else if (character === '[') while (i < pattern.length && pattern[i] !== ']') i += pattern[i] === '\\' ? 2 : 1
    else if (character === '(') open.push(false)
    else if (character === ')') {
      const inner = open.length > 1 && open.pop() === true
      if (inner && endless.test(pattern.slice(i + 1))) return true
      if (inner) repeated()
    } else if (endless.test(pattern.slice(i))) repeated()
  }
  return false
}

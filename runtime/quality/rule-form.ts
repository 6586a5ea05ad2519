// The form of `quality:` in schemas/<topic>.yaml, as JSON Schema; what depends on the metric and the fields is checked by rule-file.ts.

import { DURATION_PATTERN } from '../duration.ts'
import { dimensions, metrics, operators } from './rule.ts'

const single = { type: ['number', 'string'] }
const pair = { type: 'array', items: { type: ['number', 'string'] }, minItems: 2, maxItems: 2 }

const meanings = {
  mustBe: 'The value is this.',
  mustNotBe: 'The value is anything else.',
  mustBeGreaterThan: 'The value is above this.',
  mustBeGreaterOrEqualTo: 'The value is this or above.',
  mustBeLessThan: 'The value is below this. For freshness a duration, such as 60s.',
  mustBeLessOrEqualTo: 'The value is this or below. For freshness a duration, such as 60s.',
  mustBeBetween: 'The value is within these two, ends included.',
  mustNotBeBetween: 'The value is outside of these two.'
} as const

const thresholds = Object.fromEntries(operators.map(operator => [operator, { ...(operator.endsWith('Between') ? pair : single), description: meanings[operator] }]))

const thresholdForm = { type: 'object', additionalProperties: false, properties: thresholds }

const bound = (what: string): object => ({ type: ['number', 'string'], description: `${what} A number, or the name of another field.` })
const names = (description: string): object => ({ type: 'array', items: { type: 'string' }, maxItems: 16, uniqueItems: true, description })

const argumentsForm = {
  type: 'object',
  additionalProperties: false,
  description: 'What the metric needs to know.',
  properties: {
    minimum: bound('invalidValues: the least value that is valid.'),
    maximum: bound('invalidValues: the greatest value that is valid.'),
    exclusiveMinimum: bound('invalidValues: valid values are above it.'),
    exclusiveMaximum: bound('invalidValues: valid values are below it.'),
    validValues: { type: 'array', items: { type: ['string', 'number'] }, minItems: 1, maxItems: 1000, uniqueItems: true, description: 'invalidValues: all values that are valid.' },
    pattern: { type: 'string', minLength: 1, maxLength: 1000, description: 'invalidValues: a regular expression that valid texts match.' },
    missingValues: { type: 'array', items: { type: 'string' }, maxItems: 100, uniqueItems: true, description: 'missingValues: texts that count as missing, besides null, NaN and the empty text.' },
    properties: { ...names('duplicateValues: fields that together must be unique; the field of the rule where it is left out.'), minItems: 1 },
    interval: { type: 'string', pattern: DURATION_PATTERN, description: 'rowCount: counts the rows of each interval of that length, such as 1m, and takes the worst one.' },
    series: names('sequenceGaps, priceJumps: fields whose values tell one series from another; the key of the schema where it is left out.'),
    changePercent: { type: 'number', exclusiveMinimum: 0, description: 'priceJumps: a value that differs from the one before it by more than that many percent is a jump.' },
    lookback: { type: 'string', pattern: DURATION_PATTERN, description: 'freshness: how far back it looks for the newest row; keys without any in that time are forgotten. 4d where it is left out.' }
  }
}

export const qualityForm = {
  type: 'array',
  maxItems: 200,
  description: 'What must hold of the rows, in the words of the Open Data Contract Standard.',
  items: {
    type: 'object',
    additionalProperties: false,
    required: ['metric'],
    properties: {
      name: { type: 'string', pattern: '^[a-z][a-z0-9_]{0,63}$', description: 'Of the rule, unique in the schema: a small letter, then small letters, digits and "_". Made of metric and field where it is left out.' },
      description: { type: 'string', description: 'Why the rule is there, for people.' },
      type: { type: 'string', enum: ['library'], description: 'The only kind of rule that there is; it may be left out.' },
      metric: { type: 'string', enum: [...metrics], description: 'What is measured.' },
      field: { type: 'string', description: 'The field that is looked at.' },
      arguments: argumentsForm,
      unit: { type: 'string', enum: ['rows', 'percent'], description: 'Whether rows are counted, or their share in percent; rows where it is left out.' },
      dimension: { type: 'string', enum: [...dimensions], description: 'The kind of quality that the rule is about.' },
      warn: { ...thresholdForm, description: 'What the value must be; otherwise somebody should look.' },
      error: { ...thresholdForm, description: 'What the value must be; otherwise the day is not handed over.' },
      severity: { type: 'string', enum: ['warning', 'error'], description: 'Of the threshold that stands in the rule itself; error where it is left out.' },
      ...thresholds,
      during: { type: 'string', minLength: 1, description: 'Only rows within the sessions of this market calendar count.', examples: ['XNYS'] },
      by: names('Measured for each value of these fields; the worst one counts.'),
      action: { type: 'string', enum: ['reject'], description: 'reject: a row that breaks the rule goes to the rejected topic. For nullValues, missingValues and invalidValues.' }
    }
  }
} as const

// Keeps the rows for which conditions hold. Conditions are data, never code: nothing in a pipeline file is evaluated.

import { defineTransform } from '../../../runtime/plugin.ts'
import { PlatformError } from '../../../runtime/errors.ts'
import { EXTRA } from '../../../runtime/schema.ts'
import { mark } from './condition.ts'
import type { Condition } from './condition.ts'
import type { Batch, Context } from '../../../runtime/plugin.ts'

const comparable = { type: ['string', 'number', 'boolean'] }
const ordered = { type: ['string', 'number'] }
const condition = {
  type: 'object',
  properties: {
    field: { type: 'string', description: 'The field that is looked at.' },
    equals: { ...comparable, description: 'It has this value.' },
    not_equals: { ...comparable, description: 'It has another value, or none.' },
    in: { type: 'array', items: comparable, minItems: 1, description: 'It has one of these values.' },
    not_in: { type: 'array', items: comparable, minItems: 1, description: 'It has none of these values.' },
    above: { ...ordered, description: 'It is greater.' },
    below: { ...ordered, description: 'It is smaller.' },
    at_least: { ...ordered, description: 'It is as great or greater.' },
    at_most: { ...ordered, description: 'It is as small or smaller.' },
    matches: { type: 'string', minLength: 1, maxLength: 1000, description: 'The whole text fits; `*` stands for any characters.' },
    present: { type: 'boolean', description: 'True: it has a value. False: it has none.' }
  },
  required: ['field'],
  minProperties: 2,
  additionalProperties: false
} as const

const options = {
  where: { type: 'array', items: condition, default: [], description: 'Conditions that all have to hold.', examples: [[{ field: 'symbol', in: ['AAPL', 'MSFT'] }, { field: 'price', above: 0 }]] },
  any: { type: 'array', items: condition, default: [], description: 'Conditions of which one has to hold, beside all of `where`.' }
} as const

export default defineTransform({
  description: 'Keeps the rows for which conditions hold',
  options,
  shorthand: 'where',

  open (config, context) {
    // The options' schema has checked their form.
    const where = config.where as unknown as readonly Condition[]
    const any = config.any as unknown as readonly Condition[]
    if (where.length + any.length === 0) {
      throw new PlatformError('CONFIG_INVALID', 'A filter without a condition keeps everything', { where: context.step, remedy: 'Add conditions under `where` or `any`, or remove the filter.' })
    }
    return {
      map (batch) {
        if (batch.length === 0) return batch
        checkFields(batch, [...where, ...any], context)
        const kept = select(batch, where, any)
        context.metrics.count('rows_filtered', batch.length - kept.length)
        return kept
      }
    }
  }
})

function select (batch: Batch, where: readonly Condition[], any: readonly Condition[]): Batch {
  const keep = new Uint8Array(batch.length).fill(1)
  for (const condition of where) {
    const holds = mark(batch, condition)
    for (let i = 0; i < keep.length; i++) keep[i] = (keep[i] as number) & (holds[i] as number)
  }
  if (any.length > 0) {
    const one = new Uint8Array(batch.length)
    for (const condition of any) {
      const holds = mark(batch, condition)
      for (let i = 0; i < one.length; i++) one[i] = (one[i] as number) | (holds[i] as number)
    }
    for (let i = 0; i < keep.length; i++) keep[i] = (keep[i] as number) & (one[i] as number)
  }
  let rows = 0
  const indexes = new Int32Array(batch.length)
  for (let i = 0; i < keep.length; i++) if (keep[i] === 1) indexes[rows++] = i
  return batch.select(indexes.subarray(0, rows))
}

/** A misspelt field would take out every row without a word. */
function checkFields (batch: Batch, conditions: readonly Condition[], { topic, step }: Context): void {
  for (const { field } of conditions) {
    if (field in batch.columns || field === EXTRA) continue
    if ([...batch.topic.fields, ...topic.fields].some(({ name }) => name === field)) continue
    throw new PlatformError('CONFIG_INVALID', `There is no field "${field}" to filter by`, {
      where: step, remedy: `The fields of ${batch.topic.name} are ${batch.topic.fields.map(({ name }) => name).join(', ')}.`
    })
  }
}

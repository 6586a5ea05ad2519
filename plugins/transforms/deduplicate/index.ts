// Takes out rows that repeat an earlier one.

import { defineTransform } from '../../../runtime/plugin.ts'
import { PlatformError } from '../../../runtime/errors.ts'
import { csvRows } from '../../../runtime/lines.ts'
import { NOT_PRESENT } from '../../../runtime/schema.ts'
import { Memory } from './memory.ts'
import { timesOf } from './times.ts'
import type { MemoryState } from './memory.ts'
import type { Column } from '../../../runtime/batch.ts'
import type { Batch } from '../../../runtime/plugin.ts'

const options = {
  keys: {
    type: 'array', items: { type: 'string' }, minItems: 1, description: 'Fields that together name a row; a row with the same values as an earlier one is taken out.', examples: [['symbol', 'sequence']]
  },
  window_rows: {
    type: 'integer', minimum: 1, maximum: 200_000, default: 10_000, description: 'How many rows are remembered for each partition at most; about 20 bytes each are kept with every commit.'
  },
  window_seconds: {
    type: 'number', minimum: 0, default: null, description: 'How long a row is remembered, in seconds of event time (of ingest time before a mapping, or where the topic has no event time); as long as there is room where it is left out.'
  }
} as const

export default defineTransform({
  description: 'Takes out rows that repeat an earlier one',
  options,
  shorthand: 'keys',

  open ({ keys, window_rows: rows, window_seconds: seconds }, context) {
    const unknown = keys.find(key => !context.topic.fields.some(field => field.name === key))
    if (unknown !== undefined) {
      throw new PlatformError('CONFIG_INVALID', `There is no field "${unknown}" to tell rows by`, {
        where: context.step, remedy: `The fields of ${context.topic.name} are ${context.topic.fields.map(field => field.name).join(', ')}.`
      })
    }
    const memory = new Memory({ keys, rows, ms: seconds === null ? Infinity : seconds * 1000 }, context.checkpoint as unknown as MemoryState | undefined)

    return {
      map (batch) {
        const fresh = select(batch, keys, memory, timesOf(batch, context.topic))
        if (fresh.length < batch.length) context.metrics.count('rows_duplicate', batch.length - fresh.length)
        return fresh
      },
      snapshot: () => ({ ...memory.state() })
    }
  }
})

function select (batch: Batch, keys: readonly string[], memory: Memory, timeOf: (i: number) => number): Batch {
  const keyOf = csvRows(batch, keys)
  const nameless = namelessOf(batch, keys)
  const indexes = new Int32Array(batch.length)
  let rows = 0
  for (let i = 0; i < batch.length; i++) {
    if (nameless(i) || memory.add(keyOf(i), timeOf(i))) indexes[rows++] = i
  }
  return batch.select(indexes.subarray(0, rows))
}

/** Whether a row lacks a value that would name it: nobody can say that it repeats another one. */
function namelessOf (batch: Batch, keys: readonly string[]): (i: number) => boolean {
  const columns = keys.map(key => Object.hasOwn(batch.columns, key) ? batch.columns[key] : undefined)
  const lacks = columns.flatMap(column => column === undefined ? [() => true] : lacksOf(column))
  return i => lacks.some(lack => lack(i))
}

/** Nothing for a column that cannot lack a value. */
function lacksOf (column: Column): Array<(i: number) => boolean> {
  const lacks: Array<(i: number) => boolean> = []
  const { valid } = column
  if (valid !== undefined) lacks.push(i => valid[i] === 0)
  const none = (value: unknown): boolean => value === null || value === undefined || value === NOT_PRESENT
  if (column.kind === 'values') lacks.push(i => none(column.values[i]))
  if (column.kind === 'dictionary' && column.values.some(none)) lacks.push(i => none(column.values[column.codes[i] as number]))
  if (column.kind === 'text') {
    const { offsets, bytes } = column
    const length = NOT_PRESENT.length
    lacks.push(i => (offsets[i + 1] as number) - (offsets[i] as number) === length && Buffer.from(bytes.buffer, bytes.byteOffset + (offsets[i] as number), length).toString('latin1') === NOT_PRESENT)
  }
  return lacks
}

import { Batch, cell } from '../../../runtime/batch.ts'
import { connect } from '../../../runtime/connector.ts'
import { EXTRA } from '../../../runtime/schema.ts'
import type { Column } from '../../../runtime/batch.ts'
import type { Topic } from '../../../runtime/plugin.ts'

/** Makes the function that gives rows the field names of `target`, as a connector does; what it does not know goes to `extra`, together with what was there. */
export function fit (target: Topic): (batch: Batch) => Batch {
  const rename = connect(target)
  const knowsExtra = target.fields.some(field => field.name === EXTRA)
  return batch => {
    const { [EXTRA]: before, ...others } = batch.columns
    const columns = knowsExtra || before === undefined
      ? rename(batch).columns
      : withExtra(rename(batch.with(others)).columns, before, batch.length)
    return new Batch(target, batch.length, columns, { bytes: batch.bytes })
  }
}

function withExtra (columns: Batch['columns'], before: Column, rows: number): Batch['columns'] {
  const now = columns[EXTRA]
  const values = Array.from({ length: rows }, (_, i) => merge(cell(before, i), now === undefined ? null : cell(now, i)))
  return { ...columns, [EXTRA]: { kind: 'values', values } }
}

function merge (before: unknown, now: unknown): unknown {
  if (before === null) return now
  const object = typeof before === 'object' && !Array.isArray(before) ? before : { [EXTRA]: before }
  return now === null ? object : Object.assign(Object.create(null), object, now)
}

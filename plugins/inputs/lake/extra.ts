import { RowBatch } from '../../../runtime/plugin.ts'
import { cell, fromRows, rowsThatFit } from '../../../runtime/batch.ts'
import { parseJson } from '../../../runtime/json.ts'
import { EXTRA } from '../../../runtime/schema.ts'
import type { Batch, Row } from '../../../runtime/plugin.ts'
import type { Column } from '../../../runtime/batch.ts'

/**
 * What the schema did not know when the rows came, as fields of their own again: the runtime gives them the place that
 * they have now. Several batches where rows bring names of their own without end.
 */
export function withoutExtra (batch: Batch): Batch[] {
  const extra = Object.hasOwn(batch.columns, EXTRA) ? batch.columns[EXTRA] : undefined
  if (extra === undefined || batch.topic.fields.some(({ name }) => name === EXTRA)) return [batch]
  const taken = new Set(Object.keys(batch.columns))
  const rows: Row[] = []
  for (let i = 0; i < batch.length; i++) rows.push(fieldsOf(cell(extra, i), taken))
  const batches: Batch[] = []
  for (let from = 0; from < batch.length;) {
    const count = rowsThatFit(rows, from, batch.length)
    const indexes = Int32Array.from({ length: count }, (_, i) => from + i)
    batches.push(spread(batch.select(indexes), rows.slice(from, from + count)))
    from += count
  }
  return batches
}

function spread (batch: Batch, rows: readonly Row[]): Batch {
  const columns: Record<string, Column> = Object.create(null)
  for (const [name, column] of Object.entries(batch.columns)) if (name !== EXTRA) columns[name] = column
  for (const [name, column] of Object.entries(fromRows(batch.topic, rows).columns)) columns[name] = column
  const { position, offsets, bytes, length } = batch
  return new RowBatch(batch.topic, length, columns, { position, offsets, bytes })
}

/** The fields that a row has besides those of the schema; one whose name is taken stays in `extra`. */
function fieldsOf (text: unknown, taken: ReadonlySet<string>): Row {
  const fields: Record<string, unknown> = Object.create(null)
  if (typeof text !== 'string') return fields
  const object = objectOf(text)
  if (object === undefined) {
    fields[EXTRA] = text
    return fields
  }
  const others: Record<string, unknown> = Object.create(null)
  for (const [name, value] of Object.entries(object)) (taken.has(name) ? others : fields)[name] = value
  if (Object.keys(others).length > 0) fields[EXTRA] = others
  return fields
}

function objectOf (text: string): Record<string, unknown> | undefined {
  try {
    const value = parseJson(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value as Record<string, unknown> : undefined
  } catch {
    // Another version may have written something else there; it goes on as it is.
    return undefined
  }
}

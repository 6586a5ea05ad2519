// The connector rule (invariant 1 of the lanes): all fields of the source are selected and renamed to the topic schema.
// What the schema does not know stays, as one object, in `extra`. What it requires and the source lacks is filled with
// `not present in source system`. Nothing is cleaned, cast or formatted.

import { cell } from './batch.ts'
import { PlatformError } from './errors.ts'
import { EXTRA, NOT_PRESENT } from './schema.ts'
import type { Batch, Column } from './batch.ts'
import type { Topic } from './schema.ts'

/** Source name to topic field; later maps win over earlier ones. */
export type Names = Readonly<Record<string, string>>

/** Makes the function that renames batches of one source to one topic's schema. */
export function connect (topic: Topic, ...names: readonly Names[]): (batch: Batch) => Batch {
  const fieldOf = new Map<string, string>()
  for (const field of topic.fields) {
    fieldOf.set(field.name, field.name)
    for (const alias of field.aliases) fieldOf.set(alias, field.name)
  }
  const known = new Set(topic.fields.map(field => field.name))
  for (const map of names) for (const [source, field] of Object.entries(map)) if (known.has(field)) fieldOf.set(source, field)
  const required = topic.fields.filter(field => field.required).map(field => field.name)

  return batch => {
    // Without a prototype: a field may be called `constructor`.
    const columns: Record<string, Column> = Object.create(null)
    const unknown: Array<[string, Column]> = []
    for (const [source, column] of Object.entries(batch.columns)) {
      const name = fieldOf.get(source)
      if (name === undefined || name in columns) unknown.push([source, column])
      else columns[name] = column
    }
    for (const name of required) columns[name] = filled(columns[name], batch.length)
    if (unknown.length > 0) columns[EXTRA] = extra(unknown, batch.length)
    return batch.with(columns)
  }
}

/** The topic check (invariant 2 of the lanes), by names, once a batch. Throws ROW_INVALID. */
export function checkNames (topic: Topic, batch: Batch): void {
  for (const field of topic.fields) {
    if (field.required && !Object.hasOwn(batch.columns, field.name)) throw misfit(topic, `the required field ${field.name} is missing`)
  }
  for (const [name, column] of Object.entries(batch.columns)) {
    if (name !== EXTRA && !topic.fields.some(field => field.name === name)) throw misfit(topic, `the field ${name} is not in the schema`)
    if (lengthOf(column) < batch.length) throw misfit(topic, `the field ${name} has ${lengthOf(column)} values for ${batch.length} rows`)
  }
}

function lengthOf (column: Column): number {
  switch (column.kind) {
    case 'values': return column.values.length
    case 'dictionary': return column.codes.length
    case 'text':
    case 'list': return column.offsets.length - 1
    case 'numbers': return column.numbers.length
    case 'decimal': return column.words.length / 2
  }
}

function misfit (topic: Topic, what: string): PlatformError {
  return new PlatformError('ROW_INVALID', `A batch does not fit the topic ${topic.name}: ${what}`, { remedy: `Compare the step that made it with schemas/${topic.name}.yaml.` })
}

function filled (column: Column | undefined, rows: number): Column {
  if (column === undefined) return { kind: 'dictionary', codes: new Uint8Array(rows), values: [NOT_PRESENT] }
  if (column.kind === 'values') {
    return column.values.some(value => value == null) ? { ...column, values: column.values.map(value => value ?? NOT_PRESENT) } : column
  }
  if (column.kind === 'dictionary') return column.values.some(value => value == null) ? { ...column, values: column.values.map(value => value ?? NOT_PRESENT) } : column
  if (column.valid === undefined) return column
  return { kind: 'values', values: Array.from({ length: rows }, (_, i) => cell(column, i) ?? NOT_PRESENT) }
}

/** One object a row of the fields that it has; null where it has none. */
function extra (columns: ReadonlyArray<[string, Column]>, rows: number): Column {
  const values = new Array<unknown>(rows).fill(null)
  for (const [name, column] of columns) {
    for (let i = 0; i < rows; i++) {
      const value = cell(column, i)
      if (value === null) continue
      // Without a prototype, so that a source may name a field `__proto__` without harm.
      const object = (values[i] ??= Object.create(null)) as Record<string, unknown>
      object[name] = value
    }
  }
  return { kind: 'values', values }
}

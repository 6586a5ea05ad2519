import { csvHeader, csvLines, jsonLines } from '../../../runtime/lines.ts'
import { EXTRA } from '../../../runtime/schema.ts'
import type { Column } from '../../../runtime/batch.ts'
import type { Batch, Topic } from '../../../runtime/plugin.ts'

/** How rows become lines. */
export interface Format {
  /** The first line of a file of this topic's rows; undefined where the format has none. */
  header (topic: Topic): string | undefined
  lines (batch: Batch): string
}

/** `columns`: null for all fields. */
export function formatOf (name: 'ndjson' | 'csv', columns: readonly string[] | null): Format {
  return name === 'csv' ? csv(columns) : ndjson(columns)
}

function ndjson (columns: readonly string[] | null): Format {
  return {
    header: () => undefined,
    lines: batch => jsonLines(columns === null ? batch : only(batch, columns))
  }
}

function only (batch: Batch, names: readonly string[]): Batch {
  const columns: Record<string, Column> = Object.create(null)
  for (const name of names) {
    const column = Object.hasOwn(batch.columns, name) ? batch.columns[name] : undefined
    if (column !== undefined) columns[name] = column
  }
  return batch.with(columns)
}

function csv (columns: readonly string[] | null): Format {
  return {
    header: topic => csvHeader(namesOf(topic, columns)),
    lines: batch => csvLines(batch, namesOf(batch.topic, columns))
  }
}

/** Those of the topic and not those of a batch: a batch may lack some, and every line has the columns of the header. */
function namesOf (topic: Topic, columns: readonly string[] | null): readonly string[] {
  if (columns !== null) return columns
  const names = topic.fields.map(field => field.name)
  return names.includes(EXTRA) ? names : [...names, EXTRA]
}

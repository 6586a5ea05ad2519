import type { TableName } from '../clickhouse/sql.ts'
import type { Pipeline } from '../pipeline.ts'
import type { Topic } from '../schema.ts'

/** A table that a pipeline keeps up to date in a streaming database. */
export interface Dataset {
  /** The schema of its rows; its rules hold for them. */
  readonly schema: Topic
  /** The topic that they come from; a table may hold those of several. */
  readonly topic: string
  readonly table: TableName
  /** undefined: the ClickHouse of the platform. */
  readonly url: string | undefined
}

/** The tables of all pipelines whose schema has rules, each once. */
export function datasetsOf (pipelines: Iterable<Pipeline>, schemas: ReadonlyMap<string, Topic>): Dataset[] {
  const datasets = new Map<string, Dataset>()
  for (const { topic, enabled, outputs } of pipelines) {
    for (const { plugin, config } of outputs) {
      if (plugin !== 'streaming-database' || !enabled) continue
      const { schema: name, database, table, url } = config as { readonly schema: string | null, readonly database: string, readonly table: string | null, readonly url: string | null }
      const schema = schemas.get(name ?? topic)
      if (schema?.quality === undefined) continue
      const dataset = { schema, topic, table: { database, table: table ?? schema.name }, url: url ?? undefined }
      datasets.set(JSON.stringify([url, database, dataset.table.table, topic]), dataset)
    }
  }
  return [...datasets.values()]
}

/** As results name it. */
export function nameOf ({ table }: Pick<Dataset, 'table'>): string {
  return `${table.database}.${table.table}`
}

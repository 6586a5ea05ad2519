import type { TableName } from '../clickhouse/sql.ts'
import type { Pipeline } from '../pipeline.ts'
import type { Topic } from '../schema.ts'

/** A table that a pipeline keeps up to date in a database. */
export interface Dataset {
  /** The schema of its rows; its rules hold for them. */
  readonly schema: Topic
  /** The topic that they come from; a table may hold those of several. */
  readonly topic: string
  readonly table: TableName
  /** What is loaded into the warehouse directly is history: no rule about now holds for it. */
  readonly lane: 'streaming' | 'warehouse'
  /** undefined: the ClickHouse of the platform. */
  readonly url: string | undefined
}

/** Options of the outputs that store rows in a table; the warehouse's has no `database`. */
interface TableConfig {
  readonly schema: string | null
  readonly database?: string
  readonly table: string | null
  readonly url: string | null
}

const lanes: Readonly<Record<string, Dataset['lane']>> = { 'streaming-database': 'streaming', warehouse: 'warehouse' }

/** The tables of all pipelines whose schema has rules, each once. */
export function datasetsOf (pipelines: Iterable<Pipeline>, schemas: ReadonlyMap<string, Topic>): Dataset[] {
  const datasets = new Map<string, Dataset>()
  for (const { topic, enabled, outputs } of pipelines) {
    for (const { plugin, config } of outputs) {
      const lane = lanes[plugin]
      if (lane === undefined || !enabled) continue
      const { schema: name, database = 'warehouse', table, url } = config as unknown as TableConfig
      const schema = schemas.get(name ?? topic)
      if (schema?.quality === undefined) continue
      const dataset = { schema, topic, table: { database, table: table ?? schema.name }, lane, url: url ?? undefined }
      datasets.set(JSON.stringify([url, database, dataset.table.table, topic]), dataset)
    }
  }
  return [...datasets.values()]
}

/** As results name it. */
export function nameOf ({ table }: Pick<Dataset, 'table'>): string {
  return `${table.database}.${table.table}`
}

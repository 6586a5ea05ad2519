// What is handed over: the tables of the streaming database that outputs of the platform's own ClickHouse fill.

import { groupOf } from '../run.ts'
import type { TableName } from '../clickhouse/sql.ts'
import type { Pipeline } from '../pipeline.ts'
import type { Topic } from '../schema.ts'
import { datasetName } from './views.ts'

/** One output that stores a topic in the streaming database. */
export interface Feed {
  readonly topic: string
  readonly pipeline: string
  /** Such as `outputs.streaming-database`. */
  readonly step: string
  readonly revision: string
  /** Name of the consumer group, whose committed offsets say what is stored. */
  readonly group: string
  /** Transforms besides the mapping may take rows out. */
  readonly filters: boolean
}

/** One table of the streaming database, and the one of the warehouse that goes on with it. */
export interface Dataset {
  readonly name: string
  readonly schema: Topic
  readonly table: TableName
  /** By topic. */
  readonly feeds: ReadonlyMap<string, Feed>
  /** Topics that an output of the warehouse loads directly, too. */
  readonly direct: ReadonlySet<string>
}

/** Datasets by name. An output with an address of its own has no part in the boundary. */
export function datasetsOf (pipelines: Iterable<Pipeline>, schemas: ReadonlyMap<string, Topic>): Map<string, Dataset> {
  const all = [...pipelines]
  const direct = all.flatMap(pipeline => pipeline.outputs
    .filter(({ plugin, config }) => plugin === 'warehouse' && config['url'] === null)
    .map(({ config }) => JSON.stringify([String(config['table'] ?? config['schema'] ?? pipeline.topic), pipeline.topic])))
  const found = new Map<string, Dataset>()
  for (const pipeline of all) {
    for (const { plugin, name: step, config } of pipeline.outputs) {
      if (plugin !== 'streaming-database' || config['url'] !== null) continue
      const schema = schemas.get(String(config['schema'] ?? pipeline.topic))
      if (schema === undefined) continue
      const table = { database: String(config['database']), table: String(config['table'] ?? schema.name) }
      const name = datasetName(table)
      const { topic, id, revision } = pipeline
      const feed: Feed = { topic, pipeline: id, step, revision, group: groupOf(id, step), filters: pipeline.transforms.some(({ plugin }) => plugin !== 'mapping') }
      const before = found.get(name)
      found.set(name, {
        name,
        schema,
        table,
        feeds: new Map([...before?.feeds ?? [], [topic, feed]]),
        direct: new Set([...before?.direct ?? [], ...direct.includes(JSON.stringify([name, topic])) ? [topic] : []])
      })
    }
  }
  return found
}

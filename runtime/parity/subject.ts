// What of a topic can be compared: each dataset that its rows go to, with the pipeline that maps them.

import { groupOf } from '../run.ts'
import { datasetsOf } from '../warehouse/datasets.ts'
import type { TableName } from '../clickhouse/sql.ts'
import type { Pipeline } from '../pipeline.ts'
import type { Topic } from '../schema.ts'

export interface Subject {
  readonly dataset: string
  readonly pipeline: Pipeline
  /** The consumer group that fills it. */
  readonly group: string
  readonly schema: Topic
  /** undefined: the rows are loaded into the warehouse directly. */
  readonly streaming: TableName | undefined
}

export function subjectsOf (topic: string, pipelines: ReadonlyMap<string, Pipeline>, schemas: ReadonlyMap<string, Topic>): Subject[] {
  const found: Subject[] = []
  for (const { name: dataset, schema, table, feeds } of datasetsOf(pipelines.values(), schemas).values()) {
    const feed = feeds.get(topic)
    const pipeline = pipelines.get(feed?.pipeline ?? '')
    if (feed !== undefined && pipeline !== undefined) found.push({ dataset, pipeline, group: feed.group, schema, streaming: table })
  }
  for (const pipeline of pipelines.values()) {
    if (pipeline.topic !== topic) continue
    for (const { plugin, name, config } of pipeline.outputs) {
      const dataset = String(config['table'] ?? config['schema'] ?? topic)
      const schema = schemas.get(String(config['schema'] ?? topic))
      // What the streaming database hands over as well is compared with it.
      if (plugin !== 'warehouse' || config['url'] !== null || schema === undefined || found.some(subject => subject.dataset === dataset)) continue
      found.push({ dataset, pipeline, group: groupOf(pipeline.id, name), schema, streaming: undefined })
    }
  }
  return found
}

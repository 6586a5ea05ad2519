// `twolane schema`: writes the JSON Schemas that editors use.

import { parseArgs } from 'node:util'
import { alertsJsonSchema, calendarJsonSchema, costJsonSchema, pipelineJsonSchema, pipelineTestJsonSchema, platformJsonSchema, topicJsonSchema } from '../editor-schema.ts'
import { bringUpToDate } from './generated.ts'
import type { Terminal } from './terminal.ts'

/** Writes config/*.schema.json; with --check it writes nothing and resolves to 1 where one is stale. */
export async function run (args: readonly string[], terminal: Terminal): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: { check: { type: 'boolean', default: false } } })
  const schemas = {
    'config/pipeline.schema.json': await pipelineJsonSchema(terminal.root),
    'config/pipeline-test.schema.json': pipelineTestJsonSchema(),
    'config/topic.schema.json': topicJsonSchema(),
    'config/platform.schema.json': platformJsonSchema(),
    'config/calendar.schema.json': calendarJsonSchema(),
    'config/cost.schema.json': costJsonSchema(),
    'config/alerts.schema.json': alertsJsonSchema()
  }
  const files = new Map(Object.entries(schemas).map(([file, schema]) => [file, `${JSON.stringify(schema, null, 2)}\n`]))
  return bringUpToDate(files, { check: values.check, command: 'schema' }, terminal)
}

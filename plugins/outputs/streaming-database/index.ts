// The streaming database: one ClickHouse table a topic, and views on top of it. The only part of the streaming lane
// that users touch.

import { resolve } from 'node:path'
import { STATEMENT_SECONDS } from '../../../runtime/clickhouse/client.ts'
import type { ClickHouse } from '../../../runtime/clickhouse/client.ts'
import { keepModels } from '../../../runtime/clickhouse/kept-models.ts'
import { ensureTable } from '../../../runtime/clickhouse/migrate.ts'
import type { TableName } from '../../../runtime/clickhouse/sql.ts'
import { defineOutput } from '../../../runtime/plugin.ts'
import type { Context, Topic } from '../../../runtime/plugin.ts'
import { datasetName, keepViews } from '../../../runtime/warehouse/views.ts'
import { connect, connected } from './connect.ts'
import { TableSink } from './sink.ts'
import type { Where } from './connect.ts'

export default defineOutput({
  description: 'Stores the typed rows of a topic in its ClickHouse table, each row exactly once, and keeps the models on top of it up to date',
  guarantee: 'exactly once',
  late: true,
  options: {
    database: { type: 'string', description: 'Database of the table; made where it is missing.', default: 'streaming', pattern: '^[A-Za-z][A-Za-z0-9_]*$' },
    table: { type: 'string', description: 'Table of the rows, made where it is missing; the name of the schema where it is left out.', default: null },
    schema: { type: 'string', description: 'Schema of the rows, where the mapping names another one than that of the topic.', default: null },
    url: {
      type: 'string',
      description: 'Address of a ClickHouse server, such as https://user:password@host:8443, or of a cluster, https://user:password@host1:8443,host2:8443/?cluster=name; the ClickHouse of the platform where it is left out.',
      default: null,
      writeOnly: true
    },
    models: { type: 'string', description: 'Folder of the models, below the project; one SELECT a file, each becomes a view.', default: 'schemas/models' },
    timeout_seconds: { type: 'integer', description: 'Time that one statement may take, in seconds.', default: STATEMENT_SECONDS, minimum: 1 }
  },
  // Different topics may share a table: their rows are told apart by `_topic`.
  target: ({ url, database, table, schema }, { topic }) => JSON.stringify([url, database, table ?? schema ?? topic, topic]),
  async open ({ database, table, schema: schemaName, url, models, timeout_seconds: seconds }, context) {
    const schema = schemaName === null ? context.topic : context.topicNamed(schemaName)
    return connected(whereOf(url, seconds, context), context, async client => {
      const target = { database, table: table ?? schema.name }
      const statements = await ensureTable(client, schema, target)
      if (statements.length > 0) context.log.info({ table: `${database}.${target.table}`, statements }, 'The table follows the schema')
      const views = await keepModels(client, resolve(context.root, models), { database, tables: { [schema.name]: target.table }, of: target.table }, context)
      context.log.debug({ database, views }, 'Models applied')
      // Another address has no part in the boundary: its rows stay where they are.
      if (url === null) await keepBoundary(client, { schema, target, models: resolve(context.root, models, 'warehouse') }, context)
      return new TableSink(client, { schema, table: target, lane: 'streaming', seconds }, context)
    })
  },
  async probe ({ url, timeout_seconds: seconds }, context) {
    const client = await connect(whereOf(url, seconds, context), context)
    await client.close()
  }
})

/** The views over both databases, where the platform has a warehouse. */
async function keepBoundary (client: ClickHouse, { schema, target, models }: { readonly schema: Topic, readonly target: TableName, readonly models: string }, context: Context): Promise<void> {
  const { services: { clickhouse, warehouse } } = context
  if (warehouse === undefined) return
  await keepViews(client, { dataset: datasetName(target), schema, streaming: target, warehouse: warehouse === clickhouse, models }, context)
}

function whereOf (url: string | null, statementSeconds: number, { services }: Context): Where {
  return { url, platform: services.clickhouse, statementSeconds }
}

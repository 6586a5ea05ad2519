// The warehouse: what a topic holds straight into the table that the handoff fills as well. For jobs that load history;
// the rows are there once, whatever is run again, because they are told by their position in the topic.

import { resolve } from 'node:path'
import { STATEMENT_SECONDS } from '../../../runtime/clickhouse/client.ts'
import { ensureTable } from '../../../runtime/clickhouse/migrate.ts'
import { defineOutput } from '../../../runtime/plugin.ts'
import type { Context } from '../../../runtime/plugin.ts'
import { keepViews, warehouseTable } from '../../../runtime/warehouse/views.ts'
import { connect, connected } from '../streaming-database/connect.ts'
import { TableSink } from '../streaming-database/sink.ts'
import type { Where } from '../streaming-database/connect.ts'

export default defineOutput({
  description: 'Stores the typed rows of a topic in its table of the warehouse, each row exactly once, for jobs that load history',
  guarantee: 'exactly once',
  late: true,
  // A month is one part of the table: fewer and larger inserts than in a stream.
  flush: { rows: 200_000, ms: 5000, bytes: 128 * 2 ** 20 },
  options: {
    table: { type: 'string', description: 'Table of the rows in the database `warehouse`, made where it is missing; the name of the schema where it is left out.', default: null, pattern: '^[A-Za-z][A-Za-z0-9_]*$' },
    schema: { type: 'string', description: 'Schema of the rows, where the mapping names another one than that of the topic.', default: null },
    url: {
      type: 'string',
      description: 'Address of a ClickHouse server or cluster, as the output streaming-database has it; the warehouse of the platform where it is left out.',
      default: null,
      writeOnly: true
    },
    models: { type: 'string', description: 'Folder of the models of the warehouse, below the project; one SELECT a file, each becomes a view.', default: 'schemas/models/warehouse' },
    timeout_seconds: { type: 'integer', description: 'Time that one statement may take, in seconds.', default: STATEMENT_SECONDS, minimum: 1 }
  },
  // Different topics may share a table: their rows are told apart by `_topic`.
  target: ({ url, table, schema }, { topic }) => JSON.stringify([url, table ?? schema ?? topic, topic]),
  async open ({ table, schema: schemaName, url, models, timeout_seconds: seconds }, context) {
    const schema = schemaName === null ? context.topic : context.topicNamed(schemaName)
    return connected(whereOf(url, seconds, context), context, async client => {
      const target = warehouseTable(table ?? schema.name)
      const statements = await ensureTable(client, schema, target, 'warehouse')
      if (statements.length > 0) context.log.info({ table: `${target.database}.${target.table}`, statements }, 'The table follows the schema')
      await keepViews(client, { dataset: target.table, schema, streaming: undefined, warehouse: true, models: resolve(context.root, models) }, context)
      return new TableSink(client, { schema, table: target, lane: 'warehouse', seconds }, context)
    })
  },
  async probe ({ url, timeout_seconds: seconds }, context) {
    const client = await connect(whereOf(url, seconds, context), context)
    await client.close()
  }
})

function whereOf (url: string | null, statementSeconds: number, { services }: Context): Where {
  return { url, platform: services.warehouse ?? services.clickhouse, statementSeconds }
}

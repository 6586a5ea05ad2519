// Where logs and metrics are kept: two tables of the database `platform`, a part a day.
//
//   logs       a line a row                      sorted by time: the newest page is read without a look at the rest
//   metrics    a measurement a row               sorted by name, part and step: a chart reads one stretch of each day
//
// Both hold the row's offset in the topic `_platform`, by which the recorder finds out after a crash what has landed.
// ReplacingMergeTree is the second net below that: a row that lands twice all the same is one after the next merge.

import { ensureDatabase } from '../clickhouse/migrate.ts'
import { onCluster } from '../clickhouse/cluster.ts'
import { quoteName, quoteTable } from '../clickhouse/sql.ts'
import type { ClickHouse } from '../clickhouse/client.ts'
import type { TableName } from '../clickhouse/sql.ts'

/** How long both are kept. */
export const OBSERVE_DAYS = 30
export const OBSERVE_DATABASE = 'platform'

export const logsTable: TableName = { database: OBSERVE_DATABASE, table: 'logs' }
export const metricsTable: TableName = { database: OBSERVE_DATABASE, table: 'metrics' }

const time = "`time` DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1))"
const offset = '`_offset` Int64 CODEC(DoubleDelta, ZSTD(1))'
const word = 'LowCardinality(String)'

interface Definition {
  readonly columns: readonly string[]
  readonly order: readonly string[]
  readonly comment: string
}

const logs: Definition = {
  columns: [time, `\`level\` ${word}`, `\`runtime\` ${word}`, `\`part\` ${word}`, `\`step\` ${word}`, '`message` String CODEC(ZSTD(1))', '`fields` String CODEC(ZSTD(1))', offset],
  order: ['time', '_offset'],
  comment: 'Twolane: the log of every part'
}
const metrics: Definition = {
  columns: [
    time, `\`runtime\` ${word}`, `\`part\` ${word}`, `\`step\` ${word}`, `\`name\` ${word}`, `\`kind\` ${word}`,
    '`value` Float64 CODEC(Gorilla, ZSTD(1))', '`increase` Float64 CODEC(Gorilla, ZSTD(1))',
    '`bounds` Array(Float64) CODEC(ZSTD(1))', '`counts` Array(UInt64) CODEC(ZSTD(1))', offset
  ],
  order: ['name', 'part', 'step', 'runtime', 'time', '_offset'],
  comment: 'Twolane: the metrics of every part'
}

/** The statement that makes one of the tables. On a cluster every node holds all rows: they are few, and any node may be asked. */
export function createObserveTable (table: TableName, cluster = ''): string {
  const { columns, order, comment } = table === logsTable ? logs : metrics
  const engine = cluster === '' ? 'ReplacingMergeTree' : "ReplicatedReplacingMergeTree('/clickhouse/tables/all/{database}/{table}', '{shard}-{replica}')"
  return [
    `CREATE TABLE IF NOT EXISTS ${quoteTable(table)}${onCluster(cluster)}`,
    `(${columns.join(', ')})`,
    `ENGINE = ${engine}`,
    'PARTITION BY toDate(time)',
    `ORDER BY (${order.map(quoteName).join(', ')})`,
    `TTL toDateTime(time) + INTERVAL ${OBSERVE_DAYS} DAY`,
    'SETTINGS ttl_only_drop_parts = 1, non_replicated_deduplication_window = 0',
    `COMMENT '${comment}'`
  ].join('\n')
}

/** Makes what is missing. Safe to run by several at a time. */
export async function ensureObserveTables (client: ClickHouse): Promise<void> {
  await ensureDatabase(client, OBSERVE_DATABASE)
  for (const table of [logsTable, metricsTable]) await client.command(createObserveTable(table, client.cluster))
}

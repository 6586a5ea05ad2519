// Rows that go, by the condition that says which: it can be run again until a count says that none is left.

import type { ClickHouse, StatementOptions } from '../clickhouse/client.ts'
import { localTable, onCluster } from '../clickhouse/cluster.ts'
import { quoteTable } from '../clickhouse/sql.ts'
import type { TableName } from '../clickhouse/sql.ts'
import { PlatformError } from '../errors.ts'

const ATTEMPTS_MAX = 3

export interface Removal {
  readonly table: TableName
  readonly where: string
  /** SQL: whether the rows may still go; asked by the statement that deletes them, when it does. */
  readonly while?: string
  readonly signal: AbortSignal
}

/** Returns how many rows there were; there are none when it resolves. Throws BROKER_FENCED where they may not go any more. */
export async function deleteRows (client: ClickHouse, removal: Removal): Promise<number> {
  const { table, where, while: fence, signal } = removal
  const rows = await countRows(client, removal)
  for (let attempt = 1; await countRows(client, removal) > 0; attempt++) {
    if (fence !== undefined && !await holds(client, fence, signal)) throw new PlatformError('BROKER_FENCED', `rows were delivered again to ${table.database}.${table.table} since those that go were verified`, { remedy: 'Nothing to do: the next run looks again.' })
    if (attempt > ATTEMPTS_MAX) throw new PlatformError('DESTINATION_UNAVAILABLE', `rows of ${table.database}.${table.table} that were deleted are still there`, { remedy: 'Look into system.mutations for the reason.' })
    // Not DROP PARTITION: that takes rows which came after the count, and is not atomic in a crash.
    await client.command(`ALTER TABLE ${quoteTable(localTable(table, client.cluster))}${onCluster(client.cluster)} DELETE WHERE ${where}${fence === undefined ? '' : ` AND ${fence}`}`, { settings: settingsOf(client), signal })
  }
  return rows
}

/** Replicas must not differ about which rows go, so on a cluster the first one asks for all of them. */
function settingsOf ({ cluster }: ClickHouse): NonNullable<StatementOptions['settings']> {
  return cluster === '' ? { mutations_sync: '1' } : { mutations_sync: '2', mutations_execute_subqueries_on_initiator: 1 }
}

async function holds (client: ClickHouse, fence: string, signal: AbortSignal): Promise<boolean> {
  const [row] = await client.rows<{ holds: number }>(`SELECT toUInt8(${fence}) AS holds`, { signal })
  return row?.holds === 1
}

export async function countRows (client: ClickHouse, { table, where, signal }: Removal): Promise<number> {
  const [row] = await client.rows<{ n: string }>(`SELECT count() AS n FROM ${quoteTable(table)} WHERE ${where}`, { signal })
  return Number(row?.n ?? 0)
}

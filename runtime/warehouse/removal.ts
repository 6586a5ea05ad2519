// Rows that go, by the condition that says which: it can be run again until a count says that none is left.

import type { ClickHouse } from '../clickhouse/client.ts'
import { localTable, onCluster } from '../clickhouse/cluster.ts'
import { quoteTable } from '../clickhouse/sql.ts'
import type { TableName } from '../clickhouse/sql.ts'
import { PlatformError } from '../errors.ts'

const ATTEMPTS_MAX = 3

export interface Removal {
  readonly table: TableName
  readonly where: string
  readonly signal: AbortSignal
}

/** Returns how many rows there were; there are none when it resolves. */
export async function deleteRows (client: ClickHouse, removal: Removal): Promise<number> {
  const { table, where, signal } = removal
  const rows = await countRows(client, removal)
  for (let attempt = 1; await countRows(client, removal) > 0; attempt++) {
    if (attempt > ATTEMPTS_MAX) throw new PlatformError('DESTINATION_UNAVAILABLE', `rows of ${table.database}.${table.table} that were deleted are still there`, { remedy: 'Look into system.mutations for the reason.' })
    // Not DROP PARTITION: that takes rows which came after the count, and is not atomic in a crash.
    await client.command(`ALTER TABLE ${quoteTable(localTable(table, client.cluster))}${onCluster(client.cluster)} DELETE WHERE ${where}`, { settings: { mutations_sync: client.cluster === '' ? '1' : '2' }, signal })
  }
  return rows
}

export async function countRows (client: ClickHouse, { table, where, signal }: Removal): Promise<number> {
  const [row] = await client.rows<{ n: string }>(`SELECT count() AS n FROM ${quoteTable(table)} WHERE ${where}`, { signal })
  return Number(row?.n ?? 0)
}

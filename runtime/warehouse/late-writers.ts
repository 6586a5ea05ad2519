// Redeliveries put rows below the boundary, which a clean-up takes away once they are in the warehouse. In one process both
// take turns (dataset-lock.ts). Here they do so between two, of which one was paused anywhere and wakes up later:
//
//   redelivery   claims its partition, as every writer does (owners.ts) ▶ inserts, each asks whether it is still the owner
//   clean-up     claims what redeliveries have claimed ▶ verifies ▶ deletes, and asks whether nobody has claimed since
//
// So rows that come after the verification are refused, or nothing is deleted. A deletion is about the rows that were there
// when it was asked for, and asks after that: whoever has claimed before these came is seen.

import type { ClickHouse } from '../clickhouse/client.ts'
import { createOwners, ownersOf } from '../clickhouse/owners.ts'
import { awaitQuiet } from '../clickhouse/quiet.ts'
import { quoteTable, quoteText } from '../clickhouse/sql.ts'
import type { TableName } from '../clickhouse/sql.ts'

/** Ends the name of the step that delivers rows again, beside the output's own. */
const LATE = '~late'
/** How long an insert of a redelivery may go on after it was told to end. */
const QUIET_SECONDS = 120

/** Takes over from all redeliveries to a table. Returns the SQL condition that there was none since. */
export async function holdLateWriters (client: ClickHouse, { table, topic, signal }: { readonly table: TableName, readonly topic: string, readonly signal: AbortSignal }): Promise<string> {
  const owners = quoteTable(ownersOf(table))
  const late = `table = ${quoteText(table.table)} AND topic = ${quoteText(topic)} AND endsWith(writer, ${quoteText(LATE)})`
  const newest = `ifNull((SELECT maxOrNull(epoch) FROM ${owners} WHERE ${late}), 0)`
  await client.command(createOwners(table, client.cluster), { signal })
  const settings = client.cluster === '' ? {} : { insert_quorum: 'auto', insert_quorum_parallel: 0, select_sequential_consistency: '1' } as const
  const seats = await client.rows<{ writer: string, epoch: string }>(`SELECT writer, max(epoch) AS epoch FROM ${owners} WHERE ${late} GROUP BY writer`, { settings, signal })
  if (seats.length === 0) return `${newest} = 0`
  // Just above the last one: whoever claims next goes by the clock, which is far ahead of it.
  const epoch = seats.map(seat => BigInt(seat.epoch)).reduce((a, b) => a > b ? a : b) + 1n
  await client.command(
    `INSERT INTO ${owners} (table, writer, topic, partition, epoch, since) SELECT DISTINCT table, writer, topic, partition, toUInt64(${epoch}), now64(3) FROM ${owners} WHERE ${late}`, { settings, signal })
  for (const { writer } of seats) await awaitQuiet(client, `twolane:${writer}:${topic}:`, { seconds: QUIET_SECONDS, signal })
  return `${newest} = ${epoch}`
}

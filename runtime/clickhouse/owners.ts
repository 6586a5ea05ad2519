// Who may write: one small table a database, `_twolane_owners`, with a row for each change of owner.
//
//   table · writer · topic · partition      what is owned: the rows that one output stores from one partition
//   epoch                                   of the owner; the highest one writes
//
// A process can be paused between two statements and wake up long after another one has taken its partition. So every
// INSERT asks, in the statement itself, whether its owner is still the newest one. The engine lists a statement as running
// before it looks at what the statement reads. Hence, when a new owner has written its epoch, any earlier INSERT
// either has passed the question and is listed until it ends, and is waited for before the read-back, or it asks later and is refused.

import { PlatformError } from '../errors.ts'
import { FENCED } from './answers.ts'
import type { ClickHouse } from './client.ts'
import { onCluster } from './cluster.ts'
import { quoteName, quoteTable, quoteText } from './sql.ts'
import type { TableName } from './sql.ts'

/** An owner of what one writer stores from one partition. */
export interface Seat {
  readonly table: TableName
  /** Pipeline and step. */
  readonly writer: string
  readonly topic: string
  readonly partition: number
  /** Higher than those of all owners before. */
  readonly epoch: number
}

const columns = ['table', 'writer', 'topic', 'partition', 'epoch', 'since'].map(quoteName).join(', ')

/** In the database of the rows, so that one right to write covers both. */
export function ownersOf ({ database }: TableName): TableName {
  return { database, table: '_twolane_owners' }
}

/**
 * ReplacingMergeTree: merges leave the highest epoch of each key. Correctness does not wait for them. On a cluster every
 * node of every shard is a replica of the one table, because any of them may be asked.
 */
export function createOwners (table: TableName, cluster = ''): string {
  return [
    `CREATE TABLE IF NOT EXISTS ${quoteTable(ownersOf(table))}${onCluster(cluster)}`,
    '(`table` String, `writer` String, `topic` String, `partition` UInt16, `epoch` UInt64, `since` DateTime64(3, \'UTC\'))',
    `ENGINE = ${cluster === '' ? 'ReplacingMergeTree(epoch)' : 'ReplicatedReplacingMergeTree(\'/clickhouse/tables/all/{database}/{table}\', \'{shard}-{replica}\', epoch)'}`,
    'ORDER BY (table, writer, topic, partition)',
    'SETTINGS fsync_after_insert = 1, fsync_part_directory = 1',
    'COMMENT \'Twolane: which owner of a partition may write\''
  ].join('\n')
}

/** Makes the seat's owner the newest one. Throws BROKER_FENCED where there is a newer one already. */
export async function claim (client: ClickHouse, seat: Seat): Promise<void> {
  const { table, writer, topic, partition, epoch } = seat
  const values = [...[table.table, writer, topic].map(quoteText), partition, epoch, 'now64(3)']
  await client.command(createOwners(table, client.cluster))
  const statement = `INSERT INTO ${quoteTable(ownersOf(table))} (${columns}) SELECT ${values.join(', ')} WHERE ${refusedIf(seat, '>')}`
  // One after the other: only then does a replica know whether it has heard of all owners (select_sequential_consistency).
  const settings = client.cluster === '' ? {} : { settings: { insert_quorum: 'auto', insert_quorum_parallel: 0, select_sequential_consistency: '1' } } as const
  try {
    await client.command(statement, settings)
  } catch (error) {
    if (!(error instanceof PlatformError) || error.code !== 'BROKER_FENCED') throw error
    throw new PlatformError('BROKER_FENCED', `partition ${partition} of ${topic} has a newer owner in ${table.database}._twolane_owners`, {
      cause: error,
      remedy: 'Nothing to do where another process has the partition now. Where the topics were made anew on another broker, take them along with npx twolane move, or store them in another database.'
    })
  }
}

/** A condition for the rows of an INSERT: true for all of them, or the statement fails. Anything but the own epoch refuses: also a table that was emptied. */
export function fence (seat: Seat): string {
  return refusedIf(seat, '!=')
}

function refusedIf ({ table, writer, topic, partition, epoch }: Seat, differs: '>' | '!='): string {
  const newest = `SELECT max(epoch) FROM ${quoteTable(ownersOf(table))} WHERE table = ${quoteText(table.table)} AND writer = ${quoteText(writer)} AND topic = ${quoteText(topic)} AND partition = ${partition}`
  return `throwIf(ifNull((${newest}), 0) ${differs} ${epoch}, ${quoteText(FENCED)}) = 0`
}

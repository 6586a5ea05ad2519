// Rows of a topic by their offsets, as they came: what a transform gets again.

import { Batch, fromRows } from '../batch.ts'
import { PlatformError } from '../errors.ts'
import { isCut } from './refused.ts'
import type { Reader } from '../broker/broker.ts'
import type { Topic } from '../schema.ts'
import type { RefusedRow } from './refused.ts'

/** Read at once around a wanted row. */
const READ = { rows: 1, bytes: 2 ** 20 }

export interface RawRows {
  /** With the offsets, the partition and the ingest time that they had. */
  readonly batches: readonly Batch[]
  /** Those that nobody has any more, and why. */
  readonly gone: ReadonlyArray<{ readonly row: RefusedRow, readonly why: string }>
}

/**
 * The rows that were refused, all of one partition, by ascending offset. The topic has them as they came; where retention has
 * taken them, the rejected topic has what a transform was given, unless it was too large. What an output was given
 * has been mapped already, and is of no use.
 */
export async function rawRows (reader: Reader, topic: Topic, refused: readonly RefusedRow[]): Promise<RawRows> {
  const partition = refused[0]?.partition ?? 0
  if (partition >= reader.partitions) return { batches: [], gone: refused.map(row => ({ row, why: `the topic has no partition ${partition} any more` })) }
  const { first, next } = await reader.bounds(partition)
  const wanted = new Set(refused.map(({ offset }) => offset).filter(offset => offset >= first && offset < next))
  const batches: Batch[] = []
  for (const { offset } of refused) {
    // The batch of an earlier one may have brought it.
    if (!wanted.has(offset)) continue
    for (const batch of await around(reader, partition, offset)) {
      const indexes: number[] = []
      for (let i = 0; i < batch.length; i++) if (wanted.delete(batch.offsetAt(i))) indexes.push(i)
      if (indexes.length > 0) batches.push(batch.select(Int32Array.from(indexes)))
    }
  }
  const found = new Set(batches.flatMap(batch => Array.from({ length: batch.length }, (_, i) => batch.offsetAt(i))))
  const rest = restored(topic, refused.filter(({ offset }) => !found.has(offset)))
  return { batches: [...rest.batches, ...batches], gone: rest.gone }
}

async function around (reader: Reader, partition: number, offset: number): Promise<readonly Batch[]> {
  try {
    return (await reader.read(partition, offset, READ)).batches
  } catch (error) {
    // Retention has passed it since its bounds were asked for.
    if (error instanceof PlatformError && error.code === 'BROKER_OFFSET_LOST') return []
    throw error
  }
}

/** From the rejected topic itself. The time that is known is that of the refusal. */
function restored (topic: Topic, refused: readonly RefusedRow[]): RawRows {
  const usable: RefusedRow[] = []
  const gone: Array<RawRows['gone'][number]> = []
  for (const row of refused) {
    if (isCut(row.row)) gone.push({ row, why: 'the topic does not hold the row any more, and it was too large to be kept whole' })
    else if (!row.step.startsWith('transforms.')) gone.push({ row, why: 'the topic does not hold the row any more, and what the output was given has been mapped already' })
    else usable.push(row)
  }
  return { batches: usable.map(({ row, partition, offset, time }) => new Batch(topic, 1, fromRows(topic, [row]).columns, { position: { partition, offset, time } })), gone }
}

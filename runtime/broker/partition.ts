import { crc32 } from 'node:zlib'
import { cell } from '../batch.ts'
import type { Batch } from '../batch.ts'
import type { Topic } from '../schema.ts'

export interface Part { readonly partition: number, readonly rows: Batch }

/** The rows of a batch by partition: rows with the same key go to the same one, in their order. */
export function splitByKey (batch: Batch, topic: Topic): Part[] {
  if (topic.partitions === 1 || topic.key.length === 0) return [{ partition: 0, rows: batch }]
  const indexes = Array.from({ length: topic.partitions }, (): number[] => [])
  for (let i = 0; i < batch.length; i++) (indexes[partitionOf(keyText(batch, topic.key, i), topic.partitions)] as number[]).push(i)
  return indexes.map((rows, partition) => ({ partition, rows: batch.select(Int32Array.from(rows)) }))
}

function keyText (batch: Batch, key: readonly string[], i: number): string {
  return key.map(name => {
    const column = batch.columns[name]
    return column === undefined ? '' : String(cell(column, i))
  }).join('\u0000')
}

function partitionOf (key: string, partitions: number): number {
  return crc32(key) % partitions
}

// One topic of a dataset, through the transforms of the pipeline that stores it.

import { loadTransforms, openChain, topicNamed } from '../steps.ts'
import { placeOf } from './position.ts'
import type { Batch } from '../batch.ts'
import type { Reader } from '../broker/broker.ts'
import type { OpenChain } from '../deliver.ts'
import type { Surroundings } from '../steps.ts'

export interface Read {
  /** As the destination gets them, without refused rows. */
  readonly batches: readonly Batch[]
  /** The offset to read on from. */
  readonly next: number
}

/** Whoever opened it closes it. */
export interface TopicSource {
  readonly topic: string
  /** The topic's partitions, as `quotes/0`. */
  readonly places: ReadonlyArray<readonly [place: string, partition: number]>
  bounds (partition: number): Promise<{ readonly first: number, readonly next: number }>
  /** Throws BROKER_OFFSET_LOST where the topic does not hold the offset. */
  read (partition: number, offset: number, limits: { readonly rows: number, readonly bytes: number, readonly to?: number }): Promise<Read>
  close (): Promise<void>
}

/** Transforms that keep a state begin with an empty one. */
export async function openSource (around: Surroundings, output: string, signal: AbortSignal): Promise<TopicSource> {
  const topic = topicNamed(around.schemas, around.pipeline.topic)
  const reader: Reader = await around.broker.reader(topic)
  const open: OpenChain = await openChain(around, await loadTransforms(around), { signal, output }).catch(async (error: unknown) => {
    await reader.close()
    throw error
  })
  return {
    topic: topic.name,
    places: Array.from({ length: reader.partitions }, (_, partition) => [placeOf(topic.name, partition), partition]),
    bounds: partition => reader.bounds(partition),
    async read (partition, offset, limits) {
      const { batches, next } = await reader.read(partition, offset, limits)
      const mapped = batches.map(batch => open.chain.map(batch))
      // The output that stores the rows keeps those that are refused.
      open.rejects.take()
      return { batches: mapped, next }
    },
    close: () => reader.close()
  }
}

// The first loop of the data plane: input ▶ rename ▶ topic check ▶ topic.

import { connect } from './connector.ts'
import { PlatformError } from './errors.ts'
import { RefusedBefore } from './refused-before.ts'
import { rejectedTopic } from './schema.ts'
import type { Broker, Producer } from './broker/broker.ts'
import type { Batch } from './batch.ts'
import type { Names } from './connector.ts'
import type { Config, Context, InputPlugin, Json } from './plugin.ts'
import type { Rejects } from './rejects.ts'
import type { Topic } from './schema.ts'

export interface Ingest {
  readonly plugin: InputPlugin
  readonly config: Config<InputPlugin['options']>
  /** `rename:` of the YAML, on top of the plugin's own names. */
  readonly rename: Names
  /** Name of this writer at the broker. */
  readonly producer: string
  readonly topic: Topic
  readonly rejects: Rejects
  /** Called when the rows of one chunk are durable. */
  readonly onDurable?: (batch: Batch) => void
}

/** Opens the writers of an input. The checkpoint that a run resumes from is the one of the pipeline's own topic. */
export async function openIngest ({ plugin, rename, producer, topic }: Ingest, broker: Broker): Promise<IngestWriters> {
  const producers = new Map<string, Promise<Producer>>()
  const connects = new Map<string, (batch: Batch) => Batch>()
  const rejected = rejectedTopic(topic.name)
  // Where nothing was ever refused there is no topic, and none is made. It comes first: who is stopped in between, and wakes
  // up behind another owner, is not the owner of this one any more, and cannot reject again what that one has.
  const earlier = (await broker.topics()).includes(rejected.name) ? await broker.producer(rejected, producer) : undefined
  if (earlier !== undefined) producers.set(rejected.name, Promise.resolve(earlier))
  const refused = earlier?.checkpoint
  const main = await broker.producer(topic, producer).catch(async (error: unknown) => {
    await earlier?.close()
    throw error
  })

  return {
    main,
    refused,
    to (other) {
      if (other.name === topic.name) return Promise.resolve(main)
      let opened = producers.get(other.name)
      if (opened === undefined) producers.set(other.name, opened = broker.producer(other, producer).then(writer => other.name === rejected.name ? unmarked(writer, producer) : writer))
      return opened
    },
    connect (batch) {
      let rename_ = connects.get(batch.topic.name)
      if (rename_ === undefined) connects.set(batch.topic.name, rename_ = connect(batch.topic, plugin.names ?? {}, rename))
      return rename_(batch)
    },
    async close () {
      await main.close()
      // One that could not be opened has nothing to close.
      for (const opened of await Promise.allSettled(producers.values())) if (opened.status === 'fulfilled') await opened.value.close()
    }
  }
}

/**
 * The writer of a rejected topic that was not there when this life began. A mark in it is of another life of the input,
 * which has taken over since: whoever was stopped for long may wake up here, and would reject again what that one has.
 */
async function unmarked (rejected: Producer, name: string): Promise<Producer> {
  if (rejected.checkpoint === undefined) return rejected
  await rejected.close()
  throw new PlatformError('BROKER_FENCED', `The input ${name} has had another owner, which has rejected rows`, { remedy: 'Nothing to do: the input goes on behind them.' })
}

export interface IngestWriters {
  readonly main: Producer
  /** The mark of the refused rows that are there already (refused-before.ts). */
  readonly refused: Json | undefined
  to (topic: Topic): Promise<Producer>
  connect (batch: Batch): Batch
  close (): Promise<void>
}

/** One life of an input: from its checkpoint until it ends, stops or throws. Nothing that was not durable is passed by a checkpoint. */
export async function ingest ({ plugin, config, topic, rejects, onDurable }: Ingest, writers: IngestWriters, context: Context): Promise<void> {
  const before = new RefusedBefore(writers.main.checkpoint, writers.refused)
  const settleRejects = async (taken = 0, checkpoint?: Json): Promise<void> => {
    // A retry brings the same rows again: those that are there already are not appended twice.
    const { fresh, mark } = before.arrive(rejects.digests(), { rows: taken + rejects.length, checkpoint })
    const batches = rejects.take(fresh)
    if (batches.length === 0 && mark === undefined) return
    await (await writers.to(rejectedTopic(topic.name))).append(batches, { checkpoint: mark })
  }

  try {
    for await (const { batch, checkpoint } of plugin.read(config, context)) {
      // Invariant 5, rejected rows first: the checkpoint in the append below then covers both.
      await settleRejects(batch.length, checkpoint)
      const rows = batch.length === 0 ? [] : [writers.connect(batch)]
      if (batch.topic.name === topic.name) {
        await writers.main.append(rows, { checkpoint })
      } else {
        await (await writers.to(batch.topic)).append(rows)
        if (checkpoint !== undefined) await writers.main.append([], { checkpoint })
      }
      if (checkpoint !== undefined) before.pass(checkpoint)
      onDurable?.(batch)
    }
  } catch (error) {
    // Not every source sends them again. Where the topic is out of reach there is nothing to be done.
    await settleRejects().catch(() => {})
    throw error
  }
  await settleRejects()
}

// The platform's topics on a cluster: how they are made, and what they are called there.
//
// A topic that is there already is used as it is. The platform makes the others such that
//   - a record's time is the broker's, so that ages do not depend on the clocks of writers;
//   - whatever codec another client sends, the broker stores one that the platform reads;
//   - Kafka itself removes nothing: the platform does (`trim`), because only it knows what outputs still need. Where the
//     schema lets rows go before they are delivered, Kafka does it as well.

import { setTimeout as sleep } from 'node:timers/promises'
import { PlatformError } from '../../errors.ts'
import { hasType } from './faults.ts'
import type { Topic } from '../../schema.ts'
import type { Cluster } from './cluster.ts'
import type { KafkaConfig } from './options.ts'

/** Of one record batch, in topics that the platform makes. */
export const BATCH_BYTES_MAX = 16 * 2 ** 20
/** Kafka's own default. */
const BATCH_BYTES_DEFAULT = 1_048_588
const STATE_PARTITIONS = 8
const VISIBLE_MS = 20_000

/** The platform's own topics: not for rows. */
export interface InternalTopics {
  /** What producers and groups have saved; compacted. */
  readonly state: string
  /** Holds nothing: who has its partition in a group has the seat of that name. */
  readonly leases: string
}

export function internalTopics ({ prefix }: KafkaConfig): InternalTopics {
  return { state: `${prefix}twolane.state`, leases: `${prefix}twolane.leases` }
}

export function topicName ({ prefix }: KafkaConfig, name: string): string {
  return prefix + name
}

const storedAs = { none: 'uncompressed', gzip: 'gzip', zstd: 'zstd' } as const

/** Makes the topic where it is missing; resolves to the number of its partitions. */
export async function ensureTopic (cluster: Cluster, topic: Topic): Promise<number> {
  const { config } = cluster
  const { retention: { ms, bytes, beyondOutputs } } = topic
  const partitions = await ensure(cluster, topicName(config, topic.name), topic.partitions, {
    'cleanup.policy': 'delete',
    'retention.ms': beyondOutputs ? String(ms) : '-1',
    // Kafka counts by partition.
    'retention.bytes': beyondOutputs && Number.isFinite(bytes) ? String(Math.ceil(bytes / topic.partitions)) : '-1',
    'message.timestamp.type': 'LogAppendTime',
    'compression.type': storedAs[config.compression],
    'max.message.bytes': String(BATCH_BYTES_MAX)
  })
  if (partitions >= topic.partitions) return partitions
  throw new PlatformError('CONFIG_INVALID', `The topic ${topicName(config, topic.name)} has ${partitions} partitions in Kafka, and ${topic.partitions} in its schema`, {
    where: `schemas/${topic.name}.yaml`,
    remedy: `Set partitions: ${partitions}, or add partitions in Kafka with kafka-topics --alter. Rows of one key may change their partition then.`
  })
}

export async function ensureInternalTopics (cluster: Cluster): Promise<void> {
  const { state, leases } = internalTopics(cluster.config)
  await ensure(cluster, state, STATE_PARTITIONS, {
    'cleanup.policy': 'compact',
    // Only a segment that is closed is compacted, and the whole is read when a partition is taken over.
    'segment.bytes': String(8 * 2 ** 20),
    'segment.ms': String(10 * 60_000),
    'min.cleanable.dirty.ratio': '0.2',
    'max.compaction.lag.ms': String(60 * 60_000),
    'compression.type': 'uncompressed',
    'max.message.bytes': String(BATCH_BYTES_MAX)
  })
  await ensure(cluster, leases, 1, { 'cleanup.policy': 'delete' })
}

/** How large a record batch the topic takes. */
export async function batchBytesMax (cluster: Cluster, name: string): Promise<number> {
  const { resources } = await cluster.patiently(async () => (await cluster.controller()).describeConfigs({
    resources: [{ type: 2, name, configNames: ['max.message.bytes'] }]
  }))
  const text = resources[0]?.configEntries.find(({ configName }) => configName === 'max.message.bytes')?.configValue
  return Number(text ?? BATCH_BYTES_DEFAULT)
}

async function ensure (cluster: Cluster, name: string, partitions: number, settings: Readonly<Record<string, string>>): Promise<number> {
  // Asked for anew: what is known may be of a topic that was deleted since.
  const existing = await cluster.patiently(() => cluster.partitions(name, true))
  if (existing > 0) return existing
  try {
    await cluster.patiently(async () => (await cluster.controller()).createTopics({
      topics: [{
        topic: name,
        numPartitions: partitions,
        replicationFactor: cluster.config.replicationFactor,
        configEntries: Object.entries(settings).map(([name, value]) => ({ name, value }))
      }],
      timeout: 10_000
    }))
  } catch (error) {
    if (hasType(error, 'INVALID_REPLICATION_FACTOR')) {
      throw new PlatformError('CONFIG_INVALID', `Kafka has fewer brokers than the topic ${name} is to have replicas: ${cluster.config.replicationFactor}`, { remedy: 'Lower kafka_replication, or add brokers.', cause: error })
    }
    if (hasType(error, 'INVALID_TOPIC_EXCEPTION')) {
      throw new PlatformError('CONFIG_INVALID', `Kafka takes no topic of the name ${name}`, { remedy: 'Use letters, digits, dots, dashes and underscores, 249 at most with the prefix.', cause: error })
    }
    // Another one has made it at the same moment.
    if (!hasType(error, 'TOPIC_ALREADY_EXISTS')) throw error
  }
  return visible(cluster, name)
}

/** All brokers hear of a topic and of its leaders a moment after it was made. */
async function visible (cluster: Cluster, name: string): Promise<number> {
  const until = performance.now() + VISIBLE_MS
  while (true) {
    const partitions = await cluster.patiently(() => cluster.partitions(name, true))
    const led = async (): Promise<boolean> => {
      for (let partition = 0; partition < partitions; partition++) await cluster.leaderAddress(name, partition)
      return true
    }
    if (partitions > 0 && await led().catch(() => false)) return partitions
    if (performance.now() > until) throw new PlatformError('BROKER_UNAVAILABLE', `The topic ${name} was made, and has no leader yet`)
    cluster.forget(name)
    await sleep(20, undefined, { signal: cluster.closed })
  }
}

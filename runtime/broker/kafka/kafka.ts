// The broker on Apache Kafka. Every thread opens its own, and connects when something is asked of it.

import { aborted } from '../../backoff.ts'
import { Waker } from '../../waker.ts'
import { Cluster } from './cluster.ts'
import { openConsumer } from './consumer.ts'
import { translate } from './faults.ts'
import { Inspection } from './inspection.ts'
import { Member } from './member.ts'
import { openProducer } from './producer.ts'
import { PartitionReader } from './reader.ts'
import { StateStore } from './state.ts'
import { ensureInternalTopics, ensureTopic, internalTopics } from './topics.ts'
import type { Batch } from '../../batch.ts'
import type { Topic } from '../../schema.ts'
import type { Broker, Consumer, Lease, Reader } from '../broker.ts'
import type { KafkaConfig } from './options.ts'

const FOLLOW_ROWS = 16_384
const FOLLOW_MS = 1000

export function openKafka (config: KafkaConfig): Broker {
  const cluster = new Cluster(config)
  const store = new StateStore(cluster)
  const inspection = new Inspection(cluster, store)
  const consumers = new Set<Consumer>()
  const internal = internalTopics(config)

  const asked = async <T>(doing: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      throw translate(error, doing)
    }
  }

  return {
    producer: (topic, name) => openProducer(cluster, store, topic, name),
    async consumer (topic, group) {
      const consumer = await openConsumer(cluster, store, topic, group)
      consumers.add(consumer)
      return {
        assignments: signal => consumer.assignments(signal),
        async close () {
          consumers.delete(consumer)
          await consumer.close()
        }
      }
    },
    async lease (name) {
      return lease(cluster, name)
    },
    follow: (topic, options) => follow({ cluster, store, inspection }, topic, options),
    reader: topic => asked(`Reading the topic ${topic.name}`, () => readerOf(cluster, store, topic)),
    inspect: topic => asked(`Looking at the topic ${topic}`, () => inspection.topic(topic, Date.now())),
    topics: () => asked('Listing the topics', async () => {
      const names = await cluster.patiently(() => cluster.topicNames())
      const hidden = new Set(Object.values(internal) as string[])
      return names.filter(name => name.startsWith(config.prefix) && !hidden.has(name)).map(name => name.slice(config.prefix.length)).sort()
    }),
    tail: (topic, rows) => asked(`Reading the topic ${topic.name}`, () => inspection.tail(topic, rows)),
    trim: (topic, needs) => asked(`Trimming the topic ${topic.name}`, () => inspection.trim(topic, needs)),
    async close () {
      await Promise.all([...consumers].map(consumer => consumer.close()))
      await inspection.close()
      await cluster.close()
    }
  }
}

async function readerOf (cluster: Cluster, store: StateStore, topic: Topic): Promise<Reader> {
  const partitions = await ensureTopic(cluster, topic)
  const { base } = await store.topic(topic.name)
  const readers = Array.from({ length: partitions }, (_, partition) => new PartitionReader(cluster, topic, partition, base))
  const of = (partition: number): PartitionReader => readers[partition] as PartitionReader
  return {
    partitions,
    async bounds (partition) {
      await of(partition).settled()
      return of(partition).bounds()
    },
    read: (partition, offset, limits) => of(partition).read(offset, limits),
    async close () {
      await Promise.all(readers.map(reader => reader.close()))
    }
  }
}

/** A seat is the only partition of a topic in a group of its own. */
function lease (cluster: Cluster, name: string): Lease {
  const { prefix } = cluster.config
  return {
    shared: true,
    async * held (signal) {
      if (signal.aborted) return
      const member = new Member(cluster, { group: `${prefix}twolane.lease.${name}`, topic: internalTopics(cluster.config).leases })
      try {
        await ensureInternalTopics(cluster)
        for await (const seat of member.seats(signal)) {
          const lost = AbortSignal.any([seat.signal, signal])
          yield lost
          await aborted(lost)
          seat.release()
        }
      } catch (error) {
        throw translate(error, `Asking for the seat ${name}`)
      } finally {
        await member.close()
      }
    }
  }
}

interface Parts { readonly cluster: Cluster, readonly store: StateStore, readonly inspection: Inspection }

async function * follow ({ cluster, store, inspection }: Parts, topic: Topic, { rows, signal }: { readonly rows: number, readonly signal: AbortSignal }): AsyncGenerator<Batch, void, void> {
  const count = await ensureTopic(cluster, topic)
  const { base } = await store.topic(topic.name)
  const readers = Array.from({ length: count }, (_, partition) => new PartitionReader(cluster, topic, partition, base))
  const waker = new Waker()
  try {
    // Rows that come while the tail is read stand behind the ends that are asked for before.
    const ends = await Promise.all(readers.map(async reader => {
      await reader.settled()
      return (await reader.bounds()).next
    }))
    for (const batch of await inspection.tail(topic, rows)) {
      const end = ends[batch.position.partition] as number
      const known = Array.from({ length: batch.length }, (_, i) => i).filter(i => batch.offsetAt(i) < end)
      if (known.length > 0) yield batch.select(Int32Array.from(known))
    }
    const stop = new AbortController()
    const watching = AbortSignal.any([signal, stop.signal])
    try {
      while (!signal.aborted) {
        let found = 0
        for (const [partition, reader] of readers.entries()) {
          const { batches, next } = await reader.read(ends[partition] as number, { rows: FOLLOW_ROWS, bytes: Infinity })
          ends[partition] = next
          found += batches.length
          yield * batches
        }
        if (found > 0) continue
        const woken = waker.sleep(FOLLOW_MS)
        for (const [partition, reader] of readers.entries()) void reader.wait(ends[partition] as number, FOLLOW_MS, watching).then(() => waker.wake())
        await woken
      }
    } finally {
      stop.abort()
    }
  } finally {
    await Promise.all(readers.map(reader => reader.close()))
  }
}

// One member of a group on a topic: which partitions it works on, and where it goes on.
//
// A partition comes in this order: the member gets it from the group ▶ it takes over the writer of the partition's state
// and writes there, which fences off the owner before ▶ it reads what was committed. What it commits is one record.

import { fenced, madeAnew, translate } from './faults.ts'
import { incarnationOf } from './incarnation.ts'
import { Member } from './member.ts'
import { PartitionReader } from './reader.ts'
import { groupKey, ownerKey } from './state.ts'
import { ensureTopic, topicName } from './topics.ts'
import { TransactionalWriter } from './transactions.ts'
import type { Json } from '../../plugin.ts'
import type { Topic } from '../../schema.ts'
import type { Assignment, Committed, Consumer, Found, Intent } from '../broker.ts'
import type { Cluster } from './cluster.ts'
import type { Seat } from './member.ts'
import type { Bounds } from './reader.ts'
import type { GroupState, StateStore } from './state.ts'

export async function openConsumer (cluster: Cluster, store: StateStore, topic: Topic, group: string): Promise<Consumer> {
  try {
    await ensureTopic(cluster, topic)
    return new KafkaConsumer({ cluster, store, topic, group })
  } catch (error) {
    throw translate(error, `Opening the group ${group} of ${topic.name}`)
  }
}

interface Place {
  readonly cluster: Cluster
  readonly store: StateStore
  readonly topic: Topic
  readonly group: string
}

class KafkaConsumer implements Consumer {
  readonly #place: Place
  readonly #member: Member
  readonly #readers = new Set<PartitionReader>()

  constructor (place: Place) {
    this.#place = place
    const { cluster: { config }, topic, group } = place
    this.#member = new Member(place.cluster, { group: config.prefix + group, topic: topicName(config, topic.name) })
  }

  async * assignments (signal: AbortSignal): AsyncGenerator<Assignment, void, void> {
    for await (const seat of this.#member.seats(signal)) yield await this.#assign(seat)
  }

  async close (): Promise<void> {
    await this.#member.close()
    await Promise.all([...this.#readers].map(reader => reader.close()))
  }

  /** It keeps what a fetch brought, and a connection. */
  #closeReader (reader: PartitionReader): void {
    this.#readers.delete(reader)
    void reader.close()
  }

  async #assign (seat: Seat): Promise<Assignment> {
    const { cluster, store, topic, group } = this.#place
    const place = { group, partition: seat.partition }
    try {
      const writer = await TransactionalWriter.open(cluster, `${cluster.config.prefix}${group}/${topic.name}/${seat.partition}`)
      // The partition of the state remembers the newest writer from here on.
      const claimed = await writer.write(await store.part(topic.name, ownerKey(topic.name, place), {}))
      const saved = await store.read<GroupState>(topic.name, groupKey(topic.name, place), claimed)
      const { base, epoch, id } = await incarnationOf(cluster, store, topic.name)
      const reader = new PartitionReader(cluster, topic, seat.partition, base)
      this.#readers.add(reader)
      const deleted = saved !== undefined && saved.offset < base
      const committed: Committed = deleted || saved === undefined
        ? { offset: (await reader.bounds()).first, state: saved?.state, intent: undefined, deleted }
        : { offset: saved.offset, state: saved.state, intent: saved.intent }
      return new KafkaAssignment({ ...this.#place, seat, writer, reader, id, epoch: epoch + claimed + 1, committed, tell: offset => this.#member.tell(seat.partition, Math.max(0, offset - base)), closeReader: () => this.#closeReader(reader) })
    } catch (error) {
      throw translate(error, `Taking partition ${seat.partition} of ${topic.name} for ${group}`)
    }
  }
}

interface Parts extends Place {
  readonly closeReader: () => void
  readonly seat: Seat
  readonly writer: TransactionalWriter
  readonly reader: PartitionReader
  /** Of the topic that it was when it was assigned. */
  readonly id: string | undefined
  readonly epoch: number
  readonly committed: Committed
  readonly tell: (offset: number) => void
}

class KafkaAssignment implements Assignment {
  readonly partition: number
  readonly epoch: number
  readonly signal: AbortSignal
  readonly committed: Committed
  readonly #parts: Parts
  #offset: number
  #state: Json | undefined

  constructor (parts: Parts) {
    this.#parts = parts
    this.partition = parts.seat.partition
    this.signal = parts.seat.signal
    this.epoch = parts.epoch
    this.committed = parts.committed
    this.#offset = parts.committed.offset
    this.#state = parts.committed.state
  }

  read (offset: number, limits: { readonly rows: number, readonly bytes: number, readonly to?: number }): Promise<Found> {
    return this.#parts.reader.read(offset, limits)
  }

  wait (offset: number, ms: number, signal: AbortSignal): Promise<void> {
    return this.#parts.reader.wait(offset, ms, signal)
  }

  bounds (): Promise<Bounds> {
    return this.#parts.reader.bounds()
  }

  async begin (intent: Intent): Promise<void> {
    await this.#save({ offset: this.#offset, state: this.#state, intent })
  }

  async commit (offset: number, state: Json | undefined): Promise<void> {
    // Invariant 3: offsets only grow.
    const next = Math.max(offset, this.#offset)
    await this.#save({ offset: next, state })
    this.#offset = next
    this.#state = state
    this.#parts.tell(next)
  }

  release (): void {
    this.#parts.closeReader()
    this.#parts.seat.release()
  }

  async #save (saved: GroupState): Promise<void> {
    const { store, topic, group, writer } = this.#parts
    try {
      await this.#checkTopic()
      await writer.write(await store.part(topic.name, groupKey(topic.name, { group, partition: this.partition }), saved))
    } catch (error) {
      const failure = translate(error, `Saving the offset of ${group} on ${topic.name}/${this.partition}`)
      throw failure.code === 'BROKER_FENCED' ? fenced(`The group ${group} on ${topic.name}/${this.partition}`) : failure
    }
  }

  /** What was read may be rows of another topic than the offsets belong to. */
  async #checkTopic (): Promise<void> {
    const { cluster, topic, id } = this.#parts
    const name = topicName(cluster.config, topic.name)
    if (id !== undefined && await cluster.patiently(() => cluster.topicId(name)) !== id) throw madeAnew(name)
  }
}

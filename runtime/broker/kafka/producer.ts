// The one writer of a name on a topic. An append is a transaction: the rows, over all partitions, and what is saved with
// them. Appends that come while one is under way share the next one.

import { checkNames } from '../../connector.ts'
import { PlatformError } from '../../errors.ts'
import { translate } from './faults.ts'
import { incarnationOf } from './incarnation.ts'
import { encodeHeaders, RecordPacker } from './records.ts'
import { Keys, valuesOf } from './rows.ts'
import { producerKey, producerWriterKey } from './state.ts'
import { batchBytesMax, ensureTopic, topicName } from './topics.ts'
import { TransactionalWriter } from './transactions.ts'
import type { Batch } from '../../batch.ts'
import type { Json } from '../../plugin.ts'
import type { Topic } from '../../schema.ts'
import type { Producer } from '../broker.ts'
import type { Cluster } from './cluster.ts'
import type { ProducerState, StateStore } from './state.ts'
import type { Part } from './transactions.ts'

/** A batch that is full: a reader takes it whole. */
const BATCH_BYTES = 2 * 2 ** 20
const BATCH_ROWS = 16_384
/** Besides the record: the head of a batch, and what a codec may add. */
const BATCH_OVERHEAD = 1024
/** Of appends that share a transaction. */
const SHARED_BYTES = 32 * 2 ** 20

interface Append {
  readonly parts: readonly Part[]
  readonly saved: ProducerState | undefined
  readonly checkpoint: Json | undefined
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

export async function openProducer (cluster: Cluster, store: StateStore, topic: Topic, name: string): Promise<Producer> {
  try {
    const partitions = await ensureTopic(cluster, topic)
    // Before the first row: a topic without one gets a base.
    await incarnationOf(cluster, store, topic.name)
    const limit = await batchBytesMax(cluster, topicName(cluster.config, topic.name))
    const writer = await TransactionalWriter.open(cluster, `${cluster.config.prefix}${topic.name}/${name}`)
    const places = Array.from({ length: partitions }, (_, partition) => ({ topic: topicName(cluster.config, topic.name), partition }))
    const written = await writer.claim(await store.part(topic.name, producerWriterKey(topic.name, name), {}), places)
    const state = await store.read<ProducerState>(topic.name, producerKey(topic.name, name), written)
    return new KafkaProducer({ cluster, store, topic, name, partitions, limit, writer }, state)
  } catch (error) {
    throw translate(error, `Opening the producer ${name} of ${topic.name}`)
  }
}

interface Place {
  readonly cluster: Cluster
  readonly store: StateStore
  readonly topic: Topic
  readonly name: string
  readonly partitions: number
  /** Bytes of a record batch. */
  readonly limit: number
  readonly writer: TransactionalWriter
}

class KafkaProducer implements Producer {
  checkpoint: Json | undefined
  readonly #place: Place
  readonly #keys: Keys
  readonly #headers: Buffer
  #saved: ProducerState
  #waiting: Append[] = []
  #working: Promise<void> | undefined
  #keyless: number

  constructor (place: Place, state: ProducerState = {}) {
    this.#place = place
    this.#keys = new Keys(place.topic, place.partitions)
    this.#headers = encodeHeaders({ 'twolane-producer': place.name })
    this.#saved = state
    this.#keyless = Math.floor(Math.random() * place.partitions)
    this.checkpoint = state.checkpoint
  }

  async append (batches: readonly Batch[], { checkpoint, sequence }: { readonly checkpoint?: Json | undefined, readonly sequence?: number } = {}): Promise<void> {
    for (const batch of batches) checkNames(this.#place.topic, batch)
    if (sequence !== undefined && this.#saved.sequence !== undefined && sequence <= this.#saved.sequence) return
    const parts = this.#pack(batches)
    const saves = checkpoint !== undefined || sequence !== undefined
    if (parts.length === 0 && !saves) return
    if (saves) this.#saved = { checkpoint: checkpoint ?? this.#saved.checkpoint, sequence: sequence ?? this.#saved.sequence }
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#waiting.push({ parts, saved: saves ? this.#saved : undefined, checkpoint, resolve, reject })
    this.#working ??= this.#work().finally(() => { this.#working = undefined })
    return promise
  }

  async close (): Promise<void> {
    await this.#working
  }

  async #work (): Promise<void> {
    while (this.#waiting.length > 0) {
      const appends = this.#share()
      try {
        await this.#write(appends)
        for (const { checkpoint, resolve } of appends) {
          if (checkpoint !== undefined) this.checkpoint = checkpoint
          resolve()
        }
      } catch (error) {
        for (const { reject } of appends) reject(error)
      }
    }
  }

  /** Those that go into the next transaction. */
  #share (): Append[] {
    let bytes = 0
    let count = 0
    for (const { parts } of this.#waiting) {
      bytes += parts.reduce((sum, { records }) => sum + records.bytes.length, 0)
      if (count > 0 && bytes > SHARED_BYTES) break
      count++
    }
    return this.#waiting.splice(0, count)
  }

  async #write (appends: readonly Append[]): Promise<void> {
    const { store, topic, name, writer } = this.#place
    const parts = appends.flatMap(append => append.parts)
    const saved = appends.findLast(append => append.saved !== undefined)?.saved
    // Invariant 1: the checkpoint becomes durable together with its rows.
    if (saved !== undefined) parts.push(await store.part(topic.name, producerKey(topic.name, name), saved))
    await writer.transaction(parts)
  }

  /** All rows as batches of records, by partition, in their order. */
  #pack (batches: readonly Batch[]): Part[] {
    const { cluster, topic, partitions, limit } = this.#place
    const name = topicName(cluster.config, topic.name)
    const fullBytes = Math.min(BATCH_BYTES, limit - BATCH_OVERHEAD)
    const packers: Array<RecordPacker | undefined> = []
    const parts: Part[] = []
    const take = (packer: RecordPacker, partition: number): void => { parts.push({ topic: name, partition, records: packer.take(cluster.config.compression) }) }
    this.#keyless = (this.#keyless + 1) % partitions

    for (const batch of batches) {
      const valueAt = valuesOf(batch)
      const keyAt = this.#keys.of(batch, this.#keyless)
      for (let i = 0; i < batch.length; i++) {
        const { key, partition } = keyAt(i)
        const packer = packers[partition] ??= new RecordPacker()
        const value = valueAt(i)
        if (packer.count > 0 && packer.bytes + value.length > fullBytes) take(packer, partition)
        packer.add(key, value, this.#headers)
        if (packer.bytes > limit - BATCH_OVERHEAD && packer.count === 1) throw this.#tooLarge(packer.bytes)
        if (packer.bytes >= fullBytes || packer.count >= BATCH_ROWS) take(packer, partition)
      }
    }
    for (const [partition, packer] of packers.entries()) if (packer !== undefined && packer.count > 0) take(packer, partition)
    return parts
  }

  #tooLarge (bytes: number): PlatformError {
    const { topic, limit } = this.#place
    return new PlatformError('ROW_INVALID', `A row of ${bytes} bytes, key included, is too large for the topic ${topic.name}, which takes ${limit}`, {
      remedy: 'Send smaller rows, or raise max.message.bytes of the topic in Kafka.'
    })
  }
}

// Topics of another broker come in: rows with their partition and order, and what producers and groups had saved.
//
//   import:<topic>    { id, partitions: [{ from, next }] }    how far it is, in the offsets of where it comes from
//
// Rows and this record are one transaction, so that an import that was killed goes on where it was.

import { PlatformError } from '../../errors.ts'
import { Cluster } from './cluster.ts'
import { translate } from './faults.ts'
import { incarnationOf } from './incarnation.ts'
import { PartitionReader } from './reader.ts'
import { encodeHeaders, RecordPacker } from './records.ts'
import { Keys, valuesOf } from './rows.ts'
import { groupKey, producerKey, StateStore, topicKey } from './state.ts'
import { batchBytesMax, ensureTopic, topicName } from './topics.ts'
import { TransactionalWriter } from './transactions.ts'
import type { Batch } from '../../batch.ts'
import type { Topic } from '../../schema.ts'
import type { KafkaConfig } from './options.ts'
import type { GroupPlace, GroupState, ProducerState, TopicState } from './state.ts'
import type { Part } from './transactions.ts'

const BATCH_BYTES = 2 * 2 ** 20
const BATCH_ROWS = 16_384
/** Besides the record: the head of a batch, and what a codec may add. */
const BATCH_OVERHEAD = 1024

export interface ImportedPartition {
  /** Offset of the first row, where it comes from. */
  readonly from: number
  /** Of the next row to come. */
  readonly next: number
}

export interface ImportProgress {
  /** Of the move that it belongs to. */
  readonly id: string
  readonly partitions: readonly ImportedPartition[]
}

export interface SavedState {
  readonly groups: ReadonlyArray<GroupPlace & GroupState>
  readonly producers: ReadonlyArray<{ readonly name: string } & ProducerState>
}

const importKey = (topic: string): string => `import:${topic}`

export class Importer {
  readonly #cluster: Cluster
  readonly #store: StateStore

  constructor (config: KafkaConfig) {
    this.#cluster = new Cluster(config)
    this.#store = new StateStore(this.#cluster)
  }

  /** Whether the topic has ever had a row, and how far an import into it is. */
  async look (topic: string): Promise<{ readonly used: boolean, readonly progress: ImportProgress | undefined }> {
    return this.#asked(`Looking at the topic ${topic}`, async () => {
      const ends = await this.#cluster.ends(topicName(this.#cluster.config, topic))
      return { used: ends.some(end => end > 0), progress: await this.#store.read<ImportProgress>(topic, importKey(topic)) }
    })
  }

  /** Takes the import of a topic up, or begins it. An earlier importer of the topic can write nothing any more. */
  async open (topic: Topic, begin: ImportProgress & { readonly state: TopicState }): Promise<TopicImport> {
    return this.#asked(`Making the topic ${topic.name}`, async () => {
      const cluster = this.#cluster
      const partitions = await ensureTopic(cluster, topic)
      const limit = await batchBytesMax(cluster, topicName(cluster.config, topic.name))
      const writer = await TransactionalWriter.open(cluster, `${cluster.config.prefix}twolane.import/${topic.name}`)
      const { used, progress } = await this.look(topic.name)
      // A topic that was deleted since has no rows, whatever was noted.
      const begun = used && progress?.id === begin.id
      const { state: { base, epoch }, ...first } = begin
      const known = await incarnationOf(cluster, this.#store, topic.name)
      // The source may have run again since, with owners that are newer still; its offsets are where they were.
      const state: TopicState = { ...known, base: begun ? known.base : Math.max(known.base, base), epoch: Math.max(known.epoch, epoch) }
      const at = begun ? progress : first
      await writer.transaction([await this.#store.part(topic.name, topicKey(topic.name), state), await this.#store.part(topic.name, importKey(topic.name), at)])
      return new TopicImport({ cluster, store: this.#store, topic, partitions, limit, writer, base: state.base }, at)
    })
  }

  async close (): Promise<void> {
    await this.#cluster.close()
  }

  async #asked<T> (doing: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw translate(error, doing)
    }
  }
}

interface Place {
  readonly cluster: Cluster
  readonly store: StateStore
  readonly topic: Topic
  readonly partitions: number
  /** Bytes of a record batch. */
  readonly limit: number
  readonly writer: TransactionalWriter
  readonly base: number
}

export class TopicImport {
  progress: ImportProgress
  readonly #place: Place
  readonly #keys: Keys
  readonly #headers = encodeHeaders({ 'twolane-producer': 'import' })

  constructor (place: Place, progress: ImportProgress) {
    this.#place = place
    this.#keys = new Keys(place.topic, place.partitions)
    this.progress = progress
  }

  /** Rows of one partition, those up to the offset `next` of where they come from. */
  async append (partition: number, batches: readonly Batch[], next: number): Promise<void> {
    const { store, topic, writer } = this.#place
    const progress = { ...this.progress, partitions: this.progress.partitions.map((known, i) => i === partition ? { ...known, next } : known) }
    await writer.transaction([...this.#pack(partition, batches), await store.part(topic.name, importKey(topic.name), progress)])
    this.progress = progress
  }

  /** What the platform reads of a partition, from its beginning. `as`: the topic with all fields that its rows have. Throws where a record is no row. */
  async * rows (as: Topic, partition: number): AsyncGenerator<Batch, void, void> {
    const { cluster, base } = this.#place
    const reader = new PartitionReader(cluster, as, partition, base)
    try {
      await reader.settled()
      const { first, next } = await reader.bounds()
      for (let offset = first; offset < next;) {
        const found = await reader.read(offset, { rows: BATCH_ROWS, bytes: BATCH_BYTES, to: next })
        const [refused] = found.refused
        if (refused !== undefined) throw new PlatformError('MOVE_UNVERIFIED', `The record ${refused.offset} of ${as.name}/${partition} is no row: ${refused.reason}`)
        if (found.next === offset) return
        yield * found.batches
        offset = found.next
      }
    } finally {
      await reader.close()
    }
  }

  /** The offset behind all that a partition holds. */
  async end (partition: number): Promise<number> {
    const { cluster, topic, base } = this.#place
    return (await new PartitionReader(cluster, topic, partition, base).bounds()).next
  }

  async save ({ groups, producers }: SavedState): Promise<void> {
    const { store, topic: { name }, writer } = this.#place
    const parts: Part[] = []
    for (const { group, partition, ...saved } of groups) parts.push(await store.part(name, groupKey(name, { group, partition }), saved))
    for (const { name: producer, ...saved } of producers) parts.push(await store.part(name, producerKey(name, producer), saved))
    if (parts.length > 0) await writer.transaction(parts)
  }

  #pack (partition: number, batches: readonly Batch[]): Part[] {
    const { cluster, topic, limit } = this.#place
    const fullBytes = Math.min(BATCH_BYTES, limit - BATCH_OVERHEAD)
    const name = topicName(cluster.config, topic.name)
    const packer = new RecordPacker()
    const parts: Part[] = []
    const take = (): void => { parts.push({ topic: name, partition, records: packer.take(cluster.config.compression) }) }
    for (const batch of batches) {
      const valueAt = valuesOf(batch)
      const keyAt = this.#keys.of(batch, partition)
      for (let i = 0; i < batch.length; i++) {
        const value = valueAt(i)
        if (packer.count > 0 && packer.bytes + value.length > fullBytes) take()
        packer.add(keyAt(i).key, value, this.#headers)
        if (packer.bytes >= fullBytes || packer.count >= BATCH_ROWS) take()
      }
    }
    if (packer.count > 0) take()
    return parts
  }
}

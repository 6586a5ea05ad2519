// What producers and groups have saved: a record each in one compacted topic, the newest one of a key counts.
//
//   producer:<topic>/<name>                   { checkpoint, sequence }
//   group:<topic>/<group>/<partition>         { offset, state, intent }
//   owner:<topic>/<group>/<partition>         {}  written by each new owner; its offset gives the owner's epoch
//   topic:<topic>                             { base, epoch, id }  where offsets go on; which topic of the name it is
//   writer:<topic>                            {}  written by each new writer of the record above
//   writer:<topic>/<name>                     {}  written by each new producer
//
// All keys of a topic are in one partition. It is read up to its end, including what is not committed yet: a reader that
// has taken over the writer of a key knows that all that this writer began is settled, and does not wait for others.
//
// For a moment a broker that has just begun takes an earlier record for the last one: to read up to its end may miss what
// a writer has saved, whose rows would come twice. So who takes over writes a record first, and reads at least up to it.

import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { PlatformError } from '../../errors.ts'
import { decodeBatches, encodeHeaders, places, RecordPacker } from './records.ts'
import { fetchRequest } from './requests.ts'
import { ensureInternalTopics, internalTopics } from './topics.ts'
import type { Intent } from '../broker.ts'
import type { Json } from '../../plugin.ts'
import type { Cluster } from './cluster.ts'
import type { RecordBatch } from './records.ts'
import type { Part } from './transactions.ts'

export interface ProducerState { readonly checkpoint?: Json | undefined, readonly sequence?: number | undefined }
export interface GroupState { readonly offset: number, readonly state?: Json | undefined, readonly intent?: Intent | undefined }
/** Where offsets and epochs go on that were used before: what is stored elsewhere knows rows and owners by them. */
export interface TopicState {
  /** The platform's offset of what is Kafka's offset 0. */
  readonly base: number
  /** Below those of all owners. */
  readonly epoch: number
  /** What Kafka calls the topic that the base belongs to; undefined: not noted yet. */
  readonly id?: string
}
export interface GroupPlace { readonly group: string, readonly partition: number }

const FETCH_BYTES = 8 * 2 ** 20
/** A broker that has just begun may answer without the batches that it has; asked again, it gives them. */
const EMPTY_MS_MAX = 2000
const UNREADY_MS_MAX = 15_000
const EMPTY_POLL_MS = 20
const noHeaders = encodeHeaders({})

export const producerKey = (topic: string, name: string): string => `producer:${topic}/${name}`
export const groupKey = (topic: string, { group, partition }: GroupPlace): string => `group:${topic}/${group}/${partition}`
export const ownerKey = (topic: string, { group, partition }: GroupPlace): string => `owner:${topic}/${group}/${partition}`
export const topicKey = (topic: string): string => `topic:${topic}`
export const writerKey = (topic: string): string => `writer:${topic}`
export const producerWriterKey = (topic: string, name: string): string => `writer:${topic}/${name}`

/** The state topic, as this thread has read it so far. */
export class StateStore {
  readonly #cluster: Cluster
  readonly #views = new Map<number, View>()
  #ready: Promise<number> | undefined

  constructor (cluster: Cluster) {
    this.#cluster = cluster
  }

  /** A record to be written. */
  async part (topic: string, key: string, value: object): Promise<Part> {
    const packer = new RecordPacker()
    packer.add(Buffer.from(key), JSON.stringify(value), noHeaders)
    return { topic: this.#name, partition: await this.#partitionOf(topic), records: packer.take('none') }
  }

  /** The newest value of a key, as of now. `written`: offset of a record of the topic's that is there for certain. */
  async read<T> (topic: string, key: string, written?: number): Promise<T | undefined> {
    const view = await this.#view(topic, written)
    const value = view.values.get(key)
    return value === undefined ? undefined : JSON.parse(value) as T
  }

  /** Where offsets and epochs of a topic begin. */
  async topic (topic: string, written?: number): Promise<TopicState> {
    return await this.read<TopicState>(topic, topicKey(topic), written) ?? { base: 0, epoch: 0 }
  }

  /** What all groups of a topic have committed. */
  async groups (topic: string): Promise<Array<GroupPlace & GroupState>> {
    const view = await this.#view(topic)
    const found: Array<GroupPlace & GroupState> = []
    const prefix = `group:${topic}/`
    for (const [key, value] of view.values) {
      if (!key.startsWith(prefix)) continue
      const slash = key.lastIndexOf('/')
      found.push({ group: key.slice(prefix.length, slash), partition: Number(key.slice(slash + 1)), ...JSON.parse(value) as GroupState })
    }
    return found.sort((a, b) => a.group < b.group ? -1 : a.group > b.group ? 1 : a.partition - b.partition)
  }

  get #name (): string {
    return internalTopics(this.#cluster.config).state
  }

  async #view (topic: string, written = -1): Promise<View> {
    const partition = await this.#partitionOf(topic)
    let view = this.#views.get(partition)
    if (view === undefined) this.#views.set(partition, view = new View(this.#cluster, this.#name, partition))
    await view.catchUp(written)
    return view
  }

  async #partitionOf (topic: string): Promise<number> {
    this.#ready ??= ensureInternalTopics(this.#cluster).then(() => this.#cluster.partitions(this.#name))
    try {
      return createHash('sha256').update(topic).digest().readUInt32BE(0) % await this.#ready
    } catch (error) {
      this.#ready = undefined
      throw error
    }
  }
}

/** One partition of the state topic. */
class View {
  readonly values = new Map<string, string>()
  readonly #cluster: Cluster
  readonly #topic: string
  readonly #partition: number
  /** What open transactions have written, by producer. */
  readonly #open = new Map<bigint, Array<[key: string, value: string | undefined]>>()
  #next = 0
  #reading: Promise<void> = Promise.resolve()

  constructor (cluster: Cluster, topic: string, partition: number) {
    this.#cluster = cluster
    this.#topic = topic
    this.#partition = partition
  }

  /** Up to the end as of the call, and beyond `written`. */
  async catchUp (written: number): Promise<void> {
    const reading = this.#reading.catch(() => {}).then(() => this.#read(written))
    this.#reading = reading
    await reading
  }

  async #read (written: number): Promise<void> {
    const place = { topic: this.#topic, partition: this.#partition, bytes: FETCH_BYTES, waitMs: 0, uncommitted: true }
    let emptySince: number | undefined
    while (true) {
      const { end, bytes } = await this.#cluster.patiently(async () => (await this.#cluster.leader(this.#topic, this.#partition)).send(fetchRequest({ ...place, offset: this.#next })), { topic: this.#topic })
      for (const batch of decodeBatches(bytes, `${this.#topic}/${this.#partition}`)) {
        if (batch.base >= this.#next || batch.next > this.#next) this.#take(batch)
        this.#next = Math.max(this.#next, batch.next)
      }
      if (this.#next >= end && this.#next > written) return
      if (bytes.length > 0) {
        emptySince = undefined
        continue
      }
      emptySince ??= performance.now()
      const emptyMs = performance.now() - emptySince
      if (this.#next <= written) {
        if (emptyMs > UNREADY_MS_MAX) throw unready(this.#topic, this.#partition, { written, next: this.#next })
      } else if (emptyMs > EMPTY_MS_MAX) {
        // A compacted topic may end with offsets that no batch has any more.
        this.#next = end
      }
      await sleep(EMPTY_POLL_MS, undefined, { signal: this.#cluster.closed })
    }
  }

  #take (batch: RecordBatch): void {
    if (batch.control !== undefined) {
      const written = this.#open.get(batch.producerId) ?? []
      this.#open.delete(batch.producerId)
      if (batch.control === 'commit') for (const [key, value] of written) this.#set(key, value)
      return
    }
    const bytes = batch.records()
    const found = places(bytes, batch.count)
    for (let i = 0; i < batch.count; i++) {
      const keyStart = found.keyStarts[i] as number
      const valueStart = found.valueStarts[i] as number
      const valueLength = found.valueLengths[i] as number
      const key = bytes.toString('utf8', keyStart, keyStart + Math.max(0, found.keyLengths[i] as number))
      const value = valueLength < 0 ? undefined : bytes.toString('utf8', valueStart, valueStart + valueLength)
      if (!batch.transactional) {
        this.#set(key, value)
      } else {
        const written = this.#open.get(batch.producerId)
        if (written === undefined) this.#open.set(batch.producerId, [[key, value]])
        else written.push([key, value])
      }
    }
  }

  #set (key: string, value: string | undefined): void {
    if (value === undefined) this.values.delete(key)
    else this.values.set(key, value)
  }
}

function unready (topic: string, partition: number, { written, next }: { readonly written: number, readonly next: number }): PlatformError {
  return new PlatformError('BROKER_UNAVAILABLE', `Kafka has taken the record ${written} of ${topic}/${partition}, and shows readers none from ${next} on`, { remedy: 'Check the health of the Kafka brokers; it is tried again until then.' })
}

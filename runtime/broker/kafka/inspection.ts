// What topics hold, and what may go from them, without a group.
//
// Kafka does not say how many bytes a range of offsets takes: its files go only as a whole. Sizes are those of some
// batches, taken for all; a topic that was trimmed is smaller here than on the disk until its oldest files go. Rows are
// counted by offsets, of which the end of each append takes one in each partition.

import { isPassing, translate } from './faults.ts'
import { incarnationOf } from './incarnation.ts'
import { PartitionReader } from './reader.ts'
import { topicName } from './topics.ts'
import type { Batch } from '../../batch.ts'
import type { Topic } from '../../schema.ts'
import type { TopicState } from '../broker.ts'
import type { Cluster } from './cluster.ts'
import type { StateStore } from './state.ts'

/** Of a partition's batches whose size is looked at, from the oldest to the newest. */
const SAMPLES = 5

interface PartitionState {
  readonly partition: number
  readonly first: number
  readonly next: number
  readonly time: number
  readonly bytes: number
}

const noTopic = (name: string): Topic => ({
  name, description: '', owner: '', fields: [], key: [], eventTime: '', partitions: 1, retention: { ms: Infinity, bytes: Infinity, beyondOutputs: false }, hash: ''
})

export class Inspection {
  readonly #cluster: Cluster
  readonly #store: StateStore
  readonly #readers = new Map<string, PartitionReader>()

  constructor (cluster: Cluster, store: StateStore) {
    this.#cluster = cluster
    this.#store = store
  }

  async topic (name: string, now: number): Promise<TopicState | undefined> {
    const { base } = await this.#store.topic(name)
    const partitions = await this.#partitions(name, base)
    if (partitions.length === 0) return undefined
    const groups = await Promise.all((await this.#store.groups(name)).map(async ({ group, partition, offset }) => {
      const state = partitions[partition]
      const time = state === undefined || offset >= state.next ? undefined : (await this.#reader(name, partition, base).batchAt(Math.max(offset, state.first)))?.time
      return { group, partition, offset, lagMs: time === undefined ? 0 : Math.max(1, now - time) }
    }))
    return {
      name,
      bytes: partitions.reduce((sum, { bytes }) => sum + bytes, 0),
      partitions: partitions.map(({ partition, first, next, time }) => ({ partition, first, next, time })),
      groups
    }
  }

  /** The last rows of all partitions, oldest first. */
  async tail (topic: Topic, rows: number): Promise<Batch[]> {
    const count = await this.#cluster.patiently(() => this.#cluster.partitions(topicName(this.#cluster.config, topic.name), true))
    const { base } = await this.#store.topic(topic.name)
    const found = (await Promise.all(Array.from({ length: count }, (_, partition) => lastRows(new PartitionReader(this.#cluster, topic, partition, base), rows)))).flat()
    found.sort((a, b) => a.position.time - b.position.time || a.position.partition - b.position.partition || a.position.offset - b.position.offset)
    let spare = found.reduce((sum, batch) => sum + batch.length, 0) - rows
    return found.map(batch => {
      const skipped = Math.max(0, Math.min(batch.length, spare))
      spare -= batch.length
      return skipped === 0 ? batch : batch.select(Int32Array.from({ length: batch.length - skipped }, (_, i) => skipped + i))
    }).filter(batch => batch.length > 0)
  }

  /** Moves the beginning of the topic; resolves to how many offsets are gone. */
  async trim (topic: Topic, { now, groups }: { readonly now: number, readonly groups: readonly string[] }): Promise<number> {
    const name = topicName(this.#cluster.config, topic.name)
    const count = await this.#cluster.patiently(() => this.#cluster.partitions(name, true))
    // What groups have committed of a topic that was deleted since lets nothing go.
    const { base } = await incarnationOf(this.#cluster, this.#store, topic.name)
    await Promise.all(Array.from({ length: count }, (_, partition) => this.#reader(topic.name, partition, base).settled()))
    const partitions = await this.#partitions(topic.name, base)
    const bytes = partitions.reduce((sum, partition) => sum + partition.bytes, 0)
    // Each partition gives as much of itself as the topic is too large.
    const excess = bytes > topic.retention.bytes ? 1 - topic.retention.bytes / bytes : 0
    const committed = await this.#store.groups(topic.name)
    let removed = 0
    const cuts: Array<{ partition: number, offset: string }> = []
    for (const { partition, first, next } of partitions) {
      const young = await this.#reader(topic.name, partition, base).offsetAt(Math.max(0, Math.floor(now - topic.retention.ms)))
      const wanted = Math.max(young < 0 ? next : young, first + Math.ceil((next - first) * excess))
      const needed = topic.retention.beyondOutputs
        ? next
        : Math.min(next, ...groups.map(group => committed.find(one => one.group === group && one.partition === partition)?.offset ?? first))
      const cut = Math.min(wanted, needed, next)
      if (cut <= first) continue
      removed += cut - first
      cuts.push({ partition, offset: String(cut - base) })
    }
    for (const cut of cuts) {
      const leader = await this.#cluster.leader(name, cut.partition)
      await (await leader.node()).deleteRecords({ topics: [{ topic: name, partitions: [cut] }] })
    }
    return removed
  }

  async close (): Promise<void> {
    await Promise.all([...this.#readers.values()].map(reader => reader.close()))
  }

  async #partitions (name: string, base: number): Promise<PartitionState[]> {
    const count = await this.#cluster.patiently(() => this.#cluster.partitions(topicName(this.#cluster.config, name), true))
    try {
      return await Promise.all(Array.from({ length: count }, (_, partition) => this.#partition(name, partition, base)))
    } catch (error) {
      // Deleted meanwhile.
      if (isPassing(error) && await this.#cluster.partitions(topicName(this.#cluster.config, name), true) === 0) return []
      throw translate(error, `Looking at the topic ${name}`)
    }
  }

  async #partition (name: string, partition: number, base: number): Promise<PartitionState> {
    const reader = this.#reader(name, partition, base)
    const { first, next } = await reader.bounds()
    if (next <= first) return { partition, first, next, time: 0, bytes: 0 }
    const newest = await reader.batchAt(next - 1)
    const seen = new Map<number, { readonly bytes: number, readonly offsets: number }>()
    for (let i = 0; i < SAMPLES; i++) {
      const batch = await reader.batchAt(first + Math.floor((next - first - 1) * i / SAMPLES))
      if (batch !== undefined && batch.control === undefined) seen.set(batch.base, { bytes: batch.bytes, offsets: batch.next - batch.base })
    }
    const samples = [...seen.values()]
    const bytes = samples.reduce((sum, { bytes }) => sum + bytes, 0)
    const offsets = samples.reduce((sum, { offsets }) => sum + offsets, 0)
    return { partition, first, next, time: newest?.time ?? 0, bytes: offsets === 0 ? 0 : Math.ceil(bytes / offsets * (next - first)) }
  }

  #reader (name: string, partition: number, base: number): PartitionReader {
    const id = `${name}/${partition}/${base}`
    let reader = this.#readers.get(id)
    if (reader === undefined) this.#readers.set(id, reader = new PartitionReader(this.#cluster, noTopic(name), partition, base))
    return reader
  }
}

/** The last rows of one partition, and some more: some offsets before the end have no row, so that it goes back further until there are enough. */
async function lastRows (reader: PartitionReader, rows: number): Promise<Batch[]> {
  await reader.settled()
  const { first, next } = await reader.bounds()
  for (let back = rows * 2 + 16; ; back *= 4) {
    const from = Math.max(first, next - back)
    const batches = await readRange(reader, from, next)
    if (from === first || batches.reduce((sum, batch) => sum + batch.length, 0) >= rows) return batches
  }
}

export async function readRange (reader: PartitionReader, from: number, to: number): Promise<Batch[]> {
  const batches: Batch[] = []
  for (let offset = from; offset < to;) {
    const found = await reader.read(offset, { rows: Infinity, bytes: Infinity, to })
    if (found.next === offset) break
    batches.push(...found.batches)
    offset = found.next
  }
  return batches
}

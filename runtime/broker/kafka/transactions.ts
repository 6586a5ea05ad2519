// The writer behind one transactional id. Kafka lets one of each id write: who comes later fences off who was there
// before. Two ways of writing:
//
//   transaction   batches of several partitions, all of them or none
//   write         one batch of one partition, durable in one request, and fenced as long as the partition remembers the
//                 newer owner, which writes there first
//
// After an unclear failure a writer is of no use any more: what it wrote may be there or not. Who opens the next one of
// that id waits for it to be settled, and then finds out.

import { fenced, isFenced, isPassing, translate } from './faults.ts'
import { encodeBatch } from './records.ts'
import { produceRequest } from './requests.ts'
import type { PlatformError } from '../../errors.ts'
import type { Cluster } from './cluster.ts'
import type { PackedRecords } from './records.ts'
import type { Peer } from './wire.ts'

/** A transaction that its writer has left open is aborted after that. Readers wait for it, so it is short. */
const TRANSACTION_MS = 15_000
/** The coordinator has lost or moved what it knows; another one has to be asked for. */
const OPEN_MS = 30_000
/** Sent at once to one broker. */
const REQUEST_BYTES = 16 * 2 ** 20

export interface Part {
  readonly topic: string
  readonly partition: number
  readonly records: PackedRecords
}

export class TransactionalWriter {
  readonly id: string
  readonly #cluster: Cluster
  readonly #sequences = new Map<string, number>()
  #producerId = -1n
  #epoch = -1
  #coordinator: Peer | undefined
  #failure: PlatformError | undefined

  private constructor (cluster: Cluster, id: string) {
    this.#cluster = cluster
    this.id = id
  }

  /** Takes the id over. Resolves when whatever an earlier owner had begun is committed or aborted. */
  static async open (cluster: Cluster, id: string): Promise<TransactionalWriter> {
    const writer = new TransactionalWriter(cluster, id)
    const { producerId, producerEpoch } = await writer.#coordinate(node => node.initProducerId({ transactionalId: id, transactionTimeout: TRANSACTION_MS }), OPEN_MS)
    writer.#producerId = BigInt(producerId)
    writer.#epoch = producerEpoch
    return writer
  }

  /** All parts become readable, or none. */
  async transaction (parts: readonly Part[]): Promise<void> {
    await this.#guard(async () => {
      const topics = Map.groupBy(parts, part => part.topic)
      await this.#coordinate(node => node.addPartitionsToTxn({
        ...this.#identity(),
        topics: [...topics].map(([topic, parts]) => ({ topic, partitions: [...new Set(parts.map(({ partition }) => partition))] }))
      }))
      for (const round of rounds(parts)) await this.#produce(round, true)
      await this.#coordinate(node => node.endTxn({ ...this.#identity(), transactionResult: true }))
    })
  }

  /** Resolves to the offset of the first record. */
  async write (part: Part): Promise<number> {
    return this.#guard(async () => (await this.#produce([part], false))[0] as number)
  }

  async #guard<T> (work: () => Promise<T>): Promise<T> {
    if (this.#failure !== undefined) throw this.#failure
    try {
      return await work()
    } catch (error) {
      this.#failure = isFenced(error) ? fenced(this.id) : translate(error, `Writing as ${this.id}`)
      throw this.#failure
    }
  }

  /** Every part to the leader of its partition; all sequences stay as they are until the parts are known to be there. */
  async #produce (parts: readonly Part[], transactional: boolean): Promise<number[]> {
    const bases = await this.#cluster.patiently(async () => {
      const leaders = new Map<Peer, number[]>()
      for (const [i, { topic, partition }] of parts.entries()) {
        const leader = await this.#cluster.leader(topic, partition)
        leaders.set(leader, [...leaders.get(leader) ?? [], i])
      }
      const bases: number[] = []
      await Promise.all([...leaders].map(async ([leader, indexes]) => {
        const found = await leader.send(produceRequest(indexes.map(i => this.#numbered(parts[i] as Part, transactional)), transactional ? this.id : null))
        for (const [at, i] of indexes.entries()) bases[i] = found[at] as number
      }))
      return bases
    }, { topic: parts[0]?.topic ?? '' })
    for (const part of parts) this.#sequences.set(placeOf(part), this.#sequenceOf(part) + part.records.count)
    return bases
  }

  #numbered (part: Part, transactional: boolean): { topic: string, partition: number, batch: Buffer[] } {
    const writer = { producerId: this.#producerId, epoch: this.#epoch, sequence: this.#sequenceOf(part), transactional, time: Date.now() }
    return { topic: part.topic, partition: part.partition, batch: encodeBatch(part.records, writer) }
  }

  #sequenceOf (part: Part): number {
    return this.#sequences.get(placeOf(part)) ?? 0
  }

  #identity (): { transactionalId: string, producerId: string, producerEpoch: number } {
    return { transactionalId: this.id, producerId: String(this.#producerId), producerEpoch: this.#epoch }
  }

  /** Asks the coordinator, and looks for it again where it has moved or is not to be reached. */
  async #coordinate<T> (ask: (node: Awaited<ReturnType<Peer['node']>>) => Promise<T>, ms?: number): Promise<T> {
    return this.#cluster.patiently(async () => {
      this.#coordinator ??= this.#cluster.peer(await this.#cluster.coordinator('transaction', this.id))
      try {
        return await ask(await this.#coordinator.node())
      } catch (error) {
        if (isPassing(error)) this.#coordinator = undefined
        throw error
      }
    }, ms === undefined ? {} : { ms })
  }
}

function placeOf ({ topic, partition }: Part): string {
  return `${topic}/${partition}`
}

/** One batch a partition in each round, and no more than a request takes. */
function rounds (parts: readonly Part[]): Part[][] {
  const made: Array<{ parts: Part[], places: Set<string>, bytes: number }> = []
  const reached = new Map<string, number>()
  for (const part of parts) {
    const place = placeOf(part)
    const bytes = part.records.bytes.length
    // Behind the rounds that hold earlier records of the partition: they keep their order.
    let at = reached.get(place) ?? 0
    while (made[at] !== undefined && (made[at] as { bytes: number }).bytes + bytes > REQUEST_BYTES) at++
    const round = made[at] ??= { parts: [], places: new Set(), bytes: 0 }
    round.parts.push(part)
    round.bytes += bytes
    reached.set(place, at + 1)
  }
  return made.map(({ parts }) => parts)
}

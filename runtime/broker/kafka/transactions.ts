// The writer behind one transactional id. Kafka lets one of each id write: who comes later fences off who was there
// before. Two ways of writing:
//
//   transaction   batches of several partitions, all of them or none
//   write         one batch of one partition, durable in one request, and fenced as long as the partition remembers the
//                 newer owner, which writes there first
//
// After an unclear failure a writer is of no use any more: what it wrote may be there or not. Who opens the next one of
// that id waits for it to be settled, and then finds out.
//
// Kafka itself may leave a transaction unsettled that it takes for finished: where its partitions have no leader for a
// moment, as when the only broker starts anew, it holds them for deleted and does not tell them the outcome ("likely
// deleted already", its log says). What was written waits there, and comes to light with the next transaction, when its
// rows have long been sent again. So the outcome is asked for before the id is taken over, and told again where it is
// missing.

import { fenced, hasType, isFenced, isPassing, translate } from './faults.ts'
import { DESCRIBE_TRANSACTIONS_API, outcomeRequest } from './outcome.ts'
import { encodeBatch } from './records.ts'
import { produceRequest } from './requests.ts'
import type { PlatformError } from '../../errors.ts'
import type { Cluster } from './cluster.ts'
import type { Outcome } from './outcome.ts'
import type { PackedRecords } from './records.ts'
import type { KafkaNode, Peer } from './wire.ts'

/** A transaction that its writer has left open is aborted after that. Readers wait for it, so it is short. */
const TRANSACTION_MS = 15_000
/** The coordinator has lost or moved what it knows; another one has to be asked for. */
const OPEN_MS = 30_000
/** Sent at once to one broker. */
const REQUEST_BYTES = 16 * 2 ** 20

export interface Place {
  readonly topic: string
  readonly partition: number
}

export interface Part extends Place {
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
  /** Of the last transaction of the owner before. */
  #outcome: Outcome = 'none'

  private constructor (cluster: Cluster, id: string) {
    this.#cluster = cluster
    this.id = id
  }

  /** Takes the id over. Resolves when whatever an earlier owner had begun is committed or aborted. */
  static async open (cluster: Cluster, id: string): Promise<TransactionalWriter> {
    const writer = new TransactionalWriter(cluster, id)
    writer.#outcome = await writer.#coordinate((_, peer) => knows(peer) ? peer.send(outcomeRequest(id)) : Promise.resolve('none'), OPEN_MS)
    await writer.#take()
    return writer
  }

  /**
   * Writes the first record of this owner, and resolves to its offset. `written`: all places where earlier owners may have
   * written; after it they are known to hold what was committed, and nothing else.
   */
  async claim (part: Part, written: readonly Place[]): Promise<number> {
    return this.#guard(async () => {
      try {
        const [offset] = await this.#produce([part], false)
        if (this.#outcome === 'none' || !await this.#unsettled(written)) return offset as number
      } catch (error) {
        // So answers a partition that waits for the outcome of a transaction of this id.
        if (!hasType(error, 'INVALID_TXN_STATE')) throw error
      }
      await this.#settle([part, ...written])
      return (await this.#produce([part], false))[0] as number
    })
  }

  /** All parts become readable, or none. */
  async transaction (parts: readonly Part[]): Promise<void> {
    await this.#guard(async () => {
      await this.#begin(parts)
      for (const round of rounds(parts)) await this.#produce(round, true)
      await this.#coordinate(node => node.endTxn({ ...this.#identity(), transactionResult: true }))
    })
  }

  /** Resolves to the offset of the first record. */
  async write (part: Part): Promise<number> {
    return this.#guard(async () => (await this.#produce([part], false))[0] as number)
  }

  async #take (): Promise<void> {
    const { producerId, producerEpoch } = await this.#coordinate(node => node.initProducerId({ transactionalId: this.id, transactionTimeout: TRANSACTION_MS }), OPEN_MS)
    this.#producerId = BigInt(producerId)
    this.#epoch = producerEpoch
    this.#sequences.clear()
  }

  async #begin (places: readonly Place[]): Promise<void> {
    const topics = Map.groupBy(places, place => place.topic)
    await this.#coordinate(node => node.addPartitionsToTxn({
      ...this.#identity(),
      topics: [...topics].map(([topic, places]) => ({ topic, partitions: [...new Set(places.map(({ partition }) => partition))] }))
    }))
  }

  /** Whether readers are held back anywhere, be it by this id or by another one. */
  async #unsettled (places: readonly Place[]): Promise<boolean> {
    const held = await Promise.all(places.map(async ({ topic, partition }) => {
      const end = await this.#cluster.offsetAt(topic, partition, { time: -1, uncommitted: true })
      return await this.#cluster.offsetAt(topic, partition, { time: -1, uncommitted: false }) < end
    }))
    return held.includes(true)
  }

  /**
   * Tells the outcome of the last transaction again. Where an owner has ended in the middle of this it is not known any
   * more: then what was written counts, because what was acknowledged must not be lost.
   */
  async #settle (places: readonly Place[]): Promise<void> {
    await this.#begin(places)
    await this.#coordinate(node => node.endTxn({ ...this.#identity(), transactionResult: this.#outcome === 'none' || this.#outcome === 'commit' }))
    // Waits until all places know.
    await this.#take()
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
  async #coordinate<T> (ask: (node: KafkaNode, peer: Peer) => Promise<T>, ms?: number): Promise<T> {
    return this.#cluster.patiently(async () => {
      this.#coordinator ??= this.#cluster.peer(await this.#cluster.coordinator('transaction', this.id))
      try {
        return await ask(await this.#coordinator.node(), this.#coordinator)
      } catch (error) {
        if (isPassing(error)) this.#coordinator = undefined
        throw error
      }
    }, ms === undefined ? {} : { ms })
  }
}

function knows (peer: Peer): boolean {
  return Object.hasOwn(peer.versions ?? {}, DESCRIBE_TRANSACTIONS_API)
}

function placeOf ({ topic, partition }: Place): string {
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

// One member of a Kafka consumer group: which partitions of a topic it has, and that the group knows that it lives.
//
//   join ▶ share (the leader only) ▶ sync ▶ heartbeats … ▶ join again where the group says so … ▶ leave
//
// A partition that stays with the member is worked on undisturbed while the group changes. One that it loses is worked
// on until its work is settled (`release`), or too long; only then another member gets it. One that was silent for too
// long has lost all: the group has given its partitions away, and their next owners fence it off.

import { setTimeout as sleep } from 'node:timers/promises'
import { PlatformError } from '../../errors.ts'
import { Waker } from '../../waker.ts'
import { hasType, isPassing, translate } from './faults.ts'
import { decodeAssignment, decodeSubscription, encodeAssignment, encodeSubscription, PROTOCOL, share } from './shares.ts'
import type { Cluster } from './cluster.ts'
import type { JoinedGroup, KafkaNode, Peer } from './wire.ts'

/** How soon a member hears that the group changes. */
const HEARTBEAT_MS = 1000
const REBALANCE_MS = 30_000
/** A partition that is taken away goes to the next owner after that even if the work on it does not end. */
const RELEASE_MS = 30_000
const RETRY_MS = 100
const CLOSE_MS = 5000

/** A partition in the hands of this member. */
export interface Seat {
  readonly partition: number
  /** Aborted when it is taken away. */
  readonly signal: AbortSignal
  /** The work on it has ended. */
  release (): void
}

interface Held { readonly seat: Seat, readonly lost: AbortController, readonly deadline: { at: number } }

export class Member {
  readonly #cluster: Cluster
  readonly #group: string
  readonly #topic: string
  readonly #held = new Map<number, Held>()
  readonly #coming: Seat[] = []
  readonly #news = new Waker()
  readonly #pulse = new Waker()
  readonly #closed = new AbortController()
  readonly #offsets = new Map<number, number>()
  #assigned: readonly number[] = []
  #living: Promise<void> | undefined
  #failure: PlatformError | undefined
  #peer: Peer | undefined
  #id = ''
  #generation = -1
  #heardAt = performance.now()
  /** A partition that was taken away waits for its next owner. */
  #freed = false

  constructor (cluster: Cluster, { group, topic }: { readonly group: string, readonly topic: string }) {
    this.#cluster = cluster
    this.#group = group
    this.#topic = topic
  }

  /** The partitions as they come. Ends with `signal`; the membership lasts until `close`. */
  async * seats (signal: AbortSignal): AsyncGenerator<Seat, void, void> {
    if (signal.aborted) return
    const wake = (): void => this.#news.wake()
    signal.addEventListener('abort', wake)
    this.#living ??= this.#live()
    try {
      while (!signal.aborted && !this.#closed.signal.aborted) {
        const seat = this.#coming.shift()
        if (seat !== undefined && !seat.signal.aborted) yield seat
        else if (seat !== undefined) seat.release()
        else if (this.#failure !== undefined) throw this.#failure
        else await this.#news.sleep()
      }
    } finally {
      signal.removeEventListener('abort', wake)
    }
  }

  /** Tells Kafka how far the group is, with one of the next heartbeats: for its tools, the platform does not rely on it. */
  tell (partition: number, offset: number): void {
    this.#offsets.set(partition, offset)
  }

  async close (): Promise<void> {
    if (this.#closed.signal.aborted) return
    this.#closed.abort()
    this.#loseAll()
    this.#pulse.wake()
    this.#news.wake()
    // A join may wait for others; one that is cut off leaves a member behind that the group waits for.
    const patience = setTimeout(() => { void this.#peer?.close() }, CLOSE_MS)
    await this.#living
    clearTimeout(patience)
    await this.#peer?.close()
  }

  /** Until it is closed, or fails. */
  async #live (): Promise<void> {
    try {
      while (!this.#closed.signal.aborted) {
        await this.#join()
        await this.#beat()
      }
    } catch (error) {
      if (!this.#closed.signal.aborted) this.#failure = translate(error, `Being a member of the group ${this.#group}`)
    } finally {
      this.#loseAll()
      this.#news.wake()
      await this.#leave()
    }
  }

  /** Heartbeats until it is time to join again. */
  async #beat (): Promise<void> {
    while (true) {
      await this.#pulse.sleep(HEARTBEAT_MS)
      this.#releaseLate()
      if (this.#closed.signal.aborted || this.#freed) return
      const silence = this.#watchSilence()
      try {
        const node = await this.#coordinator()
        const sentAt = performance.now()
        await node.heartbeat({ groupId: this.#group, groupGenerationId: this.#generation, memberId: this.#id })
        this.#heardAt = sentAt
        clearTimeout(silence.timer)
        if (silence.lost()) return
        await this.#tellOffsets(node)
      } catch (error) {
        clearTimeout(silence.timer)
        if (hasType(error, 'REBALANCE_IN_PROGRESS')) return
        if (hasType(error, 'UNKNOWN_MEMBER_ID', 'ILLEGAL_GENERATION', 'FENCED_INSTANCE_ID')) {
          this.#expelled()
          return
        }
        await this.#passing(error)
      }
    }
  }

  async #join (): Promise<void> {
    this.#freed = false
    while (!this.#closed.signal.aborted) {
      try {
        const node = await this.#coordinator()
        const joined = await node.joinGroup({
          groupId: this.#group,
          sessionTimeout: this.#cluster.config.sessionTimeoutMs,
          rebalanceTimeout: REBALANCE_MS,
          memberId: this.#id,
          groupProtocols: [{ name: PROTOCOL, metadata: encodeSubscription(this.#topic, [...this.#held.keys()]) }]
        })
        this.#id = joined.memberId
        this.#generation = joined.generationId
        const { memberAssignment } = await node.syncGroup({ groupId: this.#group, generationId: joined.generationId, memberId: joined.memberId, groupAssignment: await this.#share(joined) })
        this.#heardAt = performance.now()
        this.#take(decodeAssignment(memberAssignment))
        return
      } catch (error) {
        if (hasType(error, 'REBALANCE_IN_PROGRESS')) continue
        if (hasType(error, 'UNKNOWN_MEMBER_ID', 'ILLEGAL_GENERATION')) {
          this.#expelled()
          continue
        }
        if (hasType(error, 'INCONSISTENT_GROUP_PROTOCOL')) {
          throw new PlatformError('CONFIG_INVALID', `Another program uses the Kafka group ${this.#group}`, { remedy: 'Stop it, or give the platform a kafka_prefix of its own.', cause: error })
        }
        await this.#passing(error)
      }
    }
  }

  /** What every member gets; only the leader is asked, and knows the members. */
  async #share ({ leaderId, memberId, members }: JoinedGroup): Promise<Array<{ memberId: string, memberAssignment: Buffer }>> {
    if (leaderId !== memberId) return []
    const partitions = await this.#cluster.partitions(this.#topic, true)
    const shares = share(partitions, members.map(({ memberId, memberMetadata }) => ({ member: memberId, owned: decodeSubscription(memberMetadata) })))
    return [...shares].map(([memberId, partitions]) => ({ memberId, memberAssignment: encodeAssignment(this.#topic, partitions) }))
  }

  #take (assigned: readonly number[]): void {
    this.#assigned = assigned
    for (const [partition, { lost, deadline }] of this.#held) {
      if (assigned.includes(partition) || lost.signal.aborted) continue
      deadline.at = performance.now() + RELEASE_MS
      lost.abort()
    }
    for (const partition of assigned) if (!this.#held.has(partition)) this.#seat(partition)
    this.#news.wake()
  }

  #seat (partition: number): void {
    const lost = new AbortController()
    const seat: Seat = { partition, signal: lost.signal, release: () => this.#released(seat) }
    this.#held.set(partition, { seat, lost, deadline: { at: Infinity } })
    this.#coming.push(seat)
  }

  #released (seat: Seat): void {
    if (this.#held.get(seat.partition)?.seat !== seat || !seat.signal.aborted) return
    this.#held.delete(seat.partition)
    // It was given back to this member while it was finishing; else its next owner waits for it.
    if (this.#assigned.includes(seat.partition) && !this.#closed.signal.aborted) this.#seat(seat.partition)
    else this.#freed = true
    this.#news.wake()
    this.#pulse.wake()
  }

  /** After the time of a session without an answer the group has given the partitions away, whatever becomes of the request. */
  #watchSilence (): { readonly timer: NodeJS.Timeout, lost (): boolean } {
    let lost = false
    const timer = setTimeout(() => {
      lost = true
      this.#loseAll()
      this.#news.wake()
    }, Math.max(0, this.#heardAt + this.#cluster.config.sessionTimeoutMs - performance.now()))
    return { timer, lost: () => lost }
  }

  /** The group has given up this member, which may come back as another one. */
  #expelled (): void {
    this.#loseAll()
    this.#id = ''
    this.#generation = -1
  }

  /** Work that does not end is not waited for any longer. */
  #releaseLate (): void {
    for (const { seat, deadline } of [...this.#held.values()]) if (deadline.at < performance.now()) this.#released(seat)
  }

  #loseAll (): void {
    for (const { lost } of this.#held.values()) lost.abort()
    this.#held.clear()
    this.#coming.length = 0
    this.#assigned = []
  }

  /** Waits where it may pass; throws where it does not, or has lasted for as long as the group waits for a member. */
  async #passing (error: unknown): Promise<void> {
    if (this.#closed.signal.aborted) return
    const silentMs = performance.now() - this.#heardAt
    if (!isPassing(error) && !hasType(error, 'COORDINATOR_LOAD_IN_PROGRESS')) throw error
    if (silentMs > this.#cluster.config.sessionTimeoutMs) throw error
    await this.#peer?.close()
    this.#peer = undefined
    await sleep(RETRY_MS)
  }

  async #coordinator (): Promise<KafkaNode> {
    this.#peer ??= this.#cluster.ownPeer(await this.#cluster.patiently(() => this.#cluster.coordinator('group', this.#group)))
    return this.#peer.node()
  }

  async #tellOffsets (node: KafkaNode): Promise<void> {
    if (this.#offsets.size === 0) return
    const partitions = [...this.#offsets].filter(([partition]) => this.#held.has(partition)).map(([partition, offset]) => ({ partition, offset: String(offset) }))
    this.#offsets.clear()
    if (partitions.length > 0) await node.offsetCommit({ groupId: this.#group, groupGenerationId: this.#generation, memberId: this.#id, topics: [{ topic: this.#topic, partitions }] })
  }

  async #leave (): Promise<void> {
    if (this.#id === '') return
    try {
      await (await this.#coordinator()).leaveGroup({ groupId: this.#group, memberId: this.#id })
    } catch {
      // The group notices by itself that it is gone.
    }
  }
}

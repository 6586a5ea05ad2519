// The brokers of a cluster, and who of them is responsible for what. One for each thread; connections are made when they
// are needed.

import { setTimeout as sleep } from 'node:timers/promises'
import { isPassing } from './faults.ts'
import { metadataRequest } from './requests.ts'
import { IDS_VERSION, METADATA_API, topicIdRequest } from './topic-id.ts'
import { check, Peer } from './wire.ts'
import type { KafkaConfig } from './options.ts'
import type { Metadata } from './requests.ts'
import type { Address, KafkaNode } from './wire.ts'

/** How long something that passes is waited for within one call. */
const PATIENCE_MS = 10_000
const FIRST_DELAY_MS = 3
const DELAY_MS_MAX = 300

export class Cluster {
  readonly config: KafkaConfig
  readonly #seeds: readonly Address[]
  readonly #peers = new Map<string, Peer>()
  /** Addresses by the brokers' ids. */
  readonly #addresses = new Map<number, Address>()
  readonly #leaders = new Map<string, readonly number[]>()
  readonly #closed = new AbortController()
  #controller = -1

  constructor (config: KafkaConfig) {
    this.config = config
    this.#seeds = config.brokers.map(text => {
      const colon = text.lastIndexOf(':')
      return { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) }
    })
  }

  get closed (): AbortSignal {
    return this.#closed.signal
  }

  /** How many partitions a topic has; 0: there is no such topic. */
  async partitions (topic: string, fresh = false): Promise<number> {
    if (fresh) this.#leaders.delete(topic)
    return (await this.#leadersOf(topic)).length
  }

  /** What Kafka itself calls a topic; undefined: it is too old to say. */
  async topicId (topic: string): Promise<string | undefined> {
    const peer = await this.#any()
    const versions = peer.versions as Readonly<Record<number, { readonly maxVersion: number }>> | null
    return (versions?.[METADATA_API]?.maxVersion ?? 0) < IDS_VERSION ? undefined : peer.send(topicIdRequest(topic))
  }

  /** Kafka's offset of the first record as old as `time` or younger; -2: of the oldest; -1: behind the newest. -1 where there is none. */
  async offsetAt (topic: string, partition: number, { time, uncommitted }: { readonly time: number, readonly uncommitted: boolean }): Promise<number> {
    return this.patiently(async () => {
      const node = await (await this.leader(topic, partition)).node()
      const { responses } = await node.listOffsets({ isolationLevel: uncommitted ? 0 : 1, topics: [{ topic, partitions: [{ partition, timestamp: time }] }] })
      return Number(responses[0]?.partitions[0]?.offset ?? -1)
    }, { topic })
  }

  /** Kafka's offsets behind the newest record of each partition, whatever becomes of it. */
  async ends (topic: string): Promise<number[]> {
    const count = await this.patiently(() => this.partitions(topic, true))
    return Promise.all(Array.from({ length: count }, (_, partition) => this.offsetAt(topic, partition, { time: -1, uncommitted: true })))
  }

  async topicNames (): Promise<string[]> {
    return (await this.#metadata(null)).topics.filter(({ internal }) => !internal).map(({ name }) => name)
  }

  async leaderAddress (topic: string, partition: number): Promise<Address> {
    const id = (await this.#leadersOf(topic))[partition]
    // 3: no such topic or partition. 5: its leader is being elected.
    if (id === undefined) check(3)
    if (id === -1) this.forget(topic)
    const address = this.#addresses.get(id as number)
    if (address === undefined) check(5)
    return address as Address
  }

  async leader (topic: string, partition: number): Promise<Peer> {
    return this.peer(await this.leaderAddress(topic, partition))
  }

  async controller (): Promise<KafkaNode> {
    await this.#metadata([])
    const address = this.#addresses.get(this.#controller)
    return address === undefined ? (await this.#any()).node() : this.peer(address).node()
  }

  async coordinator (kind: 'group' | 'transaction', key: string): Promise<Address> {
    const node = await (await this.#any()).node()
    const { coordinator } = await node.findGroupCoordinator({ groupId: key, coordinatorType: kind === 'group' ? 0 : 1 })
    return { host: coordinator.host, port: coordinator.port }
  }

  peer (address: Address): Peer {
    const id = `${address.host}:${address.port}`
    let peer = this.#peers.get(id)
    if (peer === undefined) this.#peers.set(id, peer = this.ownPeer(address))
    return peer
  }

  /** A connection of its own, for requests that keep the broker from answering others meanwhile. */
  ownPeer (address: Address): Peer {
    if (this.closed.aborted) throw new Error('The broker was closed')
    return new Peer(this.config, address, this.#versions())
  }

  /** After a broker said that it is not the leader any more. */
  forget (topic: string): void {
    this.#leaders.delete(topic)
  }

  /** Tries again what passes: a broker that restarts, an election, a transaction that is being finished. */
  async patiently<T> (attempt: () => Promise<T>, { topic, ms = PATIENCE_MS }: { readonly topic?: string, readonly ms?: number } = {}): Promise<T> {
    const until = performance.now() + ms
    for (let delayMs = FIRST_DELAY_MS; ; delayMs = Math.min(DELAY_MS_MAX, delayMs * 2)) {
      try {
        return await attempt()
      } catch (error) {
        if (this.closed.aborted || !isPassing(error) || performance.now() + delayMs > until) throw error
        if (topic !== undefined) this.forget(topic)
        await sleep(delayMs, undefined, { signal: this.closed })
      }
    }
  }

  async close (): Promise<void> {
    this.#closed.abort()
    await Promise.all([...this.#peers.values()].map(peer => peer.close()))
    this.#peers.clear()
  }

  async #leadersOf (topic: string): Promise<readonly number[]> {
    const known = this.#leaders.get(topic)
    if (known !== undefined) return known
    const { topics } = await this.#metadata([topic])
    const found = topics[0]
    if (found === undefined || found.error === 3) return []
    check(found.error)
    this.#leaders.set(topic, found.leaders)
    return found.leaders
  }

  async #metadata (topics: readonly string[] | null): Promise<Metadata> {
    const metadata = await (await this.#any()).send(metadataRequest(topics))
    this.#controller = metadata.controller
    for (const { id, ...address } of metadata.brokers) this.#addresses.set(id, address)
    return metadata
  }

  /** A broker that answers: one that is connected, else the first of those known that can be reached. */
  async #any (): Promise<Peer> {
    let failure: unknown = new Error('no broker is configured')
    const peers = [...this.#peers.values(), ...this.#seeds.map(address => this.peer(address))]
    for (const peer of new Set(peers)) {
      try {
        await peer.node()
        return peer
      } catch (error) {
        failure = error
      }
    }
    throw failure
  }

  #versions (): object | null {
    for (const { versions } of this.#peers.values()) if (versions !== null) return versions
    return null
  }
}

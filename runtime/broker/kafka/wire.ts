// The only file that reaches into the client library, kafkajs, whose version package.json pins for that reason.
//
// Its connections (TLS, SASL, one queue of requests a socket) and its encoding of Kafka's requests are used as they are.
// Its producer and consumer are not: the consumer has no reading from a given offset, and both make several objects a
// record. The library has not changed since 2023 and will not, so that what is inside is as stable as what is outside.

import { createRequire } from 'node:module'
import type { KafkaConfig } from './options.ts'

const require = createRequire(import.meta.url)
const LibraryBroker = require('kafkajs/src/broker') as new (options: object) => LibraryNode
const LibraryPool = require('kafkajs/src/network/connectionPool') as new (options: object) => Pool
const socketFactory = require('kafkajs/src/network/socketFactory') as () => unknown
const { createErrorFromCode } = require('kafkajs/src/protocol/error') as { createErrorFromCode (code: number): Error }

/** What is said to one broker. Each call is one request, and throws what the broker answers instead. */
export interface KafkaNode {
  findGroupCoordinator (request: { groupId: string, coordinatorType: number }): Promise<{ coordinator: { nodeId: number, host: string, port: number } }>
  joinGroup (request: { groupId: string, sessionTimeout: number, rebalanceTimeout: number, memberId: string, groupProtocols: ReadonlyArray<{ name: string, metadata: Buffer }> }): Promise<JoinedGroup>
  syncGroup (request: { groupId: string, generationId: number, memberId: string, groupAssignment: ReadonlyArray<{ memberId: string, memberAssignment: Buffer }> }): Promise<{ memberAssignment: Buffer }>
  heartbeat (request: { groupId: string, groupGenerationId: number, memberId: string }): Promise<unknown>
  leaveGroup (request: { groupId: string, memberId: string }): Promise<unknown>
  offsetCommit (request: { groupId: string, groupGenerationId: number, memberId: string, topics: ReadonlyArray<{ topic: string, partitions: ReadonlyArray<{ partition: number, offset: string }> }> }): Promise<unknown>
  listOffsets (request: { isolationLevel: number, topics: ReadonlyArray<{ topic: string, partitions: ReadonlyArray<{ partition: number, timestamp: number }> }> }): Promise<{ responses: Array<{ partitions: Array<{ partition: number, offset: string }> }> }>
  createTopics (request: { topics: readonly object[], timeout: number }): Promise<unknown>
  createPartitions (request: { topicPartitions: readonly object[], timeout: number }): Promise<unknown>
  describeConfigs (request: { resources: readonly object[] }): Promise<{ resources: Array<{ configEntries: Array<{ configName: string, configValue: string }> }> }>
  deleteRecords (request: { topics: ReadonlyArray<{ topic: string, partitions: ReadonlyArray<{ partition: number, offset: string }> }> }): Promise<unknown>
  initProducerId (request: { transactionalId: string, transactionTimeout: number }): Promise<{ producerId: string, producerEpoch: number }>
  addPartitionsToTxn (request: { transactionalId: string, producerId: string, producerEpoch: number, topics: ReadonlyArray<{ topic: string, partitions: readonly number[] }> }): Promise<unknown>
  endTxn (request: { transactionalId: string, producerId: string, producerEpoch: number, transactionResult: boolean }): Promise<unknown>
}

export interface JoinedGroup {
  readonly generationId: number
  readonly leaderId: string
  readonly memberId: string
  readonly members: ReadonlyArray<{ readonly memberId: string, readonly memberMetadata: Buffer }>
}

interface LibraryNode extends KafkaNode {
  versions: object | null
  isConnected (): boolean
  connect (): Promise<void>
  disconnect (): Promise<void>
}
interface Pool {
  readonly pool: readonly Connection[]
  send<T> (request: object): Promise<T>
}
interface Connection {
  readonly socket?: { destroy (error: Error): void }
  readonly requestQueue: RequestQueue
  connect (): Promise<unknown>
  disconnect (): Promise<unknown>
}
interface RequestQueue {
  readonly pending: readonly unknown[]
  throttledUntil: number
  throttleCheckTimeoutId: NodeJS.Timeout | null
  scheduleCheckPendingRequests (): void
  checkPendingRequests (): void
  rejectAll (error: Error): void
}

/** A request that the library has no encoding for, or a slow one. */
export interface OwnRequest<T> {
  readonly apiKey: number
  readonly version: number
  readonly name: string
  readonly body: Buffer
  readonly timeoutMs?: number
  decode (answer: Buffer): T
}

export interface Address { readonly host: string, readonly port: number }

const CONNECT_MS = 5000
const REQUEST_MS = 15_000

const silent = { namespace: () => silent, info () {}, error () {}, warn () {}, debug () {} }

/** A broker and the connections to it: one for reads that wait, one for all else. Both are made when they are needed, and again when they broke. */
export class Peer {
  readonly address: Address
  readonly #pool: Pool
  readonly #node: LibraryNode
  #connecting: Promise<void> | undefined
  #closed = false

  /** `versions`: of the requests that the cluster's brokers know, where another peer has asked already. */
  constructor (config: KafkaConfig, address: Address, versions: object | null = null) {
    this.address = address
    this.#pool = new LibraryPool({
      ...address,
      logger: silent,
      socketFactory: socketFactory(),
      clientId: 'twolane',
      ssl: config.ssl === true ? {} : config.ssl === false ? undefined : config.ssl,
      sasl: config.sasl,
      connectionTimeout: CONNECT_MS,
      requestTimeout: REQUEST_MS
    })
    for (const connection of this.#pool.pool) {
      calm(connection.requestQueue)
      connectOnce(connection)
    }
    this.#node = new LibraryBroker({ connectionPool: this.#pool, logger: silent, versions, allowAutoTopicCreation: false })
  }

  get versions (): object | null {
    return this.#node.versions
  }

  /** The broker, connected. */
  async node (): Promise<KafkaNode> {
    if (this.#closed) throw new Error('The connection was closed')
    if (!this.#node.isConnected()) {
      this.#connecting ??= this.#node.connect().finally(() => { this.#connecting = undefined })
      await this.#connecting
    }
    return this.#node
  }

  async send<T> ({ apiKey, version, name, body, timeoutMs, decode }: OwnRequest<T>): Promise<T> {
    await this.node()
    return this.#pool.send<T>({
      request: { apiKey, apiVersion: version, apiName: name, encode: async () => ({ buf: body, buffer: body }) },
      response: { decode: async (answer: Buffer) => decode(answer), parse: async (answer: T) => answer },
      requestTimeout: timeoutMs ?? null,
      logResponseError: false
    })
  }

  /** At once: what waits for an answer fails. */
  async close (): Promise<void> {
    this.#closed = true
    const closed = new Error('The connection was closed')
    for (const connection of this.#pool.pool) {
      // A request that is on its way to the queue would connect anew.
      connection.connect = () => Promise.reject(closed)
      connection.requestQueue.rejectAll(closed)
      await connection.disconnect()
      connection.socket?.destroy(closed)
    }
  }
}

/** The library's queue wakes every millisecond for as long as its connection lasts; it needs to where requests are held back only. */
function calm (queue: RequestQueue): void {
  queue.scheduleCheckPendingRequests = () => {
    if (queue.pending.length === 0 || queue.throttleCheckTimeoutId !== null) return
    queue.throttleCheckTimeoutId = setTimeout(() => {
      queue.throttleCheckTimeoutId = null
      queue.checkPendingRequests()
    }, Math.max(10, queue.throttledUntil - Date.now()))
  }
}

/** Two requests that meet a connection which is not made yet make two sockets, of which the library forgets one. */
function connectOnce (connection: Connection): void {
  const connect = connection.connect.bind(connection)
  let connecting: Promise<unknown> | undefined
  connection.connect = () => {
    connecting ??= connect().finally(() => { connecting = undefined })
    return connecting
  }
}

/** Throws what an error code of an answer means; 0 means success. */
export function check (code: number): void {
  if (code !== 0) throw Object.assign(createErrorFromCode(code), { code })
}

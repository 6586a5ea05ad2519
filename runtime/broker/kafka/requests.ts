// Requests to Kafka that the client library encodes slowly, or answers with one error for all topics together.

import { check } from './wire.ts'
import type { OwnRequest } from './wire.ts'

export interface Metadata {
  readonly brokers: ReadonlyArray<{ readonly id: number, readonly host: string, readonly port: number }>
  readonly controller: number
  /** `leaders`: by partition; -1: being elected. */
  readonly topics: ReadonlyArray<{ readonly name: string, readonly error: number, readonly internal: boolean, readonly leaders: readonly number[] }>
}

/** Metadata, version 5. `topics`: null for all there are. */
export function metadataRequest (topics: readonly string[] | null): OwnRequest<Metadata> {
  const body = new Body()
  body.int32(topics?.length ?? -1)
  for (const topic of topics ?? []) body.string(topic)
  body.int8(0)
  return { apiKey: 3, version: 5, name: 'Metadata', body: body.bytes(), decode: decodeMetadata }
}

function decodeMetadata (bytes: Buffer): Metadata {
  const answer = new Answer(bytes)
  answer.int32()
  const brokers = answer.list(() => {
    const broker = { id: answer.int32(), host: answer.string(), port: answer.int32() }
    answer.string()
    return broker
  })
  answer.string()
  const controller = answer.int32()
  const topics = answer.list(() => {
    const topic = { error: answer.int16(), name: answer.string(), internal: answer.int8() === 1 }
    const leaders: number[] = []
    answer.list(() => {
      answer.int16()
      const partition = answer.int32()
      leaders[partition] = answer.int32()
      for (let i = 0; i < 3; i++) answer.list(() => answer.int32())
    })
    return { ...topic, leaders }
  })
  return { brokers, controller, topics }
}

export interface FetchFrom {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** Of one answer; the first batch comes whole. */
  readonly bytes: number
  /** How long the broker may wait for something to come. */
  readonly waitMs: number
  /** Also what belongs to a transaction that is not finished, or was aborted. */
  readonly uncommitted?: boolean
}

export interface Fetched {
  /** Of the next record, whatever becomes of it. */
  readonly end: number
  /** Of the first record that belongs to an unfinished transaction; `end` where there is none. */
  readonly stable: number
  /** Of the oldest record. */
  readonly first: number
  readonly aborted: ReadonlyArray<{ readonly producerId: bigint, readonly from: number }>
  /** Record batches. */
  readonly bytes: Buffer
}

/** Fetch, version 11, of one partition. */
export function fetchRequest ({ topic, partition, offset, bytes, waitMs, uncommitted = false }: FetchFrom): OwnRequest<Fetched> {
  const body = new Body()
  body.int32(-1)
  body.int32(waitMs)
  body.int32(waitMs > 0 ? 1 : 0)
  body.int32(bytes)
  body.int8(uncommitted ? 0 : 1)
  body.int32(0)
  body.int32(-1)
  body.int32(1)
  body.string(topic)
  body.int32(1)
  body.int32(partition)
  body.int32(-1)
  body.int64(BigInt(offset))
  body.int64(-1n)
  body.int32(bytes)
  body.int32(0)
  body.string('')
  return { apiKey: 1, version: 11, name: 'Fetch', body: body.bytes(), timeoutMs: waitMs + 15_000, decode: decodeFetched }
}

function decodeFetched (bytes: Buffer): Fetched {
  const answer = new Answer(bytes)
  answer.int32()
  check(answer.int16())
  answer.int32()
  // One topic with one partition, as it was asked for.
  answer.int32()
  answer.string()
  answer.int32()
  answer.int32()
  const error = answer.int16()
  const end = Number(answer.int64())
  const stable = Number(answer.int64())
  const first = Number(answer.int64())
  const aborted = answer.list(() => ({ producerId: answer.int64(), from: Number(answer.int64()) }))
  answer.int32()
  check(error)
  return { end, stable: stable < 0 ? end : stable, first, aborted, bytes: answer.rest(Math.max(0, answer.int32())) }
}

export interface ProducePart {
  readonly topic: string
  readonly partition: number
  /** One record batch, in pieces. */
  readonly batch: readonly Buffer[]
}

/** Produce, version 7. Resolves to the offset of the first record of each part, in their order; throws the first error. */
export function produceRequest (parts: readonly ProducePart[], transactionalId: string | null): OwnRequest<number[]> {
  const body = new Body()
  body.string(transactionalId)
  body.int16(-1)
  body.int32(10_000)
  body.int32(parts.length)
  for (const { topic, partition, batch } of parts) {
    body.string(topic)
    body.int32(1)
    body.int32(partition)
    body.int32(batch.reduce((sum, { length }) => sum + length, 0))
    for (const piece of batch) body.raw(piece)
  }
  return { apiKey: 0, version: 7, name: 'Produce', body: body.bytes(), decode: decodeProduced }
}

function decodeProduced (bytes: Buffer): number[] {
  const answer = new Answer(bytes)
  return answer.list(() => {
    answer.string()
    return answer.list(() => {
      answer.int32()
      const error = answer.int16()
      const base = Number(answer.int64())
      answer.int64()
      answer.int64()
      // 46: it is there already, from an attempt whose answer did not come.
      if (error !== 46) check(error)
      return base
    })[0] as number
  })
}

/** Puts the fields of a request together. */
export class Body {
  readonly #pieces: Buffer[] = []

  int8 (value: number): void {
    this.#pieces.push(Buffer.of(value & 0xff))
  }

  int16 (value: number): void {
    const piece = Buffer.allocUnsafe(2)
    piece.writeInt16BE(value)
    this.#pieces.push(piece)
  }

  int32 (value: number): void {
    const piece = Buffer.allocUnsafe(4)
    piece.writeInt32BE(value)
    this.#pieces.push(piece)
  }

  int64 (value: bigint): void {
    const piece = Buffer.allocUnsafe(8)
    piece.writeBigInt64BE(value)
    this.#pieces.push(piece)
  }

  string (value: string | null): void {
    if (value === null) return this.int16(-1)
    const bytes = Buffer.from(value)
    this.int16(bytes.length)
    this.#pieces.push(bytes)
  }

  raw (piece: Buffer): void {
    this.#pieces.push(piece)
  }

  /** How newer requests encode lengths. */
  varint (value: number): void {
    let rest = value
    for (; rest > 0x7f; rest >>>= 7) this.int8((rest & 0x7f) | 0x80)
    this.int8(rest)
  }

  /** A text as newer requests encode it. */
  compact (value: string): void {
    const bytes = Buffer.from(value)
    this.varint(bytes.length + 1)
    this.#pieces.push(bytes)
  }

  bytes (): Buffer {
    return Buffer.concat(this.#pieces)
  }
}

/** Takes the fields of an answer apart. */
export class Answer {
  readonly #bytes: Buffer
  #at = 0

  constructor (bytes: Buffer) {
    this.#bytes = bytes
  }

  int8 (): number {
    return this.#bytes.readInt8(this.#at++)
  }

  int16 (): number {
    return this.#bytes.readInt16BE((this.#at += 2) - 2)
  }

  int32 (): number {
    return this.#bytes.readInt32BE((this.#at += 4) - 4)
  }

  int64 (): bigint {
    return this.#bytes.readBigInt64BE((this.#at += 8) - 8)
  }

  string (): string {
    const length = Math.max(0, this.int16())
    return this.rest(length).toString()
  }

  varint (): number {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = this.int8()
      value |= (byte & 0x7f) << shift
      if (byte >= 0) return value
    }
  }

  /** Of a list or a text, as newer answers encode it; 0 also where there is nothing. */
  length (): number {
    return Math.max(0, this.varint() - 1)
  }

  compact (): string {
    return this.rest(this.length()).toString()
  }

  /** Passes over what ends each structure of a newer answer. */
  tags (): void {
    for (let count = this.varint(); count > 0; count--) {
      this.varint()
      this.rest(this.varint())
    }
  }

  list<T> (item: () => T): T[] {
    return Array.from({ length: Math.max(0, this.int32()) }, item)
  }

  rest (length: number): Buffer {
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }
}

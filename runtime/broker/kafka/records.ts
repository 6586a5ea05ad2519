// Kafka's record batch, version 2, as it lies in a log and goes over the wire:
//
//   0   base offset           int64, big endian, as all numbers below
//   8   length                int32, of what follows
//  12   leader epoch          int32
//  16   version               int8, 2
//  17   crc32c                uint32, of what follows
//  21   attributes            int16: 0-2 compression, 3 time is the broker's, 4 in a transaction, 5 control
//  23   last offset's delta   int32
//  27   first time, last time int64 each, ms
//  43   producer id           int64, epoch int16, first sequence int32
//  57   records               int32
//  61   records, compressed together:
//         length, attributes (int8), time delta, offset delta, key, value, headers; numbers as zigzag varints
//
// The client library has its own code for this, which makes several objects a record. Here records are places in a
// buffer, which is 10 times as fast. The checksum is not looked at when reading: the broker has checked it.

import { constants, gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { PlatformError } from '../../errors.ts'
import { crc32c } from './crc32c.ts'
import type { KafkaConfig } from './options.ts'

const HEAD_BYTES = 61
const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
/** A batch that says it is larger once unpacked is not one of this world. */
const UNPACKED_BYTES_MAX = 512 * 2 ** 20

/** Records without a place in a log yet. */
export interface PackedRecords {
  readonly count: number
  readonly codec: number
  readonly bytes: Buffer
}

/** What is written into a batch by whom. */
export interface Writer {
  readonly producerId: bigint
  readonly epoch: number
  readonly sequence: number
  readonly transactional: boolean
  readonly time: number
}

/** Puts records together, to be taken out as one batch. */
export class RecordPacker {
  #buffer = Buffer.allocUnsafeSlow(1 << 16)
  #at = 0
  count = 0

  get bytes (): number {
    return this.#at
  }

  /** `headers`: as `encodeHeaders` makes them. Null as the value is a tombstone. */
  add (key: Buffer | undefined, value: string | null, headers: Buffer): void {
    const keyBytes = key?.length ?? 0
    const valueBytes = value === null ? 0 : Buffer.byteLength(value)
    const length = 2 + sizeOf(this.count) + sizeOf(key === undefined ? -1 : keyBytes) + keyBytes + sizeOf(value === null ? -1 : valueBytes) + valueBytes + headers.length
    this.#reserve(length + 5)
    this.#varint(length)
    this.#buffer[this.#at++] = 0
    this.#buffer[this.#at++] = 0
    this.#varint(this.count++)
    this.#varint(key === undefined ? -1 : keyBytes)
    if (key !== undefined) this.#at += key.copy(this.#buffer, this.#at)
    this.#varint(value === null ? -1 : valueBytes)
    if (value !== null) this.#at += this.#buffer.write(value, this.#at)
    this.#at += headers.copy(this.#buffer, this.#at)
  }

  /** All that was added since the last time. */
  take (compression: KafkaConfig['compression']): PackedRecords {
    const plain = this.#buffer.subarray(0, this.#at)
    const packed: PackedRecords = { count: this.count, codec: codecs.indexOf(compression), bytes: compress(plain, compression) }
    this.#at = 0
    this.count = 0
    return packed
  }

  #varint (value: number): void {
    let rest = ((value << 1) ^ (value >> 31)) >>> 0
    while (rest > 0x7f) {
      this.#buffer[this.#at++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    this.#buffer[this.#at++] = rest
  }

  #reserve (bytes: number): void {
    if (this.#at + bytes <= this.#buffer.length) return
    const grown = Buffer.allocUnsafeSlow(Math.max(this.#at + bytes, this.#buffer.length * 2))
    this.#buffer.copy(grown, 0, 0, this.#at)
    this.#buffer = grown
  }
}

function sizeOf (value: number): number {
  const bits = 32 - Math.clz32(((value << 1) ^ (value >> 31)) >>> 0)
  return Math.max(1, Math.ceil(bits / 7))
}

function compress (plain: Buffer, compression: KafkaConfig['compression']): Buffer {
  switch (compression) {
    case 'none': return Buffer.from(plain)
    case 'gzip': return gzipSync(plain, { level: 1 })
    case 'zstd': return zstdCompressSync(plain, { params: { [constants.ZSTD_c_compressionLevel]: 1 } })
  }
}

/** The same for every record of a writer, so they are encoded once. */
export function encodeHeaders (headers: Readonly<Record<string, string>>): Buffer {
  const entries = Object.entries(headers)
  const packer: number[] = []
  const varint = (value: number): void => {
    let rest = value << 1
    for (; rest > 0x7f; rest >>>= 7) packer.push((rest & 0x7f) | 0x80)
    packer.push(rest)
  }
  varint(entries.length)
  for (const text of entries.flat()) {
    const bytes = Buffer.from(text)
    varint(bytes.length)
    packer.push(...bytes)
  }
  return Buffer.from(packer)
}

/** A batch as it is sent. */
export function encodeBatch ({ count, codec, bytes }: PackedRecords, { producerId, epoch, sequence, transactional, time }: Writer): Buffer[] {
  const head = Buffer.alloc(HEAD_BYTES)
  head.writeInt32BE(HEAD_BYTES - 12 + bytes.length, 8)
  head.writeInt32BE(-1, 12)
  head.writeInt8(2, 16)
  head.writeInt16BE(codec | (transactional ? 0x10 : 0), 21)
  head.writeInt32BE(count - 1, 23)
  head.writeBigInt64BE(BigInt(time), 27)
  head.writeBigInt64BE(BigInt(time), 35)
  head.writeBigInt64BE(producerId, 43)
  head.writeInt16BE(epoch, 51)
  head.writeInt32BE(sequence, 53)
  head.writeInt32BE(count, 57)
  head.writeUInt32BE(crc32c(bytes, crc32c(head.subarray(21))), 17)
  return [head, bytes]
}

/** A batch of a log. */
export interface RecordBatch {
  readonly base: number
  /** The offset behind it. */
  readonly next: number
  readonly count: number
  /** ms since 1970. */
  readonly time: number
  readonly producerId: bigint
  readonly transactional: boolean
  /** It ends a transaction, and holds no rows: `commit` or `abort`. */
  readonly control: 'commit' | 'abort' | 'other' | undefined
  /** The records, unpacked when they are asked for. */
  readonly records: () => Buffer
  readonly bytes: number
}

/** The whole batches in what a broker has sent: the last one may be cut off. `first`: what is said for Kafka's offset 0. */
export function * decodeBatches (bytes: Buffer, where: string, first = 0): Generator<RecordBatch, void, void> {
  let at = 0
  while (at + HEAD_BYTES <= bytes.length) {
    const end = at + 12 + bytes.readInt32BE(at + 8)
    if (bytes.readInt8(at + 16) !== 2) {
      throw new PlatformError('BROKER_FRAME_CORRUPT', 'The topic holds records in a format from before Kafka 0.11', { where, remedy: 'Copy the topic with a current client, or wait until retention has removed them.' })
    }
    if (end > bytes.length) return
    yield decodeBatch(bytes.subarray(at, end), where, first)
    at = end
  }
}

function decodeBatch (bytes: Buffer, where: string, first: number): RecordBatch {
  const attributes = bytes.readInt16BE(21)
  const base = first + Number(bytes.readBigInt64BE(0))
  const count = bytes.readInt32BE(57)
  const body = bytes.subarray(HEAD_BYTES)
  return {
    base,
    next: base + bytes.readInt32BE(23) + 1,
    count,
    time: Math.max(0, Number(bytes.readBigInt64BE(35))),
    producerId: bytes.readBigInt64BE(43),
    transactional: (attributes & 0x10) !== 0,
    control: (attributes & 0x20) === 0 ? undefined : controlOf(body, count),
    records: () => unpack(body, attributes & 7, `${where} offset ${base}`),
    bytes: bytes.length
  }
}

function unpack (body: Buffer, codec: number, where: string): Buffer {
  switch (codecs[codec]) {
    case 'none': return body
    case 'gzip': return gunzipSync(body, { maxOutputLength: UNPACKED_BYTES_MAX })
    case 'zstd': return zstdDecompressSync(body, { maxOutputLength: UNPACKED_BYTES_MAX })
    default: throw new PlatformError('BROKER_FRAME_CORRUPT', `Records are compressed with ${codecs[codec] ?? `codec ${codec}`}, which the platform does not read`, {
      where, remedy: 'Set compression.type of the topic to zstd or gzip: the broker then repacks what others send.'
    })
  }
}

function controlOf (body: Buffer, count: number): 'commit' | 'abort' | 'other' {
  if (count === 0) return 'other'
  const { keyStarts } = places(body, 1)
  switch (body.readInt16BE((keyStarts[0] as number) + 2)) {
    case 0: return 'abort'
    case 1: return 'commit'
    default: return 'other'
  }
}

/** Where the records of a batch are in its bytes. A length of -1: there is none. */
export interface Places {
  readonly deltas: Int32Array
  readonly keyStarts: Int32Array
  readonly keyLengths: Int32Array
  readonly valueStarts: Int32Array
  readonly valueLengths: Int32Array
}

export function places (bytes: Buffer, count: number): Places {
  const found: Places = {
    deltas: new Int32Array(count), keyStarts: new Int32Array(count), keyLengths: new Int32Array(count), valueStarts: new Int32Array(count), valueLengths: new Int32Array(count)
  }
  let at = 0
  const varint = (): number => {
    let byte = bytes[at++] as number
    if (byte < 0x80) return (byte >>> 1) ^ -(byte & 1)
    let value = byte & 0x7f
    for (let shift = 7; byte >= 0x80; shift += 7) {
      byte = bytes[at++] as number
      value |= (byte & 0x7f) << shift
    }
    return (value >>> 1) ^ -(value & 1)
  }
  for (let i = 0; i < count; i++) {
    const length = varint()
    const end = at + length
    at++
    // The time's delta may have more than 32 bits; it is not needed.
    while ((bytes[at++] as number) >= 0x80);
    found.deltas[i] = varint()
    const keyLength = varint()
    found.keyStarts[i] = at
    found.keyLengths[i] = keyLength
    if (keyLength > 0) at += keyLength
    const valueLength = varint()
    found.valueStarts[i] = at
    found.valueLengths[i] = valueLength
    at = end
  }
  return found
}

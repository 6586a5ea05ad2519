// A frame: one batch of raw columns as it lies in the embedded broker.
//
//   0   magic 'TLF1'            4 bytes
//   4   rows                    uint32, little endian, as all numbers below
//   8   header bytes            uint32
//  12   crc32 of all other bytes
//  16   header                  JSON: [[name, kind, size, size?], …] in the order of the payloads
//  ..   payloads                each one begins at a multiple of 8
//
// Payload by kind:
//   n  Float64Array, a number a row
//   d  a byte a row (its code), then the values as a JSON array; one value alone has no codes
//   t  Int32Array of rows + 1 offsets, then the texts as UTF-8, one after the other
//   j  a JSON array
//
// Text is kept as bytes on purpose: the mapping casts most columns straight from them, and a value that repeats is
// kept, parsed and cast once. A torn or damaged frame fails its checksum and is never half read.

import { crc32 } from 'node:zlib'
import { cell } from '../batch.ts'
import { PlatformError } from '../errors.ts'
import type { Batch, Column, Columns } from '../batch.ts'

const MAGIC = 0x31464c54
const HEAD_BYTES = 16
const FRAME_BYTES_MAX = 512 * 2 ** 20

type Entry = [name: string, kind: 'n' | 'd' | 't' | 'j', bytes: number, more?: number]

/** Writes batches into one growing buffer. What `encode` returns is valid until the next call. */
export class FrameWriter {
  #buffer = Buffer.allocUnsafeSlow(1 << 20)
  #at = 0

  encode (batch: Batch): Buffer {
    this.#at = 0
    const entries: Entry[] = []
    for (const [name, column] of Object.entries(batch.columns)) entries.push(this.#column(name, column, batch.length))
    return this.#assemble(entries, batch.length)
  }

  #assemble (entries: readonly Entry[], rows: number): Buffer {
    const header = Buffer.from(JSON.stringify(entries))
    const payloadAt = pad(HEAD_BYTES + header.length)
    const payloadBytes = this.#at
    this.#reserve(payloadAt)
    const frame = this.#buffer.subarray(0, payloadAt + payloadBytes)
    frame.copyWithin(payloadAt, 0, payloadBytes)
    frame.writeUInt32LE(MAGIC, 0)
    frame.writeUInt32LE(rows, 4)
    frame.writeUInt32LE(header.length, 8)
    header.copy(frame, HEAD_BYTES)
    frame.fill(0, HEAD_BYTES + header.length, payloadAt)
    frame.writeUInt32LE(checksum(frame), 12)
    return frame
  }

  #column (name: string, column: Column, rows: number): Entry {
    if (column.type === undefined && column.valid === undefined) {
      if (column.kind === 'text') return [name, 't', this.#bytes(column.offsets.subarray(0, rows + 1)), this.#bytes(column.bytes.subarray(0, column.offsets[rows]))]
      if (column.kind === 'numbers' && column.numbers instanceof Float64Array) return [name, 'n', this.#bytes(column.numbers)]
      if (column.kind === 'dictionary' && column.codes instanceof Uint8Array) return [name, 'd', ...this.#dictionary(column.codes, column.values)]
    }
    const values = column.kind === 'values' && column.type === undefined
      ? column.values
      : Array.from({ length: rows }, (_, i) => cell(column, i))
    return this.#values(name, values, rows)
  }

  #values (name: string, values: readonly unknown[], rows: number): Entry {
    const found = dictionaryOf(values, rows)
    if (found !== undefined) return [name, 'd', ...this.#dictionary(found.codes, found.values)]
    if (every(values, rows, isNumber)) return [name, 'n', this.#bytes(Float64Array.from(values))]
    if (every(values, rows, isString)) {
      const text = this.#text(values, rows)
      if (text !== undefined) return [name, 't', ...text]
    }
    return [name, 'j', this.#string(json(values))]
  }

  #dictionary (codes: Uint8Array, values: readonly unknown[]): [number, number] {
    return [this.#bytes(values.length === 1 ? codes.subarray(0, 0) : codes), this.#string(json(values))]
  }

  /** Undefined where the texts are not valid Unicode each on its own. */
  #text (values: readonly string[], rows: number): [number, number] | undefined {
    const joined = values.join('')
    if (!joined.isWellFormed()) return undefined
    const from = this.#at
    const offsets = new Int32Array(rows + 1)
    const offsetBytes = this.#bytes(offsets)
    const textBytes = this.#string(joined)
    let at = 0
    for (let i = 0; i < rows; i++) {
      at += textBytes === joined.length ? (values[i] as string).length : Buffer.byteLength(values[i] as string)
      offsets[i + 1] = at
    }
    if (at !== textBytes) {
      // Halves of a surrogate pair in two neighbours.
      this.#at = from
      return undefined
    }
    this.#buffer.set(new Uint8Array(offsets.buffer), from)
    return [offsetBytes, textBytes]
  }

  #string (text: string): number {
    this.#reserve(text.length * 3)
    return this.#advance(this.#buffer.write(text, this.#at))
  }

  #bytes (array: ArrayBufferView): number {
    this.#reserve(array.byteLength)
    this.#buffer.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), this.#at)
    return this.#advance(array.byteLength)
  }

  /** Behind `bytes` that were written and their padding: zeros, and not what an earlier frame had there. */
  #advance (bytes: number): number {
    const end = this.#at + bytes
    this.#at = pad(end)
    this.#buffer.fill(0, end, this.#at)
    return bytes
  }

  #reserve (bytes: number): void {
    const needed = this.#at + bytes + 16
    if (needed <= this.#buffer.length) return
    if (needed > FRAME_BYTES_MAX) throw new PlatformError('ROW_INVALID', `A batch of more than ${FRAME_BYTES_MAX >> 20} MiB cannot be stored`, { remedy: 'Send fewer or smaller rows a batch.' })
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2))
    this.#buffer.copy(grown, 0, 0, this.#at)
    this.#buffer = grown
  }
}

/** The columns of a frame; views on its bytes wherever possible. Throws BROKER_FRAME_CORRUPT. */
export function decodeFrame (bytes: Uint8Array, where: string): { readonly rows: number, readonly columns: Columns } {
  const frame = bytes.byteOffset % 8 === 0 ? bytes : new Uint8Array(bytes)
  if (frame.length < HEAD_BYTES) throw corrupt(where, 'it is cut off')
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength)
  if (view.getUint32(0, true) !== MAGIC) throw corrupt(where, 'it does not begin as one')
  if (checksum(frame) !== view.getUint32(12, true)) throw corrupt(where, 'its checksum differs')
  const rows = view.getUint32(4, true)
  try {
    return { rows, columns: decodeColumns(frame, view.getUint32(8, true), rows) }
  } catch (cause) {
    throw corrupt(where, `its columns do not fit together (${(cause as Error).message})`, cause)
  }
}

function decodeColumns (frame: Uint8Array, headerBytes: number, rows: number): Columns {
  const entries = JSON.parse(text(frame, HEAD_BYTES, headerBytes)) as Entry[]
  const columns: Record<string, Column> = Object.create(null)
  let at = pad(HEAD_BYTES + headerBytes)
  for (const [name, kind, size, more = 0] of entries) {
    const second = pad(at + size)
    const end = kind === 'd' || kind === 't' ? second + more : at + size
    if (!(end <= frame.length)) throw new RangeError(`${name} ends behind the frame`)
    columns[name] = decodeColumn(frame, { kind, rows, at, size, second, more })
    at = pad(end)
  }
  return columns
}

interface Place { readonly kind: Entry[1], readonly rows: number, readonly at: number, readonly size: number, readonly second: number, readonly more: number }

function decodeColumn (frame: Uint8Array, { kind, rows, at, size, second, more }: Place): Column {
  const sizeMin = { n: rows * 8, d: size === 0 ? 0 : rows, t: rows * 4 + 4, j: 2 }[kind]
  if (!(size >= sizeMin)) throw new RangeError(`a column has ${size} of ${sizeMin} bytes`)
  switch (kind) {
    case 'n': return { kind: 'numbers', numbers: new Float64Array(frame.buffer, frame.byteOffset + at, rows) }
    case 'd': return {
      kind: 'dictionary',
      codes: size === 0 ? new Uint8Array(rows) : frame.subarray(at, at + rows),
      values: JSON.parse(text(frame, second, more)) as unknown[]
    }
    case 't': return { kind: 'text', offsets: new Int32Array(frame.buffer, frame.byteOffset + at, rows + 1), bytes: frame.subarray(second, second + more) }
    case 'j': return { kind: 'values', values: JSON.parse(text(frame, at, size)) as unknown[] }
  }
}

/** Over the whole frame but the place of the checksum itself. */
function checksum (frame: Uint8Array): number {
  return crc32(frame.subarray(HEAD_BYTES), crc32(frame.subarray(0, HEAD_BYTES - 4)))
}

function text (frame: Uint8Array, at: number, bytes: number): string {
  return Buffer.from(frame.buffer, frame.byteOffset + at, bytes).toString()
}

export function corrupt (where: string, what: string, cause?: unknown): PlatformError {
  return new PlatformError('BROKER_FRAME_CORRUPT', `A batch in the topic is damaged: ${what}`, {
    where, cause, remedy: 'Check the disk. The rows of this batch are lost to the topic; restore them from a backup, the lake or the source.'
  })
}

/** Few different values (at most 256, and at most one in four rows) as codes; undefined where there are more. */
function dictionaryOf (values: readonly unknown[], rows: number): { codes: Uint8Array, values: readonly unknown[] } | undefined {
  const limit = Math.min(256, Math.max(1, rows >> 2))
  const codeOf = new Map<unknown, number>()
  const codes = new Uint8Array(rows)
  let last: unknown
  let lastCode = -1
  for (let i = 0; i < rows; i++) {
    const value = values[i] ?? null
    // A map takes -0 for 0.
    if (value === 0 && Object.is(value, -0)) return undefined
    if (value === last && lastCode >= 0) {
      codes[i] = lastCode
      continue
    }
    let code = codeOf.get(value)
    if (code === undefined) {
      // An object is equal to itself only.
      if (codeOf.size === limit || (typeof value === 'object' && value !== null)) return undefined
      code = codeOf.size
      codeOf.set(value, code)
    }
    codes[i] = lastCode = code
    last = value
  }
  return { codes, values: [...codeOf.keys()] }
}

function every<T> (values: readonly unknown[], rows: number, is: (value: unknown) => value is T): values is readonly T[] {
  for (let i = 0; i < rows; i++) if (!is(values[i])) return false
  return true
}

const isNumber = (value: unknown): value is number => typeof value === 'number'
const isString = (value: unknown): value is string => typeof value === 'string'

/** JSON has no NaN, infinities and big integers: as text they reach the mapping, which refuses or keeps them. */
function json (values: readonly unknown[]): string {
  return values.some(needsCare) ? JSON.stringify(values, careful) : JSON.stringify(values)
}

function needsCare (value: unknown): boolean {
  switch (typeof value) {
    case 'number': return !Number.isFinite(value) || Object.is(value, -0)
    case 'bigint': return true
    case 'object': return value !== null && Object.values(value).some(needsCare)
    default: return false
  }
}

const minusZero = (JSON as unknown as { rawJSON (text: string): unknown }).rawJSON('-0')

function careful (_: string, value: unknown): unknown {
  if (typeof value === 'bigint' || (typeof value === 'number' && !Number.isFinite(value))) return String(value)
  return Object.is(value, -0) ? minusZero : value
}

function pad (bytes: number): number {
  return (bytes + 7) & ~7
}

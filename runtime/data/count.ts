// How many rows an answer has, told from its bytes as they pass, in bounded memory.
//
//   ndjson    line ends
//   csv       line ends outside of quotes, less the one of the header
//   arrow     each message: ffffffff, length of the metadata, metadata (a flatbuffer with the rows and the body's length), body
//   parquet   the footer: the last 8 bytes are its length and `PAR1`

import { parquetMetadata } from 'hyparquet'
import type { Format } from './spec.ts'

export interface RowCounter {
  /** Takes the next bytes. */
  add (piece: Buffer): void
  /** Rows so far; of a Parquet file only once all of it has passed. */
  rows (): number
}

const NEW_LINE = 10
const QUOTE = 34
/** Of an Arrow message. */
const RECORD_BATCH = 3
/** Of a Parquet footer. */
const FOOTER_BYTES_MAX = 4 * 2 ** 20

export function rowCounter (format: Exclude<Format, 'json'>): RowCounter {
  switch (format) {
    case 'ndjson': return lineCounter()
    case 'csv': return csvCounter()
    case 'arrow': return arrowCounter()
    case 'parquet': return parquetCounter()
  }
}

function lineCounter (): RowCounter {
  let lines = 0
  return {
    add (piece) {
      for (let at = piece.indexOf(NEW_LINE); at >= 0; at = piece.indexOf(NEW_LINE, at + 1)) lines++
    },
    rows: () => lines
  }
}

function csvCounter (): RowCounter {
  let lines = 0
  let quoted = false
  return {
    add (piece) {
      for (let i = 0; i < piece.length; i++) {
        const byte = piece[i]
        // A doubled quote inside of a text ends and begins it.
        if (byte === QUOTE) quoted = !quoted
        else if (byte === NEW_LINE && !quoted) lines++
      }
    },
    rows: () => Math.max(0, lines - 1)
  }
}

function arrowCounter (): RowCounter {
  let rows = 0
  let held: Buffer = Buffer.alloc(0)
  let skip = 0
  return {
    add (piece) {
      const from = Math.min(skip, piece.length)
      skip -= from
      held = held.length === 0 ? piece.subarray(from) : Buffer.concat([held, piece.subarray(from)])
      while (skip === 0 && held.length >= 8) {
        const length = held.readInt32LE(4)
        if (held.length < 8 + length) break
        const message = readMessage(held.subarray(8, 8 + length))
        rows += message.rows
        const end = 8 + length + message.bodyBytes
        skip = Math.max(0, end - held.length)
        held = held.subarray(Math.min(end, held.length))
      }
    },
    rows: () => rows
  }
}

/** Rows and length of the body of a message. */
function readMessage (metadata: Buffer): { readonly rows: number, readonly bodyBytes: number } {
  if (metadata.length === 0) return { rows: 0, bodyBytes: 0 }
  const message = metadata.readInt32LE(0)
  // Fields of Message: 1 the type of the header, 2 the header, 3 the length of the body. Of RecordBatch: 0 the rows.
  const [type, header, body] = [1, 2, 3].map(number => fieldOf(metadata, message, number))
  const bodyBytes = body === undefined ? 0 : Number(metadata.readBigInt64LE(body))
  if (type === undefined || header === undefined || metadata[type] !== RECORD_BATCH) return { rows: 0, bodyBytes }
  const rows = fieldOf(metadata, header + metadata.readInt32LE(header), 0)
  return { rows: rows === undefined ? 0 : Number(metadata.readBigInt64LE(rows)), bodyBytes }
}

/** Where a field of a flatbuffer's table is, as the table's vtable says; undefined: it has its default. */
function fieldOf (bytes: Buffer, table: number, number: number): number | undefined {
  const vtable = table - bytes.readInt32LE(table)
  const entry = 4 + 2 * number
  const offset = entry < bytes.readUInt16LE(vtable) ? bytes.readUInt16LE(vtable + entry) : 0
  return offset === 0 ? undefined : table + offset
}

function parquetCounter (): RowCounter {
  let pieces: Buffer[] = []
  let bytes = 0
  return {
    add (piece) {
      pieces.push(piece)
      bytes += piece.length
      // Twice the bound at most, so that each byte is copied once or twice.
      if (bytes > 2 * FOOTER_BYTES_MAX) {
        pieces = [Buffer.concat(pieces).subarray(-FOOTER_BYTES_MAX)]
        bytes = FOOTER_BYTES_MAX
      }
    },
    rows () {
      const tail = Buffer.concat(pieces)
      if (tail.length < 12) return 0
      const footer = tail.readUInt32LE(tail.length - 8) + 8
      if (footer > tail.length) return 0
      return Number(parquetMetadata(new Uint8Array(tail.subarray(-footer)).buffer).num_rows)
    }
  }
}

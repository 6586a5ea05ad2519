// Rows of a Parquet file, a window of rows at a time and a column at a time, so that a file of any size fits in memory:
// what is held is one column's pages of one row group as they are in the file, and the values of one window.

import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib'
import { parquetMetadataAsync, parquetRead, parquetSchema } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { PlatformError } from '../errors.ts'
import { RowBatch } from '../plugin.ts'
import { bare, rawOf, textOf, Unfit } from './parquet-values.ts'
import type { AsyncBuffer, Compressors, FileMetaData, ParquetParsers, RowGroup } from 'hyparquet'
import type { Batch, Column } from '../batch.ts'
import type { Topic } from '../schema.ts'
import type { Bytes } from './decode.ts'
import type { Raw } from './parquet-values.ts'

/** Of a window's values in memory, about. A page is unpacked for each window that begins in it, so windows are large. */
const windowBytes = 48 * 2 ** 20
/** Of a value, besides its text. */
const valueBytes = 16
/** Of column chunks kept between two windows of one row group. */
const keptBytesMax = 32 * 2 ** 20
const footerBytesMax = 64 * 2 ** 20
const magic = 'PAR1'

export interface ParquetOptions {
  readonly topic: Topic
  readonly rowsMax: number
  /** Rejects a row by its number, from 1. */
  refuse (row: Readonly<Record<string, unknown>>, reason: string, number: number): void
}

/** A batch, and the number of rows of the file that were read with it. */
export interface ParquetBatch {
  readonly batch: Batch
  readonly rows: number
}

const native: Compressors = {
  ...compressors,
  GZIP: (input, length) => gunzipSync(input, { maxOutputLength: Math.max(1, length) }),
  ZSTD: (input, length) => zstdDecompressSync(input, { maxOutputLength: Math.max(1, length) }),
  BROTLI: (input, length) => brotliDecompressSync(input, { maxOutputLength: Math.max(1, length) })
}

const parsers: Partial<ParquetParsers> = {
  stringFromBytes: textOf,
  timestampFromNanoseconds: nanoseconds => nanoseconds // Of INT96, which has no other form.
}

export class ParquetFile {
  readonly rows: number
  readonly #name: string
  readonly #metadata: FileMetaData
  readonly #columns: ReadonlyArray<{ readonly name: string, readonly raw: Raw }>
  readonly #file: AsyncBuffer & { forget (): void }

  private constructor (bytes: Bytes, metadata: FileMetaData, file: AsyncBuffer & { forget (): void }) {
    this.#name = bytes.name
    this.#file = file
    this.rows = Number(metadata.num_rows)
    this.#columns = parquetSchema(metadata).children.map(tree => ({ name: tree.element.name, raw: rawOf(tree) }))
    this.#metadata = { ...metadata, schema: metadata.schema.map(bare) }
  }

  /** Throws FILE_REFUSED for a file that is not whole, or no Parquet file. */
  static async open (bytes: Bytes): Promise<ParquetFile> {
    await checkEnds(bytes)
    const file = buffered(bytes)
    return await guarded(bytes.name, 'its footer', async () => {
      const metadata = await parquetMetadataAsync(file, { geoparquet: false, initialFetchSize: 2 ** 16 })
      const rows = metadata.row_groups.reduce((sum, group) => sum + Number(group.num_rows), 0)
      if (rows !== Number(metadata.num_rows)) throw new Error(`it counts ${metadata.num_rows} rows, and its row groups have ${rows}`)
      return new ParquetFile(bytes, metadata, file)
    })
  }

  /** The rows from number `from` (0 is the first) on. */
  async * read (from: number, options: ParquetOptions): AsyncGenerator<ParquetBatch, void, void> {
    let groupStart = 0
    for (const group of this.#metadata.row_groups) {
      const groupEnd = groupStart + Number(group.num_rows)
      const step = windowRows(group)
      for (let at = Math.max(from, groupStart); at < groupEnd; at += step) yield * this.#window(at, Math.min(groupEnd, at + step), options)
      this.#file.forget()
      groupStart = groupEnd
    }
  }

  async * #window (from: number, to: number, { topic, rowsMax, refuse }: ParquetOptions): AsyncGenerator<ParquetBatch, void, void> {
    const unfit = new Map<number, string>()
    const columns: Array<{ readonly name: string, readonly values: unknown[] }> = []
    for (const { name, raw } of this.#columns) columns.push({ name, values: await this.#column({ name, raw, from, to, unfit }) })
    for (let start = 0; start < to - from; start += rowsMax) {
      const end = Math.min(to - from, start + rowsMax)
      const part: Record<string, Column> = Object.create(null)
      for (const { name, values } of columns) part[name] = { kind: 'values', values: values.slice(start, end) }
      const batch = new RowBatch(topic, end - start, part)
      yield { batch: withoutUnfit(batch, start, unfit, (row, reason, i) => refuse(row, reason, from + i + 1)), rows: end - start }
    }
  }

  /** One column of a window in its raw form; rows that have none are noted. */
  async #column ({ name, raw, from, to, unfit }: { readonly name: string, readonly raw: Raw, readonly from: number, readonly to: number, readonly unfit: Map<number, string> }): Promise<unknown[]> {
    // Filled from the front: an array of numbers alone takes half of the memory of one that had holes.
    const values: unknown[] = []
    await guarded(this.#name, `column ${name} in rows ${from + 1} to ${to}`, async () => {
      await parquetRead({
        file: this.#file,
        metadata: this.#metadata,
        columns: [name],
        rowStart: from,
        rowEnd: to,
        compressors: native,
        parsers,
        utf8: false,
        geoparquet: false,
        useOffsetIndex: true,
        onChunk ({ columnData, rowStart, rowEnd }) {
          // Pages come in order, and those at the ends have rows of other windows.
          for (let row = Math.max(from + values.length, rowStart); row < Math.min(to, rowEnd); row++) {
            const value: unknown = columnData[row - rowStart] ?? null
            const made = value === null || value instanceof Unfit ? value : raw(value)
            if (made instanceof Unfit) unfit.set(row - from, `${name} holds ${made.reason}.`)
            values.push(made instanceof Unfit ? null : made)
          }
        }
      })
      if (values.length !== to - from) throw new Error(`${values.length} values for ${to - from} rows`)
    })
    return values
  }
}

function windowRows ({ total_byte_size: bytes, num_rows: rows, columns }: RowGroup): number {
  // Text takes about twice of what it takes in the file.
  const rowBytes = 2 * Number(bytes) / Math.max(1, Number(rows)) + valueBytes * columns.length
  return Math.max(1, Math.floor(windowBytes / rowBytes))
}

function withoutUnfit (batch: Batch, start: number, unfit: ReadonlyMap<number, string>, refuse: (row: Readonly<Record<string, unknown>>, reason: string, i: number) => void): Batch {
  if (unfit.size === 0) return batch
  const fit: number[] = []
  for (let i = 0; i < batch.length; i++) {
    const reason = unfit.get(start + i)
    if (reason === undefined) fit.push(i)
    else refuse(batch.row(i), reason, start + i)
  }
  // Made anew: the offsets that a selection keeps are those of a topic.
  const { columns, length, bytes, topic } = batch.select(Int32Array.from(fit))
  return new RowBatch(topic, length, columns, { bytes })
}

/** A file that is cut off lacks its end, which has the place of everything else. */
async function checkEnds (bytes: Bytes): Promise<void> {
  const refuse = (says: string): PlatformError => new PlatformError('FILE_REFUSED', `${bytes.name} is no whole Parquet file: ${says}.`, {
    remedy: 'Write files under another name, and rename them once they are complete.'
  })
  if (bytes.length < 12) throw refuse(`it has ${bytes.length} bytes`)
  const head = (await bytes.read(0, 4)).toString('latin1')
  if (head === 'PARE') throw refuse('it is encrypted')
  if (head !== magic) throw refuse(`it does not begin with ${magic}`)
  const end = await bytes.read(bytes.length - 8, bytes.length)
  if (end.toString('latin1', 4) !== magic) throw refuse(`it does not end with ${magic}, so its end is missing`)
  const footerBytes = end.readUInt32LE(0)
  if (footerBytes > footerBytesMax) throw refuse(`its footer has ${footerBytes} bytes, more than ${footerBytesMax}`)
}

function buffered (bytes: Bytes): AsyncBuffer & { forget (): void } {
  const kept = new Map<string, ArrayBuffer>()
  let keptBytes = 0
  return {
    byteLength: bytes.length,
    async slice (from, to = bytes.length) {
      const key = `${from}-${to}`
      const known = kept.get(key)
      if (known !== undefined) return known
      const read = arrayBufferOf(await bytes.read(from, Math.min(to, bytes.length)))
      if (keptBytes + read.byteLength <= keptBytesMax) {
        kept.set(key, read)
        keptBytes += read.byteLength
      }
      return read
    },
    forget () {
      kept.clear()
      keptBytes = 0
    }
  }
}

function arrayBufferOf (buffer: Buffer): ArrayBuffer {
  const { buffer: whole, byteOffset, byteLength } = buffer
  return (byteOffset === 0 && byteLength === whole.byteLength ? whole : whole.slice(byteOffset, byteOffset + byteLength)) as ArrayBuffer
}

/** What a reader throws at a damaged file says little about where. */
async function guarded<T> (name: string, where: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof PlatformError) throw error
    throw new PlatformError('FILE_REFUSED', `${name} is damaged: ${where} cannot be read: ${(error as Error).message}.`, { remedy: 'Write the file again.', cause: error })
  }
}

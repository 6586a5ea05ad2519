// Row groups out of a Parquet file, one in memory at a time.

import { tableFromIPC } from 'apache-arrow'
import { ParquetFile } from 'parquet-wasm/node'
import type { FileHandle } from 'node:fs/promises'
import type { Data, RecordBatch as ArrowBatch } from 'apache-arrow'
import type { RecordBatch } from 'parquet-wasm/node'
import type { Column } from '../batch.ts'

/** More rows than any row group has, so that one comes as one piece. */
const ROWS_AT_ONCE = 2 ** 24

export class ParquetReader {
  /** Rows of each row group. */
  readonly groups: readonly number[]
  /** Names of the columns, in order. */
  readonly names: readonly string[]
  /** What `ParquetWriter` was given. */
  readonly labels: Readonly<Record<string, string>>
  readonly #file: ParquetFile

  private constructor (file: ParquetFile) {
    this.#file = file
    const metadata = file.metadata()
    const inFile = metadata.fileMetadata()
    this.groups = Array.from({ length: metadata.numRowGroups() }, (_, i) => {
      const group = metadata.rowGroup(i)
      const rows = group.numRows()
      group.free()
      return rows
    })
    const labels = (inFile.keyValueMetadata() as Map<string, string>).get('twolane')
    this.labels = labels === undefined ? {} : JSON.parse(labels) as Record<string, string>
    this.names = tableFromIPC(file.schema().intoIPCStream()).schema.fields.map(({ name }) => name)
    inFile.free()
    metadata.free()
  }

  /** Whoever opens it keeps the handle open meanwhile. The bytes were checked before: a decoder is not safe from others. */
  static async open (handle: FileHandle, bytes: number): Promise<ParquetReader> {
    return new ParquetReader(await ParquetFile.fromFile(new FilePart(handle, 0, bytes) as unknown as Blob))
  }

  /** One row group as it is for `ParquetWriter.append`, which takes it over. */
  async records (group: number): Promise<RecordBatch[]> {
    const table = await this.#file.read({ rowGroups: [group], batchSize: ROWS_AT_ONCE })
    const batches = table.recordBatches()
    table.free()
    return batches
  }

  /** One row group; of `columns` those that the file has. */
  async group (group: number, columns?: readonly string[]): Promise<ReadonlyArray<ArrowBatch>> {
    const wanted = columns?.filter(name => this.names.includes(name))
    const table = await this.#file.read({ rowGroups: [group], batchSize: ROWS_AT_ONCE, ...(wanted !== undefined && { columns: wanted }) })
    return tableFromIPC(table.intoIPCStream()).batches
  }

  close (): void {
    this.#file.free()
  }
}

/** Rows [from, to) of a text column; undefined: all of them are null. */
export function textColumn (data: Data, from: number, to: number): Column | undefined {
  const valid = data.nullCount === 0 ? undefined : validOf(data, from, to)
  if (valid !== undefined && !valid.includes(1)) return undefined
  const given = data.valueOffsets as Int32Array
  const start = given[from] as number
  const offsets = new Int32Array(to - from + 1)
  for (let i = 0; i <= to - from; i++) offsets[i] = (given[from + i] as number) - start
  const bytes = (data.values as Uint8Array).subarray(start, given[to] as number)
  return { kind: 'text', offsets, bytes, ...(valid !== undefined && valid.includes(0) && { valid }) }
}

/** 64-bit integers as doubles; they are below 2^53. */
export function doubles (data: Data): Float64Array {
  const { buffer, byteOffset, length } = data.values as BigInt64Array
  const words = new Int32Array(buffer, byteOffset, length * 2)
  const numbers = new Float64Array(length)
  for (let i = 0; i < length; i++) {
    const low = words[2 * i] as number
    numbers[i] = (words[2 * i + 1] as number) * 4_294_967_296 + (low < 0 ? low + 4_294_967_296 : low)
  }
  return numbers
}

function validOf ({ nullBitmap }: Data, from: number, to: number): Uint8Array {
  const valid = new Uint8Array(to - from)
  for (let i = from; i < to; i++) valid[i - from] = ((nullBitmap[i >> 3] as number) >> (i & 7)) & 1
  return valid
}

/** As much of a Blob as the decoder asks for; a Blob of a file notices every change of it, also of its time. */
class FilePart {
  readonly size: number
  readonly #handle: FileHandle
  readonly #from: number

  constructor (handle: FileHandle, from: number, size: number) {
    this.#handle = handle
    this.#from = from
    this.size = size
  }

  slice (from: number, to: number): FilePart {
    return new FilePart(this.#handle, this.#from + from, to - from)
  }

  async arrayBuffer (): Promise<ArrayBuffer> {
    const bytes = new Uint8Array(this.size)
    let filled = 0
    while (filled < bytes.length) {
      const { bytesRead } = await this.#handle.read(bytes, filled, bytes.length - filled, this.#from + filled)
      if (bytesRead === 0) throw new Error('The file became shorter while it was read')
      filled += bytesRead
    }
    return bytes.buffer
  }
}

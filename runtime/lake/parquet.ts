import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { Compression, Table, WriterPropertiesBuilder, transformParquetStream } from 'parquet-wasm/node'
import type { RecordBatch } from 'parquet-wasm/node'

/** Prices and sizes have too many different values for a dictionary: the sooner the encoder gives it up, the faster and the smaller. */
const dictionaryBytesMax = 16_384

/** What a finished file holds. */
export interface Written {
  readonly bytes: number
  /** Hex. */
  readonly sha256: string
}

/**
 * One Parquet file as it grows. Row groups stream through the WebAssembly encoder to the disk, so the memory in use is
 * that of one row group, whatever the size of the file.
 */
export class ParquetWriter {
  readonly path: string
  readonly #groups: WritableStreamDefaultWriter<RecordBatch>
  readonly #done: Promise<Written>

  constructor (path: string, group: { readonly rowsMax: number, readonly bytesMax: number }, labels: Readonly<Record<string, string>>) {
    this.path = path
    const pipe = new TransformStream<RecordBatch, RecordBatch>()
    this.#groups = pipe.writable.getWriter()
    const properties = new WriterPropertiesBuilder()
      .setCompression(Compression.ZSTD)
      .setMaxRowGroupSize(group.rowsMax)
      .setMaxRowGroupBytes(group.bytesMax)
      .setDictionaryPageSizeLimit(dictionaryBytesMax)
      .setCreatedBy('twolane')
      // One key only: the encoder writes several in random order, and a range written again is to be the same file.
      .setKeyValueMetadata(new Map([['twolane', JSON.stringify(labels)]]))
      .build()
    // The encoder needs a first row group before it gives its stream, so it is not awaited here.
    this.#done = store(transformParquetStream(pipe.readable, properties), path)
    // A failure on the way to the disk must end a write that waits for room.
    this.#done.catch(error => this.#groups.abort(error)).catch(() => { /* aborted before: the first failure counts */ })
  }

  /** Appends one row group: an Arrow IPC stream of one record batch. Stays pending while the disk is slow. */
  async write (ipc: Uint8Array): Promise<void> {
    // The encoder takes the record batch over and frees it; the table is only its shell.
    const table = Table.fromIPCStream(ipc)
    const batch = table.recordBatch(0)
    table.free()
    if (batch !== undefined) await this.append(batch)
  }

  /** Appends the rows of another file as they are, and takes them over; they have the same columns as those before. */
  async append (batch: RecordBatch): Promise<void> {
    await this.#groups.write(batch)
  }

  /** Ends the file; its bytes are durable when it resolves. Called again it gives the same answer. */
  async finish (): Promise<Written> {
    // Where the disk has failed, that is the failure to report, and not that the stream is closed since.
    await this.#groups.close().catch(() => this.#done)
    return this.#done
  }

  /** Gives the file up; what is on the disk stays. */
  async discard (): Promise<void> {
    await this.#groups.abort(new Error('the file was given up')).catch(() => { /* it failed before */ })
    await this.#done.catch(() => { /* that is how it ends when it is given up */ })
  }
}

async function store (encoded: Promise<ReadableStream<Uint8Array>>, path: string): Promise<Written> {
  encoded.catch(() => { /* awaited below, unless the file cannot be opened: then that is the failure to report */ })
  const file = await open(path, 'w')
  const hash = createHash('sha256')
  let bytes = 0
  try {
    for await (const part of await encoded) {
      // Not `write`, which may write less than it was given where the disk is about to be full.
      await file.writeFile(part)
      hash.update(part)
      bytes += part.length
    }
    await file.sync()
    return { bytes, sha256: hash.digest('hex') }
  } finally {
    await file.close()
  }
}

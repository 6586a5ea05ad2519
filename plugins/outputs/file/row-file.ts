// A file of rows and, beside it, the record of what is durable in it:
//
//   out.ndjson             whole lines, and after a crash the torn end of a flush that did not finish
//   out.ndjson.landed      { "writer": "…", "topic": "…", "bytes": 5678, "landed": { "from": 0, "to": 1234 } }
//
// A flush syncs the lines first and replaces the record afterwards, in one rename. So the lines of a flush count all or
// not at all: opening cuts the file to the recorded bytes, and `landed` says whether a range got so far.

import { open, readFile, rename, stat } from 'node:fs/promises'
import { dirname, extname } from 'node:path'
import { writeDurably, storageError, syncFolder } from '../../../runtime/durable.ts'
import { PlatformError } from '../../../runtime/errors.ts'
import { offsetSet, offsetsOf } from '../../../runtime/offsets.ts'
import type { FileHandle } from 'node:fs/promises'
import type { OffsetSet } from '../../../runtime/offsets.ts'
import type { Batch, Context, Range } from '../../../runtime/plugin.ts'
import type { Format } from './format.ts'

/** The same for all files of an output. */
export interface Settings {
  readonly format: Format
  /** A file as large is renamed after a flush; Infinity: none is. */
  readonly rotateBytes: number
}

interface Landed {
  /** Pipeline and step. Two writers would cut off each other's rows. */
  readonly writer: string
  /** The one that the offsets belong to: those of another topic say nothing about this one. */
  readonly topic: string
  readonly bytes: number
  readonly landed?: OffsetSet
}

/** The file of one partition, of which this is the only writer. */
export class RowFile {
  readonly #path: string
  readonly #settings: Settings
  readonly #context: Context
  #file: FileHandle | undefined
  #record: Landed
  /** Since the last flush, for the offsets they have. */
  #batches: Batch[] = []
  #bytes = 0
  #failure: PlatformError | undefined

  constructor (path: string, settings: Settings, context: Context) {
    this.#path = path
    this.#settings = settings
    this.#context = context
    this.#record = { writer: `${context.pipeline} ${context.step}`, topic: context.topic.name, bytes: 0 }
  }

  write (batch: Batch): Promise<void> {
    return this.#attempt(async () => {
      const file = this.#file ?? await this.#open()
      const { format } = this.#settings
      const header = this.#bytes === 0 ? format.header(batch.topic) ?? '' : ''
      if (this.#batches.length === 0 && header === '') await this.#checkHeader(batch)
      const lines = Buffer.from(header + format.lines(batch))
      await file.appendFile(lines)
      this.#bytes += lines.length
      this.#batches.push(batch)
    })
  }

  /** All lines of the range become durable, or none. */
  flush (range: Range): Promise<void> {
    return this.#attempt(async () => {
      if (this.#batches.length === 0 || this.#file === undefined) return
      await this.#file.datasync()
      await this.#save({ ...this.#record, bytes: this.#bytes, landed: offsetSet(range, this.#batches) })
      this.#batches = []
      if (this.#bytes >= this.#settings.rotateBytes) await this.#rotate(range.to)
    })
  }

  landed (range: Range): Promise<Float64Array> {
    return this.#attempt(async () => {
      // What was written and not flushed does not count, so it goes.
      if (this.#file === undefined) await this.#open()
      else await this.#cut()
      return offsetsOf(this.#record.landed, range)
    })
  }

  async close (): Promise<void> {
    const file = this.#file
    if (file === undefined) return
    // Rows of a flush that never came. The next opening cuts them off, too.
    if (this.#batches.length > 0) await this.#cut().catch(() => { /* as said */ })
    this.#file = undefined
    await file.close()
  }

  /** After a failure only `close` is of use: a later flush must not pass over rows that were lost on the way. */
  async #attempt<T> (task: () => Promise<T>): Promise<T> {
    if (this.#failure !== undefined) throw this.#failure
    try {
      return await task()
    } catch (error) {
      throw this.#failure = storageError(error, this.#path)
    }
  }

  async #open (): Promise<FileHandle> {
    const found = await this.#readRecord()
    const file = this.#file = await open(this.#path, 'a')
    const { size } = await file.stat()
    if (found === undefined) {
      // What stands in the file already belongs to somebody: it stays, and rows follow it.
      await this.#save({ ...this.#record, bytes: size })
      await syncFolder(dirname(this.#path))
    } else {
      if (found.writer !== this.#record.writer) throw this.#taken(found.writer)
      if (size < found.bytes) this.#context.log.warn({ path: this.#path, bytes: size, bytesRecorded: found.bytes }, 'The file is shorter than it was, going on at its end')
      const sameTopic = found.topic === this.#record.topic
      const record = { ...sameTopic ? found : this.#record, bytes: Math.min(size, found.bytes) }
      // Saved before the file grows again: the old length would take the torn end of a flush for whole lines.
      if (!sameTopic || size < found.bytes) await this.#save(record)
      this.#record = record
    }
    await this.#cut()
    return file
  }

  async #readRecord (): Promise<Landed | undefined> {
    const path = this.#recordPath
    const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined
      throw error
    })
    if (text === undefined) return undefined
    try {
      return JSON.parse(text) as Landed
    } catch (cause) {
      throw new PlatformError('CONFIG_INVALID', 'The record of what the file holds is damaged', {
        where: path, cause, remedy: 'Write to another file, or remove the record: rows of the last flush may then come twice.'
      })
    }
  }

  get #recordPath (): string {
    return `${this.#path}.landed`
  }

  async #save (record: Landed): Promise<void> {
    await writeDurably(this.#recordPath, `${JSON.stringify(record)}\n`)
    this.#record = record
  }

  async #cut (): Promise<void> {
    await this.#file?.truncate(this.#record.bytes)
    this.#bytes = this.#record.bytes
    this.#batches = []
  }

  /** Lines under a header that does not fit them would put values into wrong columns. */
  async #checkHeader (batch: Batch): Promise<void> {
    const header = this.#settings.format.header(batch.topic)
    if (header === undefined) return
    const length = Buffer.byteLength(header)
    const file = await open(this.#path, 'r')
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, 0).finally(() => file.close())
    const first = buffer.toString('utf8', 0, bytesRead)
    if (first === header) return
    throw new PlatformError('CONFIG_INVALID', `The file has other columns (${first.split('\n', 1)[0]}) than the rows (${header.trimEnd()})`, {
      where: this.#path, remedy: 'Write to another file, or rename this one together with its .landed file.'
    })
  }

  async #rotate (offset: number): Promise<void> {
    const end = extname(this.#path)
    const kept = `${this.#path.slice(0, this.#path.length - end.length)}-${String(offset).padStart(20, '0')}${end}`
    if (await stat(kept).then(() => true, () => false)) throw new PlatformError('DESTINATION_REFUSED', 'A file of that name is there already', { where: kept, remedy: 'Move it away.' })
    await this.#file?.close()
    this.#file = undefined
    await rename(this.#path, kept)
    await syncFolder(dirname(kept))
    await this.#save({ ...this.#record, bytes: 0 })
    this.#context.log.info({ path: kept, bytes: this.#bytes }, 'The file was large enough, going on with a new one')
  }

  #taken (writer: string): PlatformError {
    return new PlatformError('CONFIG_INVALID', `The file is written by ${writer}`, {
      where: this.#path, remedy: `Give each output a file of its own. If that one is gone, remove ${this.#recordPath}.`
    })
  }
}

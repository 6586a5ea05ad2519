import { randomUUID } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { rawArrow } from '../../../runtime/arrow.ts'
import { makeFolder, moveFile } from '../../../runtime/durable.ts'
import { ParquetWriter } from './parquet.ts'
import { leftoverPrefix } from './leftovers.ts'
import type { Batch, Context, Range } from '../../../runtime/plugin.ts'

/** A row group holds as many rows or bytes at most; it is what is in memory at a time. */
const groupRowsMax = 65_536
const groupBytesMax = 16 * 2 ** 20

interface Place {
  readonly root: string
  /** The columns, in order. */
  readonly names: readonly string[]
  readonly partition: number
  readonly context: Context
}

/** A finished or growing file of one day. */
interface DayFile {
  readonly day: string
  /** Of its first row. */
  readonly from: number
  readonly writer: ParquetWriter
}

/**
 * What one partition has written since its last flush: rows that wait for a full row group, and the files of the days
 * they fall on. Almost always one file, two around midnight UTC; a clock that is set back makes one more.
 */
export class PartitionFiles {
  readonly #place: Place
  #files: DayFile[] = []
  #group: Batch[] = []
  #rows = 0
  #bytes = 0

  constructor (place: Place) {
    this.#place = place
  }

  async write (batch: Batch): Promise<void> {
    const day = new Date(batch.position.time).toISOString().slice(0, 10)
    if (this.#files.at(-1)?.day !== day) await this.#begin(day, batch.offsetAt(0))
    this.#group.push(batch)
    this.#rows += batch.length
    this.#bytes += batch.bytes
    if (this.#rows >= groupRowsMax || this.#bytes >= groupBytesMax) await this.#writeGroup()
  }

  /** Finishes the files and gives them their names; they cover the range without a gap. */
  async flush (range: Range): Promise<void> {
    const { root, context: { topic, metrics } } = this.#place
    await this.#writeGroup()
    for (const { writer } of this.#files) await writer.finish()
    for (const [i, { day, from, writer }] of this.#files.entries()) {
      const first = i === 0 ? range.from : from
      const end = this.#files[i + 1]?.from ?? range.to
      const folder = join(root, topic.name, `date=${day}`)
      await makeFolder(folder)
      const path = join(folder, `${topic.name}-${range.partition}-${digits(first)}-${digits(end)}.parquet`)
      await moveFile(writer.path, path)
      metrics.count('files_written')
      metrics.count('files_bytes', (await stat(path)).size)
    }
    this.#files = []
  }

  /** Removes what was not flushed. */
  async discard (): Promise<void> {
    this.#group = []
    for (const { writer } of this.#files) await writer.discard()
    this.#files = []
  }

  async #begin (day: string, from: number): Promise<void> {
    await this.#writeGroup()
    const { root, partition, context: { topic } } = this.#place
    const path = join(root, '_tmp', `${leftoverPrefix(this.#place.context)}${randomUUID()}.parquet`)
    const writer = new ParquetWriter(path, { rowsMax: groupRowsMax, bytesMax: groupBytesMax }, { topic: topic.name, partition: String(partition), schema: topic.hash })
    this.#files.push({ day, from, writer })
  }

  async #writeGroup (): Promise<void> {
    if (this.#rows === 0) return
    const { names, context: { topic } } = this.#place
    const group = this.#group
    this.#group = []
    this.#rows = 0
    this.#bytes = 0
    await this.#files.at(-1)?.writer.write(rawArrow(group, names, { topic: topic.name }))
  }
}

function digits (offset: number): string {
  return String(offset).padStart(20, '0')
}

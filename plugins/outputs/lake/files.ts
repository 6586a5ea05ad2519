import { stat } from 'node:fs/promises'
import { rawArrow } from '../../../runtime/arrow.ts'
import { ParquetWriter } from './parquet.ts'
import type { Objects } from '../../../runtime/objects/objects.ts'
import type { Batch, Context, Range } from '../../../runtime/plugin.ts'

/** A row group holds as many rows or bytes at most; it is what is in memory at a time. */
const groupRowsMax = 65_536
const groupBytesMax = 16 * 2 ** 20

interface Place {
  readonly objects: Objects
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
    const { objects, context: { topic, metrics } } = this.#place
    await this.#writeGroup()
    for (const { writer } of this.#files) await writer.finish()
    for (const [i, { day, from, writer }] of this.#files.entries()) {
      const first = i === 0 ? range.from : from
      const end = this.#files[i + 1]?.from ?? range.to
      const { size } = await stat(writer.path)
      await objects.put(`${topic.name}/date=${day}/${topic.name}-${range.partition}-${digits(first)}-${digits(end)}.parquet`, writer.path)
      metrics.count('files_written')
      metrics.count('files_bytes', size)
    }
    this.#files = []
  }

  /** Removes what was not flushed. */
  async discard (): Promise<void> {
    this.#group = []
    // At once: each one may have to wait for a store that does not answer.
    await Promise.all(this.#files.map(async ({ writer }) => {
      await writer.discard()
      await this.#place.objects.discard(writer.path)
    }))
    this.#files = []
  }

  async #begin (day: string, from: number): Promise<void> {
    await this.#writeGroup()
    const { objects, partition, context: { topic } } = this.#place
    const labels = { topic: topic.name, partition: String(partition), schema: topic.hash }
    const writer = new ParquetWriter(objects.scratchFile(), { rowsMax: groupRowsMax, bytesMax: groupBytesMax }, labels)
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

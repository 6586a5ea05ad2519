import { PlatformError } from '../../../runtime/errors.ts'
import { rawArrow } from '../../../runtime/arrow.ts'
import { SpanCount } from '../../../runtime/lake/event-time.ts'
import { ParquetWriter } from '../../../runtime/lake/parquet.ts'
import { KEEP_MS, isHeld } from '../../../runtime/lake/table.ts'
import type { EventTimes } from '../../../runtime/lake/event-time.ts'
import type { LakeFile } from '../../../runtime/lake/manifest.ts'
import type { LakeTable } from '../../../runtime/lake/table.ts'
import type { Objects } from '../../../runtime/objects/objects.ts'
import type { Batch, Context, Range } from '../../../runtime/plugin.ts'

/** A row group holds as many rows or bytes at most; it is what is in memory at a time. */
const groupRowsMax = 65_536
const groupBytesMax = 16 * 2 ** 20
/** Between a file and its commit: much less than the age at which a file that nobody has committed may be removed. */
const commitMsMax = KEEP_MS / 4
/** Of sha256, in the name of a file: it is told from few others of the same range. */
const HASH_CHARACTERS = 12

interface Place {
  readonly objects: Objects
  readonly table: LakeTable
  readonly events: EventTimes
  /** The columns, in order. */
  readonly names: readonly string[]
  readonly partition: number
  readonly context: Context
}

/** A finished or growing file of one day. */
class DayFile {
  readonly day: string
  /** Of its first row. */
  readonly from: number
  readonly writer: ParquetWriter
  readonly span = new SpanCount()
  rows = 0
  ingest = { from: Infinity, to: -Infinity }

  constructor (day: string, from: number, writer: ParquetWriter) {
    this.day = day
    this.from = from
    this.writer = writer
  }

  count (batch: Batch, events: EventTimes): void {
    const { time } = batch.position
    this.rows += batch.length
    this.span.add(events.of(batch))
    this.ingest = { from: Math.min(this.ingest.from, time), to: Math.max(this.ingest.to, time) }
  }
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
    this.#files.at(-1)?.count(batch, this.#place.events)
    this.#group.push(batch)
    this.#rows += batch.length
    this.#bytes += batch.bytes
    if (this.#rows >= groupRowsMax || this.#bytes >= groupBytesMax) await this.#writeGroup()
  }

  /** Finishes the files, gives them their names and commits them together; they cover the range without a gap. */
  async flush (range: Range): Promise<void> {
    const { table } = this.#place
    await this.#writeGroup()
    for (const { writer } of this.#files) await writer.finish()
    const began = Date.now()
    const { files } = await table.read()
    const added: LakeFile[] = []
    const orphans: string[] = []
    for (const [i, file] of this.#files.entries()) {
      const bounds = { partition: range.partition, from: i === 0 ? range.from : file.from, to: this.#files[i + 1]?.from ?? range.to, ingest: file.ingest }
      // Held: a flush before this one was committed, and its answer lost.
      if (isHeld(files, bounds)) await this.#drop(file.writer)
      else added.push(await this.#put(file, bounds, orphans))
    }
    if (Date.now() - began > commitMsMax) throw new PlatformError('DESTINATION_UNAVAILABLE', 'It took hours to write a file; it is written again')
    const listed = new Set((await table.commit({ add: added })).files.map(({ name }) => name))
    this.#files = []
    // Also one of its own: an owner that wakes up behind this one may have committed the range first.
    for (const name of [...orphans, ...added.map(({ name }) => name)]) if (!listed.has(name)) await this.#place.objects.delete(name)
  }

  /** Removes what was not flushed. */
  async discard (): Promise<void> {
    this.#group = []
    // At once: each one may have to wait for a store that does not answer.
    await Promise.all(this.#files.map(({ writer }) => this.#drop(writer)))
    this.#files = []
  }

  async #put (file: DayFile, bounds: Pick<LakeFile, 'partition' | 'from' | 'to' | 'ingest'>, orphans: string[]): Promise<LakeFile> {
    const { objects, events, context: { topic, metrics } } = this.#place
    const { bytes, sha256 } = await file.writer.finish()
    const wanted = `${topic.name}/date=${file.day}/${topic.name}-${bounds.partition}-${digits(bounds.from)}-${digits(bounds.to)}`
    // By its content: an owner that wakes up behind another one may cut the same rows into other groups, and must not put its
    // file where the manifest has that one's.
    const name = await this.#free(wanted, sha256.slice(0, HASH_CHARACTERS), orphans)
    await objects.put(name, file.writer.path)
    metrics.count('files_written')
    metrics.count('files_bytes', bytes)
    return { name, rows: file.rows, bytes, sha256, ...bounds, ...file.span.span, schema: topic.hash, rule: events.rule }
  }

  /**
   * The name for a file. One of that name is the same file, left by a flush that ended before its commit, and is replaced;
   * unless it is so old that the compaction may be about to remove it: then the file gets another name. Others of the
   * range go, unless the manifest lists them.
   */
  async #free (wanted: string, hash: string, orphans: string[]): Promise<string> {
    let name = `${wanted}-${hash}.parquet`
    for await (const { name: taken, modifiedAt } of this.#place.objects.list(wanted)) {
      if (taken === name && Date.now() - modifiedAt < KEEP_MS / 2) continue
      if (taken === name) name = `${wanted}-${hash}-${Date.now().toString(36)}.parquet`
      orphans.push(taken)
    }
    return name
  }

  async #drop (writer: ParquetWriter): Promise<void> {
    await writer.discard()
    await this.#place.objects.discard(writer.path)
  }

  async #begin (day: string, from: number): Promise<void> {
    await this.#writeGroup()
    const { objects, partition, context: { topic, pipeline, step } } = this.#place
    const labels = { topic: topic.name, partition: String(partition), schema: topic.hash, pipeline, step }
    const writer = new ParquetWriter(objects.scratchFile(), { rowsMax: groupRowsMax, bytesMax: groupBytesMax }, labels)
    this.#files.push(new DayFile(day, from, writer))
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

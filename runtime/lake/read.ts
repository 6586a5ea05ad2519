// Raw rows out of a lake, for whoever runs a mapping over history again: as the source gave them, as text, with the
// position that they have in their topic. One row group is in memory at a time.

import { Batch } from '../batch.ts'
import { EventTimes, dayOf } from './event-time.ts'
import { openLocal } from './local-file.ts'
import { ParquetReader, doubles, textColumn } from './parquet-reader.ts'
import { positionColumns } from '../arrow.ts'
import type { RecordBatch } from 'apache-arrow'
import type { Column } from '../batch.ts'
import type { Objects } from '../objects/objects.ts'
import type { Topic } from '../schema.ts'
import type { LocalFile } from './local-file.ts'
import type { LakeFile, Snapshot } from './manifest.ts'

/** A batch has as many rows or bytes at most. */
const BATCH_ROWS_MAX = 16_384
const BATCH_BYTES_MAX = 4 * 2 ** 20
const DAY_MS = 86_400_000

export interface LakeReading {
  /** The topic of the batches; its schema says what the event time of a row is. */
  readonly topic: Topic
  /** Event time from `from` on and before `to`, ms since 1970. A row whose event time cannot be read is in no interval. */
  readonly from?: number
  readonly to?: number
  /** UTC days of the event time, such as `2024-01-02`; `''`: rows whose event time cannot be read. */
  readonly days?: readonly string[]
  /** By partition: only rows at that offset or above, and below that one. */
  readonly fromOffsets?: ReadonlyMap<number, number>
  readonly toOffsets?: ReadonlyMap<number, number>
  /** The fields that are needed, besides the event time; all of them where it is left out. */
  readonly fields?: readonly string[]
  /**
   * A batch ends where the ingest time changes, so that `position.time` is the one of each row. Otherwise it is the one
   * of the first row, and of the same UTC day for all.
   */
  readonly exactTimes?: boolean
  readonly signal?: AbortSignal
}

/**
 * The rows of a snapshot by partition, then by offset. A value is text, or absent; what was no text at the source is
 * JSON text, and `extra` the JSON text of an object. Files that cannot hold wanted rows are not opened. Throws
 * LAKE_DAMAGED before any row of a file that is not what was written, and the signal's reason when it aborts.
 */
export async function * readLake (objects: Objects, { files }: Pick<Snapshot, 'files'>, reading: LakeReading): AsyncGenerator<Batch, void, void> {
  const events = new EventTimes(reading.topic)
  for (const file of files) if (mayHold(file, reading, events.rule)) yield * readFile(objects, file, { ...reading, events })
}

/** Whether a file can hold rows that are wanted, as far as the manifest knows. */
export function mayHold (file: LakeFile, { from = -Infinity, to = Infinity, days, fromOffsets, toOffsets }: LakeReading, rule: string): boolean {
  if (file.to <= (fromOffsets?.get(file.partition) ?? 0)) return false
  if (file.from >= (toOffsets?.get(file.partition) ?? Infinity)) return false
  // Under another rule the same rows may have other event times.
  if (file.unread === true || file.rule !== rule) return true
  if (days !== undefined && !days.some(day => Object.hasOwn(file.days, day))) return false
  if (from === -Infinity && to === Infinity) return true
  return file.event !== undefined && file.event.to >= from && file.event.from < to
}

type FileReading = LakeReading & { readonly events: EventTimes }

async function * readFile (objects: Objects, file: LakeFile, reading: FileReading): AsyncGenerator<Batch, void, void> {
  const local = await openLocal(objects, file, reading.signal)
  try {
    for await (const batch of readRows(local, file.partition, reading)) {
      const wanted = select(batch, reading)
      if (wanted.length > 0) yield wanted
    }
  } finally {
    await local.close()
  }
}

/** All rows of a file. */
export async function * readRows (local: LocalFile, partition: number, reading: LakeReading): AsyncGenerator<Batch, void, void> {
  const { signal, topic } = reading
  const reader = await ParquetReader.open(local.handle, local.bytes)
  try {
    const fields = wantedNames(reader.names, reading.fields, topic)
    for (let group = 0; group < reader.groups.length; group++) {
      signal?.throwIfAborted()
      for (const records of await reader.group(group, [...fields, '_offset', '_ingest_time'])) yield * batchesOf(records, fields, partition, reading)
    }
  } finally {
    reader.close()
  }
}

function wantedNames (names: readonly string[], fields: readonly string[] | undefined, topic: Topic): string[] {
  const position: readonly string[] = positionColumns
  return names.filter(name => !position.includes(name) && (fields === undefined || fields.includes(name) || name === topic.eventTime))
}

/** The rows of one row group, in parts. */
function batchesOf (records: RecordBatch, fields: readonly string[], partition: number, { topic, exactTimes = false }: LakeReading): Batch[] {
  const rows = records.numRows
  const columns = new Map(records.schema.fields.map(({ name }, i) => [name, records.data.children[i]]))
  const [offsetData, timeData] = [columns.get('_offset'), columns.get('_ingest_time')]
  if (offsetData === undefined || timeData === undefined) return []
  const [offsets, times] = [doubles(offsetData), doubles(timeData)]
  const texts = fields.flatMap(name => {
    const data = columns.get(name)
    return data === undefined ? [] : [{ name, data }]
  })
  const bytes = texts.reduce((sum, { data }) => sum + (data.values as Uint8Array).length, 0)
  const rowsMax = Math.max(1, Math.min(BATCH_ROWS_MAX, Math.floor(rows * BATCH_BYTES_MAX / Math.max(1, bytes))))
  const batches: Batch[] = []
  for (let from = 0; from < rows;) {
    const to = endOf(times, from, Math.min(rows, from + rowsMax), exactTimes)
    const own: Record<string, Column> = Object.create(null)
    for (const { name, data } of texts) {
      const column = textColumn(data, from, to)
      if (column !== undefined) own[name] = column
    }
    const [first, last] = [offsets[from] as number, offsets[to - 1] as number]
    const gaps = last - first !== to - from - 1
    batches.push(new Batch(topic, to - from, own, {
      position: { partition, offset: first, time: times[from] as number },
      ...(gaps && { offsets: offsets.slice(from, to) }),
      bytes: Math.ceil(bytes * (to - from) / rows)
    }))
    from = to
  }
  return batches
}

/** Where a batch that begins at `from` has to end, at `to` at the latest, so that one time stands for all its rows. */
function endOf (times: Float64Array, from: number, to: number, exact: boolean): number {
  const first = times[from] as number
  const day = Math.floor(first / DAY_MS)
  for (let i = from + 1; i < to; i++) {
    const time = times[i] as number
    if (exact ? time !== first : Math.floor(time / DAY_MS) !== day) return i
  }
  return to
}

function select (batch: Batch, { fromOffsets, toOffsets, ...reading }: FileReading): Batch {
  const { partition } = batch.position
  const [first, end] = [fromOffsets?.get(partition) ?? 0, toOffsets?.get(partition) ?? Infinity]
  const inTime = wantedByTime(batch, reading)
  if (inTime === undefined && batch.offsetAt(0) >= first && batch.offsetAt(batch.length - 1) < end) return batch
  const indexes = new Int32Array(batch.length)
  let count = 0
  for (let i = 0; i < batch.length; i++) {
    const offset = batch.offsetAt(i)
    if (offset >= first && offset < end && inTime?.[i] !== 0) indexes[count++] = i
  }
  return batch.select(indexes.subarray(0, count))
}

/** One byte a row, 0: its event time is not wanted; undefined: nobody asks for the time. */
function wantedByTime (batch: Batch, { from, to, days, events }: FileReading): Uint8Array | undefined {
  if (from === undefined && to === undefined && days === undefined) return undefined
  const [least, end] = [from ?? -Infinity, to ?? Infinity]
  const times = events.of(batch)
  const wanted = new Uint8Array(batch.length)
  const anyTime = from === undefined && to === undefined
  for (let i = 0; i < wanted.length; i++) wanted[i] = anyTime || ((times[i] as number) >= least && (times[i] as number) < end) ? 1 : 0
  if (days === undefined) return wanted
  let [day, held] = [Number.NaN, false]
  for (let i = 0; i < wanted.length; i++) {
    const own = Math.floor((times[i] as number) / DAY_MS)
    // Neighbours are mostly of one day.
    if (own !== day) held = days.includes(dayOf(times[i] as number))
    day = own
    if (!held) wanted[i] = 0
  }
  return wanted
}

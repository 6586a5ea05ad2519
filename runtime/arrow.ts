// Batches as Apache Arrow: many batches in, one table with one record batch out. Arrow is what the destinations take:
// the streaming database and the warehouse get typed columns, the lake gets raw values as text.
//
// Columns are copied as wholes, never row by row through objects: that is what makes a flush of 100,000 rows cheap.

import { Field as ArrowField, Int64, RecordBatch, Schema, Struct, Table, TimestampMillisecond, Uint16, makeData, tableToIPC } from 'apache-arrow'
import type { Data } from 'apache-arrow'
import type { Batch } from './batch.ts'
import type { Field } from './schema.ts'
import { int64 } from './arrow/parts.ts'
import type { Part } from './arrow/parts.ts'
import { dictionaryData, mergeText, rawText } from './arrow/text.ts'
import { mergeTyped } from './arrow/typed.ts'

/** Where each row stands in its topic; every destination table has these columns after those of the topic. */
export const positionColumns = ['_topic', '_partition', '_offset', '_ingest_time'] as const

export interface ArrowOptions {
  /** The topic that the positions belong to. @default the batches' topic, which a mapping may have changed */
  readonly topic?: string
}

interface Named {
  readonly name: string
  readonly nullable: boolean
  readonly data: Data
}

/** Typed batches as one Arrow IPC stream with one record batch: the columns of `fields`, then those of the position. */
export function encodeArrow (batches: readonly Batch[], fields: readonly Field[], options: ArrowOptions = {}): Uint8Array {
  return tableToIPC(typedTable(batches, fields, options), 'stream')
}

/** Typed batches as one Arrow table with one record batch. Throws where a column is not of its field's type. */
export function typedTable (batches: readonly Batch[], fields: readonly Field[], options: ArrowOptions = {}): Table {
  const length = rowsOf(batches)
  const columns: Named[] = fields.map(field => ({
    // A null where none may be is for the destination to refuse, row by row.
    name: field.name, nullable: true, data: mergeTyped(partsOf(batches, field.name), length, field)
  }))
  return tableOf([...columns, ...positions(batches, length, options)], length)
}

/**
 * Raw batches as one Arrow table with one record batch: each field a nullable text column, strings as they are and
 * other JSON values as JSON text, then the columns of the position. `names`: which fields and in which order; the
 * names that occur where it is left out.
 */
export function rawTable (batches: readonly Batch[], names?: readonly string[], options: ArrowOptions = {}): Table {
  const length = rowsOf(batches)
  const all = names ?? [...new Set(batches.flatMap(batch => Object.keys(batch.columns)))]
  const columns: Named[] = all.map(name => ({
    name, nullable: true, data: mergeText(partsOf(batches, name), length, rawText)
  }))
  return tableOf([...columns, ...positions(batches, length, options)], length)
}

/** `rawTable` as an Arrow IPC stream. */
export function rawArrow (batches: readonly Batch[], names?: readonly string[], options: ArrowOptions = {}): Uint8Array {
  return tableToIPC(rawTable(batches, names, options), 'stream')
}

function rowsOf (batches: readonly Batch[]): number {
  let rows = 0
  for (const batch of batches) rows += batch.length
  return rows
}

function partsOf (batches: readonly Batch[], name: string): Part[] {
  const parts: Part[] = []
  let at = 0
  for (const batch of batches) {
    const column = Object.hasOwn(batch.columns, name) ? batch.columns[name] : undefined
    parts.push({ column, from: 0, length: batch.length, at })
    at += batch.length
  }
  return parts
}

function tableOf (columns: readonly Named[], length: number): Table {
  const fields = columns.map(({ name, nullable, data }) => new ArrowField(name, data.type, nullable))
  const schema = new Schema(fields)
  const data = makeData({ type: new Struct(fields), length, nullCount: 0, children: columns.map(column => column.data) })
  return new Table(schema, [new RecordBatch(schema, data)])
}

function positions (batches: readonly Batch[], length: number, { topic }: ArrowOptions): Named[] {
  const topics: string[] = []
  const codes = new Int32Array(length)
  const partitions = new Uint16Array(length)
  const offsets = new Float64Array(length)
  const times = new Float64Array(length)
  let at = 0
  for (const batch of batches) {
    const name = topic ?? batch.topic.name
    const code = topics.includes(name) ? topics.indexOf(name) : topics.push(name) - 1
    const { partition, offset, time } = batch.position
    codes.fill(code, at, at + batch.length)
    partitions.fill(partition, at, at + batch.length)
    times.fill(time, at, at + batch.length)
    if (batch.offsets === undefined) for (let i = 0; i < batch.length; i++) offsets[at + i] = offset + i
    else offsets.set(batch.offsets, at)
    at += batch.length
  }
  return [
    { name: '_topic', nullable: false, data: dictionaryData(topics, codes) },
    { name: '_partition', nullable: false, data: makeData({ type: new Uint16(), length, nullCount: 0, data: partitions }) },
    { name: '_offset', nullable: false, data: makeData({ type: new Int64(), length, nullCount: 0, data: int64(offsets) }) },
    { name: '_ingest_time', nullable: false, data: makeData({ type: new TimestampMillisecond('UTC'), length, nullCount: 0, data: int64(times) }) }
  ]
}

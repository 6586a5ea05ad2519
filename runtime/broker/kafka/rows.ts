// Rows as records: the value is the row as a JSON object, the key is the key of the row.
//
// Other clients write into the topics too, so a value may be anything. What looks like the platform's own rows is taken
// from the bytes (scan.ts). All else is parsed at once, as one array; where that array is not what it has to be, the
// values are parsed one by one, and those that are no row are refused.

import { isUtf8 } from 'node:buffer'
import { Batch, cell } from '../../batch.ts'
import { jsonRows } from '../../lines.ts'
import { EXTRA, NOT_PRESENT } from '../../schema.ts'
import { partitionOf } from './partitioner.ts'
import { places } from './records.ts'
import { scan } from './scan.ts'
import type { Column, Columns, Row } from '../../batch.ts'
import type { Topic } from '../../schema.ts'
import type { Refused } from '../broker.ts'
import type { RecordBatch } from './records.ts'

/** Shown of a record that is no row. */
const SHOWN_CHARACTERS = 2000
const KEYS_KEPT = 20_000

export interface Keyed { readonly key: Buffer | undefined, readonly partition: number }

/** The value of each row. */
export function valuesOf (batch: Batch): (i: number) => string {
  const columns: Record<string, Column> = Object.create(null)
  for (const [name, column] of Object.entries(batch.columns)) columns[name] = speakable(column)
  return jsonRows(batch.with(columns))
}

/** The key and partition of each row. Rows without a key go to `keyless`, all of a batch together. */
export class Keys {
  readonly #topic: Topic
  readonly #partitions: number
  readonly #known = new Map<string, Keyed>()

  constructor (topic: Topic, partitions: number) {
    this.#topic = topic
    this.#partitions = partitions
  }

  of (batch: Batch, keyless: number): (i: number) => Keyed {
    const none: Keyed = { key: undefined, partition: keyless }
    const columns = this.#topic.key.map(name => batch.columns[name])
    if (columns.length === 0) return () => none
    return i => {
      const values = columns.map(column => column === undefined ? null : cell(column, i))
      const text = keyText(values)
      if (text === undefined) return none
      let keyed = this.#known.get(text)
      if (keyed === undefined) {
        if (this.#known.size >= KEYS_KEPT) this.#known.clear()
        const key = Buffer.from(text)
        this.#known.set(text, keyed = { key, partition: partitionOf(key, this.#partitions) })
      }
      return keyed
    }
  }
}

/** One field: its text. Several: a JSON array. */
function keyText (values: readonly unknown[]): string | undefined {
  if (values.length > 1) return JSON.stringify(values, plainJson)
  const [value] = values
  if (value === null || value === undefined) return undefined
  return typeof value === 'string' ? value : JSON.stringify(value, plainJson)
}

/** JSON has no NaN, infinities and minus zero: as text, or as JSON text of its own, they reach the reader. */
function speakable (column: Column): Column {
  if (column.type !== undefined) return column
  if (column.kind === 'values' && column.values.some(needsCare)) return { ...column, values: column.values.map(careful) }
  if (column.kind === 'dictionary' && column.values.some(needsCare)) return { ...column, values: column.values.map(careful) }
  if (column.kind === 'numbers' && column.numbers instanceof Float64Array && column.numbers.some(needsCare)) {
    return { kind: 'values', values: Array.from(column.numbers, (_, i) => careful(cell(column, i))) }
  }
  return column
}

function needsCare (value: unknown): boolean {
  switch (typeof value) {
    case 'number': return !Number.isFinite(value) || Object.is(value, -0)
    case 'object': return value !== null && Object.values(value).some(inner => typeof inner === 'bigint' || needsCare(inner))
    default: return false
  }
}

const minusZero = (JSON as unknown as { rawJSON (text: string): unknown }).rawJSON('-0')

function careful (value: unknown): unknown {
  if (!needsCare(value)) return value
  if (typeof value !== 'number') return JSON.parse(JSON.stringify(value, plainJson)) as unknown
  return Object.is(value, -0) ? minusZero : String(value)
}

function plainJson (_: string, value: unknown): unknown {
  return typeof value === 'bigint' || (typeof value === 'number' && !Number.isFinite(value)) ? String(value) : value
}

export interface Decoded { readonly batches: readonly Batch[], readonly refused: readonly Refused[] }

/** Rows and refused records of a record batch, of which the records in [from, to) count. */
export function decodeRows (topic: Topic, partition: number, batch: RecordBatch, { from, to }: { readonly from: number, readonly to: number }): Decoded {
  const bytes = batch.records()
  const { deltas, valueStarts, valueLengths } = places(bytes, batch.count)
  const found = new Decoding(topic)
  const [offsets, starts, lengths] = [new Float64Array(batch.count), new Int32Array(batch.count), new Int32Array(batch.count)]
  let count = 0
  for (let i = 0; i < batch.count; i++) {
    const offset = batch.base + (deltas[i] as number)
    if (offset < from || offset >= to) continue
    const length = valueLengths[i] as number
    if (length <= 0) {
      found.refuse(offset, length < 0 ? 'the record has no value' : 'the record is empty', '')
      continue
    }
    offsets[count] = offset
    starts[count] = valueStarts[i] as number
    lengths[count++] = length
  }
  const columns = scan({ bytes, starts, lengths, count }, names => found.takes(names))
  if (columns === undefined) {
    const values = Array.from({ length: count }, (_, i) => bytes.subarray(starts[i] as number, (starts[i] as number) + (lengths[i] as number)))
    const rows = parseTogether(values)
    for (const [i, value] of values.entries()) {
      if (rows === undefined) found.parse(offsets[i] as number, value)
      else found.add(offsets[i] as number, rows[2 * i], value)
    }
  }
  const place = { partition, time: batch.time, bytes: bytes.length }
  const batches = columns === undefined ? found.batches(place) : [makeBatch(topic, columns, offsets.subarray(0, count), place)]
  return { batches, refused: found.refused.sort((a, b) => a.offset - b.offset) }
}

interface BatchPlace { readonly partition: number, readonly time: number, readonly bytes: number }

function makeBatch (topic: Topic, columns: Columns, offsets: Float64Array, { partition, time, bytes }: BatchPlace): Batch {
  const [first, last] = [offsets[0] as number, offsets.at(-1) as number]
  const gaps = last - first !== offsets.length - 1
  return new Batch(topic, offsets.length, columns, { position: { partition, offset: first, time }, bytes, ...(gaps && { offsets }) })
}

/**
 * Stands between the values. Nobody else knows it, so that values which are no JSON each on their own, and together
 * look like some, are found out.
 */
const separator = Math.floor(Math.random() * 2 ** 30)
const separatorBytes = Buffer.from(`,${separator},`)

/** Every other element is a value; undefined where the values have to be looked at one by one. */
function parseTogether (values: readonly Buffer[]): unknown[] | undefined {
  const size = values.reduce((sum, { length }) => sum + length + separatorBytes.length, 2)
  const text = Buffer.allocUnsafe(size)
  let at = 0
  text[at++] = 0x5b
  for (let i = 0; i < values.length; i++) {
    if (i > 0) at += separatorBytes.copy(text, at)
    at += (values[i] as Buffer).copy(text, at)
  }
  text[at++] = 0x5d
  const all = text.subarray(0, at)
  if (!isUtf8(all)) return undefined
  try {
    const parsed = JSON.parse(all.toString()) as unknown[]
    if (parsed.length !== Math.max(0, values.length * 2 - 1)) return undefined
    for (let i = 1; i < parsed.length; i += 2) if (parsed[i] !== separator) return undefined
    return parsed
  } catch {
    // One of them is no JSON: it is found when they are parsed alone.
    return undefined
  }
}

/** Collects the rows of a record batch by column. */
class Decoding {
  readonly refused: Refused[] = []
  readonly #fields: ReadonlySet<string>
  readonly #required: readonly string[]
  readonly #topic: Topic
  readonly #rows: Row[] = []
  readonly #offsets: number[] = []

  constructor (topic: Topic) {
    this.#topic = topic
    this.#fields = new Set([...topic.fields.map(({ name }) => name), EXTRA])
    this.#required = topic.fields.filter(({ required }) => required).map(({ name }) => name)
  }

  refuse (offset: number, reason: string, shown: string): void {
    this.refused.push({ offset, reason, row: { record: shown } })
  }

  parse (offset: number, value: Buffer): void {
    if (!isUtf8(value)) return this.refuse(offset, 'the record is not UTF-8 text', show(value))
    let row: unknown
    try {
      row = JSON.parse(value.toString())
    } catch (error) {
      return this.refuse(offset, `the record is not JSON: ${(error as Error).message}`, show(value))
    }
    this.add(offset, row, value)
  }

  add (offset: number, row: unknown, value: Buffer): void {
    if (typeof row !== 'object' || row === null || Array.isArray(row)) return this.refuse(offset, 'the record is not a JSON object', show(value))
    for (const name of this.#required) {
      if (!Object.hasOwn(row, name)) return this.refuse(offset, `the required field ${name} is missing; a source that lacks it sends "${NOT_PRESENT}"`, show(value))
    }
    this.#offsets.push(offset)
    this.#rows.push(row as Row)
  }

  /** Whether a row of these fields is one of the topic, and has nothing for `extra`. */
  takes (names: readonly string[]): boolean {
    return names.every(name => this.#fields.has(name)) && this.#required.every(name => names.includes(name))
  }

  batches (place: BatchPlace): Batch[] {
    return this.#rows.length === 0 ? [] : [makeBatch(this.#topic, this.#columns(this.#rows), Float64Array.from(this.#offsets), place)]
  }

  #columns (rows: readonly Row[]): Columns {
    // Without a prototype, so that a record may name a field `__proto__` without harm.
    const columns: Record<string, { kind: 'values', values: unknown[] }> = Object.create(null)
    let others: unknown[] | undefined
    for (const [i, row] of rows.entries()) {
      for (const name in row) {
        if (this.#fields.has(name)) {
          (columns[name] ??= { kind: 'values', values: new Array<unknown>(rows.length).fill(null) }).values[i] = row[name]
        } else {
          const other = ((others ??= new Array<unknown>(rows.length).fill(null))[i] ??= Object.create(null)) as Record<string, unknown>
          other[name] = row[name]
        }
      }
    }
    if (others !== undefined) columns[EXTRA] = { kind: 'values', values: merged(columns[EXTRA]?.values, others) }
    return columns
  }
}

/** Fields that the schema does not know, beside those that came as `extra` already. */
function merged (known: readonly unknown[] | undefined, others: readonly unknown[]): unknown[] {
  return others.map((other, i) => {
    const before = known?.[i]
    if (other === null || typeof before !== 'object') return other ?? before ?? null
    return { ...before, ...other }
  })
}

function show (value: Buffer): string {
  return value.toString('utf8', 0, SHOWN_CHARACTERS * 3).slice(0, SHOWN_CHARACTERS)
}

// Rows of one topic, by column. A batch is immutable once built: steps share it without copying.
//
// Raw columns (what a connector sends and a topic holds) and typed columns (what the mapping makes) have the same
// shapes, so that a column that needs no cast passes through as it is:
//
//   values      [ 'AAPL', 3, null, {…} ]                      anything, the slow shape
//   dictionary  codes [0,0,1,0]  values ['AAPL','MSFT']       few different values: work is done once a value
//   text        offsets [0,4,8]  bytes 'AAPLMSFT'             UTF-8, as Apache Arrow lays it out
//   numbers     Float64Array …                                one number a row
//   decimal     two 64-bit words a row                        unscaled, two's complement, low word first
//   list        offsets [0,2,3]  items: a column              lists of one type

import type { Topic, Type } from './schema.ts'

export type NumberArray =
  | Float64Array | Float32Array | Int8Array | Int16Array | Int32Array | Uint8Array | Uint16Array | Uint32Array
  | BigInt64Array | BigUint64Array
export type Codes = Uint8Array | Uint16Array | Int32Array

interface Typed {
  /** The destination type; undefined in raw columns. */
  readonly type?: Type
  /** One byte a row, 0 where the value is null; undefined: no nulls. */
  readonly valid?: Uint8Array
}
export interface ValuesColumn extends Typed { readonly kind: 'values', readonly values: readonly unknown[] }
export interface DictionaryColumn extends Typed { readonly kind: 'dictionary', readonly codes: Codes, readonly values: readonly unknown[] }
export interface TextColumn extends Typed { readonly kind: 'text', readonly offsets: Int32Array, readonly bytes: Uint8Array }
export interface NumbersColumn extends Typed { readonly kind: 'numbers', readonly numbers: NumberArray }
export interface DecimalColumn extends Typed { readonly kind: 'decimal', readonly words: BigUint64Array }
export interface ListColumn extends Typed { readonly kind: 'list', readonly offsets: Int32Array, readonly items: Column }
export type Column = ValuesColumn | DictionaryColumn | TextColumn | NumbersColumn | DecimalColumn | ListColumn
export type Columns = Readonly<Record<string, Column>>

export type Row = Readonly<Record<string, unknown>>

/** Where a batch stands in its topic. */
export interface Position {
  readonly partition: number
  /** Of row 0; the same on redelivery, so that outputs can tell a repeated row. Safe to 2^53: 285 years at 1 M rows/s. */
  readonly offset: number
  /** When the rows became durable in the topic: ms since 1970, UTC. */
  readonly time: number
}

/** The position of rows that no topic holds yet. */
export const nowhere: Position = { partition: 0, offset: 0, time: 0 }

export class Batch {
  readonly topic: Topic
  readonly length: number
  readonly columns: Columns
  readonly position: Position
  /** Offset of each row where rows were taken out; undefined: they follow each other from `position.offset`. */
  readonly offsets: Float64Array | undefined
  /** Size in the topic; an estimate where it is not known. */
  readonly bytes: number

  constructor (topic: Topic, length: number, columns: Columns, { position = nowhere, offsets, bytes = length * 64 }: {
    readonly position?: Position, readonly offsets?: Float64Array | undefined, readonly bytes?: number
  } = {}) {
    this.topic = topic
    this.length = length
    this.columns = columns
    this.position = position
    this.offsets = offsets
    this.bytes = bytes
  }

  offsetAt (i: number): number {
    return this.offsets === undefined ? this.position.offset + i : this.offsets[i] as number
  }

  /** The same rows with other columns. */
  with (columns: Columns): Batch {
    return new Batch(this.topic, this.length, columns, this)
  }

  /** The rows at `indexes` (ascending), with the offsets they had. */
  select (indexes: Int32Array): Batch {
    if (indexes.length === this.length) return this
    const columns: Record<string, Column> = Object.create(null)
    for (const [name, column] of Object.entries(this.columns)) columns[name] = selectColumn(column, indexes)
    const offsets = new Float64Array(indexes.length)
    for (let i = 0; i < indexes.length; i++) offsets[i] = this.offsetAt(indexes[i] as number)
    const bytes = Math.ceil(this.bytes * indexes.length / this.length)
    return new Batch(this.topic, indexes.length, columns, { position: this.position, offsets, bytes })
  }

  /** One row as an object; the slow view. */
  row (i: number): Row {
    const row: Record<string, unknown> = {}
    for (const name in this.columns) {
      const value = cell(this.columns[name] as Column, i)
      // Assigning to that name would change the prototype.
      if (name === '__proto__') Object.defineProperty(row, name, { value, enumerable: true, writable: true, configurable: true })
      else row[name] = value
    }
    return row
  }

  /** All rows as objects; the slow view, for plugins that are not hot. */
  * rows (): Generator<Row, void, void> {
    for (let i = 0; i < this.length; i++) yield this.row(i)
  }
}

/**
 * Whether a batch of so many names and rows has to end. A batch has a cell for each name in each row: rows that each
 * bring names of their own, such as a map by id, would make millions of empty ones out of a few kilobytes.
 */
export function isTooWide (names: number, rows: number): boolean {
  return names > 1000 && names * rows > 2_000_000
}

/** How many of the rows from `from` up to `to` make one batch: one at least, where there is one. */
export function rowsThatFit (rows: readonly Row[], from: number, to: number): number {
  const names = new Set<string>()
  for (let i = from; i < to; i++) {
    for (const name in rows[i] as Row) names.add(name)
    if (isTooWide(names.size, i - from + 1)) return Math.max(1, i - from)
  }
  return to - from
}

/** A batch of row objects; its columns are the names that occur. */
export function fromRows (topic: Topic, rows: readonly Row[], bytes?: number): Batch {
  const byName = new Map<string, unknown[]>()
  for (const [i, row] of rows.entries()) {
    // By the fields that a row has: to ask each row for each name takes long where the rows have different ones.
    for (const name in row) {
      let values = byName.get(name)
      if (values === undefined) byName.set(name, values = new Array<unknown>(rows.length).fill(null))
      values[i] = row[name] ?? null
    }
  }
  // Without a prototype, so that a source may name a field `__proto__` without harm.
  const columns: Record<string, Column> = Object.create(null)
  for (const [name, values] of byName) columns[name] = { kind: 'values', values }
  return new Batch(topic, rows.length, columns, bytes === undefined ? {} : { bytes })
}

// A byte order mark at the front of a text is part of it.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/**
 * The value of row `i` as plain JavaScript. Typed values that JavaScript numbers cannot hold come as text: 64-bit
 * integers beyond 2^53 and decimals; timestamps and dates come as ISO 8601, UTC.
 */
export function cell (column: Column, i: number): unknown {
  if (column.valid !== undefined && column.valid[i] === 0) return null
  switch (column.kind) {
    case 'values': return column.values[i] ?? null
    case 'dictionary': return column.values[column.codes[i] as number] ?? null
    case 'text': return textAt(column, i)
    case 'numbers': return numberAt(column, i)
    case 'decimal': return decimalText(column.words, i, column.type)
    case 'list': {
      const items: unknown[] = []
      for (let j = column.offsets[i] as number; j < (column.offsets[i + 1] as number); j++) items.push(cell(column.items, j))
      return items
    }
  }
}

function textAt (column: TextColumn, i: number): unknown {
  const text = decoder.decode(column.bytes.subarray(column.offsets[i], column.offsets[i + 1]))
  return column.type?.kind === 'json' ? JSON.parse(text) : text
}

function numberAt ({ numbers, type }: NumbersColumn, i: number): unknown {
  const value = numbers[i] as number | bigint
  switch (type?.kind) {
    case 'bool': return Boolean(value)
    case 'date': return new Date(Number(value) * 86_400_000).toISOString().slice(0, 10)
    case 'timestamp': return timestampText(BigInt(value), type.unit)
    default: return typeof value === 'bigint' && Number.isSafeInteger(Number(value)) ? Number(value) : typeof value === 'bigint' ? String(value) : value
  }
}

const fractionDigits = { s: 0, ms: 3, us: 6, ns: 9 } as const

/** Units since 1970 as ISO 8601, UTC, with the digits that the unit has. */
export function timestampText (units: bigint, unit: keyof typeof fractionDigits): string {
  const digits = fractionDigits[unit]
  const perSecond = 10n ** BigInt(digits)
  const fraction = ((units % perSecond) + perSecond) % perSecond
  const seconds = (units - fraction) / perSecond
  const text = new Date(Number(seconds) * 1000).toISOString().slice(0, -5)
  return digits === 0 ? `${text}Z` : `${text}.${fraction.toString().padStart(digits, '0')}Z`
}

function decimalText (words: BigUint64Array, i: number, type: Type | undefined): string {
  const scale = type?.kind === 'decimal' ? type.scale : 0
  const unscaled = (BigInt.asIntN(64, words[2 * i + 1] as bigint) << 64n) | (words[2 * i] as bigint)
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, '0')
  const sign = unscaled < 0n ? '-' : ''
  return scale === 0 ? `${sign}${digits}` : `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}

function selectColumn (column: Column, indexes: Int32Array): Column {
  const n = indexes.length
  const typed = { ...(column.type !== undefined && { type: column.type }), ...(column.valid !== undefined && { valid: pick(column.valid, indexes, new Uint8Array(n)) }) }
  switch (column.kind) {
    case 'values': return { ...typed, kind: 'values', values: Array.from(indexes, i => column.values[i]) }
    case 'dictionary': return { ...typed, kind: 'dictionary', values: column.values, codes: pick(column.codes, indexes, sameKind(column.codes, n)) }
    case 'numbers': return { ...typed, kind: 'numbers', numbers: pick(column.numbers, indexes, sameKind(column.numbers, n)) }
    case 'decimal': {
      const words = new BigUint64Array(2 * n)
      for (let i = 0; i < n; i++) words.set(column.words.subarray(2 * (indexes[i] as number), 2 * (indexes[i] as number) + 2), 2 * i)
      return { ...typed, kind: 'decimal', words }
    }
    case 'text': return { ...typed, kind: 'text', ...selectText(column, indexes) }
    case 'list': {
      const items: number[] = []
      const offsets = new Int32Array(n + 1)
      for (let i = 0; i < n; i++) {
        for (let j = column.offsets[indexes[i] as number] as number; j < (column.offsets[(indexes[i] as number) + 1] as number); j++) items.push(j)
        offsets[i + 1] = items.length
      }
      return { ...typed, kind: 'list', offsets, items: selectColumn(column.items, Int32Array.from(items)) }
    }
  }
}

function selectText ({ offsets, bytes }: TextColumn, indexes: Int32Array): { offsets: Int32Array, bytes: Uint8Array } {
  const to = new Int32Array(indexes.length + 1)
  for (let i = 0; i < indexes.length; i++) to[i + 1] = (to[i] as number) + (offsets[(indexes[i] as number) + 1] as number) - (offsets[indexes[i] as number] as number)
  const picked = new Uint8Array(to[indexes.length] as number)
  for (let i = 0; i < indexes.length; i++) picked.set(bytes.subarray(offsets[indexes[i] as number], offsets[(indexes[i] as number) + 1]), to[i])
  return { offsets: to, bytes: picked }
}

function pick<A extends NumberArray | Codes> (from: A, indexes: Int32Array, to: A): A {
  for (let i = 0; i < indexes.length; i++) to[i] = from[indexes[i] as number] as never
  return to
}

function sameKind<A extends NumberArray | Codes> (like: A, length: number): A {
  return new (like.constructor as new (length: number) => A)(length)
}

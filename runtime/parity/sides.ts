// What is compared: a day of a dataset as the lake gives it through the mapping of now, and as the lane holds it.

import { quoteName, quoteTable, quoteText } from '../clickhouse/sql.ts'
import { boundedSettings } from '../warehouse/lanes.ts'
import { addDigests, noRows } from '../warehouse/digest.ts'
import { pinComment } from '../warehouse/boundary.ts'
import type { ClickHouse } from '../clickhouse/client.ts'
import type { TableName } from '../clickhouse/sql.ts'
import type { Columns, Digest } from '../warehouse/digest.ts'

/** Offsets that are compared by one hash each. */
const BUCKET_ROWS = 65_536
/** Keys that are compared one by one. */
export const KEYS_MAX = 100_000
/** Rows of one bucket, at most: a position may be there more than once. */
const BUCKET_READ_MAX = 4 * BUCKET_ROWS

/** Rows in one table or view. */
export interface Part {
  readonly client: ClickHouse
  readonly table: TableName
  /** SQL. */
  readonly where: string
  /** The boundary that a view is read at. */
  readonly seq?: number
}

/** Rows that lie in one place or in two; no row is in both. */
export class Side {
  readonly #parts: readonly Part[]
  readonly #columns: Columns
  readonly #signal: AbortSignal

  constructor (parts: readonly Part[], columns: Columns, signal: AbortSignal) {
    this.#parts = parts
    this.#columns = columns
    this.#signal = signal
  }

  /** Digests by `<partition>:<bucket>`. */
  async buckets (): Promise<Map<string, Digest>> {
    const found = new Map<string, Digest>()
    for (const part of this.#parts) {
      const rows = await this.#ask<{ place: string, rows: string, all: string, total: string }>(part,
        `SELECT concat(toString(_partition), ':', toString(intDiv(_offset, ${BUCKET_ROWS}))) AS place, count() AS rows, groupBitXor(h) AS all, sum(h) AS total
         FROM (SELECT _partition, _offset, ${this.#hash} AS h FROM ${from(part)}) GROUP BY place`)
      for (const { place, rows: count, all, total } of rows) found.set(place, addDigests(found.get(place) ?? noRows, { rows: Number(count), xor: BigInt(all), sum: BigInt(total) }))
    }
    return found
  }

  /** Hash by offset of the rows of one bucket; rows of one offset together. */
  async hashes (place: string): Promise<Map<number, string>> {
    const [partition, bucket] = place.split(':').map(Number) as [number, number]
    const found = new Map<number, string>()
    for (const part of this.#parts) {
      const rows = await this.#ask<{ _offset: string, h: string }>(part,
        `SELECT _offset, ${this.#hash} AS h FROM ${from(part)} AND _partition = ${partition} AND _offset >= ${bucket * BUCKET_ROWS} AND _offset < ${(bucket + 1) * BUCKET_ROWS} ORDER BY _offset, h LIMIT ${BUCKET_READ_MAX}`)
      for (const { _offset, h } of rows) found.set(Number(_offset), `${found.get(Number(_offset)) ?? ''} ${h}`)
    }
    return found
  }

  /** The rows at one position, with their values as text; null is null. */
  async rowsAt (partition: number, offset: number): Promise<Array<Readonly<Record<string, string | null>>>> {
    const values = this.#columns.map(([name]) => `toString(${quoteName(name)}) AS ${quoteName(name)}`).join(', ')
    const found = await Promise.all(this.#parts.map(part => this.#ask<Readonly<Record<string, string | null>>>(part, `SELECT ${values} FROM (SELECT * FROM ${from(part)} AND _partition = ${partition} AND _offset = ${offset} LIMIT 5)`)))
    return found.flat()
  }

  /** Rows by key; undefined: there are more than `KEYS_MAX` keys. */
  async keys (key: readonly string[]): Promise<Map<string, number> | undefined> {
    const found = new Map<string, number>()
    const tuple = `toString(tuple(${key.map(quoteName).join(', ')}))`
    for (const part of this.#parts) {
      const rows = await this.#ask<{ k: string, rows: string }>(part, `SELECT ${tuple} AS k, count() AS rows FROM ${from(part)} GROUP BY k LIMIT ${KEYS_MAX + 1}`)
      for (const { k, rows: count } of rows) found.set(k, (found.get(k) ?? 0) + Number(count))
      if (found.size > KEYS_MAX) return undefined
    }
    return found
  }

  /** Sum, least and greatest value of a column of numbers. */
  async range (column: string): Promise<Range> {
    const name = quoteName(column)
    let all: Range = { sum: 0, min: null, max: null }
    for (const part of this.#parts) {
      const [found] = await this.#ask<{ s: string, least: string | null, most: string | null }>(part,
        `SELECT toString(ifNull(sum(toFloat64(v)), 0)) AS s, toString(minOrNull(v)) AS least, toString(maxOrNull(v)) AS most FROM (SELECT ${name} AS v FROM ${from(part)} AND isNotNull(${name}))`)
      if (found === undefined) continue
      all = { sum: all.sum + Number(found.s), min: extreme(all.min, found.least, Math.min), max: extreme(all.max, found.most, Math.max) }
    }
    return all
  }

  /** A row's hash, over all columns with those types. */
  get #hash (): string {
    // In a tuple a null has a hash of its own.
    return `cityHash64(tuple(${this.#columns.map(([name, type]) => `CAST(${quoteName(name)}, ${quoteText(type)})`).join(', ')}))`
  }

  #ask<T> ({ client, seq }: Part, sql: string): Promise<T[]> {
    return client.rows<T>(sql, { signal: this.#signal, settings: { ...boundedSettings, ...(seq !== undefined && { log_comment: pinComment(seq) }) } })
  }
}

export interface Range {
  readonly sum: number
  readonly min: string | null
  readonly max: string | null
}

function from ({ table, where }: Part): string {
  return `${quoteTable(table)} WHERE (${where})`
}

function extreme (a: string | null, b: string | null, pick: (a: number, b: number) => number): string | null {
  if (a === null || b === null) return a ?? b
  return pick(Number(a), Number(b)) === Number(a) ? a : b
}

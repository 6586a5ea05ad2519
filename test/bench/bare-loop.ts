// The whole way of a row as one loop with no runtime around it: columns as JSON in SQLite ▶ parse ▶ cast ▶ Arrow ▶
// HTTP ▶ embedded ClickHouse. It knows the ten fields, checks nothing, commits nothing, and survives nothing. It is here
// to say what the runtime costs.

import { DatabaseSync } from 'node:sqlite'
import { Dictionary, Float64, Int32, Table, TimestampMillisecond, Utf8, makeVector, tableToIPC, vectorFromArray } from 'apache-arrow'
import { connectClickHouse } from '../../runtime/clickhouse/client.ts'
import { NOT_PRESENT } from '../../runtime/schema.ts'
import { stopwatch } from './measure.ts'
import { quote } from './quotes.ts'
import type { Vector } from 'apache-arrow'
import type { Usage } from './measure.ts'

const BATCH = 1000
const FLUSH = 100_000
const numeric = ['last', 'bid', 'ask', 'bid_size', 'ask_size', 'volume'] as const
const texts = ['symbol', 'exchange', 'source'] as const

export function fillBareTopic (file: string, rows: number): void {
  const database = new DatabaseSync(file)
  database.exec('pragma journal_mode = wal; create table log (base integer primary key, body blob)')
  const insert = database.prepare('insert into log values (?, ?)')
  for (let base = 0; base < rows; base += BATCH) {
    const columns: Record<string, unknown[]> = {}
    for (let i = 0; i < BATCH; i++) for (const [name, value] of Object.entries(quote(base + i))) (columns[name] ??= []).push(value)
    insert.run(base, Buffer.from(JSON.stringify(columns)))
  }
  database.close()
}

interface Bare { readonly file: string, readonly url: string, readonly table: string, readonly rows: number, readonly enginePid: number }

export async function bareLoop ({ file, url, table, rows, enginePid }: Bare): Promise<Usage> {
  const client = await connectClickHouse(url)
  await client.command('CREATE DATABASE IF NOT EXISTS streaming')
  await client.command(`CREATE TABLE streaming.${table} (symbol LowCardinality(String), event_time DateTime64(3, 'UTC'), ${numeric.map(name => `${name} Nullable(Float64)`).join(', ')}, exchange LowCardinality(Nullable(String)), source LowCardinality(Nullable(String)), _offset Int64)
    ENGINE = MergeTree PARTITION BY toDate32(event_time) ORDER BY (symbol, event_time) SETTINGS fsync_after_insert = 1, fsync_part_directory = 1`)
  const columns = ['symbol', 'event_time', ...numeric, 'exchange', 'source', '_offset'].map(name => ({ name, type: '' }))
  const database = new DatabaseSync(file)
  const select = database.prepare('select body from log where base >= ? order by base limit ?')
  const stop = stopwatch([enginePid])
  let inserting: Promise<void> = Promise.resolve()
  for (let from = 0; from < rows; from += FLUSH) {
    const length = Math.min(FLUSH, rows - from)
    const bytes = encode(select.all(from, Math.ceil(length / BATCH)) as Array<{ body: Uint8Array }>, from, length)
    await inserting
    inserting = client.insertArrow({ database: 'streaming', table }, columns, bytes, { queryId: `bare-${table}-${from}`, partitionsMax: 100 })
  }
  await inserting
  const usage = stop()
  await client.command(`DROP TABLE streaming.${table}`)
  await client.close()
  database.close()
  return usage
}

function encode (found: ReadonlyArray<{ body: Uint8Array }>, from: number, length: number): Uint8Array {
  const numbers = new Map(numeric.map(name => [name, { values: new Float64Array(length), valid: new Uint8Array((length + 7) >> 3).fill(255) }]))
  const times = new BigInt64Array(length)
  const offsets = new BigInt64Array(length)
  const codes = new Map(texts.map(name => [name, { codes: new Int32Array(length), valid: new Uint8Array((length + 7) >> 3).fill(255), values: new Map<string, number>() }]))
  let at = 0
  for (const { body } of found) {
    const columns = JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('latin1')) as Record<string, string[]>
    for (const [name, { values, valid }] of numbers) {
      const column = columns[name] as string[]
      for (let i = 0; i < column.length; i++) {
        const text = column[i] as string
        if (text === NOT_PRESENT) valid[(at + i) >> 3]! &= ~(1 << ((at + i) & 7))
        else values[at + i] = number(text)
      }
    }
    for (const [name, { codes: to, valid, values }] of codes) {
      const column = columns[name] as string[]
      for (let i = 0; i < column.length; i++) {
        const text = column[i] as string
        if (text === NOT_PRESENT) { valid[(at + i) >> 3]! &= ~(1 << ((at + i) & 7)); continue }
        let code = values.get(text)
        if (code === undefined) values.set(text, code = values.size)
        to[at + i] = code
      }
    }
    const time = columns['event_time'] as string[]
    for (let i = 0; i < time.length; i++) {
      times[at + i] = BigInt(time[i] as string)
      offsets[at + i] = BigInt(from + at + i)
    }
    at += time.length
  }
  const vectors: Record<string, Vector> = { event_time: makeVector({ type: new TimestampMillisecond('UTC'), data: times, length }), _offset: makeVector(offsets) }
  for (const [name, { values, valid }] of numbers) vectors[name] = makeVector({ type: new Float64(), data: values, length, nullBitmap: valid })
  for (const [name, { codes: data, valid, values }] of codes) {
    vectors[name] = makeVector({ type: new Dictionary(new Utf8(), new Int32()), data, length, nullBitmap: valid, dictionary: vectorFromArray(values.size === 0 ? [''] : [...values.keys()], new Utf8()) })
  }
  return tableToIPC(new Table(vectors), 'stream')
}

function number (text: string): number {
  const first = text.charCodeAt(0)
  const digits = first === 67 || first === 72 ? text.slice(1) : text
  const last = digits.charCodeAt(digits.length - 1)
  if (last === 75) return Number(digits.slice(0, -1)) * 1e3
  if (last === 77) return Number(digits.slice(0, -1)) * 1e6
  const value = Number(digits)
  if (Number.isNaN(value)) throw new Error(`${text} is not a number`)
  return value
}

import { isUtf8 } from 'node:buffer'
import { gunzipSync } from 'node:zlib'
import { parseJson } from '../../../runtime/json.ts'
import { at, pointer } from '../../../runtime/json-pointer.ts'
import type { Collector, Context, Json } from '../../../runtime/plugin.ts'
import type { WebSocketConfig } from './options.ts'
import type { Pointer } from '../../../runtime/json-pointer.ts'

const received = 'received_time'
// Of a message that is no JSON.
const keptCharacters = 100_000
// Malformed messages that wait for the topic of rejected rows at most.
const refusedMax = 1000

/** From messages to rows: what is no row is rejected, what is too much is dropped, and both are counted. */
export class Intake {
  readonly #collector: Collector
  readonly #context: Context
  readonly #bytesMax: number
  readonly #rows: readonly Pointer[]
  readonly #where: ReadonlyArray<readonly [Pointer, readonly Json[]]>
  readonly #envelope: ReadonlyArray<readonly [string, Pointer]>
  #messages = 0
  #malformed = 0
  #dropped = 0
  #dropping = false

  constructor ({ rows, where, envelope, message_bytes_max: bytesMax }: WebSocketConfig, collector: Collector, context: Context) {
    this.#collector = collector
    this.#context = context
    this.#bytesMax = bytesMax
    this.#rows = rows.map(pointer)
    this.#where = Object.entries(where).map(([path, value]) => [pointer(path), Array.isArray(value) ? value as Json[] : [value]])
    this.#envelope = Object.entries(envelope).map(([name, path]) => [name, pointer(path)])
  }

  begin (): void {
    this.#context.health({ ok: true, state: 'streaming' })
  }

  take (message: string | ArrayBuffer): void {
    // Stopping: the rows that wait are the last ones, or a fast feed would never let it end.
    if (this.#context.signal.aborted) return
    this.#messages++
    try {
      const text = textOf(message, this.#bytesMax)
      const value = parseJson(text)
      if (this.#where.every(([path, values]) => values.includes(at(value, path) as Json))) this.#takeRows(value, text.length)
    } catch (error) {
      const text = typeof message === 'string' ? message : Buffer.from(message).toString()
      this.#refuse({ text: text.slice(0, keptCharacters) }, `The message is no JSON: ${(error as Error).message}.`)
    }
  }

  /** The rows taken so far are durable: reports what happened since. */
  settle (): void {
    const { metrics } = this.#context
    metrics.count('messages_received', this.#messages)
    if (this.#malformed > 0) metrics.count('rows_malformed', this.#malformed)
    if (this.#dropping && this.#dropped === 0) {
      this.#dropping = false
      this.begin()
    }
    this.#messages = this.#malformed = this.#dropped = 0
  }

  /** `chars`: of the whole message; its rows take an equal part of it each. */
  #takeRows (message: unknown, chars: number): void {
    const time = new Date(this.#context.clock.now()).toISOString()
    let dropped = 0
    for (const path of this.#rows) {
      const found = at(message, path)
      // Answers to a subscription and the like have no rows.
      if (found === undefined) continue
      const items: readonly unknown[] = Array.isArray(found) ? found : [found]
      for (const item of items) {
        const row = rowOf(item)
        if (row === undefined) {
          this.#refuse({ value: item as Json }, `The message holds no row at ${JSON.stringify(path.join('/'))}.`)
          continue
        }
        for (const [name, from] of this.#envelope) add(row, name, at(message, from))
        add(row, received, time)
        if (!this.#collector.push(row, Math.ceil(chars / items.length))) dropped++
      }
    }
    if (dropped > 0) this.#drop(dropped)
  }

  #refuse (row: Readonly<Record<string, Json>>, reason: string): void {
    if (this.#malformed >= refusedMax) return this.#drop(1)
    this.#malformed++
    this.#context.reject(row, reason)
    this.#collector.mark()
  }

  #drop (rows: number): void {
    this.#dropped += rows
    this.#context.metrics.count('rows_dropped', rows)
    if (this.#dropping) return
    this.#dropping = true
    this.#context.health({ ok: false, state: 'dropping', reason: 'The feed sends more than the topic takes, so rows are lost. Subscribe to less, raise pending_rows_max, or see why the topic is slow.' })
  }
}

/** Frames may be text, binary UTF-8, or gzip. */
function textOf (message: string | ArrayBuffer, bytesMax: number): string {
  if (typeof message === 'string') return message
  const bytes = Buffer.from(message)
  const plain = bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes, { maxOutputLength: bytesMax }) : bytes
  if (!isUtf8(plain)) throw new Error('it is not UTF-8')
  return plain.toString()
}

/** An array as a row has its positions as names. */
function rowOf (item: unknown): Record<string, unknown> | undefined {
  if (typeof item !== 'object' || item === null) return undefined
  return Array.isArray(item) ? { ...item } : item as Record<string, unknown>
}

/** Into a row that was just parsed, so it is ours to change; the source's own fields stay. */
function add (row: Record<string, unknown>, name: string, value: unknown): void {
  if (value !== undefined && !Object.hasOwn(row, name)) row[name] = value
}

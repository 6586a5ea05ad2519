// One answer as rows.

import { createHash } from 'node:crypto'
import { cell, fromRows, isTooWide } from '../../../runtime/batch.ts'
import { Csv } from '../../../runtime/formats/csv.ts'
import { ndjson } from '../../../runtime/formats/ndjson.ts'
import { parseJson } from '../../../runtime/json.ts'
import { at, pointer } from '../../../runtime/json-pointer.ts'
import { RowBatch } from '../../../runtime/plugin.ts'
import { refused, says } from './client.ts'
import type { Batch, Row, Topic } from '../../../runtime/plugin.ts'
import type { Pointer } from '../../../runtime/json-pointer.ts'
import type { Format } from '../../../runtime/formats/format.ts'
import type { Answer } from './client.ts'
import type { HttpConfig } from './options.ts'

/** Characters of what is no row that are kept with its reason. */
const keptCharacters = 100_000

export interface Refused {
  readonly row: Row
  readonly reason: string
}

export interface Page {
  readonly batch: Batch
  /** Items that the source gave, those that are no row included. */
  readonly length: number
  /** What is no row among them, and why. */
  readonly refused: readonly Refused[]
  /** Columns that come from around the rows: they may be others in each answer. */
  readonly added: readonly string[]
  /** The whole answer; undefined where it is no JSON. */
  readonly json: unknown
  /** Two pages with the same rows have the same one. */
  readonly hash: string
  /** A field of the last row. */
  last (field: string): unknown
}

export class PageReader {
  readonly #config: HttpConfig
  readonly #topic: Topic
  readonly #rows: Pointer
  readonly #envelope: ReadonlyArray<readonly [string, Pointer]>

  constructor (config: HttpConfig, topic: Topic) {
    this.#config = config
    this.#topic = topic
    this.#rows = pointer(config.rows)
    this.#envelope = Object.entries(config.envelope).map(([name, path]) => [name, pointer(path)])
  }

  /** Throws SOURCE_REFUSED for an answer that is something else altogether. */
  read (answer: Answer): Page {
    return this.#config.format === 'json' ? this.#json(answer) : this.#lines(answer)
  }

  /** A batch that carries a checkpoint. */
  empty (): Batch {
    return new RowBatch(this.#topic, 0, {})
  }

  #json (answer: Answer): Page {
    let json: unknown
    try {
      json = parseJson(answer.text)
    } catch (cause) {
      throw refused(`The answer is no JSON: ${(cause as Error).message}. ${says(answer)}`, answer.url, 'Check url, auth and format: a login page or a notice of maintenance looks like this.', cause)
    }
    const found = at(json, this.#rows)
    if (found === undefined) throw refused(`The answer has no rows at ${JSON.stringify(this.#config.rows)}${keysOf(json)}. ${says(answer)}`, answer.url, 'Check rows, the JSON pointer to them.')
    if (typeof found !== 'object') throw refused(`At ${JSON.stringify(this.#config.rows)} the answer has ${JSON.stringify(found)?.slice(0, 100)}, which is no row. ${says(answer)}`, answer.url, 'Check rows, the JSON pointer to them.')
    const items: readonly unknown[] = found === null ? [] : Array.isArray(found) ? found : [found]
    const rows: Row[] = []
    const refusals: Refused[] = []
    for (const item of items) {
      const row = this.#row(item)
      if (typeof row === 'string') refusals.push({ row: { text: JSON.stringify(item).slice(0, keptCharacters) }, reason: row })
      else rows.push(row)
    }
    const envelope = this.#envelope.flatMap(([name, path]) => {
      const value = at(json, path)
      return value === undefined ? [] : [[name, value] as const]
    })
    return {
      batch: this.#batch(rows, answer, envelope),
      length: items.length,
      refused: refusals,
      added: envelope.flatMap(([name]) => rows.some(row => name in row) ? [] : [name]),
      json,
      hash: digest(JSON.stringify(items)),
      last: field => rows.at(-1)?.[field]
    }
  }

  /** A row, or why it is none. */
  #row (item: unknown): Row | string {
    if (typeof item !== 'object' || item === null) return 'The answer holds a value where a row should be.'
    if (!Array.isArray(item)) return item as Row
    const { columns } = this.#config
    if (columns === null) return { ...item }
    if (item.length !== columns.length) return `The row has ${item.length} values, and ${columns.length} have a name in columns.`
    return Object.fromEntries(columns.map((name, i) => [name, item[i] as unknown]))
  }

  #batch (rows: readonly Row[], answer: Answer, envelope: ReadonlyArray<readonly [string, unknown]>): Batch {
    const names = new Set<string>()
    for (const row of rows) for (const name in row) names.add(name)
    // A page is one batch, because a reading resumes between pages.
    if (isTooWide(names.size, rows.length)) throw refused(`The ${rows.length} rows of a page have ${names.size} different fields`, answer.url, 'Check rows: this looks like a map by id, not like rows.')
    const batch = fromRows(this.#topic, rows, answer.text.length)
    return this.#withEnvelope(batch, envelope)
  }

  /** The source's own fields stay. */
  #withEnvelope (batch: Batch, envelope: ReadonlyArray<readonly [string, unknown]>): Batch {
    if (batch.length === 0 || envelope.length === 0) return batch
    const columns = Object.assign(Object.create(null) as Record<string, Batch['columns'][string]>, batch.columns)
    for (const [name, value] of envelope) columns[name] ??= { kind: 'dictionary', codes: new Uint8Array(batch.length), values: [value] }
    return new RowBatch(batch.topic, batch.length, columns, { bytes: batch.bytes })
  }

  #lines (answer: Answer): Page {
    const { delimiter, columns, format } = this.#config
    // HTML has lines, too.
    if (/^\s*<(?:!doctype|html|\?xml)/i.test(answer.text)) throw refused(`The answer is no ${format === 'csv' ? 'CSV' : 'NDJSON'}. ${says(answer)}`, answer.url, 'Check url, auth and format: a login page or a notice of maintenance looks like this.')
    const refusals: Refused[] = []
    const refuse = (text: string, reason: string): void => {
      refusals.push({ row: { text: text.slice(0, keptCharacters) }, reason })
    }
    const batch = allLines(format === 'csv' ? new Csv({ delimiter, quote: '"', names: columns ?? undefined }, null) : ndjson, answer, this.#topic, refuse)
    return {
      batch,
      length: batch.length + refusals.length,
      refused: refusals,
      added: [],
      json: undefined,
      hash: digest(answer.text),
      last: field => batch.columns[field] === undefined || batch.length === 0 ? undefined : cell(batch.columns[field], batch.length - 1)
    }
  }
}

function allLines (format: Format, answer: Answer, topic: Topic, refuse: (text: string, reason: string) => void): Batch {
  const { text } = answer
  const { batch, chars } = format.parse({ text, cut: true }, { topic, rowsMax: Infinity, lineBytesMax: text.length * 3, refuse })
  if (chars < text.length) throw refused('The rows of the answer have too many different fields', answer.url, 'Ask for smaller pages.')
  return batch
}

function keysOf (json: unknown): string {
  if (typeof json !== 'object' || json === null) return ''
  return Array.isArray(json) ? '; it is an array' : `; it has the keys ${Object.keys(json).slice(0, 20).map(key => JSON.stringify(key)).join(', ')}`
}

function digest (text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 22)
}

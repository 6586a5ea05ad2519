// Where the rows of a feed go: channels, each of them a selection that one or more members share.

import { compileFilter } from './row-filter.ts'
import { rowTexts } from './row-text.ts'
import { cell } from '../batch.ts'
import type { Batch } from '../batch.ts'
import type { Field } from '../schema.ts'
import type { Selection } from './messages.ts'
import type { BatchTest, RowTest } from './row-filter.ts'
import type { TextAt } from './row-text.ts'

/** One piece is what one event carries. */
const PIECE_ROWS_MAX = 1000
const PIECE_CHARACTERS_MAX = 256 * 1024
/** Keys that wait for their turn in a conflated channel; with more they are sent early. */
const KEYS_MAX = 100_000

/** Rows that one event carries, as a JSON array. */
export interface Piece {
  readonly rows: number
  readonly body: Uint8Array
  /** Offset behind its last row, within the batch that it is of; undefined: of several batches. */
  readonly next: number | undefined
}

/** Texts of the rows of one batch, shared by the channels that have the same columns. */
export class BatchTexts {
  readonly batch: Batch
  readonly topic: string
  readonly #byColumns = new Map<string, TextAt>()

  constructor (batch: Batch, topic: string) {
    this.batch = batch
    this.topic = topic
  }

  of (columns: readonly string[]): TextAt {
    const id = JSON.stringify(columns)
    let texts = this.#byColumns.get(id)
    if (texts === undefined) this.#byColumns.set(id, texts = rowTexts(this.batch, columns, this.topic))
    return texts
  }
}

export class Outlet {
  readonly selection: Selection
  readonly members = new Set<number>()
  /** When a conflated channel sends again, by the clock of performance.now(). */
  dueAt: number
  readonly #tests: readonly BatchTest[]
  readonly #key: readonly string[]
  readonly #newest = new Map<string, string>()

  /** Throws REQUEST_INVALID where a filter does not fit the fields. */
  constructor (selection: Selection, { fields, key }: { readonly fields: readonly Field[], readonly key: readonly string[] }) {
    this.selection = selection
    this.#tests = selection.filters.map(filter => compileFilter(filter, fields))
    this.#key = key
    this.dueAt = selection.conflateMs === 0 ? Infinity : performance.now() + selection.conflateMs
  }

  /** The wanted rows of a batch, in its order. A conflated channel keeps them for later, and gives what has to go now. */
  * take (texts: BatchTexts): Generator<Piece, void, void> {
    const { batch, topic } = texts
    const tests = this.#tests.map(test => test(batch, topic))
    if (this.selection.conflateMs > 0) {
      this.#keep(texts, tests)
      if (this.#newest.size > KEYS_MAX) yield * this.newest()
      return
    }
    yield * this.#pieces(texts, tests)
  }

  /** All wanted rows, conflated or not. */
  * all (texts: BatchTexts): Generator<Piece, void, void> {
    yield * this.#pieces(texts, this.#tests.map(test => test(texts.batch, texts.topic)))
  }

  /** What a conflated channel has kept. */
  * newest (): Generator<Piece, void, void> {
    const rows = [...this.#newest.values()]
    this.#newest.clear()
    this.dueAt = performance.now() + this.selection.conflateMs
    for (let i = 0; i < rows.length; i += PIECE_ROWS_MAX) {
      const some = rows.slice(i, i + PIECE_ROWS_MAX)
      yield { rows: some.length, body: Buffer.from(`[${some.join(',')}]`), next: undefined }
    }
  }

  * #pieces (texts: BatchTexts, tests: readonly RowTest[]): Generator<Piece, void, void> {
    const { batch } = texts
    const textAt = texts.of(this.selection.columns)
    let body = ''
    let rows = 0
    for (let i = 0; i < batch.length; i++) {
      if (!wanted(tests, i)) continue
      body += `${rows === 0 ? '[' : ','}${textAt(i)}`
      if (++rows < PIECE_ROWS_MAX && body.length < PIECE_CHARACTERS_MAX) continue
      yield { rows, body: Buffer.from(`${body}]`), next: batch.offsetAt(i) + 1 }
      body = ''
      rows = 0
    }
    if (rows > 0) yield { rows, body: Buffer.from(`${body}]`), next: batch.offsetAt(batch.length - 1) + 1 }
  }

  #keep (texts: BatchTexts, tests: readonly RowTest[]): void {
    const { batch } = texts
    const textAt = texts.of(this.selection.columns)
    // The last row of a key is the newest one: rows of one key keep their order.
    for (let i = 0; i < batch.length; i++) {
      if (wanted(tests, i)) this.#newest.set(this.#keyOf(batch, i), textAt(i))
    }
  }

  #keyOf (batch: Batch, i: number): string {
    const [name, ...more] = this.#key
    const valueOf = (column: string): unknown => batch.columns[column] === undefined ? null : cell(batch.columns[column], i)
    return name === undefined ? '' : more.length === 0 ? String(valueOf(name)) : JSON.stringify(this.#key.map(valueOf))
  }
}

function wanted (tests: readonly RowTest[], i: number): boolean {
  for (const test of tests) if (!test(i)) return false
  return true
}

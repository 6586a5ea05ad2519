import type { Column } from '../batch.ts'
import type { Type } from '../schema.ts'
import { isSpace, textOf } from './cells.ts'
import type { Cells, Fault, Faults } from './cells.ts'
import { jsonText, parseJson } from './json-text.ts'
import { TextBuilder } from './text.ts'

const openBrace = 123
const openBracket = 91

/** json: any value as JSON text. A text that is itself JSON text of an object or a list is taken as that one. */
export class JsonCells implements Cells {
  readonly #builder: TextBuilder

  constructor (type: Type, rows: number) {
    this.#builder = new TextBuilder(type, rows)
  }

  text (bytes: Uint8Array, from: number, to: number, i: number): Fault | undefined {
    const text = textOf(bytes, from, to)
    const parsed = bytes[from] === openBrace || bytes[from] === openBracket ? parseJson(text) : undefined
    return this.other(parsed ?? text, i)
  }

  number (value: number, i: number): Fault | undefined {
    return this.other(value, i)
  }

  other (value: unknown, i: number): Fault | undefined {
    const { text, fault } = jsonText(value)
    if (fault !== undefined) return fault
    const bytes = Buffer.from(text)
    return this.#builder.add(bytes, 0, bytes.length, i)
  }

  column (valid: Uint8Array | undefined): Column {
    return this.#builder.column(valid)
  }
}

const notList: Fault = 'is not a list'

/** Casts the items of all rows as one column. */
export type CastItems = (items: readonly unknown[], faults: Faults) => Column

/** list(type): a list, or JSON text of one. Its items are cast by the rule of the field. */
export class ListCells implements Cells {
  readonly #type: Type
  readonly #castItems: CastItems
  readonly #faults: Faults
  readonly #offsets: Int32Array
  readonly #items: unknown[] = []
  #row = 0

  constructor (type: Type, castItems: CastItems, faults: Faults, rows: number) {
    this.#type = type
    this.#castItems = castItems
    this.#faults = faults
    this.#offsets = new Int32Array(rows + 1)
  }

  text (bytes: Uint8Array, from: number, to: number, i: number): Fault | undefined {
    while (from < to && isSpace(bytes[from] as number)) from++
    return bytes[from] === openBracket && from < to ? this.other(parseJson(textOf(bytes, from, to)), i) : notList
  }

  number (): Fault {
    return notList
  }

  other (value: unknown, i: number): Fault | undefined {
    if (!Array.isArray(value)) return notList
    this.#close(i)
    for (const item of value) this.#items.push(item)
  }

  #close (i: number): void {
    while (this.#row < i) this.#offsets[++this.#row] = this.#items.length
  }

  column (valid: Uint8Array | undefined): Column {
    this.#close(this.#offsets.length - 1)
    const items = this.#castItems(this.#items, { add: (item, value, fault, path = '') => this.#refuse(item, value, fault, path) })
    return { kind: 'list', offsets: this.#offsets, items, type: this.#type, ...(valid !== undefined && { valid }) }
  }

  #refuse (item: number, value: unknown, fault: Fault, path: string): void {
    // Items come in order of their rows, but refused ones are few: a search is cheap enough.
    let low = 0
    let high = this.#offsets.length - 1
    while (high - low > 1) {
      const middle = (low + high) >> 1
      if ((this.#offsets[middle] as number) <= item) low = middle
      else high = middle
    }
    this.#faults.add(low, value, fault, `[${item - (this.#offsets[low] as number)}]${path}`)
  }
}

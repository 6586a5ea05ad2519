// Text columns: UTF-8 bytes with offsets, or a dictionary of texts with codes.

import { Dictionary, Int32, Utf8, makeData, makeVector } from 'apache-arrow'
import type { Data } from 'apache-arrow'
import type { Column, DictionaryColumn, NumbersColumn, TextColumn } from '../batch.ts'
import { cell } from '../batch.ts'
import { mergeValid, packValid } from './parts.ts'
import type { Part } from './parts.ts'

/** A value as text; null: there is none. */
export type TextOf = (value: unknown) => string | null

/** Strings as they are, anything else as JSON text. */
export const rawText: TextOf = value => {
  if (typeof value === 'string') return value
  if (value === null || value === undefined) return null
  if (typeof value === 'bigint') return String(value)
  return JSON.stringify(value) ?? null
}

/** The parts as one column of Arrow's Utf8. */
export function mergeText (parts: readonly Part[], length: number, textOf: TextOf): Data<Utf8> {
  const out = new TextBuilder(length, mergeValid(parts, length))
  for (const { column, from, length: rows } of parts) {
    if (column === undefined) {
      out.nulls(rows)
      continue
    }
    switch (column.kind) {
      case 'text': out.text(column, from, rows); break
      case 'dictionary': out.dictionary(column, from, rows, textOf); break
      default: out.strings(stringsOf(column, from, rows, textOf))
    }
  }
  return out.data()
}

function stringsOf (column: Exclude<Column, DictionaryColumn | TextColumn>, from: number, rows: number, textOf: TextOf): Array<string | null> {
  const strings = new Array<string | null>(rows)
  if (column.kind === 'values') {
    for (let i = 0; i < rows; i++) strings[i] = column.valid?.[from + i] === 0 ? null : textOf(column.values[from + i])
  } else if (column.kind === 'numbers' && column.type === undefined) {
    numberTexts(column, from, strings)
  } else {
    for (let i = 0; i < rows; i++) strings[i] = textOf(cell(column, from + i))
  }
  return strings
}

/** Numbers as JSON writes them. Neighbours are often equal, and turning a double into text is the dearest step. */
function numberTexts ({ numbers, valid }: NumbersColumn, from: number, strings: Array<string | null>): void {
  let last: number | bigint | undefined
  let text: string | null = null
  for (let i = 0; i < strings.length; i++) {
    const number = numbers[from + i] as number | bigint
    if (!Object.is(number, last)) {
      last = number
      text = typeof number === 'number' && !Number.isFinite(number) ? null : String(number)
    }
    strings[i] = valid?.[from + i] === 0 ? null : text
  }
}

/** The parts as one dictionary: every different text once, and a code for each row. */
export function mergeDictionary (parts: readonly Part[], length: number, textOf: TextOf): Data<Dictionary<Utf8, Int32>> {
  const codes = new Int32Array(length)
  const known = new Map<string, number>()
  let valid = mergeValid(parts, length)
  const codeOf = (text: string | null): number => {
    if (text === null) return -1
    let code = known.get(text)
    if (code === undefined) known.set(text, code = known.size)
    return code
  }
  for (const { column, from, length: rows, at } of parts) {
    if (column === undefined) continue
    let nulls = false
    if (column.kind === 'dictionary') {
      const table = Int32Array.from(column.values, value => codeOf(textOf(value)))
      const own = column.codes
      for (let i = 0; i < rows; i++) nulls = (codes[at + i] = table[own[from + i] as number] ?? -1) < 0 || nulls
    } else {
      for (let i = 0; i < rows; i++) nulls = (codes[at + i] = codeOf(textOf(cell(column, from + i)))) < 0 || nulls
    }
    if (nulls) valid = withoutNegatives(codes, at, rows, valid ?? new Uint8Array(length).fill(1))
  }
  return dictionaryData([...known.keys()], codes, valid)
}

/** A row without a code is null; its code becomes 0, because an Arrow reader may look at it. */
function withoutNegatives (codes: Int32Array, at: number, rows: number, valid: Uint8Array): Uint8Array {
  for (let i = at; i < at + rows; i++) {
    if ((codes[i] as number) >= 0) continue
    codes[i] = 0
    valid[i] = 0
  }
  return valid
}

export function dictionaryData (texts: readonly string[], codes: Int32Array, valid?: Uint8Array): Data<Dictionary<Utf8, Int32>> {
  // A dictionary without an entry is refused by some readers, although no code refers to it.
  const words = new TextBuilder(Math.max(1, texts.length), undefined)
  words.strings(texts.length === 0 ? [''] : texts)
  return makeData({
    type: new Dictionary(new Utf8(), new Int32()), length: codes.length, data: codes, dictionary: makeVector(words.data()), ...packValid(valid)
  })
}

/** UTF-8 bytes and offsets, filled from the first row to the last. */
class TextBuilder {
  readonly #offsets: Int32Array
  #valid: Uint8Array | undefined
  #bytes: Buffer
  #row = 0
  #end = 0

  constructor (length: number, valid: Uint8Array | undefined) {
    this.#offsets = new Int32Array(length + 1)
    this.#valid = valid
    this.#bytes = Buffer.allocUnsafe(Math.max(64, length * 12))
  }

  data (): Data<Utf8> {
    const length = this.#offsets.length - 1
    return makeData({ type: new Utf8(), length, valueOffsets: this.#offsets, data: new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset, this.#end), ...packValid(this.#valid) })
  }

  nulls (rows: number): void {
    for (let i = 0; i < rows; i++) this.#next(0)
  }

  text ({ offsets, bytes }: TextColumn, from: number, rows: number): void {
    const start = offsets[from] as number
    const end = offsets[from + rows] as number
    this.#reserve(end - start)
    this.#bytes.set(bytes.subarray(start, end), this.#end)
    const shift = this.#end - start
    for (let i = 1; i <= rows; i++) this.#offsets[this.#row + i] = (offsets[from + i] as number) + shift
    this.#row += rows
    this.#end += end - start
  }

  dictionary ({ codes, values }: DictionaryColumn, from: number, rows: number, textOf: TextOf): void {
    const words = values.map(value => {
      const text = textOf(value)
      return text === null ? null : Buffer.from(text)
    })
    for (let i = 0; i < rows; i++) {
      const word = words[codes[from + i] as number] ?? null
      if (word === null) {
        this.#null()
        continue
      }
      this.#reserve(word.length)
      this.#bytes.set(word, this.#end)
      this.#next(word.length)
    }
  }

  strings (strings: ReadonlyArray<string | null>): void {
    const joined = strings.join('')
    const size = Buffer.byteLength(joined)
    if (size === joined.length) this.#ascii(strings, joined)
    else this.#unicode(strings)
  }

  /** Plain ASCII: one write for all, and a text is as many bytes as it has characters. */
  #ascii (strings: ReadonlyArray<string | null>, joined: string): void {
    this.#reserve(joined.length)
    this.#bytes.write(joined, this.#end, 'latin1')
    for (const text of strings) {
      if (text === null) this.#null()
      else this.#next(text.length)
    }
  }

  #unicode (strings: ReadonlyArray<string | null>): void {
    for (const text of strings) {
      if (text === null) {
        this.#null()
        continue
      }
      this.#reserve(text.length * 3)
      this.#next(this.#bytes.write(text, this.#end))
    }
  }

  #null (): void {
    this.#valid ??= new Uint8Array(this.#offsets.length - 1).fill(1)
    this.#valid[this.#row] = 0
    this.#next(0)
  }

  #next (size: number): void {
    this.#end += size
    this.#offsets[++this.#row] = this.#end
  }

  #reserve (size: number): void {
    if (this.#end + size <= this.#bytes.length) return
    const bytes = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#end + size))
    bytes.set(this.#bytes.subarray(0, this.#end))
    this.#bytes = bytes
  }
}

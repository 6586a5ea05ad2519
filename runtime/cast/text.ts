import { isUtf8 } from 'node:buffer'
import type { Codes, Column, DictionaryColumn, TextColumn } from '../batch.ts'
import type { Type } from '../schema.ts'
import { beyondSafe, dateText, halfPair, isSpace, startsWith, textCell } from './cells.ts'
import type { Cells, Fault, Faults } from './cells.ts'
import { jsonText } from './json-text.ts'

const textBytesMax = 2 ** 31 - 1
const notUtf8: Fault = 'is not UTF-8'
const tooMuch: Fault = 'is more text than one batch can hold (2 GiB)'

/** Collects texts one after the other; rows that are not given are empty. */
export class TextBuilder {
  readonly #type: Type
  readonly #offsets: Int32Array
  #bytes: Uint8Array
  #end = 0
  #row = 0

  constructor (type: Type, rows: number) {
    this.#type = type
    this.#offsets = new Int32Array(rows + 1)
    this.#bytes = new Uint8Array(Math.max(64, rows * 8))
  }

  add (bytes: Uint8Array, from: number, to: number, i: number): Fault | undefined {
    const end = this.#end + to - from
    if (end > textBytesMax) return tooMuch
    if (end > this.#bytes.length) {
      const grown = new Uint8Array(Math.min(textBytesMax, Math.max(end, this.#bytes.length * 2)))
      grown.set(this.#bytes.subarray(0, this.#end))
      this.#bytes = grown
    }
    this.#close(i)
    // A call costs more than a short loop.
    if (to - from > 64) this.#bytes.set(bytes.subarray(from, to), this.#end)
    else for (let at = this.#end; from < to;) this.#bytes[at++] = bytes[from++] as number
    this.#end = end
  }

  /** Ends all rows before `i`. */
  #close (i: number): void {
    while (this.#row < i) this.#offsets[++this.#row] = this.#end
  }

  column (valid: Uint8Array | undefined): TextColumn {
    this.#close(this.#offsets.length - 1)
    return { kind: 'text', offsets: this.#offsets, bytes: this.#bytes.subarray(0, this.#end), type: this.#type, ...(valid !== undefined && { valid }) }
  }
}

/** string: texts as they are; numbers and booleans as JavaScript prints them, objects and lists as JSON text. */
export class TextCells implements Cells {
  readonly #builder: TextBuilder

  constructor (type: Type, rows: number) {
    this.#builder = new TextBuilder(type, rows)
  }

  text (bytes: Uint8Array, from: number, to: number, i: number): Fault | undefined {
    return this.#builder.add(bytes, from, to, i)
  }

  number (value: number, i: number): Fault | undefined {
    return printedCell(this, value, i)
  }

  other (value: unknown, i: number): Fault | undefined {
    return printedCell(this, value, i)
  }

  column (valid: Uint8Array | undefined): Column {
    return this.#builder.column(valid)
  }
}

/** A text column passes as it is, its bytes are shared. */
export function passText (column: TextColumn, rows: number, valid: Uint8Array | undefined, type: Type, faults: Faults): Column {
  const { offsets, bytes } = column
  if (!isUtf8(bytes.subarray(offsets[0], offsets[rows]))) {
    for (let i = 0; i < rows; i++) {
      const value = bytes.subarray(offsets[i], offsets[i + 1])
      if (valid?.[i] !== 0 && !isUtf8(value)) faults.add(i, Buffer.from(value).toString(), notUtf8)
    }
  }
  return { kind: 'text', offsets, bytes, type, ...(valid !== undefined && { valid }) }
}

/** A dictionary keeps its codes; `isNull` and `faults` are by code. */
export function passDictionary (column: DictionaryColumn, isNull: (value: unknown) => boolean, type: Type, faults: Faults): { column: Column, nulls: Uint8Array } {
  const nulls = new Uint8Array(column.values.length)
  const values = column.values.map((value, code) => {
    if (isNull(value)) nulls[code] = 1
    else {
      const text = printed(value)
      const fault = text.fault ?? (text.text.isWellFormed() ? undefined : halfPair)
      if (fault === undefined) return text.text
      faults.add(code, value, fault)
    }
    return null
  })
  return { column: { kind: 'dictionary', codes: column.codes, values, type }, nulls }
}

function printed (value: unknown): { readonly text: string, readonly fault?: Fault | undefined } {
  switch (typeof value) {
    case 'string': return { text: value }
    case 'number': return Number.isInteger(value) && !Number.isSafeInteger(value) ? { text: '', fault: beyondSafe } : { text: String(value) }
    case 'bigint':
    case 'boolean': return { text: String(value) }
    default: return value instanceof Date ? { text: dateText(value) } : jsonText(value)
  }
}

function printedCell (cells: Cells, value: unknown, i: number): Fault | undefined {
  const { text, fault } = printed(value)
  return fault ?? textCell(cells, text, i)
}

/** enum: one of the names, exactly as written. The column is a dictionary of all names, in the order of the type. */
export class EnumCells implements Cells {
  readonly #type: Type
  readonly #names: readonly string[]
  readonly #bytes: readonly Uint8Array[]
  readonly #codes: Codes
  readonly #fault: Fault

  constructor (type: Type & { kind: 'enum' }, rows: number) {
    this.#type = type
    this.#names = type.values
    this.#bytes = type.values.map(name => Buffer.from(name))
    this.#codes = type.values.length <= 256 ? new Uint8Array(rows) : new Int32Array(rows)
    this.#fault = `is none of ${type.values.slice(0, 10).join(', ')}${type.values.length > 10 ? ', …' : ''}`
  }

  text (bytes: Uint8Array, from: number, to: number, i: number): Fault | undefined {
    for (let code = 0; code < this.#bytes.length; code++) {
      const name = this.#bytes[code] as Uint8Array
      if (name.length === to - from && startsWith(bytes, from, name)) {
        this.#codes[i] = code
        return
      }
    }
    return this.#fault
  }

  number (value: number, i: number): Fault | undefined {
    return textCell(this, String(value), i)
  }

  other (value: unknown, i: number): Fault | undefined {
    return typeof value === 'object' ? this.#fault : textCell(this, String(value), i)
  }

  column (valid: Uint8Array | undefined): Column {
    return { kind: 'dictionary', codes: this.#codes, values: this.#names, type: this.#type, ...(valid !== undefined && { valid }) }
  }
}

function lowered (byte: number): number {
  return byte >= 65 && byte <= 90 ? byte + 32 : byte
}

const words: ReadonlyArray<readonly [Uint8Array, number]> = ([['true', 1], ['false', 0], ['yes', 1], ['no', 0], ['1', 1], ['0', 0]] as const)
  .map(([word, value]) => [Buffer.from(word), value])
const notBool: Fault = 'is none of true, false, yes, no, 1, 0'

/** bool: true, false, yes, no, 1 and 0; capitals and spaces around do not matter. */
export class BoolCells implements Cells {
  readonly #type: Type
  readonly #numbers: Uint8Array

  constructor (type: Type, rows: number) {
    this.#type = type
    this.#numbers = new Uint8Array(rows)
  }

  text (bytes: Uint8Array, from: number, to: number, i: number): Fault | undefined {
    while (from < to && isSpace(bytes[from] as number)) from++
    while (from < to && isSpace(bytes[to - 1] as number)) to--
    for (const [word, value] of words) {
      if (word.length !== to - from) continue
      let at = 0
      while (at < word.length && lowered(bytes[from + at] as number) === word[at]) at++
      if (at === word.length) {
        this.#numbers[i] = value
        return
      }
    }
    return notBool
  }

  number (value: number, i: number): Fault | undefined {
    if (value !== 0 && value !== 1) return notBool
    this.#numbers[i] = value
  }

  other (value: unknown, i: number): Fault | undefined {
    if (typeof value === 'bigint') return this.number(Number(value), i)
    if (typeof value !== 'boolean') return notBool
    this.#numbers[i] = value ? 1 : 0
  }

  column (valid: Uint8Array | undefined): Column {
    return { kind: 'numbers', numbers: this.#numbers, type: this.#type, ...(valid !== undefined && { valid }) }
  }
}

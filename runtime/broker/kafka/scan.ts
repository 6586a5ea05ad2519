// The usual record batch: rows that one writer made, with the same fields in the same order, each value a plain text or
// number. Its columns are made from the bytes of the records, without an object a row: four times as fast as to parse
// them, and the mapping takes texts as bytes as well. Anything unusual, such as an escape, a null, a blank or another
// field, and the batch is left to the parser.

import { isUtf8 } from 'node:buffer'
import type { Column, Columns } from '../../batch.ts'

/** Few different texts are kept once each. */
const DICTIONARY_MAX = 32
const QUOTE = 0x22
const BACKSLASH = 0x5c
const MINUS = 0x2d
const POINT = 0x2e
const ZERO = 0x30
/** Numbers of so many digits, divided by a power of ten, are exact in the same way as parsed ones. */
const DIGITS_MAX = 15

/** Where the values are: `starts[i]` and `lengths[i]` in `bytes`. */
export interface Values {
  readonly bytes: Buffer
  readonly starts: Int32Array
  readonly lengths: Int32Array
  readonly count: number
}

/** The columns; undefined where the values are not all alike. `known`: says whether a row of these fields is one of the topic. */
export function scan (values: Values, known: (names: readonly string[]) => boolean): Columns | undefined {
  const columns = template(values)
  if (columns === undefined || !known(columns.map(({ name }) => name))) return undefined
  const { bytes, starts, lengths, count } = values
  for (let i = 0; i < count; i++) {
    const end = (starts[i] as number) + (lengths[i] as number)
    let at = starts[i] as number
    for (let c = 0; c < columns.length; c++) {
      const column = columns[c] as Scanned
      const { before } = column
      for (let b = 0; b < before.length; b++) if (bytes[at++] !== before[b]) return undefined
      at = column.take(bytes, at, end)
      if (at < 0) return undefined
    }
    if (at !== end - 1 || bytes[at] !== 0x7d) return undefined
  }
  const made: Record<string, Column> = Object.create(null)
  for (const column of columns) made[column.name] = column.column()
  return made
}

interface Scanned {
  readonly name: string
  /** What stands before its value. */
  readonly before: Buffer
  /** Takes the value that begins at `at`; the place behind it, or -1 where it is none of this column. */
  take (bytes: Buffer, at: number, end: number): number
  column (): Column
}

/** The columns that the first row has. */
function template ({ bytes, starts, lengths, count }: Values): Scanned[] | undefined {
  if (count === 0) return undefined
  const first = bytes.subarray(starts[0], (starts[0] as number) + (lengths[0] as number))
  let row: unknown
  try {
    row = JSON.parse(first.toString())
  } catch {
    // The parser finds out, and says so.
    return undefined
  }
  if (typeof row !== 'object' || row === null || Array.isArray(row)) return undefined
  const columns: Scanned[] = []
  for (const [name, value] of Object.entries(row)) {
    const before = Buffer.from(`${columns.length === 0 ? '{' : ','}${JSON.stringify(name)}:`)
    if (typeof value === 'string') columns.push(new Texts(name, before, count))
    else if (typeof value === 'number') columns.push(new Numbers(name, before, count))
    else return undefined
  }
  return columns.length === 0 ? undefined : columns
}

class Numbers implements Scanned {
  readonly name: string
  readonly before: Buffer
  readonly #numbers: Float64Array
  #rows = 0

  constructor (name: string, before: Buffer, count: number) {
    this.name = name
    this.before = before
    this.#numbers = new Float64Array(count)
  }

  take (bytes: Buffer, from: number, end: number): number {
    let at = from
    const negative = bytes[at] === MINUS
    if (negative) at++
    const first = at
    let value = 0
    let point = -1
    for (; at < end; at++) {
      const byte = bytes[at] as number
      if (byte >= ZERO && byte <= 0x39) value = value * 10 + byte - ZERO
      else if (byte === POINT && point < 0) point = at
      else break
    }
    const digits = at - first - (point < 0 ? 0 : 1)
    const whole = (point < 0 ? at : point) - first
    // An exponent ends the digits with a letter, and the template does not go on with one.
    if (digits === 0 || digits > DIGITS_MAX || whole === 0 || point === at - 1 || (bytes[first] === ZERO && whole > 1)) return -1
    if (point >= 0) value /= 10 ** (digits - whole)
    this.#numbers[this.#rows++] = negative ? -value : value
    return at
  }

  column (): Column {
    return { kind: 'numbers', numbers: this.#numbers }
  }
}

class Texts implements Scanned {
  readonly name: string
  readonly before: Buffer
  readonly #offsets: Int32Array
  readonly #codes: Uint8Array
  #bytes = Buffer.allocUnsafeSlow(4096)
  #at = 0
  #rows = 0
  /** Undefined: there are too many. */
  #known: Buffer[] | undefined = []
  #last = 0

  constructor (name: string, before: Buffer, count: number) {
    this.name = name
    this.before = before
    this.#offsets = new Int32Array(count + 1)
    this.#codes = new Uint8Array(count)
  }

  take (bytes: Buffer, at: number, end: number): number {
    if (bytes[at] !== QUOTE) return -1
    const from = at + 1
    let to = from
    let ascii = true
    for (; to < end; to++) {
      const byte = bytes[to] as number
      if (byte === QUOTE) break
      if (byte < 0x20 || byte === BACKSLASH) return -1
      if (byte > 0x7f) ascii = false
    }
    if (to >= end || (!ascii && !isUtf8(bytes.subarray(from, to)))) return -1
    this.#add(bytes, from, to)
    return to + 1
  }

  column (): Column {
    if (this.#known !== undefined) return { kind: 'dictionary', codes: this.#codes, values: this.#known.map(text => text.toString()) }
    return { kind: 'text', offsets: this.#offsets, bytes: this.#bytes.subarray(0, this.#at) }
  }

  #add (bytes: Buffer, from: number, to: number): void {
    if (this.#known !== undefined) {
      const code = this.#codeOf(this.#known, bytes, from, to)
      if (code >= 0) {
        this.#codes[this.#rows++] = this.#last = code
        return
      }
      this.#spell(this.#known)
    }
    this.#write(bytes, from, to)
    this.#offsets[++this.#rows] = this.#at
  }

  /** -1: it would be one too many. */
  #codeOf (known: Buffer[], bytes: Buffer, from: number, to: number): number {
    for (let i = 0; i < known.length; i++) {
      // Neighbours are often equal, or the next ones of a round.
      const code = (this.#last + i) % known.length
      const text = known[code] as Buffer
      if (text.length !== to - from) continue
      let b = 0
      while (b < text.length && text[b] === bytes[from + b]) b++
      if (b === text.length) return code
    }
    return known.length === DICTIONARY_MAX ? -1 : known.push(Buffer.from(bytes.subarray(from, to))) - 1
  }

  /** All rows so far as texts of their own. */
  #spell (known: readonly Buffer[]): void {
    for (let i = 0; i < this.#rows; i++) {
      const text = known[this.#codes[i] as number] as Buffer
      this.#write(text, 0, text.length)
      this.#offsets[i + 1] = this.#at
    }
    this.#known = undefined
  }

  #write (bytes: Buffer, from: number, to: number): void {
    const length = to - from
    if (this.#at + length > this.#bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(this.#at + length, this.#bytes.length * 2))
      this.#bytes.copy(grown, 0, 0, this.#at)
      this.#bytes = grown
    }
    const target = this.#bytes
    let at = this.#at
    // Texts are short: a call to copy them would take longer.
    for (let b = from; b < to; b++) target[at++] = bytes[b] as number
    this.#at = at
  }
}

// Rows out of one JSON document, whatever its size: the objects of an array at its top, or at a place in it that a JSON
// pointer (RFC 6901) names. Only the row that is being read is in memory.
//
//   { "meta": {…}, "data": { "rows": [ {…} , {…} , …        pointer /data/rows
//   ^ path 0       ^ path 1  ^ the array     ^ one row
//
// Bytes outside the rows are looked at for brackets and quotes only.

import { isUtf8 } from 'node:buffer'
import { PlatformError } from '../errors.ts'
import { parseJson } from '../json.ts'
import { Table } from './table.ts'
import type { Parsed } from './format.ts'
import type { Feed, Mark } from './feed.ts'
import type { Topic } from '../schema.ts'

export interface ArrayOptions {
  readonly name: string
  /** Names from the top of the document to the array. */
  readonly path: readonly string[]
  readonly topic: Topic
  readonly rowsMax: number
  readonly rowBytesMax: number
  /** Rejects a row by its number, from 1. */
  refuse (text: string, reason: string, row: number): void
}

const [quote, backslash, comma, colon, openObject, closeObject, openArray, closeArray] = [34, 92, 44, 58, 123, 125, 91, 93]
/** Characters of a refused row that are kept. */
const keptCharacters = 100_000

/** Parts of a JSON pointer; throws a SyntaxError where it is none. */
export function pointerPath (pointer: string): string[] {
  if (pointer === '') return []
  if (!pointer.startsWith('/')) throw new SyntaxError('a JSON pointer is empty or begins with a slash, such as /data/rows')
  return pointer.slice(1).split('/').map(part => part.replaceAll('~1', '/').replaceAll('~0', '~'))
}

export class JsonRows {
  /** Rows found so far, good and bad ones. */
  rows = 0
  /** Right behind the last row. */
  mark: Mark = { at: 0, crc: 0 }
  readonly #feed: Feed
  readonly #options: ArrayOptions
  #failure: Error | undefined

  constructor (feed: Feed, options: ArrayOptions) {
    this.#feed = feed
    this.#options = options
  }

  /** Goes to the first row. Throws FILE_REFUSED where the document has no array at that place. */
  async begin (): Promise<void> {
    if (await this.#next() === 0xef) this.#feed.take(3) // A byte order mark.
    for (const part of this.#options.path) await this.#enter(part)
    if (await this.#next() !== openArray) throw this.#fault(`there is no array at /${this.#options.path.join('/')}`)
    this.#feed.take(1)
    this.mark = this.#feed.mark
  }

  /** Passes over rows up to a place that an earlier reading stood at. */
  async passTo (offset: number): Promise<void> {
    while (this.#feed.offset < offset && await this.#toRow()) {
      await this.#value(() => {})
      this.rows++
      this.mark = this.#feed.mark
    }
  }

  /** The next rows; undefined: the array has ended. */
  async parse (): Promise<Parsed | undefined> {
    const { topic, rowsMax } = this.#options
    const table = new Table()
    const from = this.#feed.offset
    const first = this.rows
    if (this.#failure !== undefined) throw this.#failure
    try {
      while (this.rows - first < rowsMax && !table.full && await this.#toRow()) await this.#row(table)
    } catch (error) {
      if (this.rows === first) throw error
      // The rows before the fault are whole; it is told when they are taken.
      this.#failure = error as Error
    }
    if (this.rows === first) return undefined
    const bytes = this.#feed.offset - from
    return { batch: table.batch(topic, bytes), chars: bytes, lines: this.rows - first }
  }

  /** Reads what follows the array; throws where the document is cut off. */
  async end (): Promise<void> {
    await this.#next()
    this.#feed.take(1)
    for (let depth = this.#options.path.length; depth > 0;) {
      const byte = await this.#next()
      if (byte === closeObject || byte === closeArray) {
        depth--
        this.#feed.take(1)
      } else if (byte === comma || byte === colon) {
        this.#feed.take(1)
      } else {
        await this.#value(() => {})
      }
    }
    if (await this.#peek() !== -1) throw this.#fault('there is something behind the end of the document')
  }

  /** Stands at the next row; false: at the end of the array. A comma is taken with the row behind it. */
  async #toRow (): Promise<boolean> {
    const byte = await this.#next()
    if (byte === closeArray) return false
    if (this.rows > 0) {
      if (byte !== comma) throw this.#fault('there is no comma between two rows')
      this.#feed.take(1)
    }
    await this.#next()
    return true
  }

  async #row (table: Table): Promise<void> {
    const { rowBytesMax, refuse } = this.#options
    const parts: Buffer[] = []
    let bytes = 0
    await this.#value(part => {
      if (bytes <= rowBytesMax) parts.push(Buffer.from(part))
      bytes += part.length
    })
    this.rows++
    this.mark = this.#feed.mark
    const text = Buffer.concat(parts)
    const shown = (): string => text.toString('utf8', 0, keptCharacters)
    if (bytes > rowBytesMax) return refuse(shown(), `The row has ${bytes} bytes, more than line_bytes_max (${rowBytesMax}).`, this.rows)
    if (!isUtf8(text)) return refuse(shown(), 'The row is not UTF-8.', this.rows)
    try {
      const row = parseJson(text.toString())
      if (typeof row !== 'object' || row === null || Array.isArray(row)) throw new Error(`it is ${Array.isArray(row) ? 'an array' : String(row)}`)
      table.add(row as Readonly<Record<string, unknown>>)
    } catch (error) {
      refuse(shown(), `The row is no JSON object: ${(error as Error).message}.`, this.rows)
    }
  }

  /** Into the member `name` of the object here, or the item of that number of the array here. */
  async #enter (name: string): Promise<void> {
    const opened = await this.#next()
    if (opened !== openObject && opened !== openArray) throw this.#fault(`there is no object with the member ${JSON.stringify(name)}`)
    this.#feed.take(1)
    for (let i = 0; ; i++) {
      const byte = await this.#next()
      if (byte === closeObject || byte === closeArray) throw this.#fault(`there is no member ${JSON.stringify(name)}`)
      if (byte === comma) this.#feed.take(1)
      let key = String(i)
      if (opened === openObject) {
        await this.#next()
        key = await this.#key()
        if (await this.#next() !== colon) throw this.#fault('there is no colon behind a name')
        this.#feed.take(1)
      }
      await this.#next()
      if (key === name) return
      await this.#value(() => {})
    }
  }

  async #key (): Promise<string> {
    const parts: Buffer[] = []
    let bytes = 0
    await this.#value(part => { if ((bytes += part.length) < keptCharacters) parts.push(Buffer.from(part)) })
    try {
      return String(JSON.parse(Buffer.concat(parts).toString()))
    } catch {
      throw this.#fault('a name is no JSON text')
    }
  }

  /** Takes one value, by its brackets and quotes, and gives its bytes in parts. */
  async #value (use: (part: Buffer) => void): Promise<void> {
    const scan = new ValueScan()
    for (;;) {
      const { window } = this.#feed
      const to = scan.through(window)
      use(window.subarray(0, to))
      this.#feed.take(to)
      if (scan.done) return
      if (this.#feed.window.length === 0 && !await this.#feed.more()) {
        if (scan.endsAnywhere) return
        throw this.#fault('it ends in the middle')
      }
    }
  }

  /** The next byte that is no space, which stays. Throws at the end. */
  async #next (): Promise<number> {
    const byte = await this.#peek()
    if (byte === -1) throw this.#fault('it ends in the middle')
    return byte
  }

  async #peek (): Promise<number> {
    for (;;) {
      const { window } = this.#feed
      let spaces = 0
      while (spaces < window.length && isSpace(window[spaces] as number)) spaces++
      if (spaces > 0) this.#feed.take(spaces)
      if (spaces < window.length) return window[spaces] as number
      if (!await this.#feed.more()) return -1
    }
  }

  #fault (says: string): PlatformError {
    return new PlatformError('FILE_REFUSED', `${this.#options.name} is no JSON document with an array of rows: ${says}, at byte ${this.#feed.offset}.`, {
      remedy: 'Name the array by rows_at, such as /data/rows, or set format: ndjson where each line is a row.'
    })
  }
}

function isSpace (byte: number): boolean {
  return byte === 32 || byte === 10 || byte === 13 || byte === 9
}

/** Where a value ends: at the bracket that closes it, at its quote, or, of a number or word, before what cannot belong to it. */
class ValueScan {
  done = false
  /** Nothing has to follow: a number at the end of a document. */
  endsAnywhere = false
  #depth = 0
  #inText = false
  #escaped = false
  #begun = false

  /** How many bytes of the part belong to the value. */
  through (part: Buffer): number {
    for (let i = 0; i < part.length; i++) {
      if (this.#inText) {
        i = this.#afterText(part, i) - 1
        if (this.#inText) return part.length
        if (this.#depth > 0) continue
        this.done = true
        return i + 1
      }
      const byte = part[i] as number
      const ended = this.#step(byte)
      if (ended === undefined) continue
      this.done = true
      return i + ended
    }
    return part.length
  }

  /** Undefined: the value goes on; 1: it ends with this byte; 0: before it. */
  #step (byte: number): 0 | 1 | undefined {
    if (byte === quote) {
      this.#inText = true
      this.#begun = true
    } else if (byte === openObject || byte === openArray) {
      this.#depth++
      this.#begun = true
    } else if (byte === closeObject || byte === closeArray) {
      if (this.#depth === 0) return 0
      if (--this.#depth === 0) return 1
    } else if (this.#depth === 0) {
      if (this.#begun && (byte === comma || isSpace(byte))) return 0
      // A comma or colon where a value should be: it is taken, and is no JSON.
      this.#begun = this.endsAnywhere = true
    }
    return undefined
  }

  /** Behind the quote that closes the text, or the part's end. */
  #afterText (part: Buffer, from: number): number {
    let i = from
    if (this.#escaped) {
      this.#escaped = false
      i++
    }
    for (; i < part.length; i++) {
      const byte = part[i] as number
      if (byte === quote) {
        this.#inText = false
        return i + 1
      }
      if (byte === backslash && ++i === part.length) this.#escaped = true
    }
    return part.length
  }
}

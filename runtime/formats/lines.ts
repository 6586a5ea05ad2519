// Whole lines out of the bytes of a file, as text. Lines that are no UTF-8, or too long, are refused here, so that a
// format sees text only.

import { isAscii, isUtf8 } from 'node:buffer'
import { PlatformError } from '../errors.ts'
import type { Context } from '../plugin.ts'
import type { Window } from './format.ts'

/** Characters of a refused line that are kept. */
const keptCharacters = 100_000
const lineEnd = 10

/** What a format gets to parse. */
export interface Region {
  /** Lines with their ends; the last one may lack it where `cut` is set. */
  readonly text: string
  /** Nothing that follows can belong to these lines. */
  readonly cut: boolean
}

export interface LinesOptions {
  readonly path: string
  readonly lineBytesMax: number
  /** Number of the line where the tail stands, from 1. */
  readonly line: number
  /** Lines at the beginning of the file that are none of its rows. */
  readonly skipLines: number
}

/** Stands between the tail and a format; made anew for each file that is opened. */
export class Lines {
  /** Number of the first line that was not taken yet, from 1. */
  line: number
  readonly #tail: Window
  readonly #path: string
  readonly #lineBytesMax: number
  readonly #context: Context
  #ascii = true
  #refused = 0
  #linesToSkip: number
  // Up to this offset the window holds a line that is no UTF-8.
  #suspectTo = 0
  #skipping: { bytes: number, readonly text: string } | undefined

  constructor (tail: Window, { path, lineBytesMax, line, skipLines }: LinesOptions, context: Context) {
    this.#tail = tail
    this.#path = path
    this.#lineBytesMax = lineBytesMax
    this.#context = context
    this.line = line
    this.#linesToSkip = line === 1 ? skipLines : 0
  }

  /** The whole lines in the window; undefined: there is none yet. */
  next (): Region | undefined {
    const tail = this.#tail
    if (tail.offset === 0) this.#checkStart()
    this.#skip()
    this.#skipFirstLines()
    while (true) {
      const window = tail.window
      const last = window.lastIndexOf(lineEnd) + 1
      const end = tail.final ? window.length : last
      if (end === 0) {
        if (window.length > this.#lineBytesMax) this.#startSkipping()
        return undefined
      }
      const lines = window.subarray(0, end)
      if (tail.offset >= this.#suspectTo && !isUtf8(lines)) this.#suspectTo = tail.offset + end
      if (tail.offset >= this.#suspectTo) return this.#region(lines, tail.final)
      const good = firstBad(lines)
      // The line behind the good ones may be the rest of one that is still being written: `firstBad` sees whole lines only.
      if (good > 0) return this.#region(lines.subarray(0, good), true)
      const bad = afterLine(lines)
      this.refuse(lines.toString('utf8', 0, Math.min(bad, keptCharacters)), 'The line is not UTF-8.')
      this.#take(bad, 1)
    }
  }

  /** Takes the first characters of the text that `next` gave, with the lines they hold. */
  take (text: string, chars: number, lines: number): void {
    this.#take(this.#ascii ? chars : Buffer.byteLength(chars === text.length ? text : text.slice(0, chars)), lines)
  }

  /** Rejects a text that begins `after` lines behind the first one that was not taken yet. */
  refuse (text: string, reason: string, after = 0): void {
    this.#refused++
    this.#context.reject({ file: this.#path, line: this.line + after, text: text.slice(0, keptCharacters) }, reason)
  }

  /** In the middle of a line that is too long: no place to resume from. */
  get skipping (): boolean {
    return this.#skipping !== undefined
  }

  /** How many were refused since the last call. */
  takeRefused (): number {
    const refused = this.#refused
    this.#refused = 0
    return refused
  }

  #region (bytes: Buffer, cut: boolean): Region {
    this.#ascii = isAscii(bytes)
    return { text: bytes.toString(this.#ascii ? 'latin1' : 'utf8'), cut }
  }

  #take (bytes: number, lines: number): void {
    this.#tail.take(bytes)
    this.line += lines
  }

  /** A line beyond the limit is passed over without keeping it. */
  #startSkipping (): void {
    this.#skipping = { bytes: 0, text: this.#tail.window.toString('utf8', 0, keptCharacters) }
    this.#skip()
  }

  #skip (): void {
    const skipping = this.#skipping
    if (skipping === undefined) return
    const { window, final } = this.#tail
    const at = window.indexOf(lineEnd)
    const bytes = at === -1 ? window.length : at
    skipping.bytes += bytes
    this.#tail.take(at === -1 ? bytes : bytes + 1)
    if (at === -1 && !final) return
    this.#skipping = undefined
    this.refuse(skipping.text, `The line has ${skipping.bytes} bytes, more than line_bytes_max (${this.#lineBytesMax}).`)
    this.line++
  }

  #skipFirstLines (): void {
    while (this.#linesToSkip > 0) {
      const at = this.#tail.window.indexOf(lineEnd)
      if (at === -1) return
      this.#take(at + 1, 1)
      this.#linesToSkip--
    }
  }

  /** A byte order mark is passed over; what is no text at all is named. */
  #checkStart (): void {
    const { window } = this.#tail
    for (const [name, ...magic] of notText) {
      if (window.subarray(0, magic.length).equals(Buffer.from(magic))) {
        throw new PlatformError('CONFIG_INVALID', `${this.#path} is ${name}, not UTF-8 text.`, { where: 'input.file.path', remedy: 'Convert it to UTF-8 text first.' })
      }
    }
    if (window.subarray(0, 3).equals(Buffer.from([0xef, 0xbb, 0xbf]))) this.#tail.take(3)
  }
}

const notText = [
  ['UTF-16 text', 0xff, 0xfe], ['UTF-16 text', 0xfe, 0xff], ['compressed with gzip', 0x1f, 0x8b], ['compressed with zstd', 0x28, 0xb5, 0x2f, 0xfd],
  ['a ZIP archive', 0x50, 0x4b, 3, 4], ['a Parquet file', 0x50, 0x41, 0x52, 0x31]
] as const

/** Where the first line begins that is no UTF-8; the length where there is none. */
function firstBad (lines: Buffer): number {
  let at = 0
  while (at < lines.length) {
    const end = at + afterLine(lines.subarray(at))
    if (!isUtf8(lines.subarray(at, end))) return at
    at = end
  }
  return at
}

function afterLine (lines: Buffer): number {
  const at = lines.indexOf(lineEnd)
  return at === -1 ? lines.length : at + 1
}

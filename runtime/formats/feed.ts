// The content of one file from its beginning or from a place in it, a window of it in memory.
//
//   content  |....................#################|· · · · · ·
//            0                    offset           offset + window
//             taken, and in `crc`  window            not read yet

import { crc32 } from 'node:zlib'
import type { Window } from './format.ts'

/** How far a content was taken. */
export interface Mark {
  /** Bytes taken, of what comes out where the file is compressed. */
  readonly at: number
  /** CRC-32 of these bytes: tells later whether they are still the same. */
  readonly crc: number
}

export class Feed implements Window {
  offset: number
  final = false
  readonly #chunks: AsyncGenerator<Buffer, void, void>
  #crc: number
  #buffer: Buffer = Buffer.alloc(0)
  #start = 0
  #end = 0

  /** `chunks` begin at `mark`. */
  constructor (chunks: AsyncGenerator<Buffer, void, void>, mark: Mark = { at: 0, crc: 0 }) {
    this.#chunks = chunks
    this.offset = mark.at
    this.#crc = mark.crc
  }

  get window (): Buffer {
    return this.#buffer.subarray(this.#start, this.#end)
  }

  get mark (): Mark {
    return { at: this.offset, crc: this.#crc }
  }

  take (bytes: number): void {
    this.#crc = crc32(this.#buffer.subarray(this.#start, this.#start + bytes), this.#crc)
    this.#start += bytes
    this.offset += bytes
  }

  /** Lets the window grow; false: it could not, and is final. */
  async more (): Promise<boolean> {
    if (this.final) return false
    const { done, value } = await this.#chunks.next()
    if (done === true) {
      this.final = true
      return false
    }
    this.#append(value)
    return true
  }

  /**
   * Takes the first `bytes` of the content, whatever they are. Resolves to how many lines they hold and whether the last
   * one is complete; undefined: the content is shorter.
   */
  async pass (bytes: number): Promise<{ readonly lines: number, readonly complete: boolean } | undefined> {
    let lines = 0
    let last = lineEnd
    while (bytes > 0) {
      if (this.#start === this.#end && !await this.more()) return undefined
      const part = this.window.subarray(0, bytes)
      for (let at = part.indexOf(lineEnd); at !== -1; at = part.indexOf(lineEnd, at + 1)) lines++
      last = part[part.length - 1] ?? last
      bytes -= part.length
      this.take(part.length)
    }
    return { lines, complete: last === lineEnd }
  }

  async close (): Promise<void> {
    await this.#chunks.return()
  }

  #append (chunk: Buffer): void {
    const rest = this.#end - this.#start
    if (rest === 0) {
      this.#buffer = chunk
      this.#start = 0
      this.#end = chunk.length
      return
    }
    // A long line doubles the room, so that it is not copied for each chunk.
    if (this.#end + chunk.length > this.#buffer.length) {
      const room = rest + chunk.length <= this.#buffer.length / 2 ? this.#buffer.length : 2 * (rest + chunk.length)
      const target = Buffer.allocUnsafeSlow(room)
      this.#buffer.copy(target, 0, this.#start, this.#end)
      this.#buffer = target
      this.#start = 0
      this.#end = rest
    }
    chunk.copy(this.#buffer, this.#end)
    this.#end += chunk.length
  }
}

const lineEnd = 10

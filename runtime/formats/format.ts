import type { Batch, Json, Topic } from '../plugin.ts'
import type { Region } from './lines.ts'

export interface ParseOptions {
  readonly topic: Topic
  /** Lines taken at most, good and bad ones. */
  readonly rowsMax: number
  readonly lineBytesMax: number
  /** Rejects a text that begins `lines` lines into the region. */
  refuse (text: string, reason: string, lines: number): void
}

/** The bytes of one file in order, a part of them in memory. */
export interface Window {
  /** Bytes that were not taken yet. */
  readonly window: Buffer
  /** Of the first byte of the window in the file; where it is compressed, in what comes out. */
  readonly offset: number
  /** Nothing follows the window: its last line is complete even without a line end. */
  readonly final: boolean
  /** Takes bytes from the front of the window. */
  take (bytes: number): void
}

/** What was taken from the front of a region. Zero characters: the first row is not complete yet. */
export interface Parsed {
  readonly batch: Batch
  readonly chars: number
  readonly lines: number
}

/** A way to write rows as text. One value per file. */
export interface Format {
  /** What the rest of a file cannot be read without, such as the names in its first line; part of the checkpoint. */
  readonly state: Json
  parse (region: Region, options: ParseOptions): Parsed
}

/** Whether a text has more than `bytesMax` bytes in UTF-8. A character has three at most, so that short texts are not counted. */
export function isTooLong (text: string, bytesMax: number): boolean {
  return 3 * text.length > bytesMax && Buffer.byteLength(text) > bytesMax
}

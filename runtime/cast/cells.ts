// What a type's cast is made of. `cast.ts` walks a raw column in whatever shape it has and hands each value to the
// cells of the field's type; these read it, check it, and build the typed column.

import type { Column } from '../batch.ts'

/** Why a value is refused, as the words that follow it: `is not a number`. A constant, so that the loops build no text. */
export type Fault = string

/** Takes what is refused. `path` is the place inside the value, such as `[3]`. */
export interface Faults {
  add (i: number, value: unknown, fault: Fault, path?: string): void
}

/**
 * The cells of one typed column while it is built, from row 0 on; a row that is not given is null or refused.
 * Each method returns why the value is refused, or undefined.
 */
export interface Cells {
  /** UTF-8 bytes [from, to). They belong to the caller, who may change them afterwards. */
  text (bytes: Uint8Array, from: number, to: number, i: number): Fault | undefined
  number (value: number, i: number): Fault | undefined
  /** Anything else but null. */
  other (value: unknown, i: number): Fault | undefined
  column (valid: Uint8Array | undefined): Column
}

/** Bytes that a text is written to before it is read as bytes; there is one way to read each type, whatever its shape. */
let scratch = Buffer.allocUnsafeSlow(4096)
const scratchKeptBytes = 1 << 20

/** Hands a JavaScript text to the cells. Half of a surrogate pair has no UTF-8. */
export function textCell (cells: Cells, text: string, i: number): Fault | undefined {
  if (text.length * 3 > scratch.length) {
    if (!text.isWellFormed()) return halfPair
    const bytes = Buffer.from(text)
    // A short text that outgrew the scratch makes it grow; a huge one is not kept.
    if (bytes.length < scratchKeptBytes) scratch = Buffer.allocUnsafeSlow(text.length * 3)
    return cells.text(bytes, 0, bytes.length, i)
  }
  let end = 0
  while (end < text.length) {
    const unit = text.charCodeAt(end)
    if (unit > 127) {
      if (!text.isWellFormed()) return halfPair
      end = scratch.write(text)
      break
    }
    scratch[end++] = unit
  }
  return cells.text(scratch, 0, end, i)
}

/** What a Date is read as; an invalid one is no time. */
export function dateText (date: Date): string {
  return Number.isNaN(date.getTime()) ? 'Invalid Date' : date.toISOString()
}

// Faults that several types have.
export const halfPair: Fault = 'has half of a surrogate pair, which is no text'
export const beyondSafe: Fault = 'is beyond 2^53, so digits may be lost already: send it as text'

/** ASCII only; spaces around a value are passed over. */
export function isSpace (byte: number): boolean {
  return byte === 32 || (byte >= 9 && byte <= 13)
}

export function isDigit (byte: number): boolean {
  return byte >= 48 && byte <= 57
}

/** Whether the bytes [from, from + part.length) are `part`; the caller knows that they exist. */
export function startsWith (bytes: Uint8Array, from: number, part: Uint8Array): boolean {
  for (let i = 0; i < part.length; i++) if (bytes[from + i] !== part[i]) return false
  return true
}

/** Makes a string, so it is for refused values and for JSON only. */
export function textOf (bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString()
}

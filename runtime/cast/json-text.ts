// JSON text of any value, in one form: no spaces, keys in the order of their UTF-16 units (RFC 8785), numbers as
// JavaScript prints them. The same value always gives the same text. Digits beyond a double survive where the value
// came as text.

import { halfPair } from './cells.ts'
import type { Fault } from './cells.ts'

const depthMax = 50
const tooDeep: Fault = `is nested deeper than ${depthMax}`
const notPlain: Fault = 'holds something that JSON cannot'

/** The text is empty where there is a fault. */
export interface Written {
  readonly text: string
  readonly fault?: Fault
}

/** A number's digits as they came: what JSON.rawJSON makes. */
interface RawJson { readonly rawJSON: string }
const { isRawJSON, rawJSON } = JSON as unknown as { isRawJSON (value: unknown): value is RawJson, rawJSON (text: string): RawJson }

class Refused extends Error {}

/** Never throws: a value that JSON cannot hold has a fault. */
export function jsonText (value: unknown): Written {
  try {
    return { text: write(value, 0) }
  } catch (error) {
    if (error instanceof Refused) return { text: '', fault: error.message }
    throw error
  }
}

function write (value: unknown, depth: number): string {
  switch (typeof value) {
    case 'string': return writeText(value)
    case 'number':
      if (!Number.isFinite(value)) throw new Refused(notPlain)
      return String(value)
    case 'bigint':
    case 'boolean': return String(value)
    case 'object': return value === null ? 'null' : writeObject(value, depth)
    case 'undefined': return 'null'
    default: throw new Refused(notPlain)
  }
}

/** What JSON escapes, and halves of surrogate pairs. */
// eslint-disable-next-line no-control-regex
const special = /["\\\u0000-\u001f\ud800-\udfff]/

function writeText (text: string): string {
  if (!special.test(text)) return `"${text}"`
  // JSON could escape half a pair, and most readers would refuse it.
  if (!text.isWellFormed()) throw new Refused(halfPair)
  return JSON.stringify(text)
}

function writeObject (value: object, depth: number): string {
  if (isRawJSON(value)) return value.rawJSON
  if (depth === depthMax) throw new Refused(tooDeep)
  if (Array.isArray(value)) {
    let text = ''
    for (const item of value) text += (text === '' ? '[' : ',') + write(item, depth + 1)
    return text === '' ? '[]' : `${text}]`
  }
  if ('toJSON' in value && typeof value.toJSON === 'function') return write(value.toJSON(), depth + 1)
  const prototype = Object.getPrototypeOf(value) as unknown
  if (prototype !== null && prototype !== Object.prototype) throw new Refused(notPlain)
  let text = ''
  for (const key of Object.keys(value).sort()) {
    const member = (value as Record<string, unknown>)[key]
    if (member !== undefined) text += `${text === '' ? '{' : ','}${writeText(key)}:${write(member, depth + 1)}`
  }
  return text === '' ? '{}' : `${text}}`
}

/** Digits that a double may lose, or an exponent that it may not reach. */
const longNumber = /\d{16}|[.\d]{17}|e[+-]?\d{3}/i

/** The value of JSON text, numbers of many digits as JSON.rawJSON; undefined: it is no JSON. */
export function parseJson (text: string): unknown {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // The caller says that it is no JSON.
    return undefined
  }
  try {
    return longNumber.test(text) ? JSON.parse(text, keepDigits) : value
  } catch {
    // Too deep to walk: refused by whoever writes the value.
    return value
  }
}

function keepDigits (_: string, value: unknown, context?: { readonly source?: string }): unknown {
  const source = context?.source
  return typeof value === 'number' && source !== undefined && longNumber.test(source) ? rawJSON(source) : value
}

/** The digits of a number that a double may not hold; undefined: the value is something else. */
export function rawDigits (value: unknown): string | undefined {
  return typeof value === 'object' && value !== null && isRawJSON(value) ? value.rawJSON : undefined
}

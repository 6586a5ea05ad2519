import { isUtf8 } from 'node:buffer'
import { parseJson } from '../../../runtime/json.ts'
import type { Row } from '../../../runtime/plugin.ts'

/** One JSON value, or one object a line. */
export type BodyFormat = 'json' | 'ndjson'

const formats: Readonly<Record<string, BodyFormat | undefined>> = {
  'application/json': 'json', 'application/x-ndjson': 'ndjson', 'application/ndjson': 'ndjson', 'application/jsonl': 'ndjson', 'application/x-jsonlines': 'ndjson'
}

/** Undefined: a type that is not taken. */
export function formatOf (contentType = ''): BodyFormat | undefined {
  const [type = '', ...parameters] = contentType.toLowerCase().split(';').map(part => part.trim())
  const charset = parameters.find(parameter => parameter.startsWith('charset='))?.slice(8).replaceAll('"', '')
  return charset === undefined || charset === 'utf-8' || charset === 'utf8' ? formats[type] : undefined
}

export class TooManyRows extends Error {
  constructor (rowsMax: number) {
    super(`The body has more than ${rowsMax} rows. Send fewer rows at once.`)
  }
}

/** All rows of a body, or an Error that says where it is wrong: a post is taken as a whole or not at all. */
export function rowsOf (body: Buffer, format: BodyFormat, rowsMax: number): Row[] {
  if (!isUtf8(body)) throw new Error('The body is not UTF-8.')
  // Before it is parsed: an empty object takes many times the bytes of its text. An item and its comma have two at least.
  if (format === 'json' && body.length > 2 * rowsMax && hasMoreItems(body, rowsMax)) throw new TooManyRows(rowsMax)
  const text = body.toString()
  if (format === 'ndjson') return ndjsonRows(text, rowsMax)
  const value = parsed(text, 'The body')
  return Array.isArray(value) ? value.map((item, i) => rowOf(item, `Item ${i} of the array`)) : [rowOf(value, 'The body')]
}

function ndjsonRows (text: string, rowsMax: number): Row[] {
  const rows: Row[] = []
  for (let from = 0, number = 1; from < text.length; number++) {
    const end = text.indexOf('\n', from)
    const line = text.slice(from, end === -1 ? text.length : end)
    from = end === -1 ? text.length : end + 1
    if (line.trim() === '') continue
    if (rows.length === rowsMax) throw new TooManyRows(rowsMax)
    rows.push(rowOf(parsed(line, `Line ${number}`), `Line ${number}`))
  }
  return rows
}

const quote = 0x22
const comma = 0x2c
const bracket = 0x5b
const backslash = 0x5c
const openBrace = 0x7b
const closeBrace = 0x7d

/** Whether it is an array of more items. Of what is no JSON it may say anything: that is refused anyway. */
function hasMoreItems (body: Buffer, itemsMax: number): boolean {
  let depth = 0
  let items = 1
  for (let i = 0; i < body.length; i++) {
    const byte = body[i] as number
    // A bracket and the brace of its side differ in this bit.
    const brace = byte | 0x20
    if (byte === quote) i = stringEnd(body, i)
    else if (brace === openBrace) {
      if (depth++ === 0 && byte !== bracket) return false
    } else if (brace === closeBrace) depth--
    else if (byte === comma && depth === 1 && ++items > itemsMax) return true
  }
  return false
}

function stringEnd (body: Buffer, from: number): number {
  let i = from + 1
  while (i < body.length && body[i] !== quote) i += body[i] === backslash ? 2 : 1
  return i
}

function parsed (text: string, what: string): unknown {
  try {
    return parseJson(text)
  } catch (error) {
    throw new Error(`${what} is not JSON that can be taken: ${(error as Error).message}.`, { cause: error })
  }
}

function rowOf (value: unknown, what: string): Row {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Row
  throw new Error(`${what} is ${value === null ? 'null' : Array.isArray(value) ? 'an array' : `a ${typeof value}`}, not an object.`)
}

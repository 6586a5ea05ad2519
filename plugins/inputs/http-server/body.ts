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

/** All rows of a body, or an Error that says where it is wrong: a post is taken as a whole or not at all. */
export function rowsOf (body: Buffer, format: BodyFormat): Row[] {
  if (!isUtf8(body)) throw new Error('The body is not UTF-8.')
  const text = body.toString()
  if (format === 'ndjson') return ndjsonRows(text)
  const value = parsed(text, 'The body')
  return Array.isArray(value) ? value.map((item, i) => rowOf(item, `Item ${i} of the array`)) : [rowOf(value, 'The body')]
}

function ndjsonRows (text: string): Row[] {
  const rows: Row[] = []
  for (const [i, line] of text.split('\n').entries()) {
    if (line.trim() !== '') rows.push(rowOf(parsed(line, `Line ${i + 1}`), `Line ${i + 1}`))
  }
  return rows
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

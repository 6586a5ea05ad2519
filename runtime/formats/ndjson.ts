import { needsCare, parseJson } from '../json.ts'
import { isTooLong } from './format.ts'
import { Table } from './table.ts'
import type { Format, Parsed } from './format.ts'

/** One JSON object a line. */
export const ndjson: Format = {
  state: null,
  parse ({ text }, { rowsMax, lineBytesMax, topic, refuse }): Parsed {
    const table = new Table()
    const cursor = { from: 0, at: 0, lines: 0, rowsMax, lineBytesMax }
    // One look at the whole text decides for all its lines: long numbers and escapes are rare.
    const parse = needsCare(text) ? parseJson : JSON.parse
    while (cursor.at < text.length && cursor.lines < rowsMax && !table.full) {
      try {
        fill(table, text, parse, cursor)
      } catch (error) {
        refuse(text.slice(cursor.from, cursor.at).trimEnd(), `The line is no JSON object: ${(error as Error).message}.`, cursor.lines - 1)
      }
    }
    return { batch: table.batch(topic, cursor.at), chars: cursor.at, lines: cursor.lines }
  }
}

interface Cursor { from: number, at: number, lines: number, readonly rowsMax: number, readonly lineBytesMax: number }

/** Line by line: faster than parsing many lines as one array. Throws at a bad line with the cursor behind it. */
function fill (table: Table, text: string, parse: (line: string) => unknown, cursor: Cursor): void {
  while (cursor.at < text.length && cursor.lines < cursor.rowsMax && !table.full) {
    const from = cursor.at
    const lineEnd = text.indexOf('\n', from)
    const to = lineEnd === -1 ? text.length : lineEnd
    cursor.from = from
    cursor.at = lineEnd === -1 ? to : to + 1
    cursor.lines++
    if (isBlank(text, from, to)) continue
    const line = text.slice(from, to)
    if (isTooLong(line, cursor.lineBytesMax)) throw new Error(`it has ${Buffer.byteLength(line)} bytes, more than line_bytes_max (${cursor.lineBytesMax})`)
    const row = parse(line)
    if (typeof row !== 'object' || row === null || Array.isArray(row)) throw new Error(`it is ${Array.isArray(row) ? 'an array' : String(row)}`)
    table.add(row as Readonly<Record<string, unknown>>)
  }
}

function isBlank (text: string, from: number, to: number): boolean {
  return to === from || (to === from + 1 && text[from] === '\r')
}

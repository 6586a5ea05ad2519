// The work as one loop with no runtime around it: a megabyte is read, cut into lines, cast and written. It keeps no
// topic, knows no place to go on from, and survives nothing. It says what the runtime costs.
//   node test/bench/peers/bare-loop.ts <from> <to>

import { closeSync, openSync, readSync, writeSync } from 'node:fs'
import { castRow } from './cast-row.ts'
import { fields } from './work.ts'
import type { TextRow } from './cast-row.ts'

const CHUNK_BYTES = 2 ** 20
const [from = '', to = ''] = process.argv.slice(2)
const input = openSync(from, 'r')
const output = openSync(to, 'w')
const buffer = Buffer.allocUnsafe(CHUNK_BYTES)
let names: readonly string[] | undefined
const isCsv = from.endsWith('.csv')
let rest = ''
for (let read = readSync(input, buffer); read > 0; read = readSync(input, buffer)) {
  const text = rest + buffer.toString('latin1', 0, read)
  const end = text.lastIndexOf('\n') + 1
  rest = text.slice(end)
  let out = ''
  for (let at = 0; at < end;) {
    const lineEnd = text.indexOf('\n', at)
    const row = rowOf(text.slice(at, lineEnd))
    if (row !== undefined) out += `${JSON.stringify(castRow(row))}\n`
    at = lineEnd + 1
  }
  writeSync(output, out)
}
closeSync(input)
closeSync(output)

function rowOf (line: string): TextRow | undefined {
  if (!isCsv) return JSON.parse(line) as TextRow
  const cells = line.split(',')
  if (names === undefined) {
    names = cells
    return undefined
  }
  const row: Record<string, string> = {}
  for (let i = 0; i < fields.length; i++) row[names[i] as string] = cells[i] as string
  return row as TextRow
}

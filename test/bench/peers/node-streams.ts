// The work as somebody would write it who has Node and an afternoon: streams, a line a chunk, an object a row.
//   node test/bench/peers/node-streams.ts <from> <to>

import { createReadStream, createWriteStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { parse } from 'csv-parse'
import { castRow } from './cast-row.ts'
import type { TextRow } from './cast-row.ts'

const [from = '', to = ''] = process.argv.slice(2)
const bytes = createReadStream(from)
const rows: AsyncIterable<TextRow> = from.endsWith('.csv') ? bytes.pipe(parse({ columns: true })) : parsed(createInterface({ input: bytes }))

await pipeline(Readable.from(lines(rows)), createWriteStream(to))

async function * parsed (given: AsyncIterable<string>): AsyncGenerator<TextRow, void, void> {
  for await (const line of given) yield JSON.parse(line) as TextRow
}

async function * lines (given: AsyncIterable<TextRow>): AsyncGenerator<string, void, void> {
  for await (const row of given) yield `${JSON.stringify(castRow(row))}\n`
}

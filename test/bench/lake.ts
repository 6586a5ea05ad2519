// The lake alone, in a folder: writing, reading back, and the compaction; beside it DuckDB and parquetjs-lite on the same
// rows. Megabytes are those of the rows as JSON, 208 bytes each.
//   node test/bench/lake.ts [million rows]

import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import lakeOutput from '../../plugins/outputs/lake/index.ts'
import mapping from '../../plugins/transforms/mapping/index.ts'
import { Batch, fromRows } from '../../runtime/batch.ts'
import { compactLake } from '../../runtime/lake/compaction.ts'
import { lakeOptions, openLake } from '../../runtime/lake/lakes.ts'
import { readLake } from '../../runtime/lake/read.ts'
import { openLakeTable } from '../../runtime/lake/table.ts'
import { readTopic } from '../../runtime/schema-file.ts'
import { configure } from '../conform/configure.ts'
import { fakeContext } from '../conform/context.ts'
import { line, residentMiB, stopwatch } from './measure.ts'
import { quote, quotesSchema } from './quotes.ts'
import type { Columns } from '../../runtime/batch.ts'
import type { Usage } from './measure.ts'

const rows = Number(process.argv[2] ?? 1) * 1_000_000
const BATCH = 5000
const FLUSH = 250_000
const SMALL_FLUSH = 10_000
const PARQUETJS_ROWS = 100_000
const JSON_BYTES = 208
const topic = readTopic('schemas/quotes.yaml', quotesSchema)
const quiet = { error: (fields: object, message: string) => console.error(message, fields), warn: () => {}, info: () => {}, debug: () => {} }
const folder = mkdtempSync(join(tmpdir(), 'twolane-bench-'))
/** What the topic would hand over, so that making rows is not counted. */
const parts: Columns[] = Array.from({ length: 20 }, (_, part) => fromRows(topic, Array.from({ length: BATCH }, (_, i) => quote(part * BATCH + i))).columns)

try {
  await write(join(folder, 'large'), 'lake: write, a file each 250,000 rows', FLUSH)
  await read(join(folder, 'large'), 'lake: read back as raw columns')
  await readMapped(join(folder, 'large'), 'lake: read back and mapped')
  await write(join(folder, 'small'), 'lake: write, a file each 10,000 rows', SMALL_FLUSH)
  await read(join(folder, 'small'), 'lake: read back the small files')
  await compact(join(folder, 'small'))
  await read(join(folder, 'small'), 'lake: read back what was merged')
  await duckdb()
  await parquetjs()
} finally {
  rmSync(folder, { recursive: true, force: true })
}
process.exit()

function told (what: string, count: number, usage: Usage, more = ''): void {
  console.log(`${line(what, count, usage)}   ${(count * JSON_BYTES / usage.seconds / 1e6).toFixed(0)} MB/s${more}`)
}

function sizeOf (path: string): string {
  const bytes = readdirSync(path, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile()).reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0)
  return `, ${(bytes / rows).toFixed(1)} bytes a row on the disk`
}

async function write (dataFolder: string, what: string, flushRows: number): Promise<void> {
  const sink = await lakeOutput.open(configure(lakeOutput, {}), fakeContext({ topic, dataFolder }))
  const stop = stopwatch()
  for (let from = 0; from < rows; from += flushRows) {
    const to = Math.min(rows, from + flushRows)
    for (let at = from; at < to; at += BATCH) {
      const position = { partition: 0, offset: at, time: Date.UTC(2025, 10, 22) + at / 1000 }
      await sink.write(new Batch(topic, BATCH, parts[at / BATCH % parts.length] as Columns, { position, bytes: BATCH * JSON_BYTES }))
    }
    await sink.flush({ partition: 0, from, to })
  }
  told(what, rows, stop(), sizeOf(join(dataFolder, 'lake')))
  await sink.close()
}

async function read (dataFolder: string, what: string, use: (batch: Batch) => unknown = () => {}): Promise<void> {
  const objects = await openLake(configure({ options: lakeOptions }, {}), { dataFolder, owner: 'bench.' })
  const stop = stopwatch()
  let count = 0
  for await (const batch of readLake(objects, await openLakeTable(objects, 'quotes').read(), { topic })) {
    count += batch.length
    use(batch)
  }
  if (count !== rows) throw new Error(`${count} rows came back`)
  told(what, rows, stop())
}

async function readMapped (dataFolder: string, what: string): Promise<void> {
  const typed = await mapping.open(configure(mapping, {}), fakeContext({ topic }))
  await read(dataFolder, what, batch => typed.map(batch))
}

async function compact (dataFolder: string): Promise<void> {
  const lake = { pipeline: 'p', step: 'outputs.lake', topic: 'quotes', config: configure({ options: lakeOptions }, {}) }
  const before = residentMiB(process.pid)
  let peak = before
  const timer = setInterval(() => { peak = Math.max(peak, residentMiB(process.pid)) }, 20)
  const stop = stopwatch()
  let merged = 0
  await compactLake(lake, { dataFolder, schemas: () => new Map([['quotes', topic]]) }, { before: Date.now() }, { signal: new AbortController().signal, log: quiet, progress: done => { merged += done.rows ?? 0 } })
  clearInterval(timer)
  told(`lake: compaction of ${Math.ceil(rows / SMALL_FLUSH)} files`, merged, stop(), `, process grew by ${(peak - before).toFixed(0)} MiB`)
}

async function duckdb (): Promise<void> {
  const connection = await (await DuckDBInstance.create(join(folder, 'rival.duckdb'))).connect()
  const names = Object.keys(quote(0))
  await connection.run(`CREATE TABLE quotes (${names.map(name => `${name} VARCHAR`).join(', ')})`)
  const given = Array.from({ length: 100_000 }, (_, i) => Object.values(quote(i)) as string[])
  const appending = stopwatch()
  const appender = await connection.createAppender('quotes')
  for (let i = 0; i < rows; i++) {
    for (const value of given[i % given.length] as string[]) appender.appendVarchar(value)
    appender.endRow()
  }
  appender.closeSync()
  const path = join(folder, 'duckdb')
  await connection.run(`COPY quotes TO '${path}.parquet' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 65536)`)
  told('DuckDB: append from JavaScript, COPY to Parquet (zstd)', rows, appending())
  const copying = stopwatch()
  await connection.run(`COPY quotes TO '${path}.parquet' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 65536)`)
  told('DuckDB: COPY alone, its own table to Parquet (zstd)', rows, copying())
  const reading = stopwatch()
  const result = await connection.stream(`SELECT * FROM '${path}.parquet'`)
  let count = 0
  for (let chunk = await result.fetchChunk(); chunk !== null && chunk.rowCount > 0; chunk = await result.fetchChunk()) {
    count += chunk.rowCount
    for (let i = 0; i < chunk.columnCount; i++) chunk.getColumnValues(i)
  }
  told('DuckDB: read Parquet into JavaScript', count, reading())
  const inside = stopwatch()
  await connection.run(`SELECT ${names.map(name => `count(distinct ${name})`).join(', ')} FROM '${path}.parquet'`)
  told('DuckDB: count different values of each column, inside', rows, inside())
  connection.closeSync()
}

interface ParquetJs {
  readonly ParquetSchema: new (fields: Readonly<Record<string, { readonly type: string, readonly compression: string }>>) => unknown
  readonly ParquetWriter: { openFile (schema: unknown, path: string): Promise<{ appendRow (row: object): Promise<void>, close (): Promise<void> }> }
  readonly ParquetReader: { openFile (path: string): Promise<{ getCursor (): { next (): Promise<object | null> }, close (): Promise<void> }> }
}

async function parquetjs (): Promise<void> {
  const { ParquetSchema, ParquetWriter, ParquetReader } = createRequire(import.meta.url)('parquetjs-lite') as ParquetJs
  const path = join(folder, 'rival.parquet')
  const fields = Object.fromEntries(Object.keys(quote(0)).map(name => [name, { type: 'UTF8', compression: 'SNAPPY' }]))
  const writing = stopwatch()
  const writer = await ParquetWriter.openFile(new ParquetSchema(fields), path)
  for (let i = 0; i < PARQUETJS_ROWS; i++) await writer.appendRow(quote(i))
  await writer.close()
  told('parquetjs-lite: write (snappy)', PARQUETJS_ROWS, writing())
  const reading = stopwatch()
  const reader = await ParquetReader.openFile(path)
  const cursor = reader.getCursor()
  let count = 0
  while (await cursor.next() !== null) count++
  await reader.close()
  told('parquetjs-lite: read', count, reading())
}

// From the embedded topic into files, by the deliver loop: the lake (Parquet, zstd), NDJSON with and without the
// mapping; beside them parquetjs-lite on the same rows.
//   node test/bench/outputs.ts [million rows]

import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openBroker } from '../../runtime/broker/open.ts'
import { fromRows } from '../../runtime/batch.ts'
import { readTopic } from '../../runtime/schema-file.ts'
import { Store } from '../../runtime/store.ts'
import { Supervisor } from '../../runtime/supervisor.ts'
import { makeProject } from '../system/project.ts'
import { line, stopwatch } from './measure.ts'
import { quote, quotesSchema } from './quotes.ts'

const rows = Number(process.argv[2] ?? 1) * 1_000_000
const BATCH = 1000
const PARQUETJS_ROWS = 100_000
const quiet = { error: (fields: object, message: string) => console.error(message, fields), warn: () => {}, info: () => {}, debug: () => {} }
const folder = mkdtempSync(join(tmpdir(), 'twolane-bench-'))
const dataFolder = join(folder, 'data')

try {
  await fill()
  await run('lake', 'topic ▶ lake (Parquet, zstd)', '  - lake: {}')
  await run('raw', 'topic ▶ NDJSON', '  - file: { path: raw.ndjson }')
  await run('mapped', 'topic ▶ mapping ▶ NDJSON', '  - file: { path: mapped.ndjson }', 'transforms: [mapping: quotes]\n')
  await parquetjs()
} finally {
  rmSync(folder, { recursive: true, force: true })
}
process.exit()

async function fill (): Promise<void> {
  const broker = await openBroker({ dataFolder, kafka: undefined })
  const topic = readTopic('schemas/quotes.yaml', quotesSchema)
  const producer = await broker.producer(topic, 'bench')
  for (let i = 0; i < rows; i += BATCH) await producer.append([fromRows(topic, Array.from({ length: BATCH }, (_, j) => quote(i + j)))])
  await broker.close()
}

async function run (id: string, what: string, output: string, transforms = ''): Promise<void> {
  const project = makeProject(mkdtempSync(join(folder, 'project-')), {
    'schemas/quotes.yaml': quotesSchema, [`pipelines/${id}.yaml`]: `topic: quotes\n${transforms}outputs:\n${output}\n    flush: { rows: 250000, ms: 1000, megabytes: 64 }\n`
  })
  const store = new Store(project.data)
  const supervisor = new Supervisor({ root: project.folder, dataFolder, clickhouse: undefined, logLevel: 'error', store, log: quiet, onLog: text => process.stderr.write(text) })
  const broker = await openBroker({ dataFolder, kafka: undefined })
  const stop = stopwatch()
  await supervisor.start()
  while ((await broker.inspect('quotes'))?.groups.find(({ group }) => group.startsWith(`${id}.`))?.offset !== rows) await new Promise(resolve => setTimeout(resolve, 20))
  console.log(line(what, rows, stop()))
  await supervisor.close()
  await broker.close()
  store.close()
}

interface ParquetJs {
  readonly ParquetSchema: new (fields: Readonly<Record<string, { readonly type: string, readonly compression: string }>>) => unknown
  readonly ParquetWriter: { openFile (schema: unknown, path: string): Promise<{ appendRow (row: object): Promise<void>, close (): Promise<void> }> }
}

async function parquetjs (): Promise<void> {
  const { ParquetSchema, ParquetWriter } = createRequire(import.meta.url)('parquetjs-lite') as ParquetJs
  const fields = Object.fromEntries(Object.keys(quote(0)).map(name => [name, { type: 'UTF8', compression: 'SNAPPY' }]))
  const stop = stopwatch()
  const writer = await ParquetWriter.openFile(new ParquetSchema(fields), join(folder, 'rival.parquet'))
  for (let i = 0; i < PARQUETJS_ROWS; i++) await writer.appendRow(quote(i))
  await writer.close()
  console.log(line('rows ▶ parquetjs-lite (Parquet, snappy), no topic', PARQUETJS_ROWS, stop()))
}

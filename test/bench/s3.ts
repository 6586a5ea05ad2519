// The lake into a bucket of an S3-compatible server on this machine, beside a local folder: the whole way from the
// embedded topic by the deliver loop, and the sending of a finished file alone.
//   node test/bench/s3.ts [million rows]

import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { fromRows } from '../../runtime/batch.ts'
import { openBroker } from '../../runtime/broker/open.ts'
import { openObjects } from '../../runtime/objects/open.ts'
import { readTopic } from '../../runtime/schema-file.ts'
import { Store } from '../../runtime/store.ts'
import { Supervisor } from '../../runtime/supervisor.ts'
import { accessKey, s3Missing, S3Server, secretKey } from '../s3/server.ts'
import { makeProject } from '../system/project.ts'
import { line, median, residentMiB, stopwatch } from './measure.ts'
import { quote, quotesSchema } from './quotes.ts'
import type { Objects } from '../../runtime/objects/objects.ts'

const rows = Number(process.argv[2] ?? 1) * 1_000_000
const BATCH = 1000
const FILE_MIB = 256
const RUNS = 3
const quiet = { error: (fields: object, message: string) => console.error(message, fields), warn: () => {}, info: () => {}, debug: () => {} }

if (s3Missing !== false) {
  console.log(`Left out: ${s3Missing}`)
  process.exit()
}
const folder = mkdtempSync(join(tmpdir(), 'twolane-bench-'))
const dataFolder = join(folder, 'data')
const server = await S3Server.start(join(folder, 's3'), 'bench')
const store = { endpoint: server.endpoint, region: null, pathStyle: null, accessKey, secretKey, requestMs: 60_000 }
const noStore = { ...store, endpoint: null, accessKey: null, secretKey: null }

try {
  const local = await openObjects({ address: 'lake', dataFolder, owner: 'bench.', store: noStore })
  const bucket = await openObjects({ address: 's3://bench/alone', dataFolder, owner: 'bench.', store })
  await send('one file ▶ folder', local)
  await send('one file ▶ S3', bucket)
  bucket.close()

  await fill()
  await run('folder', 'topic ▶ lake in a folder', 'lake: {}', local)
  const all = await openObjects({ address: 's3://bench/lake', dataFolder, owner: 'bench.', store })
  await run('s3', 'topic ▶ lake in S3', `lake: { folder: 's3://bench/lake', endpoint: '${server.endpoint}', access_key: ${accessKey}, secret_key: ${secretKey} }`, all)
  all.close()
} finally {
  await server.kill()
  rmSync(folder, { recursive: true, force: true })
}
process.exit()

/** A file as the encoder leaves it; its writing is not counted. */
async function send (what: string, objects: Objects): Promise<void> {
  await objects.check()
  const seconds: number[] = []
  let peakMiB = 0
  for (let i = 0; i < RUNS; i++) {
    const file = objects.scratchFile()
    const fd = openSync(file, 'w')
    for (let j = 0; j < FILE_MIB; j++) writeSync(fd, randomBytes(2 ** 20))
    closeSync(fd)
    const measured = await peakWhile(async () => {
      const began = performance.now()
      await objects.put(`file-${i}`, file)
      seconds.push((performance.now() - began) / 1000)
    })
    peakMiB = Math.max(peakMiB, measured)
  }
  const typical = median(seconds)
  console.log(`${`${what} (${FILE_MIB} MiB)`.padEnd(58)} ${typical < 0.05 ? 'a rename' : `${(FILE_MIB / typical).toFixed(0).padStart(5)} MiB/s`}   buffers at most ${peakMiB.toFixed(0)} MiB`)
}

/** MiB of buffers that it needs. */
async function peakWhile (task: () => Promise<void>): Promise<number> {
  setFlagsFromString('--expose-gc')
  ;(runInNewContext('gc') as () => void)()
  const before = process.memoryUsage().arrayBuffers
  let peak = before
  const timer = setInterval(() => { peak = Math.max(peak, process.memoryUsage().arrayBuffers) }, 5)
  await task().finally(() => clearInterval(timer))
  return (peak - before) / 2 ** 20
}

async function fill (): Promise<void> {
  const broker = await openBroker({ dataFolder, kafka: undefined })
  const topic = readTopic('schemas/quotes.yaml', quotesSchema)
  const producer = await broker.producer(topic, 'bench')
  for (let i = 0; i < rows; i += BATCH) await producer.append([fromRows(topic, Array.from({ length: BATCH }, (_, j) => quote(i + j)))])
  await broker.close()
}

async function run (id: string, what: string, output: string, objects: Objects): Promise<void> {
  const project = makeProject(mkdtempSync(join(folder, 'project-')), {
    'schemas/quotes.yaml': quotesSchema, [`pipelines/${id}.yaml`]: `topic: quotes\noutputs:\n  - ${output}\n    flush: { rows: 250000, ms: 1000, megabytes: 64 }\n`
  })
  const state = new Store(project.data)
  const supervisor = new Supervisor({ root: project.folder, dataFolder, clickhouse: undefined, logLevel: 'error', store: state, log: quiet, onLog: text => process.stderr.write(text) })
  const broker = await openBroker({ dataFolder, kafka: undefined })
  const before = residentMiB(process.pid)
  let peakMiB = before
  const stop = stopwatch()
  await supervisor.start()
  while ((await broker.inspect('quotes'))?.groups.find(({ group }) => group.startsWith(`${id}.`))?.offset !== rows) {
    peakMiB = Math.max(peakMiB, residentMiB(process.pid))
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  const usage = stop()
  await supervisor.close()
  await broker.close()
  state.close()
  const names: string[] = []
  for await (const { name } of objects.list('quotes/')) names.push(name)
  console.log(`${line(what, rows, usage)}   ${names.length} files, process grew by ${(peakMiB - before).toFixed(0)} MiB`)
}

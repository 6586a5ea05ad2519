// The distributed setup on one machine: Apache Kafka beside the platform. How fast rows are appended, how fast they go
// through the mapping into embedded ClickHouse by the whole runtime, and what the platform alone takes of the processor.
//   node test/bench/kafka.ts [million rows] [rounds]

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fromRows } from '../../runtime/batch.ts'
import { openBroker } from '../../runtime/broker/open.ts'
import { kafkaDefaults } from '../../runtime/broker/kafka/options.ts'
import { connectClickHouse } from '../../runtime/clickhouse/client.ts'
import { startEmbedded } from '../../runtime/clickhouse/embedded.ts'
import { readTopic } from '../../runtime/schema-file.ts'
import { Store } from '../../runtime/store.ts'
import { Supervisor } from '../../runtime/supervisor.ts'
import { noKafka, startKafka } from '../kafka/server.ts'
import { makeProject } from '../system/project.ts'
import { cpuSecondsOf, line, median, residentMiB, stopwatch } from './measure.ts'
import { quote, quotesSchema } from './quotes.ts'
import { measureRebalance } from './rebalance.ts'
import type { KafkaConfig } from '../../runtime/broker/kafka/options.ts'
import type { Usage } from './measure.ts'

const rows = Number(process.argv[2] ?? 1) * 1_000_000
const rounds = Number(process.argv[3] ?? 3)
const BATCH = 1000
const PARTITIONS = 2
const quiet = { error: (fields: object, message: string) => console.error(message, fields), warn: () => {}, info: () => {}, debug: () => {} }

const missing = noKafka()
if (missing !== false) {
  console.log(`not measured: ${missing}`)
  process.exit()
}
const folder = mkdtempSync(join(tmpdir(), 'twolane-bench-'))
const schema = `${quotesSchema}partitions: ${PARTITIONS}\n`
// What a machine that runs it for long has: the Java compiler of the last stage.
const server = await startKafka({ folder: join(folder, 'kafka'), tuned: true })
const engine = await startEmbedded({ folder: join(folder, 'clickhouse'), log: quiet })
const pids = [engine.pid as number, ...server.pid === undefined ? [] : [server.pid]]
const kafka: KafkaConfig = { ...kafkaDefaults, brokers: server.brokers.split(','), compression: 'none', prefix: `bench-${process.pid}.` }

try {
  // A Kafka that has just started is slower: its Java is compiled as it runs.
  await fill(kafka, 'warm-up')
  for (const compression of ['none', 'zstd'] as const) console.log(await fill({ ...kafka, compression }, `quotes-${compression}`))
  const usages: Usage[] = []
  for (let round = 0; round < rounds; round++) usages.push(await runtime(round))
  const usage = usages.find(({ seconds }) => seconds === median(usages.map(({ seconds }) => seconds))) as Usage
  console.log(line('Kafka ▶ mapping ▶ embedded ClickHouse, the runtime', rows, usage).replace('engine', 'engine and Kafka'))
  console.log(`memory of the platform ${residentMiB(process.pid).toFixed(0)} MiB, processor time of Kafka so far ${server.pid === undefined ? '?' : cpuSecondsOf(server.pid).toFixed(0)} s`)
  await measureRebalance(kafka)
} finally {
  await engine.close()
  await server.kill().catch(() => {})
  rmSync(folder, { recursive: true, force: true })
}
process.exit()

/** A topic with all rows. */
async function fill (config: KafkaConfig, name: string): Promise<string> {
  const topic = readTopic(`schemas/${name}.yaml`, schema)
  const broker = await openBroker({ dataFolder: folder, kafka: config })
  const producer = await broker.producer(topic, 'bench')
  const stop = stopwatch(pids)
  let making = 0
  for (let i = 0; i < rows; i += BATCH) {
    const began = performance.now()
    const batch = fromRows(topic, Array.from({ length: BATCH }, (_, j) => quote(i + j)))
    making += performance.now() - began
    await producer.append([batch], { checkpoint: i + BATCH })
  }
  const usage = stop()
  await producer.close()
  await broker.close()
  const own = { ...usage, seconds: usage.seconds - making / 1000, ownCpuSeconds: usage.ownCpuSeconds - making / 1000 }
  return line(`append, batches of ${BATCH} with a checkpoint, ${config.compression === 'none' ? 'plain' : config.compression}`, rows, own).replace('engine', 'Kafka')
}

async function runtime (round: number): Promise<Usage> {
  const id = `quotes-${round}`
  const project = makeProject(mkdtempSync(join(folder, 'project-')), {
    'schemas/quotes-none.yaml': schema,
    [`pipelines/${id}.yaml`]: `topic: quotes-none\ntransforms: [mapping: quotes-none]\noutputs:\n  - streaming-database: { table: quotes_${round} }\n`
  })
  const store = new Store(project.data)
  const supervisor = new Supervisor({ root: project.folder, dataFolder: folder, kafka, clickhouse: engine.url, logLevel: 'warn', store, log: quiet, onLog: text => process.stderr.write(text) })
  const client = await connectClickHouse(engine.url)
  try {
    const stop = stopwatch(pids)
    await supervisor.start()
    while (true) {
      await new Promise(resolve => setTimeout(resolve, 50))
      const [found] = await client.rows<{ n: string }>(`SELECT total_rows AS n FROM system.tables WHERE database = 'streaming' AND name = 'quotes_${round}'`)
      if (Number(found?.n) >= rows) break
    }
    const usage = stop()
    const [found] = await client.rows<{ n: string, different: string }>(`SELECT count() AS n, uniqExact(_partition, _offset) AS different FROM streaming.quotes_${round}`)
    if (Number(found?.n) !== rows || Number(found?.different) !== rows) throw new Error(`${found?.n} rows of ${rows} are in the table, ${found?.different} different ones`)
    return usage
  } finally {
    await supervisor.close()
    await client.command(`DROP TABLE IF EXISTS streaming.quotes_${round}`)
    await client.close()
    store.close()
  }
}

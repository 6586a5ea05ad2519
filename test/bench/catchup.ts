// Catch-up: from the embedded topic through the mapping into embedded ClickHouse, by the whole runtime (its own thread,
// supervisor, intents, commits, metrics), beside a bare loop that parses, casts and inserts with no runtime around it.
//   node test/bench/catchup.ts [million rows] [rounds]

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openBroker } from '../../runtime/broker/open.ts'
import { fromRows } from '../../runtime/batch.ts'
import { startEmbedded } from '../../runtime/clickhouse/embedded.ts'
import { connectClickHouse } from '../../runtime/clickhouse/client.ts'
import { readTopic } from '../../runtime/schema-file.ts'
import { Store } from '../../runtime/store.ts'
import { Supervisor } from '../../runtime/supervisor.ts'
import { makeProject } from '../system/project.ts'
import { bareLoop, fillBareTopic } from './bare-loop.ts'
import { line, median, residentMiB, stopwatch } from './measure.ts'
import { quote, quotesSchema } from './quotes.ts'
import type { Usage } from './measure.ts'

const rows = Number(process.argv[2] ?? 2) * 1_000_000
const rounds = Number(process.argv[3] ?? 3)
const BATCH = 1000
const quiet = { error: (fields: object, message: string) => console.error(message, fields), warn: () => {}, info: () => {}, debug: () => {} }

const folder = mkdtempSync(join(tmpdir(), 'twolane-bench-'))
const engine = await startEmbedded({ folder: join(folder, 'clickhouse'), log: quiet })
const enginePid = engine.pid as number
const runtimeUsage: Usage[] = []
const bareUsage: Usage[] = []
let peakMiB = 0

try {
  console.log(`append to the topic, batches of ${BATCH}`.padEnd(59) + await fill(join(folder, 'filled')))
  fillBareTopic(join(folder, 'bare.db'), rows)
  for (let round = 0; round < rounds; round++) {
    runtimeUsage.push(await runtime(round))
    bareUsage.push(await bareLoop({ file: join(folder, 'bare.db'), url: engine.url, table: `bare_${round}`, rows, enginePid }))
  }
  const best = (usages: readonly Usage[]): Usage => usages.find(({ seconds }) => seconds === median(usages.map(usage => usage.seconds))) as Usage
  console.log(line('topic ▶ mapping ▶ embedded ClickHouse, the runtime', rows, best(runtimeUsage)))
  console.log(line('the same as a bare loop over JSON columns', rows, best(bareUsage)))
  console.log(`ratio of the runtime to the bare loop: ${(best(runtimeUsage).seconds / best(bareUsage).seconds).toFixed(2)} in time; peak memory of the platform ${peakMiB.toFixed(0)} MiB, of the engine ${residentMiB(enginePid).toFixed(0)} MiB`)
} finally {
  await engine.close()
  rmSync(folder, { recursive: true, force: true })
}
process.exit()

/** A topic with all rows; copied for each round by running it under another pipeline's name. */
async function fill (dataFolder: string): Promise<string> {
  const topic = readTopic('schemas/quotes.yaml', quotesSchema)
  const broker = await openBroker({ dataFolder, kafka: undefined })
  const producer = await broker.producer(topic, 'bench')
  let seconds = 0
  for (let i = 0; i < rows; i += BATCH) {
    const batch = fromRows(topic, Array.from({ length: BATCH }, (_, j) => quote(i + j)))
    const began = performance.now()
    await producer.append([batch], { checkpoint: i + BATCH })
    seconds += (performance.now() - began) / 1000
  }
  await producer.close()
  await broker.close()
  return `${(rows / seconds / 1000).toFixed(0).padStart(5)} k rows/s, durable`
}

async function runtime (round: number): Promise<Usage> {
  const id = `quotes-${round}`
  const project = makeProject(mkdtempSync(join(folder, 'project-')), {
    'schemas/quotes.yaml': quotesSchema,
    [`pipelines/${id}.yaml`]: `topic: quotes\ntransforms: [mapping: quotes]\noutputs:\n  - streaming-database: { table: quotes_${round} }\n`
  })
  const dataFolder = join(folder, 'filled')
  const store = new Store(project.data)
  const supervisor = new Supervisor({ root: project.folder, dataFolder, clickhouse: engine.url, logLevel: 'warn', store, log: quiet, onLog: text => process.stderr.write(text) })
  const client = await connectClickHouse(engine.url)
  const broker = await openBroker({ dataFolder, kafka: undefined })
  try {
    const stop = stopwatch([enginePid])
    await supervisor.start()
    while (true) {
      await new Promise(resolve => setTimeout(resolve, 20))
      peakMiB = Math.max(peakMiB, residentMiB(process.pid))
      const state = await broker.inspect('quotes')
      if (state?.groups.some(({ group, offset }) => group.startsWith(id) && offset === rows) === true) break
    }
    const usage = stop()
    const [found] = await client.rows<{ n: string }>(`SELECT count() AS n FROM streaming.quotes_${round}`)
    if (Number(found?.n) !== rows) throw new Error(`${found?.n} rows of ${rows} are in the table`)
    return usage
  } finally {
    await supervisor.close()
    await client.command(`DROP TABLE streaming.quotes_${round}`)
    await client.close()
    await broker.close()
    store.close()
  }
}

// A redelivery that crashes before or after any of its durable steps, and is repeated.

import { join } from 'node:path'
import t from 'tap'
import { fromRows } from '../../../runtime/batch.ts'
import { openEmbedded } from '../../../runtime/broker/embedded.ts'
import { connectClickHouse } from '../../../runtime/clickhouse/client.ts'
import { startEmbedded } from '../../../runtime/clickhouse/embedded.ts'
import { limits } from '../../../runtime/limits.ts'
import { PipelineMetrics } from '../../../runtime/metrics.ts'
import { readPipelines } from '../../../runtime/pipeline.ts'
import { redeliver } from '../../../runtime/redeliver/redelivery.ts'
import { rejectedTopic } from '../../../runtime/schema.ts'
import { assign, range } from '../../conform/broker.ts'
import { makeProject } from '../../system/project.ts'
import type { Broker, Producer } from '../../../runtime/broker/broker.ts'
import type { Topic } from '../../../runtime/plugin.ts'
import type { Report } from '../../../runtime/redeliver/report.ts'
import type { Surroundings } from '../../../runtime/steps.ts'

const ROWS = 40
const folder = t.testdir()
const project = makeProject(join(folder, 'project'), {
  'schemas/trades.yaml': 'key: [symbol]\nfields: { n: { type: int64, required: true }, symbol: { type: string, required: true } }',
  'pipelines/trades.yaml': 'input: { generate: {} }\ntopic: trades\ntransforms: [mapping]\noutputs:\n  - streaming-database: { models: none }\n'
})
const engine = await startEmbedded({ folder: join(folder, 'engine'), log: { info () {}, warn () {}, error () {} } })
t.teardown(() => engine.close())
const client = await connectClickHouse(engine.url)
t.teardown(() => client.close())
const { pipelines, schemas } = await readPipelines(project.folder, {})
const topic = schemas.get('trades') as Topic
const refusal = { reason: 'no', pipeline: 'trades', step: 'transforms.mapping', time: 0 }

/** A topic whose output has passed it and gone without every second row; two rows never reached it. */
async function prepare (folder: string): Promise<void> {
  const broker = openEmbedded({ folder })
  await (await broker.producer(topic, 'writer')).append([fromRows(topic, range(0, ROWS).map(n => ({ n, symbol: 'S' })))])
  const [assignment] = await assign(await broker.consumer(topic, 'trades.streaming-database'))
  await assignment?.commit(ROWS, undefined)
  const rejected = await broker.producer(rejectedTopic('trades'), 'writer')
  await rejected.append([fromRows(rejectedTopic('trades'), [
    ...range(0, ROWS).filter(n => n % 2 === 1).map(n => ({ ...refusal, row: { n, symbol: 'S' }, output: 'outputs.streaming-database', partition: 0, offset: n })),
    ...[1000, 1001].map(n => ({ ...refusal, row: { n, symbol: 'T' }, step: 'input.generate', output: '', partition: -1, offset: -1 }))
  ])])
  await broker.close()
}

/** The broker, whose append with that number, counted from 1, fails: before it is made, or after it is durable. */
function crashing (broker: Broker, at: number, after: boolean): { readonly broker: Broker, readonly crashed: () => boolean } {
  let appends = 0
  const faulty = (producer: Producer): Producer => ({
    get checkpoint () { return producer.checkpoint },
    close: () => producer.close(),
    async append (...given) {
      const crashes = ++appends === at
      if (crashes && !after) throw new Error('crash')
      await producer.append(...given)
      if (crashes) throw new Error('crash')
    }
  })
  return { broker: { ...broker, producer: async (...given) => faulty(await broker.producer(...given)) }, crashed: () => appends >= at }
}

async function live (folder: string, at = Infinity, after = false): Promise<{ readonly report: Report | undefined, readonly crashed: boolean }> {
  const own = openEmbedded({ folder })
  const { broker, crashed } = crashing(own, at, after)
  const nothing = { error () {}, warn () {}, info () {}, debug () {} }
  const arounds = [...pipelines.values()].map((pipeline): Surroundings => ({
    root: project.folder,
    dataFolder: project.data,
    pipeline,
    schemas,
    clickhouse: engine.url,
    warehouse: engine.url,
    broker,
    clock: { now: Date.now },
    metrics: new PipelineMetrics(),
    watch: { enter () {}, leave () {}, begin () {}, end () {} },
    limits,
    log: () => nothing,
    health () {}
  }))
  const request = { topic: 'trades', from: 0, dryRun: false, atLeastOnce: false, msMax: 60_000 }
  const report = await redeliver(request, arounds, broker, new AbortController().signal).catch((error: Error) => {
    if (error.message !== 'crash') throw error
    return undefined
  })
  await own.close()
  return { report, crashed: crashed() }
}

await t.test('after a crash at any step, and a repetition, every row is there once', async t => {
  let step = 0
  for (let crashed = true; crashed;) {
    step++
    for (const after of [false, true]) {
      const place = join(folder, `topics-${step}-${after}`)
      await prepare(place)
      await client.command('DROP DATABASE IF EXISTS streaming')
      crashed = (await live(place, step, after)).crashed
      await live(place)
      const again = (await live(place)).report
      t.match(again, { delivered: 0, appended: 0, rows: 0 }, `nothing waits after a crash at append ${step}`)
      const stored = await client.rows<{ n: string, _offset: string }>('SELECT n, _offset FROM streaming.trades ORDER BY n')
      t.strictSame(stored.map(({ n }) => Number(n)), range(0, ROWS).filter(n => n % 2 === 1))
      t.ok(stored.every(({ n, _offset }) => n === _offset), 'where they were')
      const broker = openEmbedded({ folder: place })
      const rows = (await broker.tail(topic, 1000)).flatMap(batch => [...batch.rows()].map(({ n }) => n))
      t.strictSame(rows.slice(ROWS), [1000, 1001], 'what never arrived is appended once')
      await broker.close()
    }
  }
  t.ok(step > 3, `${step} steps`)
})

await t.test('a row that was handed over to the warehouse is not delivered again', async t => {
  const place = join(folder, 'topics-handed-over')
  await prepare(place)
  await client.command('DROP DATABASE IF EXISTS streaming')
  await live(place, 3, false) // It has stored the rows, and does not know it.
  const columns = 'n, symbol, _topic, _partition, _offset, _ingest_time'
  await client.command(`INSERT INTO warehouse.trades (${columns}, _version) SELECT ${columns}, 1 FROM streaming.trades`)
  await client.command('TRUNCATE TABLE streaming.trades')
  t.match((await live(place)).report, { delivered: 0, present: ROWS / 2 })
})

await t.test('a row that its output has not passed yet is left to it, and one that is gone is said', async t => {
  const place = join(folder, 'topics-waiting')
  await prepare(place)
  const broker = openEmbedded({ folder: place })
  const rejected = await broker.producer(rejectedTopic('trades'), 'writer')
  const output = { output: 'outputs.streaming-database', partition: 0, row: { n: 1, symbol: 'S' } }
  await rejected.append([fromRows(rejectedTopic('trades'), [
    { ...refusal, ...output, offset: ROWS + 5 },
    { ...refusal, ...output, offset: 3, pipeline: 'old' },
    { ...refusal, ...output, offset: 3, output: 'outputs.old' },
    { ...refusal, ...output, step: 'input.generate', offset: -1, partition: -1, row: { cut: '{', characters: 300_000 } },
    { ...refusal, ...output, step: 'topic', offset: 4 }
  ])])
  await broker.close()
  const { report } = await live(place)
  t.strictSame(report?.kept.map(({ why }) => why).sort(), [
    'another client has written the record, and it is no row of the topic',
    'outputs.streaming-database of trades has not passed the row yet: it is still at work on it',
    'the pipeline old does not run on this topic any more',
    'the pipeline trades has no outputs.old any more',
    'the row was too large to be kept whole, and has never reached the topic'
  ])
})

// Topics are open: kcat reads what the platform wrote, and what kcat writes the platform reads, also when it is wrong.

import { randomUUID } from 'node:crypto'
import t from 'tap'
import { fromRows } from '../../runtime/batch.ts'
import { openKafka } from '../../runtime/broker/kafka/kafka.ts'
import { kafkaDefaults } from '../../runtime/broker/kafka/options.ts'
import { readTopic } from '../../runtime/schema-file.ts'
import { makeProject, startPlatform } from '../system/project.ts'
import { eventually } from '../waiting.ts'
import { noKcat, readWithKcat, writeWithKcat } from './kcat.ts'
import { noKafka, startKafka } from './server.ts'
import type { Assignment } from '../../runtime/broker/broker.ts'

const schema = `
key: [symbol]
event_time: t
partitions: 2
fields:
  symbol: { type: string, required: true, description: Instrument, low_cardinality: true }
  t: { type: timestamp(ms), required: true, description: Time of the row, cast: { unit: ms } }
  price: { type: float64, description: Price }
`
const pipeline = `
topic: trades
transforms:
  - mapping: trades
outputs:
  - streaming-database: {}
    flush: { rows: 1000, ms: 100, megabytes: 8 }
`
const good = [['AAPL', '{"symbol":"AAPL","t":1704205800000,"price":"185.5"}'], ['MSFT', '{"symbol":"MSFT","t":1704205800001,"price":370.25}']] as const
const wrong = [['AAPL', '{"symbol":'], ['AAPL', 'plain text'], ['AAPL', '[1, 2]']] as const

const skip = noKafka() || noKcat()
const kafka = skip === false ? await startKafka({ folder: t.testdir() }) : undefined
t.teardown(() => kafka?.kill())
const brokers = kafka?.brokers ?? ''
const topic = readTopic('schemas/trades.yaml', schema)

await t.test('kcat reads rows of the platform as JSON, each with its key and headers, and rows of a key are in one partition', { skip }, async t => {
  const prefix = `${randomUUID().slice(0, 8)}.`
  const broker = openKafka({ ...kafkaDefaults, brokers: brokers.split(','), prefix })
  t.teardown(() => broker.close())
  const producer = await broker.producer(topic, 'test')
  const rows = Array.from({ length: 1000 }, (_, i) => ({ symbol: `S${i % 20}`, t: 1_704_205_800_000 + i, price: i % 3 === 0 ? `Zürich "${i}"` : i / 4 }))
  await producer.append([fromRows(topic, rows)], { checkpoint: 1 })
  const found = readWithKcat(brokers, `${prefix}trades`)
  const byTime = found.map(({ payload }) => JSON.parse(payload) as typeof rows[0]).sort((a, b) => a.t - b.t)
  t.same(byTime, rows)
  t.same(found.map(({ key }) => key), found.map(({ payload }) => (JSON.parse(payload) as { symbol: string }).symbol), 'the key')
  const partitions = new Map(found.map(({ key, partition }) => [key, partition]))
  t.ok(found.every(({ key, partition }) => partitions.get(key) === partition))
  t.same([...new Set(partitions.values())].sort(), [0, 1])
  t.ok(found.every(({ headers = [] }) => headers.length > 0 && headers.length % 2 === 0), JSON.stringify(found[0]))
})

await t.test('rows that kcat wrote are rows of the topic, and what is no row is refused with a reason', { skip }, async t => {
  const prefix = `${randomUUID().slice(0, 8)}.`
  const broker = openKafka({ ...kafkaDefaults, brokers: brokers.split(','), prefix })
  t.teardown(() => broker.close())
  await (await broker.producer(topic, 'test')).close()
  writeWithKcat(brokers, `${prefix}trades`, [...good, ...wrong])
  const stop = new AbortController()
  const rows: unknown[] = []
  const reasons: string[] = []
  const consumer = await broker.consumer(topic, 'group')
  for await (const assignment of consumer.assignments(stop.signal)) {
    const partition = await readAll(assignment)
    rows.push(...partition.rows)
    reasons.push(...partition.reasons)
    if (rows.length + reasons.length >= good.length + wrong.length) stop.abort()
  }
  await consumer.close()
  t.same(rows.map(row => (row as { symbol: string }).symbol).sort(), ['AAPL', 'MSFT'])
  t.equal(reasons.length, wrong.length)
  t.ok(reasons.every(reason => /JSON/.test(reason)), reasons.join('; '))
})

await t.test('a platform on Kafka delivers rows of kcat to ClickHouse, and rejects what is wrong where kcat can read it', { skip }, async t => {
  const prefix = `${randomUUID().slice(0, 8)}.`
  const project = makeProject(t.testdir(), { 'schemas/trades.yaml': schema, 'pipelines/trades.yaml': pipeline })
  const platform = await startPlatform(project, { TWOLANE_BROKER: `kafka://${brokers}`, TWOLANE_KAFKA_PREFIX: prefix })
  t.teardown(() => platform.kill())
  await eventually('the topic is there', async () => (await platform.api<{ topics: Array<{ name: string }> }>('GET', '/v1/topics')).body.topics.find(({ name }) => name === 'trades'))
  // The last one is JSON, and none of the topic: it lacks what is required.
  writeWithKcat(brokers, `${prefix}trades`, [...good, ...wrong, ['NVDA', '{"symbol":"NVDA","t":"yesterday"}']])
  const rows = await eventually('the rows are in the database', async () => {
    const rows = await platform.query<{ symbol: string, price: number }>('select symbol, price from streaming.trades order by symbol').catch(() => [])
    return rows.length >= good.length ? rows : undefined
  })
  t.same(rows, [{ symbol: 'AAPL', price: 185.5 }, { symbol: 'MSFT', price: 370.25 }])
  const rejected = await eventually('the others are in the rejected topic', () => {
    const found = readWithKcat(brokers, `${prefix}trades.rejected`)
    return found.length >= wrong.length + 1 ? found : undefined
  })
  t.equal(rejected.length, wrong.length + 1)
  for (const { payload } of rejected) t.match(JSON.parse(payload), { reason: /./, pipeline: 'trades', output: 'streaming-database' })
  t.equal(await platform.stop(), 0, platform.output())
})

async function readAll (assignment: Assignment): Promise<{ rows: unknown[], reasons: string[] }> {
  const rows: unknown[] = []
  const reasons: string[] = []
  const { next } = await assignment.bounds()
  for (let offset = assignment.committed.offset; offset < next;) {
    const found = await assignment.read(offset, { rows: 1000, bytes: 1e6 })
    for (const batch of found.batches) rows.push(...batch.rows())
    reasons.push(...found.refused.map(({ reason }) => reason))
    if (found.next === offset) await assignment.wait(offset, 100, assignment.signal)
    offset = found.next
  }
  return { rows, reasons }
}

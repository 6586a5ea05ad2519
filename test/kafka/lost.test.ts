// What Kafka does not hold any more, or never takes, under the whole platform: it says what was lost, and goes on.

import { randomUUID } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import t from 'tap'
import { fromRows } from '../../runtime/batch.ts'
import { openKafka } from '../../runtime/broker/kafka/kafka.ts'
import { kafkaDefaults } from '../../runtime/broker/kafka/options.ts'
import { readTopic } from '../../runtime/schema-file.ts'
import { eventually } from '../waiting.ts'
import { noKcat, readWithKcat } from './kcat.ts'
import { noOwnKafka, startKafka } from './server.ts'
import { arrived, health, inDatabase, outputs, ROWS, says, schema, setUp } from './trades.ts'
import type { Batch } from '../../runtime/batch.ts'
import type { Assignment } from '../../runtime/broker/broker.ts'
import type { KafkaServer } from './server.ts'

const skip = noOwnKafka()
const kafka = (skip === false ? await startKafka({ folder: t.testdir(), own: true }) : undefined) as KafkaServer
t.teardown(() => kafka?.kill())

await t.test('rows that Kafka has deleted before they were delivered are counted in the log, and the output goes on behind them', { skip: skip || noKcat() }, async t => {
  const { prefix, start } = setUp(t, kafka, outputs)
  const first = await start()
  const admin = new Kafka({ brokers: [kafka.brokers], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  t.teardown(() => admin.disconnect())
  const topic = `${prefix}trades`
  await eventually('the topic is there', async () => (await admin.listTopics()).includes(topic) || undefined)
  await write(topic, 0, 100)
  await arrived(first, 100)
  t.equal(await first.stop(), 0, first.output())
  await write(topic, 100, 1000)
  const offsets = await admin.fetchTopicOffsets(topic)
  // Of one partition all that there is; its next row comes behind.
  const { partition, high } = offsets.find(({ high }) => Number(high) > 0) as { partition: number, high: string }
  const lost = readWithKcat(kafka.brokers, topic).filter(record => record.partition === partition && (JSON.parse(record.payload) as { n: number }).n >= 100).length
  await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: high }] })

  const second = await start()
  await write(topic, 1000, 1100)
  await arrived(second, 1100 - lost)
  t.same(await inDatabase(second), { rows: 1100 - lost, different: 1100 - lost, offsets: 1100 - lost })
  t.match(second.output(), /Retention has removed rows that this output had not taken/)
  t.match(second.output(), new RegExp(`"rowsLost":${lost},`), 'and how many')
  t.equal(await second.stop(), 0)
})

await t.test('a row that is too large for its topic is told with what to do, and goes in once the topic takes it', { skip }, async t => {
  const { prefix, folder, start } = setUp(t, kafka, `input:\n  file: { path: rows.ndjson }\n${outputs}`)
  writeFileSync(join(folder, 'rows.ndjson'), [1, 2, 3].map(n => `${JSON.stringify({ n, t: 1, symbol: n === 2 ? 'A'.repeat(20_000) : 'B' })}\n`).join(''))
  const admin = new Kafka({ brokers: [kafka.brokers], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  t.teardown(() => admin.disconnect())
  const topic = `${prefix}trades`
  const limit = (bytes: number): { name: string, value: string } => ({ name: 'max.message.bytes', value: String(bytes) })
  await admin.createTopics({ topics: [{ topic, numPartitions: 2, configEntries: [limit(10_000)] }] })
  const platform = await start()
  t.match(await says(platform, /too large/), /raise max\.message\.bytes/)
  await admin.alterConfigs({ validateOnly: false, resources: [{ type: 2, name: topic, configEntries: [limit(100_000)] }] })
  await arrived(platform, 3)
  t.same(await inDatabase(platform), { rows: 3, different: 3, offsets: 3 })
  t.equal(await platform.stop(), 0)
})

await t.test('a topic that was deleted under load is made again, what came after it arrives, and nothing twice', { skip: skip || noKcat() }, async t => {
  const { prefix, start } = setUp(t, kafka)
  const platform = await start()
  await arrived(platform, ROWS / 6)
  const admin = new Kafka({ brokers: [kafka.brokers], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  t.teardown(() => admin.disconnect())
  await admin.deleteTopics({ topics: [`${prefix}trades`] })
  const last = await eventually('the last row is in the database', async () => {
    const [found] = await platform.query<{ last: string }>('select max(n) as last from streaming.trades')
    return Number(found?.last) === ROWS ? Number(found?.last) : undefined
  }).catch(async (error: Error) => {
    throw new Error(`${error.message}; there are ${JSON.stringify(await inDatabase(platform))}; ${JSON.stringify(await health(platform))}; ${platform.output()}`)
  })
  t.equal(last, ROWS)
  const { rows, different } = await inDatabase(platform)
  t.equal(rows, different, 'none is there twice')
  const made = readWithKcat(kafka.brokers, `${prefix}trades`).map(({ payload }) => (JSON.parse(payload) as { n: number }).n)
  const delivered = new Set((await platform.query<{ n: string }>('select n from streaming.trades')).map(({ n }) => Number(n)))
  t.same(made.filter(n => !delivered.has(n)).length, 0, `of the ${made.length} rows of the new topic all arrive`)
  t.match(platform.output(), /The topic was deleted and made anew, going on with the new one/)
  t.equal(await platform.stop(), 0)
})

await t.test('a topic that was deleted and filled again while nobody looked is read from its beginning, at offsets that were never used', { skip }, async t => {
  const prefix = `${randomUUID().slice(0, 8)}.`
  const broker = openKafka({ ...kafkaDefaults, brokers: [kafka.brokers], prefix })
  t.teardown(() => broker.close())
  const topic = { ...readTopic('schemas/trades.yaml', schema), partitions: 1 }
  const rows = (from: number, to: number): Batch => fromRows(topic, Array.from({ length: to - from }, (_, i) => ({ n: from + i, t: 1, symbol: 'A' })))
  const append = async (batch: Batch): Promise<void> => (await broker.producer(topic, 'test')).append([batch])
  let leave = async (): Promise<void> => {}
  /** A new member of the group, after the one before has left. */
  const join = async (): Promise<Assignment> => {
    await leave()
    const consumer = await broker.consumer(topic, 'group')
    leave = () => consumer.close()
    return (await consumer.assignments(new AbortController().signal).next()).value as Assignment
  }
  await append(rows(0, 10))
  const before = await join()
  await before.commit(10, { kept: true })
  const admin = new Kafka({ brokers: [kafka.brokers], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  await admin.deleteTopics({ topics: [`${prefix}trades`] })
  await admin.disconnect()
  await eventually('the topic is gone', async () => !(await broker.topics()).includes('trades') || undefined)
  await append(rows(100, 150))
  await t.rejects(before.begin({ from: 10, to: 20, rows: 10, hash: '', revision: '' }), { code: 'BROKER_OFFSET_LOST', message: /deleted and made anew/ })
  await t.rejects(before.commit(20, undefined), { code: 'BROKER_OFFSET_LOST' })

  const after = await join()
  t.match(after.committed, { deleted: true, state: { kept: true }, intent: undefined })
  t.ok(after.committed.offset >= 2 ** 40)
  const { batches } = await after.read(after.committed.offset, { rows: 1000, bytes: 1e6 })
  t.same(batches.flatMap(batch => [...batch.rows()].map(({ n }) => n)), Array.from({ length: 50 }, (_, i) => 100 + i))
  t.ok(batches.every(batch => batch.position.offset >= 2 ** 40))
  await after.commit(after.committed.offset + 5, undefined)
  const again = await join()
  t.equal(again.committed.offset, after.committed.offset + 5, 'once only')
  t.notOk(again.committed.deleted)
})

/** Rows [from, to) by a client that is not the platform. */
async function write (topic: string, from: number, to: number): Promise<void> {
  const producer = new Kafka({ brokers: [kafka.brokers], logLevel: logLevel.NOTHING }).producer()
  await producer.connect()
  await producer.send({ topic, messages: Array.from({ length: to - from }, (_, i) => ({ key: `S${i % 7}`, value: JSON.stringify({ n: from + i, t: 1_704_205_800_000 + i, symbol: `S${i % 7}` }) })) })
  await producer.disconnect()
}

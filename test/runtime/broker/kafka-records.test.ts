import { randomUUID } from 'node:crypto'
import { Kafka, logLevel } from 'kafkajs'
import t from 'tap'
import { fromRows } from '../../../runtime/batch.ts'
import { openKafka } from '../../../runtime/broker/kafka/kafka.ts'
import { kafkaDefaults } from '../../../runtime/broker/kafka/options.ts'
import { field } from '../../../runtime/schema.ts'
import { assign, makeTopic, numbersOf, range, readAll, rowsOf } from '../../conform/broker.ts'
import { fakeTopic } from '../../conform/context.ts'
import { noKafka, startKafka } from '../../kafka/server.ts'
import type { Message } from 'kafkajs'
import type { Test } from 'tap'
import type { Assignment, Broker, Refused } from '../../../runtime/broker/broker.ts'
import type { KafkaConfig } from '../../../runtime/broker/kafka/options.ts'
import type { Topic } from '../../../runtime/schema.ts'

const skip = noKafka()

await t.test('records on Apache Kafka', { skip }, async t => {
  const kafka = await startKafka({ folder: t.testdir() })
  const brokers = kafka.brokers.split(',')
  const client = new Kafka({ brokers, logLevel: logLevel.NOTHING })
  const other = client.producer()
  const admin = client.admin()
  await Promise.all([other.connect(), admin.connect()])
  t.teardown(() => kafka.kill())
  t.teardown(() => Promise.all([other.disconnect(), admin.disconnect()]))

  const open = (t: Test, more: Partial<KafkaConfig> = {}): Broker => {
    const broker = openKafka({ ...kafkaDefaults, brokers, ...more })
    t.teardown(() => broker.close())
    return broker
  }
  const assignOne = async (broker: Broker, topic: Topic): Promise<Assignment> => (await assign(await broker.consumer(topic, `group-${randomUUID()}`)))[0] as Assignment
  /** What another client sends. */
  const send = async (topic: Topic, ...messages: Message[]): Promise<void> => { await other.send({ topic: topic.name, messages }) }
  const readRefused = async (assignment: Assignment): Promise<{ rows: unknown[], refused: Refused[] }> => {
    const found = await assignment.read(assignment.committed.offset, { rows: 1000, bytes: Infinity })
    return { rows: found.batches.flatMap(batch => [...batch.rows()]), refused: [...found.refused] }
  }

  await t.test('a row is a JSON object with its key and its writer, for any client', async t => {
    const broker = open(t, { compression: 'gzip' })
    const topic = makeTopic(3)
    await (await broker.producer(topic, 'writer')).append([rowsOf(topic, 0, 6, 3)])
    const consumer = client.consumer({ groupId: randomUUID() })
    await consumer.connect()
    await consumer.subscribe({ topic: topic.name, fromBeginning: true })
    const seen: Array<{ key: string, value: unknown, headers: unknown }> = []
    const all = Promise.withResolvers<void>()
    await consumer.run({
      eachMessage: async ({ message: { key, value, headers } }) => {
        seen.push({ key: String(key), value: JSON.parse(String(value)), headers: Object.entries(headers ?? {}).map(([name, text]) => [name, String(text)]) })
        if (seen.length === 6) all.resolve()
      }
    })
    await all.promise
    await consumer.disconnect()
    t.strictSame(seen.sort((a, b) => (a.value as { n: number }).n - (b.value as { n: number }).n),
      range(0, 6).map(n => ({ key: `S${n % 3}`, value: { n, symbol: `S${n % 3}` }, headers: [['twolane-producer', 'writer']] })))
  })

  await t.test('rows of one key meet, whoever writes them', async t => {
    const broker = open(t)
    const topic = makeTopic(5)
    await (await broker.producer(topic, 'writer')).append([rowsOf(topic, 0, 20, 20)])
    await send(topic, ...range(0, 20).map(n => ({ key: `S${n}`, value: JSON.stringify({ n: 100 + n, symbol: `S${n}` }) })))
    const partitions = new Map<string, Set<number>>()
    for (const assignment of await assign(await broker.consumer(topic, randomUUID()), 5)) {
      for (const batch of (await readAll(assignment)).batches) {
        for (const { symbol } of batch.rows()) partitions.set(symbol as string, (partitions.get(symbol as string) ?? new Set()).add(assignment.partition))
      }
    }
    t.equal(partitions.size, 20)
    t.ok([...partitions.values()].every(each => each.size === 1), 'each key is in one partition')
  })

  await t.test('several key fields, and none', async t => {
    const broker = open(t)
    const topic = { ...makeTopic(2), key: ['symbol', 'n'] }
    await (await broker.producer(topic, 'writer')).append([rowsOf(topic, 7, 8)])
    const { batches } = await readAll((await assign(await broker.consumer(topic, randomUUID()), 2)).sort()[0] as Assignment)
    const keyless = { ...makeTopic(2), key: [] }
    await (await broker.producer(keyless, 'writer')).append([rowsOf(keyless, 0, 100)])
    const found = await Promise.all((await assign(await broker.consumer(keyless, randomUUID()), 2)).map(async assignment => (await readAll(assignment)).rows))
    t.ok(batches.length <= 1)
    t.strictSame(found.map(rows => rows.length).sort((a, b) => a - b), [0, 100], 'rows without a key that are appended together stay together')
  })

  await t.test('a record that is no row is refused, and all others come', async t => {
    const broker = open(t)
    const topic = { ...fakeTopic(`conform-${randomUUID().slice(0, 8)}`, [field('n', { kind: 'int64' }, { required: true }), field('symbol', { kind: 'string' })]) }
    const assignment = await assignOne(broker, topic)
    const values: Array<string | Buffer | null> = ['{"n":1}', 'not JSON', '{"n":2', '[{"n":3}]', '3', 'null', '', null, '{"symbol":"A"}', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), ' {"n" : 4} ',
      // Two that are no JSON alone, and two rows together.
      '{"n":5},{"symbol":[{}', '{}]}', '{"n":6}']
    await send(topic, ...values.map(value => ({ value })))
    const { rows, refused } = await readRefused(assignment)
    t.strictSame(rows, [{ n: 1 }, { n: 4 }, { n: 6 }])
    t.strictSame(refused.map(({ offset }) => offset), [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12].map(i => i + assignment.committed.offset).sort((a, b) => a - b))
    for (const [i, pattern] of [/not JSON/, /not JSON/, /not a JSON object/, /not a JSON object/, /not a JSON object/, /empty|no value/, /empty|no value/, /required field n is missing/, /not UTF-8/].entries()) {
      t.match(refused.sort((a, b) => a.offset - b.offset)[i]?.reason, pattern)
    }
    t.match(refused[0]?.row, { record: 'not JSON' })
  })

  await t.test('fields that the schema does not know go into extra, whatever they are called', async t => {
    const broker = open(t)
    const topic = makeTopic()
    const assignment = await assignOne(broker, topic)
    await send(topic, { value: '{"n":1,"venue":"X","__proto__":{"a":1},"constructor":2}' }, { value: '{"n":2,"extra":{"kept":1},"more":true}' }, { value: '{"n":3,"extra":{"kept":1}}' }, { value: '{"n":4}' })
    const { rows, refused } = await readRefused(assignment)
    t.strictSame(refused, [])
    t.equal(JSON.stringify(rows.map(row => (row as { extra: unknown }).extra)), '[{"venue":"X","__proto__":{"a":1},"constructor":2},{"kept":1,"more":true},{"kept":1},null]')
    t.strictSame(rows.map(row => (row as { n: number }).n), [1, 2, 3, 4])
    t.equal(({} as { a?: number }).a, undefined, 'no prototype is changed')
  })

  await t.test('records of any codec are read, where the platform has made the topic', async t => {
    const topic = makeTopic()
    for (const compression of ['none', 'gzip', 'zstd'] as const) {
      const broker = open(t, { compression })
      await (await broker.producer(topic, compression)).append([rowsOf(topic, 0, 100)])
    }
    await other.send({ topic: topic.name, compression: 1, messages: [{ value: '{"n":100}' }] })
    t.equal((await readAll(await assignOne(open(t), topic))).rows.length, 301)
  })

  await t.test('what an aborted transaction has written is not there, and nothing is missed behind it', async t => {
    const broker = open(t)
    const topic = makeTopic()
    const producer = await broker.producer(topic, 'writer')
    await producer.append([rowsOf(topic, 0, 5)])
    const transactional = client.producer({ transactionalId: randomUUID(), maxInFlightRequests: 1, idempotent: true })
    await transactional.connect()
    const transaction = await transactional.transaction()
    await transaction.send({ topic: topic.name, messages: [{ value: '{"n":90}' }, { value: '{"n":91}' }] })
    await producer.append([rowsOf(topic, 5, 10)])
    await transaction.abort()
    await producer.append([rowsOf(topic, 10, 15)])
    await transactional.disconnect()
    const assignment = await assignOne(broker, topic)
    t.strictSame((await readAll(assignment)).rows, range(0, 15))
    t.strictSame(numbersOf(await broker.tail(topic, 7)), range(8, 15))
  })

  await t.test('a row that is larger than the topic takes is refused by name, and the next one goes through', async t => {
    const broker = open(t, { compression: 'none' })
    const topic = { ...makeTopic(), key: [] }
    await admin.createTopics({ topics: [{ topic: topic.name, numPartitions: 1 }], waitForLeaders: true })
    const producer = await broker.producer(topic, 'writer')
    const large = (bytes: number): ReturnType<typeof fromRows> => fromRows(topic, [{ n: 1, symbol: 'x'.repeat(bytes) }])
    await t.rejects(producer.append([rowsOf(topic, 0, 1), large(1_100_000)], { checkpoint: 1 }), { code: 'ROW_INVALID', message: /too large for the topic .*, which takes 1048588/ })
    await producer.append([large(1_000_000), large(1_000_000), rowsOf(topic, 2, 3)], { checkpoint: 2 })
    t.strictSame((await readAll(await assignOne(broker, topic))).rows, [1, 1, 2], 'and the append that was refused has left nothing')
    t.equal((await open(t).producer(topic, 'writer')).checkpoint, 2)
  })

  await t.test('large appends are cut, and come back whole', async t => {
    const broker = open(t, { compression: 'none' })
    const topic = makeTopic(2)
    const text = 'x'.repeat(1000)
    await (await broker.producer(topic, 'writer')).append([fromRows(topic, range(0, 20_000).map(n => ({ n, symbol: `${n % 7}${text}` })))])
    const rows = await Promise.all((await assign(await broker.consumer(topic, randomUUID()), 2)).map(async assignment => (await readAll(assignment)).rows))
    t.ok(rows.every(each => each.every((n, i) => i === 0 || n > (each[i - 1] as number))), 'in order')
    t.equal(rows.flat().length, 20_000)
  })

  await t.test('a topic that somebody else made is used as it is', async t => {
    const broker = open(t)
    const topic = makeTopic(2)
    await admin.createTopics({ topics: [{ topic: topic.name, numPartitions: 3, configEntries: [{ name: 'retention.ms', value: '123456789' }] }], waitForLeaders: true })
    await (await broker.producer(topic, 'writer')).append([rowsOf(topic, 0, 30, 30)])
    const found = await Promise.all((await assign(await broker.consumer(topic, randomUUID()), 3)).map(async assignment => (await readAll(assignment)).rows.length))
    t.equal(found.reduce((sum, rows) => sum + rows, 0), 30)
    t.ok((found[2] as number) > 0, 'with all its partitions')
    const { resources } = await admin.describeConfigs({ includeSynonyms: false, resources: [{ type: 2, name: topic.name, configNames: ['retention.ms'] }] })
    t.equal(resources[0]?.configEntries[0]?.configValue, '123456789')
    await t.rejects(broker.producer({ ...topic, partitions: 4 }, 'writer'), { code: 'CONFIG_INVALID', message: /has 3 partitions in Kafka, and 4 in its schema/ })
  })

  await t.test('topics are made as the schema and the configuration say', async t => {
    const prefix = `p${randomUUID().slice(0, 4)}.`
    const broker = open(t, { prefix, compression: 'gzip' })
    const topic = makeTopic(2, { retention: { ms: 5000, bytes: 10_000_000, beyondOutputs: true } })
    await broker.producer(topic, 'writer')
    t.strictSame(await broker.topics(), [topic.name], 'and only those of the prefix are seen')
    const { resources } = await admin.describeConfigs({ includeSynonyms: false, resources: [{ type: 2, name: prefix + topic.name }] })
    const settings = Object.fromEntries(resources[0]?.configEntries.map(({ configName, configValue }) => [configName, configValue]) ?? [])
    t.match(settings, { 'retention.ms': '5000', 'retention.bytes': '5000000', 'message.timestamp.type': 'LogAppendTime', 'compression.type': 'gzip', 'cleanup.policy': 'delete' })
  })
})

import { join } from 'node:path'
import t from 'tap'
import { fromRows } from '../../../runtime/batch.ts'
import { openBroker } from '../../../runtime/broker/open.ts'
import { connectClickHouse } from '../../../runtime/clickhouse/client.ts'
import { startEmbedded } from '../../../runtime/clickhouse/embedded.ts'
import { keepBelow, observedBytes } from '../../../runtime/observe/cap.ts'
import { OBSERVE_GROUP, Recorder } from '../../../runtime/observe/recorder.ts'
import { ObserveSink } from '../../../runtime/observe/sink.ts'
import { createObserveTable, ensureObserveTables, logsTable, metricsTable } from '../../../runtime/observe/tables.ts'
import { platformTopic } from '../../../runtime/platform-topic.ts'
import { until } from '../../conform/context.ts'
import type { Row } from '../../../runtime/batch.ts'
import type { Broker } from '../../../runtime/broker/broker.ts'
import type { Test } from 'tap'

const DAY = 86_400_000
const quiet = { error () {}, warn () {}, info () {}, debug () {} }
const folder = t.testdir()
const engine = await startEmbedded({ folder: join(folder, 'clickhouse'), memoryBytesMax: 2 ** 30, log: quiet })
t.teardown(() => engine.close())
const client = await connectClickHouse(engine.url)
t.teardown(() => client.close())

const log = (i: number, time = Date.now()): Row => ({ time, kind: 'log', level: 'info', runtime: 'r', pipeline: 'p', step: '', name: `line ${i}`, value: null, fields: { i } })
const metric = (i: number, time = Date.now()): Row => ({ time, kind: 'metric', level: '', runtime: 'r', pipeline: 'p', step: 'input.x', name: 'twolane_rows_total', value: i, fields: { kind: 'counter', increase: 1 } })

let brokers = 0
async function openTopic (t: Test): Promise<{ broker: Broker, append (rows: readonly Row[]): Promise<void> }> {
  const broker = await openBroker({ dataFolder: join(folder, `data-${++brokers}`), kafka: undefined })
  t.teardown(() => broker.close())
  const producer = await broker.producer(platformTopic, 'test')
  t.teardown(() => producer.close())
  return { broker, append: rows => producer.append([fromRows(platformTopic, rows)]) }
}

async function startRecorder (t: Test, broker: Broker, more: { clickhouse?: string, isControl?: () => boolean } = {}): Promise<Recorder> {
  const recorder = new Recorder({ broker, clickhouse: engine.url, bytesMax: 2 ** 30, isControl: () => true, log: quiet, flush: { ms: 20 }, ...more })
  t.teardown(() => recorder.close())
  recorder.open()
  return recorder
}

const count = async (): Promise<{ n: string, offsets: string }> => (await client.rows<{ n: string, offsets: string }>('SELECT count() AS n, uniqExact(_offset) AS offsets FROM (SELECT _offset FROM platform.logs UNION ALL SELECT _offset FROM platform.metrics)'))[0] as { n: string, offsets: string }
const settled = (broker: Broker): Promise<void> => until(async () => {
  const state = await broker.inspect(platformTopic.name)
  return state?.groups.find(({ group }) => group === OBSERVE_GROUP)?.offset === state?.partitions[0]?.next
}, 'all rows are stored')
const clear = async (): Promise<void> => { for (const table of ['logs', 'metrics']) await client.command(`TRUNCATE TABLE IF EXISTS platform.${table}`) }

await t.test('rows of the topic become rows of the two tables', async t => {
  const { broker, append } = await openTopic(t)
  const time = Date.now() - 1000
  await append([log(1, time), metric(7, time), { time, kind: 'metric', level: '', runtime: 'r', pipeline: 'p', step: 's', name: 'h', value: 2.5, fields: { kind: 'histogram', increase: 3, bounds: [0.1, 1], counts: [1, 2, 0] } }, { ...log(2, time), fields: { long: 'x'.repeat(20_000) } }])
  const recorder = await startRecorder(t, broker)
  await settled(broker)
  t.match(recorder.state, { state: 'recording', reason: '', needsHand: false, rows: 4 })
  const logs = await client.rows<Record<string, string>>('SELECT * FROM platform.logs ORDER BY _offset')
  t.match(logs, [{ level: 'info', part: 'p', message: 'line 1', fields: '{"i":1}', runtime: 'r' }, { message: 'line 2', fields: /…$/ }])
  t.equal(Date.parse(`${logs[0]?.['time']?.replace(' ', 'T')}Z`), time)
  t.match(await client.rows('SELECT name, kind, value, increase, bounds, counts FROM platform.metrics ORDER BY _offset'), [
    { name: 'twolane_rows_total', kind: 'counter', value: 7, increase: 1, bounds: [], counts: [] }, { name: 'h', kind: 'histogram', value: 2.5, increase: 3, bounds: [0.1, 1], counts: ['1', '2', '0'] }
  ])
})

await t.test('after a crash between two inserts every row is there once', async t => {
  await clear()
  const { broker, append } = await openTopic(t)
  await append(Array.from({ length: 100 }, (_, i) => i % 2 === 0 ? log(i) : metric(i)))
  // As a process that was killed once the logs of the range were in, and before its metrics were.
  const consumer = await broker.consumer(platformTopic, OBSERVE_GROUP)
  const stop = new AbortController()
  for await (const assignment of consumer.assignments(stop.signal)) {
    const { first } = await assignment.bounds()
    const { batches, next } = await assignment.read(first, { rows: 1000, bytes: Infinity })
    await assignment.begin({ from: first, to: next, rows: 100, hash: 'lost', revision: '' })
    const sink = new ObserveSink(client, stop.signal)
    for (const batch of batches) await sink.write(batch.select(Int32Array.from({ length: batch.length / 2 }, (_, i) => 2 * i)))
    await sink.flush()
    t.match(await count(), { n: '50' })
    assignment.release()
    stop.abort()
  }
  await consumer.close()
  await append([log(100)])
  await startRecorder(t, broker)
  await settled(broker)
  t.strictSame({ ...await count() }, { n: '101', offsets: '101' })
})

await t.test('where ClickHouse is away nothing is given up, and its state says why', async t => {
  await clear()
  const { broker, append } = await openTopic(t)
  await append([log(1)])
  const recorder = await startRecorder(t, broker, { clickhouse: 'http://127.0.0.1:9' })
  await until(() => recorder.state.state === 'waiting', 'it waits')
  t.match(recorder.state, { reason: /127\.0\.0\.1:9/, needsHand: false }, 'it helps itself')
  await recorder.close()
  await append([log(2)])
  await startRecorder(t, broker)
  await settled(broker)
  t.match(await count(), { n: '2' })
})

await t.test('a password that is wrong needs a hand', async t => {
  const { broker } = await openTopic(t)
  const url = new URL(engine.url)
  url.password = 'wrong'
  const recorder = await startRecorder(t, broker, { clickhouse: url.href })
  await until(() => recorder.state.needsHand, 'it says so')
  t.notMatch(recorder.state.reason, url.password)
})

await t.test('only the control side stores', async t => {
  await clear()
  const { broker, append } = await openTopic(t)
  await append([log(1)])
  let control = false
  const recorder = await startRecorder(t, broker, { isControl: () => control })
  t.equal(recorder.state.state, 'standby')
  control = true
  await settled(broker)
  t.match(await count(), { n: '1' })
  control = false
  await until(() => recorder.state.state === 'standby', 'it stands by again')
})

await t.test('the oldest days go where logs and metrics take more than they may', async t => {
  await clear()
  await ensureObserveTables(client)
  const sink = new ObserveSink(client, new AbortController().signal)
  const noon = Math.floor(Date.now() / DAY) * DAY - DAY / 2
  for (const age of [3, 2, 1]) await sink.write(fromRows(platformTopic, Array.from({ length: 2000 }, (_, i) => ({ ...log(i, noon - age * DAY + i), fields: { text: Math.random().toString(36).repeat(5) } }))))
  await sink.flush()
  const bytes = await observedBytes(client)
  t.strictSame(await keepBelow(client, bytes), [], 'they fit')
  const day = (age: number): string => new Date(noon - age * DAY).toISOString().slice(0, 10)
  t.strictSame(await keepBelow(client, bytes / 2), [day(3), day(2)])
  t.match(await client.rows('SELECT DISTINCT toString(toDate(time)) AS day FROM platform.logs'), [{ day: day(1) }])
  t.strictSame(await keepBelow(client, 1), [day(1)], 'of the last day its older half')
  const [left] = await client.rows<{ n: string, from: string }>('SELECT count() AS n, toUnixTimestamp64Milli(min(time)) AS from FROM platform.logs')
  t.equal(left?.n, '1000')
  t.equal(Number(left?.from), noon - DAY + 1000)
})

await t.test('a cluster keeps all rows on every node', async t => {
  for (const table of [logsTable, metricsTable]) t.match(createObserveTable(table, 'main'), /ON CLUSTER `main`[^]*ReplicatedReplacingMergeTree\('\/clickhouse\/tables\/all/)
  t.match(createObserveTable(logsTable), /TTL toDateTime\(time\) \+ INTERVAL 30 DAY/)
})

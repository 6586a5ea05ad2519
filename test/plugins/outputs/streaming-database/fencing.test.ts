// A writer that was paused between its intent and its INSERT wakes up when another one has finished its work.

import t from 'tap'
import type { Test } from 'tap'
import plugin from '../../../../plugins/outputs/streaming-database/index.ts'
import { connectClickHouse } from '../../../../runtime/clickhouse/client.ts'
import { startEmbedded } from '../../../../runtime/clickhouse/embedded.ts'
import { openEmbedded } from '../../../../runtime/broker/embedded.ts'
import { Batch, fromRows } from '../../../../runtime/batch.ts'
import { deliver } from '../../../../runtime/deliver.ts'
import { Rejects } from '../../../../runtime/rejects.ts'
import { field, rejectedTopic } from '../../../../runtime/schema.ts'
import type { Assignment, Broker } from '../../../../runtime/broker/broker.ts'
import type { Sink } from '../../../../runtime/plugin.ts'
import { chainOf } from '../../../runtime/destination.ts'
import { configure } from '../../../conform/configure.ts'
import { fakeContext, until } from '../../../conform/context.ts'
import { Proxy } from './proxy.ts'
import * as source from './rows.ts'

const engine = await startEmbedded({ folder: t.testdir(), log: { info () {}, warn () {}, error () {} } })
t.teardown(() => engine.close())
const client = await connectClickHouse(engine.url)
t.teardown(() => client.close())

const { topic } = source
const rows = 300

async function open (database: string, url = engine.url): Promise<Sink> {
  return plugin.open(configure(plugin, { database, models: 'none', timeout_seconds: 60 }), fakeContext({ topic, services: { clickhouse: url } }))
}

async function offsets (database: string): Promise<number[]> {
  const found = await client.rows<{ _offset: string }>(`SELECT _offset FROM ${database}.rows ORDER BY _offset`)
  return found.map(({ _offset }) => Number(_offset))
}

const upTo = (to: number): number[] => Array.from({ length: to }, (_, i) => i)

interface Runtime {
  readonly assignment: Assignment
  readonly ended: Promise<unknown>
  stop (): void
}

/** The deliver loop of one runtime; `onBegun` once its intent is durable. */
async function runtime (broker: Broker, sink: Sink, onBegun: () => void = () => {}): Promise<Runtime> {
  const stop = new AbortController()
  const assignments = (await broker.consumer(topic, 'group')).assignments(stop.signal)
  const assignment = (await assignments.next()).value as Assignment
  const watched = new globalThis.Proxy(assignment, {
    get: (target, name) => {
      if (name === 'begin') return async (intent: Parameters<Assignment['begin']>[0]) => { await target.begin(intent); onBegun() }
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    }
  })
  const ended = deliver({
    assignment: watched,
    sink,
    guarantee: 'exactly once',
    sinkRejects: new Rejects(topic.name, 'test', { now: Date.now }),
    rejected: await broker.producer(rejectedTopic(topic.name), 'group/0'),
    openChain: async (state, revision) => chainOf(() => ({ map: batch => source.batchOf(batch.offsetAt(0), batch.offsetAt(0) + batch.length) }), state, revision),
    flush: { rows: 100, ms: 5, bytes: Infinity },
    revision: 'r1',
    log: fakeContext({ topic }).log
  }, stop.signal).then(() => undefined, (error: unknown) => error)
  return { assignment, ended, stop: () => stop.abort() }
}

/** What is in the table after the old owner has woken up, and how that one ended. */
async function takeover (t: Test, database: string, dress: (sink: Sink) => Sink): Promise<{ readonly stored: number[], readonly error: unknown }> {
  const folder = t.testdir()
  const [mine, theirs] = [openEmbedded({ folder }), openEmbedded({ folder })]
  const proxy = new Proxy(engine.url)
  const [old, young] = [dress(await open(database, await proxy.listen())), dress(await open(database))]
  try {
    await (await mine.producer(topic, 'writer')).append([fromRows(topic, upTo(rows).map(n => ({ n })))])
    const first = await runtime(mine, old, () => proxy.set('hold'))
    await until(() => proxy.mode === 'hold', 'the old owner has begun')
    const second = await runtime(theirs, young)
    t.match(second.assignment.committed, { offset: 0, intent: { from: 0, to: rows } })
    await until(async () => (await theirs.inspect(topic.name))?.groups[0]?.offset === rows, 'the new owner has delivered everything')
    t.strictSame(await offsets(database), upTo(rows))
    second.stop()
    t.equal(await second.ended, undefined)
    proxy.set('pass')
    const error = await first.ended
    return { stored: await offsets(database), error }
  } finally {
    await old.close()
    await young.close()
    await proxy.close()
    await mine.close()
    await theirs.close()
  }
}

await t.test('what a paused owner sends after another one has taken over is refused', async t => {
  const { stored, error } = await takeover(t, 'fenced', sink => sink)
  t.strictSame(stored, upTo(rows))
  t.match(error, { code: 'BROKER_FENCED', message: /newer owner, which writes to ClickHouse now/ })
})

await t.test('without an owner the same rows would be doubled', async t => {
  const { stored } = await takeover(t, 'unfenced', sink => ({
    write: batch => sink.write(batch), flush: range => sink.flush(range), landed: range => sink.landed?.(range) as Promise<Float64Array>, close: () => sink.close()
  }))
  t.equal(stored.length, 2 * rows, 'the test tells the difference')
})

await t.test('an older owner cannot come back, and the same one may come again', async t => {
  const [a, b] = [await open('order'), await open('order')]
  await a.own?.({ partition: 0, epoch: 7 })
  await b.own?.({ partition: 0, epoch: 8 })
  await t.rejects(async () => a.own?.({ partition: 0, epoch: 7 }), { code: 'BROKER_FENCED', message: /partition 0 of rows has a newer owner in order\._twolane_owners/, remedy: /twolane move/ })
  await a.own?.({ partition: 1, epoch: 3 })
  await b.own?.({ partition: 0, epoch: 8 })
  await b.write(source.batchOf(0, 10))
  await b.flush({ partition: 0, from: 0, to: 10 })
  t.strictSame(await offsets('order'), upTo(10))
  t.strictSame(await client.rows('SELECT table, writer, topic, partition, max(epoch) AS epoch FROM `order`._twolane_owners GROUP BY ALL ORDER BY partition'), [
    { table: 'rows', writer: 'test:test', topic: 'rows', partition: 0, epoch: '8' }, { table: 'rows', writer: 'test:test', topic: 'rows', partition: 1, epoch: '3' }
  ])
  await a.close()
  await b.close()
})

await t.test('a table may have very many columns', async t => {
  const fields = Array.from({ length: 900 }, (_, i) => field(`a_rather_long_name_of_a_field_${i}`, { kind: 'string' }))
  const wide = { ...topic, fields: [...topic.fields, ...fields] }
  const sink = await plugin.open(configure(plugin, { database: 'wide', models: 'none' }), fakeContext({ topic: wide, services: { clickhouse: engine.url } }))
  await sink.own?.({ partition: 0, epoch: 1 })
  await sink.write(new Batch(wide, 10, source.batchOf(0, 10).columns, { position: { partition: 0, offset: 0, time: 0 } }))
  await sink.flush({ partition: 0, from: 0, to: 10 })
  t.strictSame(await offsets('wide'), upTo(10))
  await sink.close()
})

await t.test('where the record of owners is lost, nothing is written until an owner claims anew', async t => {
  const sink = await open('lost')
  await sink.own?.({ partition: 0, epoch: 1 })
  await client.command('TRUNCATE TABLE lost._twolane_owners')
  await sink.write(source.batchOf(0, 10))
  await t.rejects(sink.flush({ partition: 0, from: 0, to: 10 }), { code: 'BROKER_FENCED' })
  t.strictSame(await offsets('lost'), [])
  await sink.own?.({ partition: 0, epoch: 2 })
  await sink.write(source.batchOf(0, 10))
  await sink.flush({ partition: 0, from: 0, to: 10 })
  t.strictSame(await offsets('lost'), upTo(10))
  await sink.close()
})

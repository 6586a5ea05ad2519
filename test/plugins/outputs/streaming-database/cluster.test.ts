// The output on a cluster, as far as one engine can be one: a cluster of one node, whose tables are not replicated. A
// front takes out of the statements what needs Keeper, and keeps them as they were sent: cluster.sql has them all, for
// a schema with every type. TAP_SNAPSHOT=1 writes the file anew.

import t from 'tap'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer, request } from 'node:http'
import { text } from 'node:stream/consumers'
import { join } from 'node:path'
import type { AddressInfo } from 'node:net'
import plugin from '../../../../plugins/outputs/streaming-database/index.ts'
import { connectClickHouse } from '../../../../runtime/clickhouse/client.ts'
import { startEmbedded } from '../../../../runtime/clickhouse/embedded.ts'
import { Batch } from '../../../../runtime/batch.ts'
import { field } from '../../../../runtime/schema.ts'
import type { Sink, Topic } from '../../../../runtime/plugin.ts'
import type { Type } from '../../../../runtime/schema.ts'
import { configure } from '../../../conform/configure.ts'
import { fakeContext } from '../../../conform/context.ts'
import * as source from './rows.ts'

const root = t.testdir({
  'engine.xml': '<clickhouse><tcp_port>9000</tcp_port><remote_servers><main><shard><replica><host>127.0.0.1</host><port>9000</port></replica></shard></main></remote_servers></clickhouse>',
  engine: {},
  models: { 'latest.sql': '-- The newest row of each symbol\n-- table: rows\nSELECT symbol, max(at) AS at\nFROM rows\nGROUP BY symbol' }
})
const engine = await startEmbedded({ folder: join(root, 'engine'), engineArgs: [`--config-file=${join(root, 'engine.xml')}`], password: null, log: { info () {}, warn () {}, error () {} } })
t.teardown(() => engine.close())
const client = await connectClickHouse(engine.url)
t.teardown(() => client.close())

const golden = new URL('cluster.sql', import.meta.url).pathname
const sent: string[] = []

/** What one engine without Keeper makes of a statement; empty: nothing. */
function alone (sql: string): string {
  if (sql.startsWith('SYSTEM SYNC REPLICA')) return ''
  return sql.replace(/ ON CLUSTER `main`/, '').replace(/Replicated(\w*MergeTree)\('[^']*', '[^']*'(?:, )?/, '$1(')
}

const front = createServer((message, response) => {
  const url = new URL(message.url ?? '/', engine.url)
  const forward = (body?: string): void => {
    const onward = request(url, { method: message.method ?? 'POST', headers: { 'content-type': 'text/plain' } }, answer => {
      response.writeHead(answer.statusCode ?? 500, answer.headers)
      answer.pipe(response)
    })
    if (body === undefined) message.pipe(onward)
    else onward.end(body)
  }
  if (url.searchParams.has('query')) {
    sent.push(url.searchParams.get('query') ?? '')
    forward()
    return
  }
  void text(message).then(sql => {
    sent.push(sql)
    if (alone(sql) === '') response.end()
    else forward(alone(sql))
  })
})
front.listen(0, '127.0.0.1')
await once(front, 'listening')
t.teardown(() => {
  front.closeAllConnections()
  front.close()
})
const url = `http://127.0.0.1:${(front.address() as AddressInfo).port}/?cluster=main`

const kinds = ['string', 'bool', 'float32', 'float64', 'date', 'json', 'int8', 'int16', 'int32', 'int64', 'uint8', 'uint16', 'uint32', 'uint64'] as const
const types: ReadonlyArray<readonly [string, Type]> = [
  ...kinds.map(kind => [`a_${kind}`, { kind }] as const),
  ...(['s', 'ms', 'us', 'ns'] as const).map(unit => [`a_time_${unit}`, { kind: 'timestamp', unit }] as const),
  ['a_decimal', { kind: 'decimal', precision: 38, scale: 18 }],
  ['an_enum', { kind: 'enum', values: ['buy', 'sell'] }],
  ['a_list', { kind: 'list', of: { kind: 'float64' } }]
]
const every: Topic = {
  ...source.topic,
  description: 'Rows with a field of each type',
  fields: [...source.topic.fields, ...types.map(([name, type]) => field(name, type)), field('named', { kind: 'string' }, { lowCardinality: true, description: 'It\'s a name', unit: 'words' })]
}

async function open (topic: Topic): Promise<Sink> {
  return plugin.open(configure(plugin, { url, models: join(root, 'models'), database: 'live' }), fakeContext({ topic, pipeline: 'quotes', step: 'outputs.streaming-database' }))
}

function batchOf (topic: Topic, from: number, to: number): Batch {
  const { columns, position, length } = source.batchOf(from, to)
  return new Batch(topic, length, columns, { position })
}

async function offsets (): Promise<number[]> {
  return (await client.rows<{ _offset: string }>('SELECT _offset FROM live.rows ORDER BY _offset')).map(({ _offset }) => Number(_offset))
}

const upTo = (to: number): number[] => Array.from({ length: to }, (_, i) => i)

await t.test('rows go through the Distributed table, are read back, and a paused owner is refused', async t => {
  const sink = await open(every)
  await sink.own?.({ partition: 0, epoch: 7 })
  await sink.write(batchOf(every, 0, 30))
  await sink.flush({ partition: 0, from: 0, to: 30 })
  t.strictSame([...await sink.landed?.({ partition: 0, from: 10, to: 40 }) ?? []], upTo(30).slice(10))
  t.strictSame(await client.rows('SELECT count() AS n FROM live.rows_local'), [{ n: '30' }])
  t.equal((await client.rows('SELECT symbol FROM live.latest')).length, 3)

  const young = await open(every)
  await young.own?.({ partition: 0, epoch: 8 })
  await sink.write(batchOf(every, 30, 60))
  await t.rejects(sink.flush({ partition: 0, from: 30, to: 60 }), { code: 'BROKER_FENCED' })
  await young.write(batchOf(every, 30, 60))
  await young.flush({ partition: 0, from: 30, to: 60 })
  t.strictSame(await offsets(), upTo(60))
  await sink.close()
  await young.close()
})

await t.test('both tables follow the schema', async t => {
  const grown = { ...every, description: 'More rows', fields: [...every.fields, field('venue', { kind: 'string' }), field('wide', { kind: 'int64' })] }
  const sink = await open(grown)
  await sink.own?.({ partition: 0, epoch: 9 })
  await sink.write(batchOf(grown, 60, 70))
  await sink.flush({ partition: 0, from: 60, to: 70 })
  t.strictSame(await client.rows('SELECT count() AS n, count(venue) AS v FROM live.rows'), [{ n: '70', v: '0' }])
  t.strictSame(await client.rows('SELECT engine, comment FROM system.tables WHERE database = \'live\' AND name LIKE \'rows%\' ORDER BY engine'), [{ engine: 'Distributed', comment: 'More rows' }, { engine: 'MergeTree', comment: 'More rows' }])
  await sink.close()

  // As if the process had died between the two changes.
  await client.command('CREATE OR REPLACE TABLE live.rows (symbol String) ENGINE = Distributed(\'main\', \'live\', \'rows_local\')')
  const again = await open(grown)
  await again.own?.({ partition: 0, epoch: 10 })
  await again.write(batchOf(grown, 70, 80))
  await again.flush({ partition: 0, from: 70, to: 80 })
  t.strictSame(await offsets(), upTo(80))
  await again.close()
})

await t.test('the statements are those of cluster.sql', async t => {
  const shown = sent.filter(sql => /^(?:CREATE|ALTER|INSERT|SYSTEM|KILL)\b|FROM clusterAllReplicas/.test(sql))
  const statements = [...new Set(shown)].map(sql => sql.replace(/FORMAT JSONEachRow$/, '').trimEnd())
  const file = `${statements.join(';\n\n')};\n`
  if (process.env['TAP_SNAPSHOT'] === '1') writeFileSync(golden, file)
  t.equal(file, readFileSync(golden, 'utf8'))
})

await t.test('ClickHouse\'s own parser takes every statement of cluster.sql', async t => {
  const kill = 'KILL QUERY ON CLUSTER `main` WHERE startsWith(query_id, \'twolane:\') ASYNC'
  for (const sql of [...readFileSync(golden, 'utf8').trimEnd().slice(0, -1).split(';\n\n'), kill]) {
    // Behind FORMAT there would be data.
    const statement = sql.replace(/ FORMAT ArrowStream$/, '')
    const rows = await client.rows<{ f: string }>('SELECT formatQuery({sql:String}) AS f', { query_params: { sql: statement } })
    t.ok((rows[0]?.f.length ?? 0) > 20, sql.slice(0, 60))
  }
})

await t.test('a table of one server in the place of the one over all nodes is left as it is', async t => {
  await client.command('CREATE DATABASE taken')
  await client.command('CREATE TABLE taken.rows (a Int8) ENGINE = MergeTree ORDER BY a')
  await t.rejects(plugin.open(configure(plugin, { url, models: 'none', database: 'taken' }), fakeContext({ topic: every })), { code: 'DESTINATION_REFUSED', message: /taken\.rows is there already, a MergeTree that the platform has not made/ })
  t.strictSame(await client.rows('SELECT name FROM system.tables WHERE database = \'taken\''), [{ name: 'rows' }])
})

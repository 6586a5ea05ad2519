// A database with tables of others, and a user with few rights.

import t from 'tap'
import { once } from 'node:events'
import { createServer, request } from 'node:http'
import { text } from 'node:stream/consumers'
import type { AddressInfo } from 'node:net'
import { connectClickHouse } from '../../../runtime/clickhouse/client.ts'
import { startEmbedded } from '../../../runtime/clickhouse/embedded.ts'
import { ensureTable } from '../../../runtime/clickhouse/migrate.ts'
import { applyModels, parseModel } from '../../../runtime/clickhouse/models.ts'
import { claim } from '../../../runtime/clickhouse/owners.ts'
import { field } from '../../../runtime/schema.ts'
import { fakeTopic } from '../../conform/context.ts'

const engine = await startEmbedded({ folder: t.testdir(), password: null, log: { info () {}, warn () {}, error () {} } })
t.teardown(() => engine.close())
const client = await connectClickHouse(engine.url)
t.teardown(() => client.close())

const topic = { ...fakeTopic('quotes', [field('symbol', { kind: 'string' }, { mandatory: true }), field('price', { kind: 'float64' })]), key: ['symbol'], description: 'Quotes' }
const model = parseModel('latest.sql', 'latest', '-- The latest\n-- table: quotes\nSELECT max(price) AS price FROM quotes')

async function definitions (database: string): Promise<Array<{ name: string, create_table_query: string }>> {
  return client.rows('SELECT name, create_table_query FROM system.tables WHERE database = {database:String} ORDER BY name', { query_params: { database } })
}

await t.test('tables of others in the same database stay as they are', async t => {
  await client.command('CREATE DATABASE shop')
  await client.command('CREATE TABLE shop.orders (id Int64, _offset Int64) ENGINE = MergeTree ORDER BY id')
  await client.command('CREATE VIEW shop.totals AS SELECT count() AS n FROM shop.orders')
  const before = await definitions('shop')
  await ensureTable(client, topic, { database: 'shop', table: 'quotes' })
  await ensureTable(client, { ...topic, fields: [...topic.fields, field('size', { kind: 'int32' })] }, { database: 'shop', table: 'quotes' })
  await applyModels(client, [model], { database: 'shop' })
  await claim(client, { table: { database: 'shop', table: 'quotes' }, writer: 'a:b', topic: 'quotes', partition: 0, epoch: 1 })
  const after = await definitions('shop')
  t.strictSame(after.filter(({ name }) => ['orders', 'totals'].includes(name)), before)
  t.strictSame(after.map(({ name }) => name), ['_twolane_owners', 'latest', 'orders', 'quotes', 'totals'])
})

await t.test('a table or a view of others under the name of ours is refused and left as it is', async t => {
  await client.command('CREATE DATABASE used')
  await client.command('CREATE TABLE used.table (symbol String, price Nullable(Float64), _topic LowCardinality(String), _partition UInt16, _offset Int64) ENGINE = MergeTree ORDER BY symbol')
  await client.command('CREATE TABLE used.log (symbol String) ENGINE = Log')
  await client.command('CREATE VIEW used.view AS SELECT 1 AS symbol')
  await client.command('CREATE VIEW used.latest AS SELECT 1 AS price')
  const before = await definitions('used')
  for (const [table, is] of [['table', 'MergeTree'], ['log', 'Log'], ['view', 'View']] as const) {
    await t.rejects(ensureTable(client, topic, { database: 'used', table }), {
      code: 'DESTINATION_REFUSED', message: `used.${table} is there already, a ${is} that the platform has not made, and is left as it is`, remedy: /another name/
    })
  }
  await ensureTable(client, topic, { database: 'used', table: 'quotes' })
  await t.rejects(applyModels(client, [model], { database: 'used' }), { code: 'CONFIG_INVALID', message: /latest has the name of a view that the platform has not made/, where: 'latest.sql' })
  t.strictSame((await definitions('used')).filter(({ name }) => name !== 'quotes'), before)
  await client.command('DROP VIEW used.latest')
  t.strictSame(await applyModels(client, [model], { database: 'used' }), ['latest'])
  t.strictSame(await applyModels(client, [model], { database: 'used' }), ['latest'], 'it is ours from then on')
})

await t.test('a user who may not make databases uses one that is there', async t => {
  const front = createServer((message, response) => {
    void text(message).then(sql => {
      if (sql.startsWith('CREATE DATABASE')) {
        response.writeHead(403, { 'X-ClickHouse-Exception-Code': '497' }).end('Code: 497. DB::Exception: reader: Not enough privileges. To execute this query, it\'s necessary to have the grant CREATE DATABASE ON given.*. (ACCESS_DENIED) (version 26.7.2.1)')
        return
      }
      request(new URL(message.url ?? '/', engine.url), { method: 'POST' }, answer => {
        response.writeHead(answer.statusCode ?? 500, answer.headers)
        answer.pipe(response)
      }).end(sql)
    })
  })
  front.listen(0, '127.0.0.1')
  await once(front, 'listening')
  t.teardown(() => {
    front.closeAllConnections()
    front.close()
  })
  const reader = await connectClickHouse(`http://127.0.0.1:${(front.address() as AddressInfo).port}`)
  await t.rejects(ensureTable(reader, topic, { database: 'given', table: 'quotes' }), { code: 'DESTINATION_REFUSED', message: /CREATE DATABASE ON given/, remedy: /Grant the user this right/ })
  await client.command('CREATE DATABASE given')
  t.equal((await ensureTable(reader, topic, { database: 'given', table: 'quotes' })).length, 1)
  await reader.close()
})

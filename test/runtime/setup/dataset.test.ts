// Effects of a change on tables, and the teardown of a dataset, on a real engine with rows in both lanes.

import t from 'tap'
import { openGround, tradesOf } from '../data/ground.ts'
import { newestSeq, pinComment, readFlips } from '../../../runtime/warehouse/boundary.ts'
import { ensureTable } from '../../../runtime/clickhouse/migrate.ts'
import { ensureViews } from '../../../runtime/warehouse/views.ts'
import type { LightMyRequestResponse } from 'fastify'
import type { Topic } from '../../../runtime/schema.ts'

const ground = await openGround(t)
const { streaming: engine } = ground
for (let day = 0; day < 3; day++) await ground.put('trades', tradesOf(day, ['AAPL'], 20))
await ground.put('secrets', tradesOf(0, ['SECRET'], 10))
await ground.handOver(3)
const post = (url: string, payload: object): Promise<LightMyRequestResponse> => ground.ask('POST', url, { payload, headers: { 'content-type': 'application/json' } })
const count = async (table: string): Promise<number> => Number((await engine.rows<{ n: string }>(`SELECT count() AS n FROM ${table}`, { settings: { log_comment: pinComment(await newestSeq(engine)) } }))[0]?.n)
const tables = async (name: string): Promise<string[]> => (await engine.rows<{ shown: string }>("SELECT concat(database, '.', name) AS shown FROM system.tables WHERE name = {name:String}", { query_params: { name } })).map(({ shown }) => shown).sort()

await t.test('a plan tells which tables are made, altered, and cannot follow', async t => {
  const effects = async (schema: string, text: string): Promise<{ readonly problems: ReadonlyArray<{ readonly message: string }>, readonly effects: { readonly tables: ReadonlyArray<{ readonly table: string, readonly change: string, readonly statements: readonly string[], readonly reason: string }> } }> => {
    const answer = await post('/v1/changes', { files: [{ path: `schemas/${schema}.yaml`, text }, { path: `pipelines/${schema}.yaml`, text: `topic: ${schema}\noutputs: [streaming-database: {}]\n` }] })
    if (answer.statusCode !== 200) throw new Error(answer.body)
    return answer.json()
  }
  const { text } = (await ground.ask('GET', '/v1/files/schemas/trades.yaml')).json<{ text: string }>()
  const added = await effects('trades', `${text}  venue: { type: string }\n`)
  t.same(added.problems, [])
  t.match(added.effects.tables, [{ table: 'streaming.trades', change: 'altered', statements: [/ADD COLUMN.*`?venue`?/s] }, { table: 'warehouse.trades', change: 'altered', statements: [/ADD COLUMN.*`?venue`?/s] }])
  const narrowed = await effects('trades', text.replace('size: { type: int64', 'size: { type: date'))
  t.match(narrowed.effects.tables, [{ table: 'streaming.trades', change: 'refused', reason: /size/ }, { table: 'warehouse.trades', change: 'refused', reason: /size/ }])
  t.match(narrowed.problems.find(({ message }) => /size/.test(message)), { message: /size/ }, 'it cannot be applied')
  t.match((await effects('empty', `${text}  venue: { type: string }\n`)).effects.tables, [{ table: 'streaming.empty', change: 'made', statements: [/CREATE TABLE/] }])
  t.same((await tables('empty')), [], 'nothing was made')
})

await t.test('a dataset goes from both lanes with its boundary and its views, and no other one', async t => {
  t.equal((await readFlips(engine, { dataset: 'trades' })).length > 0, true)
  t.same([await count('data.trades'), await count('history.trades') > 0, await count('realtime.trades') > 0], [60, true, true])
  const planned = (await ground.ask('GET', '/v1/teardown/dataset/trades')).json<{ goes: Array<{ what: string, size: string, rows: boolean }>, stays: string[], readers: string[] }>()
  t.match(planned.goes.map(({ what }) => what).sort(), ['days that were handed over', 'table streaming.trades', 'table warehouse.trades', 'view data.trades', 'view history.trades', 'view realtime.trades'])
  t.match(planned.goes.find(({ what }) => what === 'table warehouse.trades'), { size: /^[1-9]\d* rows, [1-9]\d* bytes$/, rows: true })
  t.same(planned.readers, [], 'pipelines that are disabled write nothing')
  t.equal((await post('/v1/teardown/dataset/trades', { name: 'trades' })).statusCode, 400, 'a dataset is its rows')
  const answer = await post('/v1/teardown/dataset/trades', { name: 'trades', rows: true })
  t.equal(answer.statusCode, 200, answer.body)
  t.same(await tables('trades'), [])
  t.same(await readFlips(engine, { dataset: 'trades' }), [])
  t.equal(await count('data.secrets'), 10)
  t.ok((await readFlips(engine, { dataset: 'secrets' })).length > 0)
  t.equal((await ground.ask('GET', '/v1/teardown/dataset/trades')).statusCode, 404)
})

await t.test('a dataset of the same name that begins again shows all of its rows', async t => {
  const schema = ground.topics.get('trades') as Topic
  await ensureTable(engine, schema, { database: 'streaming', table: 'trades' })
  await ensureViews(engine, { dataset: 'trades', schema, streaming: { database: 'streaming', table: 'trades' }, warehouse: true })
  await engine.command(`INSERT INTO streaming.trades (symbol, at, _topic, _partition, _offset, _ingest_time) SELECT symbol, at, 'trades', 0, number, at FROM (SELECT *, toInt64(size) - 1 AS number FROM (${tradesOf(0, ['AAPL'], 20)}))`)
  t.equal(await count('data.trades'), 20, 'on days and at offsets that had been handed over')
})

await t.test('what is left of a teardown that was broken off is found again, and what others made stays', async t => {
  await engine.command('DROP TABLE streaming.trades SYNC')
  for (const view of ['data', 'realtime', 'history']) await engine.command(`DROP VIEW ${view}.trades SYNC`)
  await engine.command("CREATE VIEW data.trades AS SELECT 1 AS one COMMENT 'of somebody else'")
  await engine.command('CREATE TABLE streaming.trades (n Int64) ENGINE = MergeTree ORDER BY n')
  const planned = (await ground.ask('GET', '/v1/teardown/dataset/trades')).json<{ goes: object[], stays: string[] }>()
  t.match(planned.goes, [{ what: 'table warehouse.trades' }])
  t.match(planned.stays.filter(line => /not made/.test(line)), [/streaming\.trades/, /data\.trades/])
  t.equal((await post('/v1/teardown/dataset/trades', { name: 'trades', rows: true })).statusCode, 200)
  t.same(await tables('trades'), ['data.trades', 'streaming.trades'])
})

await t.test('who stores rows in it, and whoever asks for it under a name, keeps it', async t => {
  const saved = await post('/v1/queries', { slug: 'last-ones', title: 'Last', spec: { kind: 'data', dataset: 'secrets' }, shared: true })
  t.match(saved.statusCode, 201, saved.body)
  const planned = (await ground.ask('GET', '/v1/teardown/dataset/secrets')).json<{ readers: string[] }>()
  t.match(planned.readers, ['the saved query last-ones'])
  t.match((await post('/v1/teardown/dataset/secrets', { name: 'secrets', rows: true })).json(), { status: 409, code: 'STILL_READ' })
  t.equal(await count('data.secrets'), 10)
})

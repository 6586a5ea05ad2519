import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { connectClickHouse } from '../../../runtime/clickhouse/client.ts'
import { startEmbedded } from '../../../runtime/clickhouse/embedded.ts'
import { ensureTable } from '../../../runtime/clickhouse/migrate.ts'
import { ensureViews, warehouseTable } from '../../../runtime/warehouse/views.ts'
import { topicOf } from './days.ts'
import type { ClickHouse } from '../../../runtime/clickhouse/client.ts'

const folder = join(t.testdir(), 'clickhouse')
mkdirSync(folder)
const engine = await startEmbedded({ folder, memoryBytesMax: 2 ** 30, log: { info () {}, warn () {}, error () {} } })
t.teardown(() => engine.close())
const client = await connectClickHouse(engine.url)
t.teardown(() => client.close())

/** Bars of two symbols, with one price; `take` is how often they were read before. */
async function load (client: ClickHouse, table: string, { topic, bars, price, take }: { readonly topic: string, readonly bars: readonly number[], readonly price: number, readonly take: number }): Promise<void> {
  const rows = bars.flatMap((bar, i) => ['A', 'B'].map((symbol, s) =>
    `('${symbol}', toDateTime64('2024-03-01 00:00:00', 3, 'UTC') + INTERVAL ${bar} MINUTE, ${price}, '${topic}', 0, ${take * 1000 + i * 2 + s}, toDateTime64('2024-03-02 00:00:00', 3, 'UTC') + INTERVAL ${take} HOUR)`))
  await client.command(`INSERT INTO ${table} (symbol, at, price, _topic, _partition, _offset, _ingest_time) VALUES ${rows.join(', ')}`)
}

const prices = (view: string): Promise<unknown[]> => client.rows(`SELECT symbol, formatDateTime(at, '%H:%i') AS at, toFloat64(price) AS price FROM ${view} ORDER BY symbol, at`)

await t.test('a row that names the same as a later one is not read, in any view and over both databases', async t => {
  const schema = { ...topicOf('bars'), unique: ['symbol', 'at'] }
  const streaming = { database: 'streaming', table: 'bars' }
  await ensureTable(client, schema, streaming)
  await ensureViews(client, { dataset: 'bars', schema, streaming, warehouse: true })
  await load(client, 'warehouse.bars', { topic: 'bars', bars: [0, 1, 2], price: 10, take: 0 })
  await load(client, 'warehouse.bars', { topic: 'bars', bars: [1], price: 11, take: 1 })
  await load(client, 'streaming.bars', { topic: 'bars', bars: [2, 3], price: 12, take: 2 })
  await load(client, 'streaming.bars', { topic: 'bars', bars: [3], price: 13, take: 3 })
  const of = (symbol: string, bars: Record<string, number>): unknown[] => Object.entries(bars).map(([at, price]) => ({ symbol, at, price }))
  const both = (bars: Record<string, number>): unknown[] => [...of('A', bars), ...of('B', bars)]
  t.strictSame(await prices('history.bars'), both({ '00:00': 10, '00:01': 11, '00:02': 10 }))
  t.strictSame(await prices('realtime.bars'), both({ '00:02': 12, '00:03': 13 }))
  t.strictSame(await prices('data.bars'), both({ '00:00': 10, '00:01': 11, '00:02': 12, '00:03': 13 }))
  t.strictSame(await prices("(SELECT * FROM data.bars WHERE symbol = 'B' AND price < 13)"), of('B', { '00:00': 10, '00:01': 11, '00:02': 12 }), 'also where the reader asks for some of them')
})

await t.test('without such names every row counts', async t => {
  const schema = topicOf('ticks')
  const streaming = { database: 'streaming', table: 'ticks' }
  await ensureTable(client, schema, streaming)
  await ensureViews(client, { dataset: 'ticks', schema, streaming, warehouse: true })
  await load(client, 'warehouse.ticks', { topic: 'ticks', bars: [0], price: 10, take: 0 })
  await load(client, 'warehouse.ticks', { topic: 'ticks', bars: [0], price: 10, take: 1 })
  t.equal((await prices('data.ticks')).length, 4)
})

await t.test('a dataset that is only in the warehouse can be read as all others, and its view does not hide streaming rows that come later', async t => {
  const schema = topicOf('loaded')
  await ensureTable(client, schema, warehouseTable('loaded'), 'warehouse')
  await ensureViews(client, { dataset: 'loaded', schema, streaming: undefined, warehouse: true })
  await load(client, 'warehouse.loaded', { topic: 'loaded', bars: [0], price: 10, take: 0 })
  t.equal((await prices('data.loaded')).length, 2)
  const streaming = { database: 'streaming', table: 'loaded' }
  await ensureTable(client, schema, streaming)
  await load(client, 'streaming.loaded', { topic: 'loaded', bars: [1], price: 10, take: 0 })
  // The output of the job is opened again, and knows nothing of the stream.
  await ensureViews(client, { dataset: 'loaded', schema, streaming: undefined, warehouse: true })
  t.equal((await prices('data.loaded')).length, 4)
})

import t from 'tap'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connectClickHouse } from '../../../runtime/clickhouse/client.ts'
import { startEmbedded } from '../../../runtime/clickhouse/embedded.ts'
import { ensureTable } from '../../../runtime/clickhouse/migrate.ts'
import { applyModels, readModels } from '../../../runtime/clickhouse/models.ts'
import { PlatformError } from '../../../runtime/errors.ts'
import { readTopic } from '../../../runtime/schema-file.ts'

const engine = await startEmbedded({ folder: t.testdir(), log: { info () {}, warn () {}, error () {} } })
t.teardown(() => engine.close())
const client = await connectClickHouse(engine.url)
t.teardown(() => client.close())

const root = new URL('../../../', import.meta.url).pathname
const folder = join(root, 'schemas/models')
const schema = join(root, 'schemas/quotes.yaml')
const quotes = readTopic(schema, await readFile(schema, 'utf8'))

let offset = 0
async function quote (symbol: string, time: string, { last = null, bid = null, ask = null, volume = null, snapshot = false }: {
  last?: number | null, bid?: number | null, ask?: number | null, volume?: number | null, snapshot?: boolean
}): Promise<void> {
  const value = (number: number | null): string => number === null ? 'NULL' : `'${number}'`
  await client.command(`INSERT INTO streaming.quotes (symbol, event_time, last, bid, ask, volume, snapshot, _topic, _partition, _offset, _ingest_time)
    VALUES ('${symbol}', '2024-01-02 ${time}', ${value(last)}, ${value(bid)}, ${value(ask)}, ${value(volume)}, ${String(snapshot)}, 'quotes', 0, ${offset++}, now64(3))`)
}

await t.test('models whose tables do not exist yet are left for later', async t => {
  const models = await readModels(folder)
  t.ok(models.length >= 4)
  for (const model of models) t.ok(model.description.length > 10, model.name)
  await client.command('CREATE DATABASE streaming')
  t.strictSame(await applyModels(client, models, { database: 'streaming' }), [])
  t.strictSame(await readModels(join(folder, 'nowhere')), [])
})

await t.test('all models of quotes are made, again and again, and only those of the table in question', async t => {
  await ensureTable(client, quotes, { database: 'streaming', table: 'quotes' })
  const models = await readModels(folder)
  const names = models.filter(({ tables }) => tables.includes('quotes')).map(({ name }) => name)
  t.strictSame(await applyModels(client, models, { database: 'streaming', of: 'quotes' }), names)
  t.strictSame(await applyModels(client, models, { database: 'streaming', of: 'quotes' }), names)
  t.strictSame(await applyModels(client, models, { database: 'streaming', of: 'bars' }), [])
  const views = await client.rows<{ name: string, comment: string }>('SELECT name, comment FROM system.tables WHERE database = \'streaming\' AND engine = \'View\' ORDER BY name')
  t.strictSame(views, models.filter(({ name }) => names.includes(name)).map(({ name, description }) => ({ name, comment: `${description} (Twolane model)` })))
})

await t.test('the latest quote is the newest row as a whole, nulls included, at every moment', async t => {
  const latest = (): Promise<unknown[]> => client.rows('SELECT symbol, event_time, last, bid, updates FROM streaming.quotes_latest ORDER BY symbol')
  t.strictSame(await latest(), [])
  await quote('A', '14:30:00.100', { last: 9.5, bid: 9, ask: 10, volume: 1000, snapshot: true })
  t.strictSame(await latest(), [{ symbol: 'A', event_time: '2024-01-02 14:30:00.100', last: '9.5', bid: '9', updates: '1' }])
  await quote('A', '14:30:00.200', { last: 10, bid: 9.99, ask: 10.00000001, volume: 1100 })
  await quote('A', '14:30:00.200', { last: 12.00000001, ask: 10.04, volume: 1150 })
  await quote('B', '14:30:00.000', { last: 1 })
  await quote('A', '14:29:00.000', { last: 99, volume: 1000 })
  t.strictSame(await latest(), [
    { symbol: 'A', event_time: '2024-01-02 14:30:00.200', last: '12.00000001', bid: null, updates: '4' },
    { symbol: 'B', event_time: '2024-01-02 14:30:00.000', last: '1', bid: null, updates: '1' }
  ])
})

await t.test('bars are exact: ties go by offset, snapshots do not count, volume goes from bar to bar', async t => {
  await quote('A', '14:30:01.000', { last: 8, volume: 1250 })
  await quote('A', '14:30:03.000', { last: 8, volume: 40 })
  const seconds = await client.rows('SELECT time, open, high, low, close, open_mid, close_mid, volume, ticks FROM streaming.quotes_1s WHERE symbol = \'A\' ORDER BY time')
  const bar = (time: string, [open, high, low, close]: string[], more: object): object => ({ time: `2024-01-02 ${time}`, open, high, low, close, open_mid: null, close_mid: null, ...more })
  t.strictSame(seconds, [
    bar('14:29:00.000', ['99', '99', '99', '99'], { volume: null, ticks: '1' }),
    bar('14:30:00.000', ['10', '12.00000001', '10', '12.00000001'], { open_mid: '9.995000005', close_mid: '9.995000005', volume: '150', ticks: '2' }),
    bar('14:30:01.000', ['8', '8', '8', '8'], { volume: '100', ticks: '1' }),
    bar('14:30:03.000', ['8', '8', '8', '8'], { volume: '40', ticks: '1' })
  ])
  const minutes = await client.rows('SELECT time, open, high, low, close, volume, ticks FROM streaming.quotes_1m WHERE symbol = \'A\' ORDER BY time')
  t.strictSame(minutes, [
    { time: '2024-01-02 14:29:00', open: '99', high: '99', low: '99', close: '99', volume: null, ticks: '1' },
    { time: '2024-01-02 14:30:00', open: '10', high: '12.00000001', low: '8', close: '8', volume: '40', ticks: '4' }
  ])
})

await t.test('the spread is that of each quote with two sides', async t => {
  await quote('C', '15:00:00.000', { bid: 10, ask: 9.5 })
  t.strictSame(await client.rows('SELECT symbol, mid, spread, round(spread_bps, 3) AS bps, crossed FROM streaming.quotes_spread ORDER BY symbol, event_time'), [
    { symbol: 'A', mid: '9.5', spread: '1', bps: 1052.632, crossed: 0 },
    { symbol: 'A', mid: '9.995000005', spread: '0.01000001', bps: 10.005, crossed: 0 },
    { symbol: 'C', mid: '9.75', spread: '-0.5', bps: -512.821, crossed: 1 }
  ])
})

await t.test('a model that the engine refuses is named with its file and line', async t => {
  const own = t.testdir()
  await mkdir(own, { recursive: true })
  const refused = async (sql: string, line: number, message: RegExp): Promise<void> => {
    const file = join(own, 'wrong.sql')
    await writeFile(file, sql)
    try {
      await applyModels(client, await readModels(own), { database: 'streaming' })
      t.fail('should be refused')
    } catch (error) {
      t.ok(error instanceof PlatformError)
      const { code, where, message: text } = error as PlatformError
      t.strictSame([code, where], ['CONFIG_INVALID', `${file}:${line}`])
      t.match(text, message)
    }
  }
  await refused('-- A sentence\n-- table: quotes\nSELECT\n  symbol,\n  nosuchfield\nFROM quotes\n', 5, /nosuchfield/)
  await refused('-- table: quotes\nSELECT symbol\nFROM quotes\nGROUP BYE symbol\n', 4, /Syntax error/)
  await refused('-- table: quotes\nSELECT sum(symbol)\nFROM quotes\n', 2, /./)
  t.equal((await client.rows('SELECT 1 FROM system.tables WHERE database = \'streaming\' AND name = \'quotes\'')).length, 1)
})

await t.test('a model reads the table under another name where the output has given it one', async t => {
  await ensureTable(client, quotes, { database: 'elsewhere', table: 'ticks' })
  const applied = await applyModels(client, await readModels(folder), { database: 'elsewhere', tables: { quotes: 'ticks' }, of: 'ticks' })
  t.ok(applied.includes('quotes_latest'))
  t.strictSame(await client.rows('SELECT * FROM elsewhere.quotes_latest'), [])
})

await t.test('a model with the name of a table never takes its place', async t => {
  const before = await client.rows('SELECT count() AS n FROM streaming.quotes')
  const model = { name: 'quotes', file: 'schemas/models/quotes.sql', description: 'In the way', tables: ['quotes'], sql: '-- In the way\nSELECT * FROM quotes' }
  await t.rejects(applyModels(client, [model], { database: 'streaming' }), { code: 'CONFIG_INVALID', message: /has the name of a table/ })
  t.same(await client.rows('SELECT count() AS n FROM streaming.quotes'), before)
})

import t from 'tap'
import { join } from 'node:path'
import plugin from '../../../plugins/outputs/warehouse/index.ts'
import streaming from '../../../plugins/outputs/streaming-database/index.ts'
import { connectClickHouse } from '../../../runtime/clickhouse/client.ts'
import { startEmbedded } from '../../../runtime/clickhouse/embedded.ts'
import { describeTable } from '../../../runtime/clickhouse/migrate.ts'
import { field } from '../../../runtime/schema.ts'
import { conformOutput } from '../../conform/output.ts'
import { configure } from '../../conform/configure.ts'
import { fakeContext } from '../../conform/context.ts'
import { Proxy } from './streaming-database/proxy.ts'
import { batchOf, topic } from './streaming-database/rows.ts'

const engine = await startEmbedded({ folder: t.testdir({ engine: {} }), log: { info () {}, warn () {}, error () {} } })
t.teardown(() => engine.close())
const client = await connectClickHouse(engine.url)
t.teardown(() => client.close())
const services = { clickhouse: engine.url, warehouse: engine.url }

let tables = 0

await t.test('it holds what every output has to hold', async t => {
  await conformOutput(t, {
    plugin,
    module: new URL('../../../plugins/outputs/warehouse/index.ts', import.meta.url).href,
    source: new URL('streaming-database/rows.ts', import.meta.url).href,
    async destination () {
      const proxy = new Proxy(engine.url)
      const url = await proxy.listen()
      const table = `conform_${++tables}`
      const turn = (mode: 'refuse' | 'hang') => () => {
        proxy.set(mode)
        return () => proxy.set('pass')
      }
      return {
        config: { url, table, timeout_seconds: 60, models: 'none' },
        async rows () {
          if (await describeTable(client, { database: 'history', table }) === undefined) return []
          return (await client.rows<{ n: string }>(`SELECT n FROM history.${table} ORDER BY _offset`)).map(({ n }) => Number(n))
        },
        break: turn('refuse'),
        hang: turn('hang'),
        close: () => proxy.close()
      }
    },
    broken: () => ({ config: { url: 'http://127.0.0.1:1' }, says: /ClickHouse at http:\/\/127\.0\.0\.1:1: .*Check that ClickHouse runs/ })
  })
})

await t.test('both lanes have the same columns and types, and one view shows both', async t => {
  const root = t.testdir({ models: { 'most.sql': '-- The greatest number\n-- table: rows\nSELECT max(n) AS most FROM rows\n' } })
  const recent = await streaming.open(configure(streaming, { models: 'none' }), fakeContext({ topic, services, root }))
  const old = await plugin.open(configure(plugin, { models: 'models' }), fakeContext({ topic: { ...topic }, services, root }))
  await recent.write(batchOf(100, 110))
  await recent.flush({ partition: 0, from: 100, to: 110 })
  await old.write(batchOf(0, 100))
  await old.flush({ partition: 0, from: 0, to: 100 })
  await recent.close()
  await old.close()
  const [a, b] = [await describeTable(client, { database: 'streaming', table: 'rows' }), await describeTable(client, { database: 'warehouse', table: 'rows' })]
  const types = (state: typeof a): string[] => state?.columns.map(({ name, type }) => `${name} ${type}`) ?? []
  t.strictSame(types(b), [...types(a), '_version UInt32'])
  t.equal(b?.partitionKey, 'toYYYYMM(at)')
  t.strictSame(await client.rows('SELECT count() AS n FROM data.rows'), [{ n: '110' }])
  t.strictSame(await client.rows('SELECT most FROM history.most'), [{ most: '99' }])
})

await t.test('the views and both tables follow the schema', async t => {
  const wider = { ...topic, name: 'rows', fields: [...topic.fields, field('venue', { kind: 'string' })] }
  const context = fakeContext({ topic: wider, services })
  await (await streaming.open(configure(streaming, { models: 'none' }), context)).close()
  t.strictSame(await client.rows('SELECT count(venue) AS n, count() AS rows FROM data.rows'), [{ n: '0', rows: '110' }])
})

await t.test('a view of somebody else is left as it is, and rows are stored all the same', async t => {
  const other = { ...topic, name: 'taken' }
  await client.command('CREATE DATABASE IF NOT EXISTS history')
  await client.command('CREATE VIEW history.taken AS SELECT 1 AS mine')
  const context = fakeContext({ topic: other, services })
  await (await plugin.open(configure(plugin, { models: 'none' }), context)).close()
  t.strictSame(await client.rows('SELECT mine FROM history.taken'), [{ mine: 1 }])
  t.equal(context.gauges['views_failed'], 1)
  t.match(context.logs.find(({ level }) => level === 'error')?.fields['reason'], /history\.taken is there already, a View that the platform has not made/)
})

await t.test('the shipped models of the warehouse are taken by the engine', async t => {
  const { readSchemaFolder } = await import('../../../runtime/schema-file.ts')
  const root = join(import.meta.dirname, '..', '..', '..')
  const quotes = (await readSchemaFolder(join(root, 'schemas'))).schemas.get('quotes')!
  const context = fakeContext({ topic: quotes, services, root })
  await (await streaming.open(configure(streaming, {}), context)).close()
  t.strictSame(context.logs.filter(({ level }) => level === 'error'), [])
  t.strictSame(await client.rows('SELECT name FROM system.tables WHERE database = \'data\' AND name LIKE \'quotes%\' ORDER BY name'), [{ name: 'quotes' }, { name: 'quotes_1d' }])
  t.strictSame(await client.rows('SELECT * FROM data.quotes_1d'), [])
})

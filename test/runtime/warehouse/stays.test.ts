// Days that cannot be handed over: each stays as it is, says why, and goes once that is mended.

import { join } from 'node:path'
import Fastify from 'fastify'
import t from 'tap'
import { startEmbedded } from '../../../runtime/clickhouse/embedded.ts'
import { ensureTable } from '../../../runtime/clickhouse/migrate.ts'
import { boundaryRoutes } from '../../../runtime/control/boundary.ts'
import { ruleOf } from '../../../runtime/lake/event-time.ts'
import { openLake } from '../../../runtime/lake/lakes.ts'
import { openLakeTable } from '../../../runtime/lake/table.ts'
import { field } from '../../../runtime/schema.ts'
import { readFlips } from '../../../runtime/warehouse/boundary.ts'
import { ensureViews } from '../../../runtime/warehouse/views.ts'
import { dayName, first, openDays, pipelineOf } from './days.ts'
import { startProxy } from './proxy.ts'
import type { Broker } from '../../../runtime/broker/broker.ts'
import type { LakeConfig } from '../../../runtime/lake/lakes.ts'
import type { Platform } from '../../../runtime/platform.ts'
import type { Topic } from '../../../runtime/schema.ts'
import type { Days } from './days.ts'
import type { Fate } from './proxy.ts'

const folder = t.testdir({ engine: {}, lake: {} })
const engine = await startEmbedded({ folder: join(folder, 'engine'), log: { info () {}, warn () {}, error () {} } })
t.teardown(() => engine.close())

/** What a run with this schema is given. */
function withSchema (topic: Topic): { readonly more: { schemas (): ReadonlyMap<string, Topic> } } {
  return { more: { schemas: () => new Map([[topic.name, topic]]) } }
}

/** What GET /v1/boundary answers. */
async function askBoundary (days: Days): Promise<{ readonly days: readonly object[], readonly waiting: readonly object[] }> {
  const app = Fastify()
  const platform = { warehouse: engine.url, store: days.store, config: { realtimeDays: 2 } }
  boundaryRoutes(app, platform as unknown as Platform)
  try {
    return (await app.inject({ method: 'GET', url: '/v1/boundary' })).json()
  } finally {
    await app.close()
  }
}

await t.test('a day that breaks a quality rule stays, says why, and its results are kept', async t => {
  const days = await openDays('ruled', { clickhouse: engine.url })
  t.teardown(() => days.close())
  const rule = { name: 'noted', description: '', dimension: '', unit: 'rows', during: '', by: [], reject: false, metric: 'nullValues', field: 'note', error: { operator: 'mustBeLessOrEqualTo', values: [0] } } as const
  const ruled = withSchema({ ...days.topic, quality: [rule] })
  const kept = () => days.warehouse.rows('SELECT level, scope, from_time, run, count() AS n FROM warehouse._quality WHERE topic = \'ruled\' AND dataset = \'streaming.ruled\' GROUP BY ALL ORDER BY level')
  const day = { scope: 'day', from_time: `${dayName(0)} 00:00:00.000`, run: 'r' }
  await days.put(0, 0, 9)
  await t.rejects(days.run(3, {}, ruled), { code: 'HANDOFF_UNVERIFIED', message: /does not meet its quality rules: noted/ })
  t.strictSame(await days.count(), { realtime: 9, history: 0, positions: 9 })
  t.match((await askBoundary(days)).waiting, [{ dataset: 'ruled', topic: 'ruled', day: dayName(0), reason: /quality rules: noted/ }])
  t.strictSame(await kept(), [{ level: 'error', ...day, n: '1' }])

  await days.streaming.command('ALTER TABLE streaming.ruled UPDATE note = \'mended\' WHERE note IS NULL', { settings: { mutations_sync: '1' } })
  await days.run(3, {}, ruled)
  t.strictSame(await days.count(), { realtime: 0, history: 9, positions: 9 })
  t.strictSame((await askBoundary(days)).waiting, [])
  t.strictSame(await kept(), [{ level: 'error', ...day, n: '1' }, { level: 'ok', ...day, n: '1' }])

  // A later version is checked as a whole, in the warehouse.
  await days.put(0, 9, 12)
  await t.rejects(days.run(3, {}, ruled), { code: 'HANDOFF_UNVERIFIED' })
  t.strictSame(await days.count(), { realtime: 3, history: 9, positions: 12 })
  t.strictSame(await kept(), [{ level: 'error', ...day, n: '2' }, { level: 'ok', ...day, n: '1' }])
  await days.run(3)
  t.strictSame(await days.count(), { realtime: 0, history: 12, positions: 12 }, 'without the rule it goes')
})

await t.test('a day waits for the lake, and stops where the lake has fewer rows', async t => {
  const days = await openDays('laked', { clickhouse: engine.url })
  const objects = await openLake({ folder: join(folder, 'lake'), endpoint: null, region: null, path_style: null, access_key: null, secret_key: null, timeout_seconds: 60 } satisfies LakeConfig, { dataFolder: folder, owner: 'test.' })
  t.teardown(async () => {
    objects.close()
    await days.close()
  })
  await objects.check()
  const lake = openLakeTable(objects, 'laked')
  const add = (from: number, to: number, rows: number) => lake.commit({
    add: [{
      name: `laked/date=${dayName(0)}/${from}.parquet`, rows, bytes: 1, sha256: '0'.repeat(64), partition: 0, from, to, ingest: { from: first, to: first }, event: { from: first, to: first }, days: { [dayName(0)]: rows }, schema: 'x', rule: ruleOf(days.topic)
    }]
  })
  const laked = { more: { pipelines: () => [pipelineOf('laked', join(folder, 'lake'))], dataFolder: folder } }
  await days.put(0, 0, 100)
  await add(0, 60, 60)
  await days.run(3, {}, laked)
  t.match(days.waiting.all, [{ day: dayName(0), reason: /the lake is at offset 60 of partition 0 of laked, and .* goes up to 100/ }])
  t.strictSame(await days.count(), { realtime: 100, history: 0, positions: 100 })
  await add(60, 100, 30)
  await t.rejects(days.run(3, {}, laked), { code: 'HANDOFF_UNVERIFIED', message: /the lake has 90 rows of laked on 2024-03-01, and 100 are stored/ })
  t.match((await askBoundary(days)).waiting, [{ day: dayName(0), reason: /90 rows .* 100 are stored/ }])
  t.strictSame(await days.count(), { realtime: 100, history: 0, positions: 100 })
  await lake.commit({ remove: [`laked/date=${dayName(0)}/60.parquet`] })
  await add(60, 100, 40)
  await days.run(3, {}, laked)
  t.match(await readFlips(days.warehouse, { dataset: 'laked' }), [{ rows: 100, lake: { compared: true, rows: 100 } }])
  t.strictSame(await days.count(), { realtime: 0, history: 100, positions: 100 })

  // Rows that come while the run is at it, after it has seen which days there are.
  await days.put(0, 100, 110)
  await add(100, 110, 10)
  const broker = {
    async inspect (asked: string) {
      if (asked === 'laked' && days.committed.get(0) === 110) await days.put(0, 110, 120)
      return { name: asked, bytes: 0, partitions: [], groups: [...days.committed].map(([partition, offset]) => ({ group: 'laked.streaming-database', partition, offset, lagMs: 0 })) }
    }
  } as unknown as Broker
  await days.run(3, {}, { more: { ...laked.more, broker } })
  t.match(days.waiting.all, [{ day: dayName(0), reason: /the lake is at offset 110 of partition 0 of laked, and .* goes up to 120/ }], 'the lake is not blamed for what it will have in a moment')
  t.strictSame(await days.count(), { realtime: 20, history: 100, positions: 120 })
})

await t.test('a field that comes between two versions of a day is in the second one', async t => {
  const days = await openDays('wider', { clickhouse: engine.url })
  t.teardown(() => days.close())
  await days.put(0, 0, 50)
  await days.run(3)
  const table = { database: 'streaming', table: 'wider' }
  const topic = { ...days.topic, fields: [...days.topic.fields, field('venue', { kind: 'string' })] }
  await ensureTable(days.streaming, topic, table)
  await days.put(0, 50, 60)
  await days.streaming.command('ALTER TABLE streaming.wider UPDATE venue = \'XNYS\' WHERE _offset >= 50', { settings: { mutations_sync: '1' } })
  await days.run(3, {}, withSchema(topic))
  await ensureViews(days.streaming, { dataset: 'wider', schema: topic, streaming: table, warehouse: true })
  t.strictSame(await days.count(), { realtime: 0, history: 60, positions: 60 })
  t.strictSame(await days.warehouse.rows('SELECT venue, count() AS n FROM data.wider GROUP BY venue ORDER BY n'), [{ venue: 'XNYS', n: '10' }, { venue: null, n: '50' }])
  const flips = await readFlips(days.warehouse, { dataset: 'wider' })
  t.strictSame(flips.map(({ columns }) => columns.some(([name]) => name === 'venue')), [false, true])
  await days.run(3, {}, withSchema(topic))
  t.ok((await readFlips(days.warehouse, { dataset: 'wider' })).at(-1)?.cleanedAt)
})

await t.test('a version that is not what it was made from is not shown', async t => {
  const days = await openDays('wrong', { clickhouse: engine.url })
  let spoil = true
  const proxy = await startProxy(engine.url, async (sql): Promise<Fate> => {
    // The last comparison: what has come into the warehouse.
    if (spoil && sql.includes('cityHash64(tuple') && sql.includes('`warehouse`.`wrong`')) await days.warehouse.command('ALTER TABLE warehouse.wrong UPDATE note = \'spoilt\' WHERE _offset = 7', { settings: { mutations_sync: '1' } })
    return 'pass'
  })
  t.teardown(async () => {
    await proxy.close()
    await days.close()
  })
  const through = { more: { clickhouse: proxy.url, warehouse: proxy.url } }
  await days.put(0, 0, 100)
  await t.rejects(days.run(3, {}, through), { code: 'HANDOFF_UNVERIFIED', message: /has 100 rows with hash [0-9a-f]{32}, and what it was made from 100 rows with hash/ })
  t.strictSame(await readFlips(days.warehouse, { dataset: 'wrong' }), [])
  t.strictSame(await days.count(), { realtime: 100, history: 0, positions: 100 })
  t.strictSame(await days.warehouse.rows('SELECT count() AS n FROM warehouse.wrong'), [{ n: '0' }], 'and does not stay')
  spoil = false
  await days.run(3, {}, through)
  t.strictSame(await days.count(), { realtime: 0, history: 100, positions: 100 })
})

await t.test('of a day without rows there is no version', async t => {
  const days = await openDays('empty', { clickhouse: engine.url })
  t.teardown(() => days.close())
  await days.put(0, 0, 10)
  await days.put(2, 10, 20, { commit: false })
  await days.run(5, { day: dayName(1) })
  await days.run(5, { day: dayName(2) })
  t.strictSame([await readFlips(days.warehouse, { dataset: 'empty' }), days.waiting.all], [[], []])
  t.strictSame(await days.count(), { realtime: 20, history: 0, positions: 20 })
})

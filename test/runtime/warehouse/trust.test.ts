// What the handoff may build upon and what it may remove.

import t from 'tap'
import { startEmbedded } from '../../../runtime/clickhouse/embedded.ts'
import { readFlips } from '../../../runtime/warehouse/boundary.ts'
import { openLanes } from '../../../runtime/warehouse/lanes.ts'
import { makeVersion } from '../../../runtime/warehouse/version.ts'
import { dayName, openDays } from './days.ts'
import type { ClickHouse } from '../../../runtime/clickhouse/client.ts'
import type { Dataset } from '../../../runtime/warehouse/datasets.ts'
import type { VersionPlan, VersionWork } from '../../../runtime/warehouse/version.ts'

const engine = await startEmbedded({ folder: t.testdir(), log: { info () {}, warn () {}, error () {} } })
t.teardown(() => engine.close())
const { signal } = new AbortController()

await t.test('a row that was delivered again and late rows among the same offsets are taken once', async t => {
  const days = await openDays('block', { clickhouse: engine.url })
  t.teardown(() => days.close())
  await days.put(0, 0, 1000)
  // The other offsets below are of other days, and one was refused.
  days.committed.set(0, 80_000)
  await days.run(3)
  await days.run(3)
  await days.put(0, 70_000, 70_001, { commit: false })
  await days.put(0, 80_000, 80_050)
  await days.run(3)
  await days.run(3)
  t.strictSame(await days.read('data'), { rows: 1051, positions: 1051 })
  t.strictSame((await readFlips(days.warehouse, { dataset: 'block' })).map(({ rows }) => rows), [1000, 1051])
})

await t.test('a version that is not what its certificate says lets nothing be removed', async t => {
  const days = await openDays('hollow', { clickhouse: engine.url })
  t.teardown(() => days.close())
  await days.put(0, 0, 1000)
  await days.run(3)
  await days.run(3)
  await days.put(0, 1000, 1010)
  await days.run(3)
  const [, second] = await readFlips(days.warehouse, { dataset: 'hollow' })
  await days.warehouse.command(`ALTER TABLE warehouse.hollow DELETE WHERE _version = ${second?.version} AND _offset < 1000`, { settings: { mutations_sync: '1' } })
  await t.rejects(days.run(3), { message: /has 10 rows .* its certificate says 1010 rows/ })
  const [kept] = await days.warehouse.rows<{ n: string }>(`SELECT count() AS n FROM warehouse.hollow WHERE _version < ${second?.version}`)
  t.equal(kept?.n, '1000', 'the version before is still there')
})

await t.test('who was paused at the beginning of a build removes nothing of a newer one', async t => {
  const days = await openDays('sleeper', { clickhouse: engine.url })
  const lanes = await openLanes({ clickhouse: engine.url, warehouse: engine.url })
  t.teardown(async () => {
    await days.close()
    await lanes.close()
  })
  await days.put(0, 0, 1000)
  const plan: VersionPlan = { dataset: 'sleeper', topic: 'sleeper', day: dayName(0), offsets: new Map([[0, 1000]]), current: undefined, sources: ['1'], lake: undefined, revision: 'r1' }
  const dataset: Dataset = { name: 'sleeper', schema: days.topic, table: { database: 'streaming', table: 'sleeper' }, feeds: new Map(), direct: new Set() }
  const work: VersionWork = { lanes, dataset, now: Date.now, signal, onCopied () {}, check: async () => [] }

  const compared = Promise.withResolvers<void>()
  const woken = Promise.withResolvers<void>()
  const asleep = Promise.withResolvers<void>()
  const awake = Promise.withResolvers<void>()
  const sleepy: ClickHouse = {
    ...lanes.warehouse,
    client: lanes.warehouse.client,
    async rows (sql, options) {
      if (sql.includes('_version NOT IN')) {
        asleep.resolve()
        await awake.promise
      }
      return lanes.warehouse.rows(sql, options)
    }
  }
  const first = makeVersion({ ...work, lanes: { ...lanes, warehouse: sleepy, streaming: sleepy, servers: [sleepy] } }, plan)
  first.catch(() => {})
  await asleep.promise
  const second = makeVersion({
    ...work,
    async check () {
      compared.resolve()
      await woken.promise
      return []
    }
  }, plan)
  await compared.promise
  awake.resolve()
  await t.rejects(first, { code: 'BROKER_FENCED' })
  woken.resolve()
  t.equal((await second).rows, 1000)
  t.strictSame(await days.read('data'), { rows: 1000, positions: 1000 })
  t.strictSame(await days.read('history'), { rows: 1000, positions: 1000 })
})

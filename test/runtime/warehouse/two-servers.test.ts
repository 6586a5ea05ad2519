// The warehouse on a server of its own.

import t from 'tap'
import { startEmbedded } from '../../../runtime/clickhouse/embedded.ts'
import { boundaryTable, flipColumns, flipValues, newestSeq, readFlips } from '../../../runtime/warehouse/boundary.ts'
import { quoteTable } from '../../../runtime/clickhouse/sql.ts'
import { openDays } from './days.ts'
import { startProxy } from './proxy.ts'

const log = { info () {}, warn () {}, error () {} }
const [near, far] = await Promise.all([startEmbedded({ folder: t.testdir({ near: {}, far: {} }) + '/near', log }), startEmbedded({ folder: t.testdirName + '/far', log })])
t.teardown(() => Promise.all([near.close(), far.close()]))

await t.test('days go over to another server, and both obey its boundary', async t => {
  const days = await openDays('apart', { clickhouse: near.url, warehouse: far.url })
  t.teardown(() => days.close())
  for (let day = 0; day < 3; day++) await days.put(day, day * 500, (day + 1) * 500)
  await days.run(4)
  t.strictSame(await days.count(), { realtime: 500, history: 1000, positions: 1500 })
  await days.run(4)
  await days.put(0, 1500, 1510)
  await days.run(4)
  await days.run(4)
  t.strictSame(await days.count(), { realtime: 500, history: 1010, positions: 1510 })
  const [copy, authority] = [await readFlips(days.streaming), await readFlips(days.warehouse)]
  t.strictSame(copy.map(({ seq, hash }) => [seq, hash]), authority.map(({ seq, hash }) => [seq, hash]))
  t.strictSame(await days.streaming.rows('SELECT name FROM system.tables WHERE database IN (\'history\', \'data\')'), [], 'the streaming database has no view of what it does not hold')
})

await t.test('a flip that only the copy has goes before there is another one', async t => {
  const days = await openDays('torn', { clickhouse: near.url, warehouse: far.url })
  t.teardown(() => days.close())
  await days.put(0, 0, 100)
  await days.run(3)
  await days.put(1, 100, 200)
  const [flip] = await readFlips(days.warehouse, { dataset: 'torn' })
  // What a crash between the two servers leaves.
  const torn = { ...flip!, seq: await newestSeq(days.warehouse) + 1, day: '2024-03-02', offsets: new Map([[0, 200]]) }
  await days.streaming.command(`INSERT INTO ${quoteTable(boundaryTable)} (${flipColumns.join(', ')}) SELECT ${flipValues(torn)}`)
  t.strictSame(await days.count(), { realtime: 100, history: 100, positions: 200 }, 'a pinned reader does not see it')
  await days.run(3)
  t.strictSame(await days.count(), { realtime: 100, history: 100, positions: 200 })
  t.equal((await readFlips(days.streaming)).some(({ seq }) => seq === torn.seq), false)
  await days.run(4)
  t.strictSame(await days.count(), { realtime: 0, history: 200, positions: 200 })
})

await t.test('a flip that fails between the servers hides no rows when the run goes on with the next day', async t => {
  const days = await openDays('halfway', { clickhouse: near.url, warehouse: far.url })
  let fails = true
  const proxy = await startProxy(near.url, sql => {
    // The copy has the flip, the warehouse does not: the answer about the first one is lost.
    if (!fails || !/^INSERT INTO `warehouse`.`_boundary`/.test(sql)) return 'pass'
    fails = false
    return 'unanswered'
  })
  t.teardown(async () => {
    await proxy.close()
    await days.close()
  })
  for (let day = 0; day < 2; day++) await days.put(day, day * 100, (day + 1) * 100)
  await t.rejects(days.run(4, {}, { more: { clickhouse: proxy.url } }), { code: 'DESTINATION_UNAVAILABLE' })
  t.strictSame(await days.count(), { realtime: 100, history: 100, positions: 200 }, 'the day after it was handed over, and the day itself is where it was')
  await days.run(4)
  t.strictSame(await days.count(), { realtime: 0, history: 200, positions: 200 })
})

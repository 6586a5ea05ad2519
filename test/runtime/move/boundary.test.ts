// What was handed over is shown at the target of a move as it was here.

import t from 'tap'
import { connectClickHouse } from '../../../runtime/clickhouse/client.ts'
import { startEmbedded } from '../../../runtime/clickhouse/embedded.ts'
import { moveBoundary } from '../../../runtime/move/boundary.ts'
import { findTables, moveTable } from '../../../runtime/move/tables.ts'
import { ensureViews } from '../../../runtime/warehouse/views.ts'
import { openDays } from '../warehouse/days.ts'

const log = { info () {}, warn () {}, error () {} }
const folder = t.testdir({ here: {}, there: {} })
const [here, there] = await Promise.all([startEmbedded({ folder: `${folder}/here`, log }), startEmbedded({ folder: `${folder}/there`, log })])
t.teardown(() => Promise.all([here.close(), there.close()]))

await t.test('the tables of the warehouse and the boundary go over, also when it is done twice', async t => {
  const days = await openDays('moved', { clickhouse: here.url })
  const target = await connectClickHouse(there.url)
  t.teardown(async () => {
    await days.close()
    await target.close()
  })
  t.strictSame(await moveBoundary(target, days.streaming), [], 'where nothing was handed over there is nothing to move')
  for (let day = 0; day < 3; day++) await days.put(day, day * 100, (day + 1) * 100)
  await days.run(4)
  const schemas = new Map([['moved', days.topic]])
  const { tables, others } = await findTables(days.streaming, [], schemas)
  t.strictSame([tables.map(({ name }) => `${name.database}.${name.table}`), others], [['streaming.moved', 'warehouse.moved'], []])
  for (let i = 0; i < 2; i++) {
    for (const table of tables) await moveTable(days.streaming, target, table, { say () {}, rows () {} })
    t.strictSame((await moveBoundary(days.streaming, target)).map(({ what, rows }) => [what, rows]), [['warehouse._builds', 2], ['warehouse._boundary', 2], ['warehouse._cleaned', 0]])
  }
  await ensureViews(target, { dataset: 'moved', schema: days.topic, streaming: { database: 'streaming', table: 'moved' }, warehouse: true })
  t.strictSame(await target.rows('SELECT (SELECT count() FROM realtime.moved) AS realtime, (SELECT count() FROM history.moved) AS history, (SELECT count() FROM data.moved) AS data'), [{ realtime: '100', history: '200', data: '300' }])
})

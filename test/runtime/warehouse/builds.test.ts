import t from 'tap'
import { startEmbedded } from '../../../runtime/clickhouse/embedded.ts'
import { boundaryTable, flipColumns, flipValues, newestSeq, readFlips } from '../../../runtime/warehouse/boundary.ts'
import { beginBuild } from '../../../runtime/warehouse/builds.ts'
import { withDataset } from '../../../runtime/warehouse/dataset-lock.ts'
import { openLanes } from '../../../runtime/warehouse/lanes.ts'
import { dayName, openDays } from './days.ts'

const engine = await startEmbedded({ folder: t.testdir(), log: { info () {}, warn () {}, error () {} } })
t.teardown(() => engine.close())
const { signal } = new AbortController()

await t.test('a control side that was paused cannot flip once another one has begun a version', async t => {
  const days = await openDays('fenced', { clickhouse: engine.url })
  const lanes = await openLanes({ clickhouse: engine.url, warehouse: engine.url })
  t.teardown(async () => {
    await days.close()
    await lanes.close()
  })
  await days.put(0, 0, 100)
  await days.run(3)
  const [flip] = await readFlips(days.warehouse, { dataset: 'fenced' })
  const name = { dataset: 'fenced', topic: 'fenced', day: dayName(0) }
  const paused = await beginBuild(lanes, name, signal)
  const other = await beginBuild(lanes, name, signal)
  t.ok(other.number > paused.number)
  const late = { ...flip!, seq: paused.number, version: paused.number }
  await t.rejects(lanes.warehouse.insertSelect(boundaryTable, flipColumns, `SELECT ${flipValues(late)} WHERE ${paused.fence}`), { code: 'BROKER_FENCED' })
  t.equal(await newestSeq(lanes.warehouse), flip?.seq)
  await lanes.warehouse.insertSelect(boundaryTable, flipColumns, `SELECT ${flipValues({ ...late, seq: other.number })} WHERE ${other.fence}`)
  t.equal(await newestSeq(lanes.warehouse), other.number)
})

await t.test('two that begin at once never have the same number', async t => {
  const lanes = await openLanes({ clickhouse: engine.url, warehouse: engine.url })
  t.teardown(() => lanes.close())
  const builds = await Promise.allSettled(Array.from({ length: 4 }, () => beginBuild(lanes, { dataset: 'race', topic: 'race', day: dayName(0) }, signal)))
  const numbers = builds.flatMap(build => build.status === 'fulfilled' ? [build.value.number] : [])
  t.equal(new Set(numbers).size, numbers.length)
})

await t.test('work on one dataset takes turns, and work on two does not', async t => {
  const told: string[] = []
  const { promise: first, resolve } = Promise.withResolvers<undefined>()
  const one = withDataset('a', async () => {
    await first
    told.push('a1')
    throw new Error('it failed')
  })
  const two = withDataset('a', async () => { told.push('a2') })
  await withDataset('b', async () => { told.push('b') })
  const stop = new AbortController()
  const three = withDataset('a', async () => { told.push('never') }, stop.signal)
  stop.abort(new Error('stopped'))
  await t.rejects(three, { message: 'stopped' })
  resolve(undefined)
  await t.rejects(one, { message: 'it failed' })
  await two
  t.strictSame(told, ['b', 'a1', 'a2'])
})

// A clean-up and a redelivery in two processes, of which one was paused.

import t from 'tap'
import { claim, fence } from '../../../runtime/clickhouse/owners.ts'
import { startEmbedded } from '../../../runtime/clickhouse/embedded.ts'
import { holdLateWriters } from '../../../runtime/warehouse/late-writers.ts'
import { openDays } from './days.ts'
import { startProxy } from './proxy.ts'
import type { Days } from './days.ts'
import type { Fate } from './proxy.ts'

const engine = await startEmbedded({ folder: t.testdir(), log: { info () {}, warn () {}, error () {} } })
t.teardown(() => engine.close())

/** Who delivers rows of a dataset again, as the output does it. */
function seatOf (name: string, epoch: number): Parameters<typeof claim>[1] {
  return { table: { database: 'streaming', table: name }, writer: `${name}:outputs.streaming-database~late`, topic: name, partition: 0, epoch }
}

/** 100 rows of which ten were rejected, handed over and not cleaned up yet. */
async function handedOver (name: string): Promise<Awaited<ReturnType<typeof openDays>>> {
  const days = await openDays(name, { clickhouse: engine.url })
  await days.put(0, 0, 50)
  await days.put(0, 60, 100)
  await days.run(3)
  return days
}

const stored = async (days: Days, name: string): Promise<number> => Number((await days.streaming.rows<{ n: string }>(`SELECT count() AS n FROM streaming.${name}`))[0]?.n)

for (const [name, before] of [['paused', false], ['again', true]] as const) {
  await t.test(`a clean-up that was paused before it deletes leaves what was delivered again since${before ? ', not for the first time' : ''}`, async t => {
    const days = await handedOver(name)
    let redeliver = true
    const proxy = await startProxy(engine.url, async (sql): Promise<Fate> => {
      if (redeliver && sql.includes('DELETE WHERE') && sql.includes('`streaming`')) {
        redeliver = false
        await claim(days.streaming, seatOf(name, Date.now()))
        await days.put(0, 50, 60)
      }
      return 'pass'
    })
    t.teardown(async () => {
      await proxy.close()
      await days.close()
    })
    if (before) await claim(days.streaming, seatOf(name, Date.now() - 5000))
    await t.rejects(days.run(3, {}, { more: { clickhouse: proxy.url, warehouse: proxy.url } }), { code: 'BROKER_FENCED' })
    t.equal(redeliver, false)
    t.equal(await stored(days, name), 100, 'nothing is deleted')
    await days.run(3)
    await days.run(3)
    t.strictSame(await days.count(), { realtime: 0, history: 100, positions: 100 })
    t.equal(await stored(days, name), 0)
  })
}

await t.test('a redelivery that was paused before it inserts is refused once a clean-up has begun', async t => {
  const days = await handedOver('refused')
  t.teardown(() => days.close())
  const seat = seatOf('refused', Date.now() - 1000)
  await claim(days.streaming, seat)
  const condition = await holdLateWriters(days.streaming, { table: seat.table, topic: 'refused', signal: new AbortController().signal })
  t.match(await days.streaming.rows(`SELECT toUInt8(${condition}) AS holds`), [{ holds: 1 }])
  await t.rejects(days.streaming.rows(`SELECT 1 WHERE ${fence(seat)}`), { code: 'BROKER_FENCED' })
  const next = seatOf('refused', Date.now())
  await claim(days.streaming, next)
  t.match(await days.streaming.rows(`SELECT toUInt8(${condition}) AS holds`), [{ holds: 0 }])
  t.match(await days.streaming.rows(`SELECT 1 AS n WHERE ${fence(next)}`), [{ n: 1 }])
})

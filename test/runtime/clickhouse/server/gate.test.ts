import t from 'tap'
import { Gate } from '../../../../runtime/clickhouse/server/gate.ts'

await t.test('a bounded number runs, a bounded number waits in order, and all others are told code 202', async t => {
  const gate = new Gate({ runningMax: 1, waitingMax: 2, waitMs: 60_000 })
  const leave = await gate.enter()
  const order: string[] = []
  const second = gate.enter().then(done => { order.push('second'); return done })
  const third = gate.enter().then(done => { order.push('third'); return done })
  await t.rejects(gate.enter(), { code: 202, type: 'TOO_MANY_SIMULTANEOUS_QUERIES' })
  leave()
  leave() // Twice does no harm.
  const leaveSecond = await second
  t.same(order, ['second'])
  t.equal(gate.running, 1)
  leaveSecond()
  const leaveThird = await third
  leaveThird()
  t.equal(gate.running, 0)
})

await t.test('who waits too long is turned away and leaves no place behind', async t => {
  const gate = new Gate({ runningMax: 1, waitingMax: 1, waitMs: 1 })
  const leave = await gate.enter()
  await t.rejects(gate.enter(), { code: 202 })
  leave()
  t.equal(gate.running, 0)
  const again = await gate.enter()
  again()
})

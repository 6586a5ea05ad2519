// Rows that come late, and again, at random.

import t from 'tap'
import { startEmbedded } from '../../../runtime/clickhouse/embedded.ts'
import { openDays, random } from './days.ts'

const engine = await startEmbedded({ folder: t.testdir(), log: { info () {}, warn () {}, error () {} } })
t.teardown(() => engine.close())

for (const seed of [1]) {
  await t.test(`random late and repeated rows are each in one place (seed ${seed})`, async t => {
    const days = await openDays(`random_${seed}`, { clickhouse: engine.url })
    t.teardown(() => days.close())
    const next = random(seed)
    const pick = (n: number): number => Math.floor(next() * n)
    const ends = [0, 0]
    let rows = 0
    // Ranges that were left out, as rejected rows are: they come later, below the boundary.
    const holes: Array<{ readonly day: number, readonly partition: number, readonly from: number, readonly to: number }> = []
    for (let today = 0; today < 5; today++) {
      for (let i = 0; i < 2; i++) {
        const partition = pick(2)
        const from = ends[partition] as number
        const to = from + 1 + pick(60)
        // Mostly of today, sometimes of days that are long closed.
        const day = next() < 0.7 ? today : pick(today + 1)
        if (next() < 0.2) {
          holes.push({ day, partition, from, to })
          days.committed.set(partition, to)
        } else {
          await days.put(day, from, to, { partition })
          rows += to - from
        }
        ends[partition] = to
      }
      await days.run(today)
      const before = await days.count()
      t.equal(before.positions, before.realtime + before.history)
      t.equal(before.positions, rows)
      const hole = next() < 0.5 ? holes.shift() : undefined
      if (hole !== undefined) {
        await days.put(hole.day, hole.from, hole.to, { partition: hole.partition })
        rows += hole.to - hole.from
        await days.run(today)
        await days.run(today)
        t.equal((await days.count()).positions, rows, 'also what was delivered again')
      }
    }
    await days.run(9)
    await days.run(9)
    t.strictSame(await days.count(), { realtime: 0, history: rows, positions: rows })
  })
}

import t from 'tap'
import { fireAfter, fireUpTo, intervalsOf } from '../../../runtime/jobs/clock.ts'
import type { When } from '../../../runtime/jobs/clock.ts'

const at = (text: string): number => Date.parse(text)
const text = (ms: number | undefined): string => ms === undefined ? '' : new Date(ms).toISOString()
const newYork = (expression: string): When => ({ kind: 'cron', expression, timeZone: 'America/New_York' })

await t.test('intervals of a duration are counted from 1970', async t => {
  const when: When = { kind: 'every', ms: 900_000 }
  t.equal(text(fireAfter(when, at('2024-01-02T12:07:30Z'))), '2024-01-02T12:15:00.000Z')
  t.equal(text(fireAfter(when, at('2024-01-02T12:15:00Z'))), '2024-01-02T12:30:00.000Z', 'a fire is not after itself')
  t.equal(text(fireUpTo(when, at('2024-01-02T12:15:00Z'))), '2024-01-02T12:15:00.000Z')
  t.equal(text(fireUpTo(when, at('2024-01-02T12:14:59.999Z'))), '2024-01-02T12:00:00.000Z')
})

await t.test('cron goes by the clock on the wall of its zone, also where that is moved', async t => {
  const opening = newYork('30 9 * * 1-5')
  t.equal(text(fireAfter(opening, at('2024-03-08T14:30:00Z'))), '2024-03-11T13:30:00.000Z', 'summer time came over the weekend')
  t.equal(text(fireUpTo(opening, at('2024-03-11T13:30:00Z'))), '2024-03-11T13:30:00.000Z')
  t.equal(text(fireUpTo(opening, at('2024-03-11T13:29:59.999Z'))), '2024-03-08T14:30:00.000Z')
  const twice = newYork('30 1 * * *')
  const back = intervalsOf(twice, { from: at('2024-11-02T05:30:00Z'), to: at('2024-11-05T06:30:00Z') }, 10)
  t.strictSame(back?.map(({ to }) => text(to)), ['2024-11-03T05:30:00.000Z', '2024-11-04T06:30:00.000Z', '2024-11-05T06:30:00.000Z'], '1:30 comes twice that day and fires once')
  const skipped = newYork('30 2 * * *')
  const forward = intervalsOf(skipped, { from: at('2024-03-09T07:30:00Z'), to: at('2024-03-11T06:30:00Z') }, 10)
  t.equal(forward?.length, 2, '2:30 does not come that day and fires all the same')
  t.strictSame(forward?.[0]?.to, forward?.[1]?.from)
})

await t.test('every fire is found from both sides', async t => {
  for (const when of [newYork('*/7 1-3 * * *'), newYork('0 0 31 * *'), newYork('15 30 6 * * 1-5'), { kind: 'every', ms: 61_000 } satisfies When]) {
    let ms = at('2024-03-09T00:00:00Z')
    for (let i = 0; i < 60; i++) {
      const next = fireAfter(when, ms) as number
      t.ok(next > ms)
      if (fireUpTo(when, next) !== next || (fireUpTo(when, next + 999) ?? 0) < next) t.fail(`${JSON.stringify(when)} ${text(next)} is not found from above: ${text(fireUpTo(when, next))}`)
      ms = next
    }
  }
})

await t.test('a time is cut at the fires without a gap, within a bound', async t => {
  const when: When = { kind: 'every', ms: 3_600_000 }
  t.strictSame(intervalsOf(when, { from: 1000, to: 7_300_000 }, 3), [{ from: 1000, to: 3_600_000 }, { from: 3_600_000, to: 7_200_000 }, { from: 7_200_000, to: 7_300_000 }])
  t.equal(intervalsOf(when, { from: 1000, to: 7_300_000 }, 2), undefined)
  t.strictSame(intervalsOf({ kind: 'manual' }, { from: 1, to: 2 ** 40 }, 1), [{ from: 1, to: 2 ** 40 }])
  t.strictSame(intervalsOf(when, { from: 5, to: 5 }, 1), [])
})

import t from 'tap'
import { formatLast, formatTime, intervalOf, timeFormats } from '../../runtime/data-interval.ts'
import type { Run } from '../../runtime/plugin.ts'

const run = (from: number, to: number, kind: Run['kind'] = 'scheduled'): Run => ({ id: 'run', from, to, kind })

await t.test('intervals follow each other, and a backfill has its own', async t => {
  t.strictSame(intervalOf({ run: run(10, 20), end: undefined, start: undefined, now: 99 }), { from: 10, to: 20 })
  t.strictSame(intervalOf({ run: run(10, 20), end: undefined, start: 5, now: 99 }), { from: 5, to: 20 }, 'the first one begins where start says')
  t.strictSame(intervalOf({ run: run(10, 20), end: 7, start: 5, now: 99 }), { from: 7, to: 20 }, 'what a failed run left is read')
  t.strictSame(intervalOf({ run: run(10, 20), end: 15, start: 5, now: 99 }), { from: 15, to: 20 }, 'what was read is not read again')
  t.equal(intervalOf({ run: run(10, 20), end: 20, start: 5, now: 99 }), undefined)
  t.equal(intervalOf({ run: run(10, 20), end: 50, start: 5, now: 99 }), undefined)
  t.strictSame(intervalOf({ run: run(10, 2000), end: 50, start: 5, now: 99 }), { from: 50, to: 99 }, 'nothing beyond now')
  t.strictSame(intervalOf({ run: run(10, 20, 'backfill'), end: undefined, start: 15, now: 99 }), { from: 10, to: 20 })
  t.strictSame(intervalOf({ run: undefined, end: undefined, start: 5, now: 99 }), { from: 5, to: 99 })
  t.equal(intervalOf({ run: undefined, end: undefined, start: undefined, now: 99 }), undefined)
})

await t.test('a clock that was ahead, or is behind, is said so and passes over nothing in silence', async t => {
  const now = Date.UTC(2024, 0, 2)
  const ahead = { end: now + 86_400_000, start: undefined, now }
  for (const asked of [run(now - 1000, now), run(now - 1000, now, 'manual'), undefined]) t.throws(() => intervalOf({ ...ahead, run: asked }), { message: /up to 2024-01-03T00:00:00\.000Z, and it is 2024-01-02/ })
  t.strictSame(intervalOf({ ...ahead, end: now + 1000, run: run(now - 1000, now) }), undefined, 'clocks of two machines differ a little')
})

await t.test('a time has the form that a source wants', async t => {
  const ms = Date.UTC(2024, 2, 10, 14, 30, 15, 678)
  t.strictSame(timeFormats.map(format => formatTime(ms, format)), ['2024-03-10T14:30:15.678Z', '2024-03-10', '2024-03-10 14:30:15.678', '1710081015', '1710081015678', '1710081015678000', '1710081015678000000'])
  t.equal(formatLast(Date.UTC(2024, 2, 10), 'date'), '2024-03-09')
  t.equal(formatLast(1000, 'unix_s'), '0')
  t.equal(formatLast(1000, 'unix_ms'), '999')
})

import t from 'tap'
import { firesFrom } from '../../../runtime/jobs/clock.ts'
import { jobDays } from '../../../runtime/jobs/days.ts'
import { newLines } from '../../../runtime/jobs/run-lines.ts'
import { wordsOf, zoneOf } from '../../../runtime/jobs/words.ts'
import type { RunRecord } from '../../../runtime/jobs/record.ts'

const DAY = 86_400_000
const start = Date.UTC(2024, 0, 1)
let seq = 0
const run = (from: number, to: number, state: RunRecord['state'], rows = 0): RunRecord => ({
  id: `r${++seq}`, seq, job: 'a', kind: 'backfill', state, from: start + from * DAY, to: start + to * DAY, rows
}) as unknown as RunRecord

await t.test('a day is done where runs that succeeded cover it', async t => {
  const runs = [run(4, 5, 'queued'), run(2, 3, 'failed'), run(1.5, 2, 'succeeded', 5), run(1, 1.5, 'succeeded', 7), run(0, 1, 'succeeded', 3), run(3, 3.4, 'succeeded'), run(5, 6, 'cancelled')]
  const days = jobDays(runs, { from: start, to: start + 6 * DAY }, start + 10 * DAY)
  t.match(days, [{ day: '2024-01-01', state: 'done', rows: 3 }, { day: '2024-01-02', state: 'done', rows: 12 }, { state: 'failed', run: runs[1]?.id }, { state: 'missing' }, { state: 'running' }, { state: 'missing', run: null, rows: 0 }])
  t.match(jobDays([run(2, 3, 'succeeded'), run(2, 3, 'failed')], { from: start + 2 * DAY, to: start + 3 * DAY }, start + 10 * DAY), [{ state: 'done' }], 'whatever failed besides')
})

await t.test('the day that goes on is done as far as its runs have come', async t => {
  t.match(jobDays([run(0, 0.25, 'succeeded')], { from: start, to: start + DAY }, start + 0.3 * DAY), [{ state: 'done' }])
  t.throws(() => jobDays([], { from: 0, to: start }, start), { code: 'REQUEST_INVALID' }, 'an answer has a bound')
})

await t.test('a schedule is said in words', async t => {
  for (const [when, words] of [
    [{ kind: 'manual' }, 'Started by hand'], [{ kind: 'every', ms: 900_000 }, 'Every 15 minutes'], [{ kind: 'every', ms: DAY }, 'Every day'], [{ kind: 'every', ms: 1000 }, 'Every second'],
    [{ kind: 'cron', expression: '0 6 * * 1-5', timeZone: 'UTC' }, 'At 06:00, Monday through Friday'], [{ kind: 'cron', expression: '30 0 6 * * *', timeZone: 'UTC' }, 'At 06:00:30']
  ] as const) t.equal(wordsOf(when), words)
  t.equal(zoneOf({ kind: 'cron', expression: '0 6 * * *', timeZone: 'Asia/Tokyo' }), 'Asia/Tokyo')
  t.match(wordsOf({ kind: 'cron', expression: '0 6 L * *', timeZone: 'UTC' }), /./, 'whatever the clock understands')
})

await t.test('the next fires follow each other in the zone of the schedule', async t => {
  const when = { kind: 'cron', expression: '0 6 * * *', timeZone: 'America/New_York' } as const
  const first = Date.UTC(2024, 2, 9, 11)
  t.strictSame(firesFrom(when, first, 3).map(ms => new Date(ms).toISOString().slice(5, 16)), ['03-09T11:00', '03-10T10:00', '03-11T10:00'], 'over the change of the clock')
  t.strictSame(firesFrom({ kind: 'manual' }, undefined, 3), [])
})

await t.test('each line of a log is followed once, also when the first ones are no longer kept', async t => {
  t.strictSame(newLines([], ['a', 'b']), ['a', 'b'])
  t.strictSame(newLines(['a', 'b'], ['a', 'b', 'c']), ['c'])
  t.strictSame(newLines(['a', 'b', 'c'], ['b', 'c', 'd']), ['d'])
  t.strictSame(newLines(['a', 'a', 'b'], ['a', 'b', 'a']), ['a'])
  t.strictSame(newLines(['a', 'b'], ['a', 'b']), [])
  t.strictSame(newLines(['a', 'b'], ['x', 'y']), ['x', 'y'], 'all of them went by')
})

// Live rows are chosen and written by us, stored ones by the engine: both have to give the same rows in the same words.

import t from 'tap'
import { eventually } from '../../waiting.ts'
import { openStage } from './stage.ts'
import type { Row } from '../../../runtime/batch.ts'

const schema = `
key: [name]
event_time: time
partitions: 1
fields:
  name: { type: string, required: true, low_cardinality: true, description: Name }
  time: { type: timestamp(ms), required: true, description: When, cast: { unit: ms } }
  nano: { type: timestamp(ns), description: When exactly, cast: { unit: ns } }
  day: { type: date, description: Day }
  price: { type: 'decimal(18, 4)', description: Price }
  ratio: { type: float64, description: Ratio }
  small: { type: float32, description: Small }
  size: { type: int64, description: Size }
  count: { type: uint8, description: Count }
  side: { type: 'enum(buy, sell)', description: Side }
  done: { type: bool, description: Done }
  tags: { type: list(string), description: Tags }
  note: { type: string, description: Note }
  raw: { type: json, description: Raw }
`
const base = Date.UTC(2026, 0, 2)
const rows: Row[] = Array.from({ length: 40 }, (_, i) => ({
  name: ['A', 'B', 'ä', '𝄞', 'z%_'][i % 5],
  time: base + i * 250,
  nano: i % 4 === 0 ? null : String(1_767_312_000_000_000_000n + BigInt(i) * 1_000_000_007n),
  day: i % 3 === 0 ? null : `2026-01-${String(i % 28 + 1).padStart(2, '0')}`,
  price: i % 7 === 0 ? null : `${i - 20}.${i % 2 === 0 ? '5' : '1250'}`,
  ratio: i % 6 === 0 ? null : [0.1, 1e-9, -2.5, 3, 1 / 3][i % 5],
  small: i % 5 === 0 ? null : i / 10,
  size: i % 8 === 0 ? null : String(9_007_199_254_740_993n + BigInt(i)),
  count: i % 9 === 0 ? null : i,
  side: i % 4 === 1 ? null : i % 2 === 0 ? 'buy' : 'sell',
  done: i % 3 === 1 ? null : i % 2 === 0,
  tags: i % 2 === 0 ? null : ['x', `y${i}`],
  note: i % 3 === 0 ? null : ['', 'a"b\\c', 'line\nnext', 'A', '\u0001'][i % 5],
  raw: i % 2 === 0 ? null : { a: [1, 2.5, 'x'], i }
}))
const filters: unknown[] = [
  null,
  ['name', '=', 'ä'], ['name', '!=', 'A'], ['name', '>', 'z'], ['name', '<=', 'ä'], ['name', 'in', ['A', '𝄞']], ['name', 'not in', ['A', '𝄞']],
  ['name', 'like', '_'], ['name', 'like', 'z\\%%'], ['name', 'like', '%_'], ['note', 'like', '%b\\\\c'], ['note', 'like', 'line%next'], ['note', '=', ''], ['note', 'is null'], ['note', 'is not null'], ['note', '!=', 'A'],
  ['time', '>=', '2026-01-02T00:00:05Z'], ['time', '<', '2026-01-02 00:00:05.250'], ['time', '=', `${base}000000`], ['nano', '>', '2026-01-02T00:00:10.000000071Z'], ['nano', 'is null'], ['day', '>=', '2026-01-10'], ['day', '!=', '2026-01-11'],
  ['price', '>', -3.5], ['price', '=', 4.5], ['price', '=', '4.5000'], ['price', '!=', 4.5], ['price', 'in', [4.5, -2.875, 100]], ['price', 'not in', [4.5]], ['ratio', '>', 0.1], ['ratio', '=', 0.1], ['ratio', '!=', 3], ['small', '>', 1.5], ['small', '=', 0.5], ['small', '<=', 0.1],
  ['size', '=', '9007199254740997'], ['size', '>', '9007199254740999'], ['size', 'is null'], ['count', '<', 5], ['count', 'not in', [1, 2, 3]], ['side', '=', 'buy'], ['side', '!=', 'buy'], ['done', '=', true], ['done', '!=', true], ['tags', 'is null'], ['tags', 'is not null'], ['raw', 'like', '%2.5%'],
  { and: [['price', '>', -10], { or: [['side', '=', 'sell'], ['done', '=', false]] }] }, { and: [] }, { or: [] }
]

await t.test('live rows and stored rows', async t => {
  const stage = await openStage(t, { 'schemas/ticks.yaml': schema })
  await stage.send(rows)
  const stored = async (where: unknown): Promise<Row[] | undefined> => {
    const answer = await stage.ask('GET', `/v1/data/ticks.json${where === null ? '' : `?where=${encodeURIComponent(JSON.stringify(where))}`}`)
    return answer.statusCode === 200 ? answer.json<{ rows: Row[] }>().rows : undefined
  }
  await eventually('all rows are stored', async () => (await stored(null))?.length === rows.length || undefined)
  const from = async (path: string, id?: string): Promise<Row[]> => {
    const listening = await stage.listen(path, id === undefined ? {} : { 'last-event-id': id })
    await eventually('the stream is live', () => listening.events.some(({ event, data }) => event === 'end' || (event === 'heartbeat' && (data as { live: boolean }).live)) || undefined)
    listening.stop()
    await listening.ended
    return listening.rows()
  }
  const byTime = (found: readonly Row[] | undefined): Row[] => (found ?? [{ time: 'not answered' }]).toSorted((a, b) => String(a['time']) < String(b['time']) ? -1 : 1)

  await t.test('a filter chooses the same rows in memory as in SQL', async t => {
    for (let i = 0; i < filters.length; i += 10) {
      await Promise.all(filters.slice(i, i + 10).map(async where => {
        const query = where === null ? '' : `?where=${encodeURIComponent(JSON.stringify(where))}`
        const [here, there] = await Promise.all([from(`/v1/live/ticks${query}`, 'ticks/0:0'), eventually('an answer', () => stored(where))])
        t.same(byTime(here), byTime(there), JSON.stringify(where))
      }))
    }
  })

  await t.test('rows of before come from the database in the same words', async t => {
    t.same(await from('/v1/live/ticks?start=2026-01-02'), await stored(null))
    const listening = await stage.listen('/v1/live/ticks?start=2026-01-02T00:00:05Z&limit=1').catch(() => undefined)
    t.equal(listening, undefined, 'what it does not know is refused')
  })

  await t.test('who resumes at rows that the topic does not hold any more gets them from the database', async t => {
    const topic = stage.platform.supervisor.schemas.get('ticks')
    if (topic === undefined) return t.fail('The schema was not read')
    await stage.platform.broker.trim({ ...topic, retention: { ms: 1, bytes: 1, beyondOutputs: true } }, { now: Date.now() + 1e9, groups: [] })
    const first = (await stage.platform.broker.inspect('ticks'))?.partitions[0]?.first ?? 0
    t.ok(first > 10, 'rows are gone')
    const found = await from('/v1/live/ticks?fields=_offset', 'ticks/0:10')
    t.same(found.map(({ _offset }) => Number(_offset)), Array.from({ length: rows.length - 10 }, (_, i) => i + 10))
  })
})

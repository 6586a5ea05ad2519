import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { eventually as lastly } from '../../system/project.ts'
import { openStage } from './stage.ts'
import type { Row } from '../../../runtime/batch.ts'
import type { Listening } from './stage.ts'

const eventually = <T>(what: string, look: () => Promise<T | undefined> | T | undefined): Promise<T> => lastly(what, look, 30_000)
const time = Date.UTC(2026, 0, 2, 14, 30)
let number = 0
/** Rows numbered on, of three symbols in turn. */
function ticks (n: number, more: Row = {}): Row[] {
  return Array.from({ length: n }, () => {
    const i = number++
    return { symbol: ['AAPL', 'MSFT', 'IBM'][i % 3], time: time + i, price: `${100 + i}.5`, size: String(i), note: null, ...more }
  })
}
const numbers = (rows: readonly Row[]): number[] => rows.map(({ size }) => Number(size))
const live = (listening: Listening): Promise<true> => eventually('the stream is live', () => listening.events.some(({ event, data }) => event === 'heartbeat' && (data as { live: boolean }).live) || undefined)
const sorted = (found: readonly number[]): number[] => found.toSorted((a, b) => a - b)
const span = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i)

await t.test('live rows', async t => {
  const stage = await openStage(t)
  const stored = (n: number): Promise<true> => eventually(`${n} rows are stored`, async () => {
    const answer = await stage.ask('POST', '/v1/query', { headers: { 'content-type': 'text/plain' }, payload: 'SELECT count() AS n FROM data.ticks' })
    return answer.statusCode === 200 && Number((JSON.parse(answer.body) as { n: string }).n) === n ? true : undefined
  })
  await stage.send(ticks(30))
  await stored(30)

  await t.test('a stream begins now, and gets the rows that come, as the data API writes them', async t => {
    const listening = await stage.listen('/v1/live/ticks')
    await live(listening)
    const from = number
    await stage.send([...ticks(5), ...ticks(1, { price: 'none' }), ...ticks(4)])
    await eventually('9 rows', () => listening.rows().length === 9 || undefined)
    t.same(sorted(numbers(listening.rows())), [...span(from, from + 5), ...span(from + 6, from + 10)], 'without the one that the mapping refuses')
    t.same(listening.rows().find(({ size }) => size === String(from)), { symbol: ['AAPL', 'MSFT', 'IBM'][from % 3], time: new Date(time + from).toISOString(), price: 100.5 + from, size: String(from), note: null, extra: null })
    listening.stop()
    await listening.ended
  })

  await t.test('symbols, fields and a filter choose', async t => {
    const where = encodeURIComponent(JSON.stringify({ or: [['price', '>', 150], ['note', '=', 'x']] }))
    const listening = await stage.listen(`/v1/live/ticks?symbols=AAPL,IBM&fields=size,symbol&where=${where}`)
    await live(listening)
    const from = number
    await stage.send(ticks(20))
    const wanted = span(from, from + 20).filter(i => i % 3 !== 1 && 100 + i + 0.5 > 150)
    await eventually('the rows', () => listening.rows().length === wanted.length || undefined)
    t.same(sorted(numbers(listening.rows())), wanted)
    t.same(Object.keys(listening.rows()[0] as Row), ['size', 'symbol'])
    listening.stop()
  })

  await t.test('start sends what was before, and goes on without gap or overlap while rows come', async t => {
    const stop = new AbortController()
    // An append is done before others get a turn.
    const sending = (async () => { for (; !stop.signal.aborted; await sleep(10)) await stage.send(ticks(7)) })()
    const listening = await stage.listen(`/v1/live/ticks?start=${new Date(time + 10).toISOString()}`)
    await live(listening)
    await eventually('some rows of after', () => listening.rows().length > number - 10 - 50 || undefined)
    stop.abort()
    await sending
    const all = span(10, number).filter(i => i !== 35)
    await eventually('all rows', () => listening.rows().length >= all.length || undefined)
    t.same(sorted(numbers(listening.rows())), all)
    listening.stop()
  })

  await t.test('a stream that is cut goes on behind its last id, exactly', async t => {
    const first = await stage.listen('/v1/live/ticks')
    await live(first)
    const from = number
    await stage.send(ticks(40))
    await eventually('some rows', () => first.rows().length > 0 || undefined)
    first.stop()
    await first.ended
    const [id, had] = [first.id(), numbers(first.rows())]
    await stage.send(ticks(40))
    const second = await stage.listen('/v1/live/ticks', { 'last-event-id': id })
    await stage.send(ticks(10))
    await eventually('all rows', () => had.length + second.rows().length >= number - from || undefined)
    t.same(sorted([...had, ...numbers(second.rows())]), span(from, number))
    second.stop()
  })

  await t.test('what is wrong is said before the stream begins', async t => {
    for (const [path, status] of [
      ['/v1/live/none', 404],
      ['/v1/live/ticks?fields=secret', 400],
      ['/v1/live/ticks?where={', 400],
      [`/v1/live/ticks?where=${encodeURIComponent('["price",">","x"]')}`, 400],
      ['/v1/live/ticks?conflate=1', 400],
      ['/v1/live/ticks?start=yesterday', 400],
      ['/v1/live/ticks?sql=1', 422]
    ] as const) {
      const answer = await stage.ask('GET', path)
      t.equal(answer.statusCode, status, path)
      t.match(answer.headers['content-type'], /problem/)
    }
    t.equal((await stage.ask('GET', '/v1/live/ticks', { headers: { 'last-event-id': 'x' } })).statusCode, 400)
    t.equal((await stage.ask('GET', '/v1/live/ticks', { headers: { 'last-event-id': 'ticks/0:99999999' } })).statusCode, 400, 'beyond the end')
  })
})

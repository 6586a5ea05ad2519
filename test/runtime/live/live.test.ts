import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { eventually } from '../../waiting.ts'
import { token as bearer } from '../control/endpoint.ts'
import { openStage } from './stage.ts'
import type { Row } from '../../../runtime/batch.ts'
import type { Listening } from './stage.ts'

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
      ['/v1/live/ticks?start=someday', 400],
      ['/v1/live/ticks?sql=1', 422]
    ] as const) {
      const answer = await stage.ask('GET', path)
      t.equal(answer.statusCode, status, path)
      t.match(answer.headers['content-type'], /problem/)
    }
    t.equal((await stage.ask('GET', '/v1/live/ticks', { headers: { 'last-event-id': 'x' } })).statusCode, 400)
    t.equal((await stage.ask('GET', '/v1/live/ticks', { headers: { 'last-event-id': 'ticks/0:99999999' } })).statusCode, 400, 'beyond the end')
  })

  await t.test('a stream shows what is granted, and item 8: ends within a second of the end of its token', async t => {
    const { headers, token } = await stage.person('micro', [{ dataset: 'ticks', columns: ['symbol', 'size'], where: ['symbol', '=', 'MSFT'] }])
    const listening = await stage.listen('/v1/live/ticks', headers)
    await live(listening)
    t.equal((await stage.ask('GET', '/v1/live/ticks?fields=price', { headers })).statusCode, 400)
    t.equal((await stage.ask('GET', `/v1/live/ticks?where=${encodeURIComponent('["price",">",1]')}`, { headers })).statusCode, 400, 'nor can be filtered by what is not granted')
    const from = number
    await stage.send(ticks(9))
    await eventually('three rows', () => listening.rows().length === 3 || undefined)
    t.same(sorted(numbers(listening.rows())), span(from, from + 9).filter(i => i % 3 === 1))
    t.same(Object.keys(listening.rows()[0] as Row), ['symbol', 'size'])
    t.equal((await stage.ask('DELETE', `/v1/tokens/${token}`)).statusCode, 200)
    await listening.ended
    t.match(listening.events.at(-1), { event: 'end', data: { code: 'UNAUTHORIZED', resumable: false } })
  })

  await t.test('conflation sends the newest row of each symbol', async t => {
    const listening = await stage.listen('/v1/live/ticks?conflate=200ms')
    await live(listening)
    for (let i = 0; i < 20; i++) await stage.send(ticks(30))
    const last = number
    const newest = (): number[] => [...new Map(listening.rows().map(({ symbol, size }) => [symbol, Number(size)])).values()]
    await eventually('the newest rows', () => sorted(newest()).join() === span(last - 3, last).join() || undefined)
    t.ok(listening.rows().length < 600)
    listening.stop()
  })

  await t.test('over WebSocket several datasets share a connection, each is subscribed and left by itself', async t => {
    const socket = new WebSocket(`${stage.url.replace('http', 'ws')}/v1/live`, { headers: { authorization: `Bearer ${bearer}` } } as unknown as string)
    t.teardown(() => socket.close())
    const got: Array<Record<string, unknown>> = []
    socket.addEventListener('message', ({ data }) => got.push(JSON.parse(String(data)) as Record<string, unknown>))
    await once(socket, 'open')
    const say = (message: object): void => socket.send(JSON.stringify(message))
    const of = (id: string, type: string): Array<Record<string, unknown>> => got.filter(message => message['id'] === id && message['type'] === type)
    const rows = (id: string): Row[] => of(id, 'rows').flatMap(message => message['rows'] as Row[])
    say({ subscribe: { id: 'a', dataset: 'ticks', symbols: ['AAPL'], fields: ['size'] } })
    say({ subscribe: { id: 'b', dataset: 'ticks', where: ['symbol', '=', 'IBM'], fields: ['size'] } })
    say({ subscribe: { dataset: 'none' } })
    say({ other: 1 })
    await eventually('both are live, and the wrong ones refused', () => (['a', 'b'].every(id => of(id, 'heartbeat').some(({ live }) => live === true)) && got.filter(({ type }) => type === 'error').length === 2) || undefined)
    t.same(got.filter(({ type }) => type === 'error').map(({ code }) => code).toSorted(), ['NOT_FOUND', 'REQUEST_INVALID'])
    const from = number
    await stage.send(ticks(6))
    await eventually('two rows each', () => (rows('a').length === 2 && rows('b').length === 2) || undefined)
    t.same(sorted(numbers(rows('a'))), span(from, from + 6).filter(i => i % 3 === 0))
    say({ unsubscribe: 'a' })
    await eventually('a has ended', () => of('a', 'end')[0])
    await stage.send(ticks(3))
    await eventually('one more row', () => rows('b').length === 3 || undefined)
    t.equal(rows('a').length, 2)
    const closed = once(socket, 'close')
    socket.close()
    await closed
  })
})

import { getEventListeners, once } from 'node:events'
import { createServer } from 'node:http'
import t from 'tap'
import { Agent } from 'undici'
import { History } from '../../../../plugins/inputs/interactive-brokers/history.ts'
import { Progress } from '../../../../plugins/inputs/interactive-brokers/progress.ts'
import { Rest } from '../../../../plugins/inputs/interactive-brokers/rest.ts'
import plugin from '../../../../plugins/inputs/interactive-brokers/index.ts'
import { configure } from '../../../conform/configure.ts'
import { fakeContext, until } from '../../../conform/context.ts'
import { apple, compare, gapOver, ibm, run, sameAsSent, simulate, stream, topics } from './driver.ts'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import type { Json, Row, Topic } from '../../../../runtime/plugin.ts'
import type { Gap } from '../../../../plugins/inputs/interactive-brokers/progress.ts'

await t.test('a gap is one row when it opens and one when it closes, and is filled with bars', async t => {
  const simulator = await simulate(t)
  const running = await stream(t, simulator)
  simulator.fault('close-1011')
  await until(() => running.gaps.filter(({ state }) => state === 'filled').length === 2, 'filled gaps')
  await running.stop()
  const own = running.gaps.filter(({ conid }) => conid === apple)
  t.strictSame(own.map(({ state }) => state), ['open', 'closed', 'filled'])
  t.equal(new Set(own.map(row => row['from_time'])).size, 1, 'the three rows name the same gap')
  const [, closed, filled] = own
  t.match(closed, { symbol: 'AAPL', reason: 'disconnected' })
  const rows = running.quotes.filter(({ conid }) => conid === apple)
  t.ok(rows.some(row => row['received_time'] === closed?.['from_time']), 'from the last row before it')
  t.ok(rows.some(row => row['received_time'] === closed?.['to_time'] && row['snapshot'] === true), 'to the first row after it')
  const bars = running.bars.filter(({ conid }) => conid === apple)
  t.equal(filled?.['bars'], bars.length)
  t.match(bars[0], { symbol: 'AAPL', source: 'history', backfill: true, barLength: 60, gap_from: closed?.['from_time'], volumeFactor: 1, answer: { timePeriod: '2min' } })
  t.type(bars[0]?.['o'], 'number')
  for (const bar of bars) t.ok(Number(bar['t']) + 60_000 > Number(closed?.['from_time']) && Number(bar['t']) <= Number(closed?.['to_time']))
})

await t.test('without backfill nothing is fetched', async t => {
  const simulator = await simulate(t)
  const running = await stream(t, simulator, { backfill: false })
  simulator.fault('close-1011')
  await gapOver(running, 'disconnected')
  await running.more(5)
  await running.stop()
  t.strictSame(running.bars, [])
  t.equal(simulator.stats.requests['GET iserver/marketdata/history'], undefined)
  t.match(running.checkpoint(), { gaps: [] })
})

await t.test('history-error: a gap without bars is called unfilled', async t => {
  const simulator = await simulate(t, { faults: [{ name: 'history-error' }] })
  const running = await stream(t, simulator)
  simulator.fault('close-1011')
  await until(() => running.gaps.filter(({ state }) => state === 'unfilled').length === 2, 'unfilled gaps')
  await running.stop()
  t.match(running.gaps.at(-1), { bars: 0, detail: /no bars/ })
  sameAsSent(t, simulator, running)
})

await t.test('after a restart the time between is a gap, and contract ids are not looked up again', async t => {
  const simulator = await simulate(t)
  const first = await stream(t, simulator)
  await first.stop()
  const checkpoint = first.checkpoint()
  t.match(checkpoint, { contracts: { AAPL: { conid: apple }, IBM: { conid: ibm } }, gaps: [] })
  const second = await stream(t, simulator, {}, { checkpoint })
  await gapOver(second, 'restart')
  await second.stop()
  const last = first.quotes.findLast(({ conid }) => conid === apple)
  t.match(second.gaps.find(({ conid }) => conid === apple), { state: 'open', reason: 'restart', from_time: last?.['received_time'] })
  t.equal(simulator.stats.requests['GET trsrv/stocks'], 1)
  sameAsSent(t, simulator, { ...first, quotes: [...first.quotes, ...second.quotes] })
})

await t.test('a gap that was open or not yet filled is taken up after a restart', async t => {
  const simulator = await simulate(t)
  const now = Date.now()
  const checkpoint: Json = {
    contracts: { AAPL: { symbol: 'AAPL', conid: apple }, IBM: { symbol: 'IBM', conid: ibm }, GONE: { symbol: 'GONE', conid: 7 } },
    last: { [apple]: now - 1000, [ibm]: now - 10, 7: now },
    gaps: [
      { symbol: 'AAPL', conid: apple, from: now - 1000, reason: 'competing' },
      { symbol: 'IBM', conid: ibm, from: now - 120_000, to: now - 60_000, reason: 'stale' },
      { symbol: 'GONE', conid: 7, from: now - 1000, reason: 'stale' }
    ]
  }
  const running = await stream(t, simulator, {}, { checkpoint })
  await gapOver(running, 'competing', ['AAPL'])
  await until(() => running.gaps.some(({ conid, from_time: from, state }) => conid === ibm && from === now - 120_000 && (state === 'filled' || state === 'unfilled')), 'the old gap is done')
  await until(() => running.gaps.filter(({ state }) => state === 'filled' || state === 'unfilled').length === 3, 'all gaps are done')
  await running.stop()
  t.equal(running.gaps.filter(({ conid, state }) => conid === apple && state === 'open').length, 0, 'it is the same gap, so it does not open twice')
  t.match(running.checkpoint(), { gaps: [] })
  t.notMatch(JSON.stringify(running.checkpoint()), /GONE/)
})

await t.test('a checkpoint of another shape is survived', async t => {
  for (const checkpoint of [null, 7, 'x', [], { contracts: [], last: { 1: 'x' }, gaps: { a: 1 } }, { contracts: { A: null }, gaps: [null, { conid: 1 }] }] as Json[]) {
    t.strictSame(new Progress(checkpoint).checkpoint(), { contracts: {}, last: {}, gaps: [] })
  }
})

await t.test('overflow: rows beyond the bound are dropped, counted, and part of a gap that ends when there is room', async t => {
  const simulator = await simulate(t)
  const blocked = Promise.withResolvers<void>()
  let chunks = 0
  const running = run(t, simulator, { pending_rows_max: 20 }, { take: () => ++chunks === 3 ? blocked.promise : undefined })
  await until(() => (running.context.counts['rows_dropped'] ?? 0) > 20, 'dropped rows')
  t.match(running.context.healths.at(-1), { ok: false, state: 'streaming', reason: /Rows are dropped/ })
  blocked.resolve()
  await gapOver(running, 'overflow')
  await until(() => running.context.healths.at(-1)?.ok === true, 'health recovers')
  await running.stop()
  const { lost, unexplained } = compare(simulator.sent, running.quotes)
  t.equal(lost.length, running.context.counts['rows_dropped'], 'no other row is missing')
  t.strictSame(unexplained, [])
})

await t.test('lines_max: the first instruments are streamed, health names the others', async t => {
  const simulator = await simulate(t)
  const running = run(t, simulator, { instruments: ['AAPL', 'IBM', 'MSFT'], lines_max: 1 })
  await running.more(5)
  t.match(running.context.healths.at(-1), { ok: false, state: 'streaming', reason: /2 instruments are not streamed, as lines_max is 1: IBM, MSFT/ })
  t.equal(simulator.stats.lines, 1)
  await running.stop()
})

await t.test('instruments: symbols, symbols with an exchange and contract ids; what is unknown or ambiguous is named', async t => {
  const simulator = await simulate(t)
  const running = run(t, simulator, { instruments: ['aapl', 'IBM@NYSE', 272093, 'MSFT', 'NONSUCH', 'IBM@MEXI'] })
  await until(() => new Set(running.quotes.map(row => row['symbol'])).size === 3, 'three instruments')
  t.strictSame(new Set(running.quotes.map(row => row['symbol'])), new Set(['AAPL', 'IBM@NYSE', 'MSFT']))
  t.match(running.context.healths.at(-1), { ok: false, state: 'streaming', reason: /NONSUCH is no stock .* IBM@MEXI is not listed there; give one of IBM@NYSE/ })
  await running.stop()
  t.equal(running.quotes.filter(row => row['snapshot'] === true).length, 3, 'one subscription a contract')

  const none = run(t, simulator, { instruments: ['NONSUCH'] })
  t.match(await none.failure(), { code: 'CONFIG_INVALID', message: /NONSUCH is no stock that the gateway knows/ })
})

await t.test('a reading that is given up returns, also while bars wait for room, and leaves nothing behind', async t => {
  const simulator = await simulate(t)
  const context = { ...fakeContext({ topic: topics.get('quotes') as Topic, topics: [...topics.values()] }), clock: { now: () => Date.now() } }
  const generator = plugin.read(configure(plugin, { gateway: simulator.url, instruments: ['AAPL'], pending_rows_max: 1, retry_seconds: 0.02 }), context)
  await generator.next()
  simulator.fault('close-1011')
  await until(() => (simulator.stats.requests['GET iserver/marketdata/history'] ?? 0) > 0 || (context.counts['rows_dropped'] ?? 0) > 20, 'bars or drops')
  await generator.return()
  t.equal(getEventListeners(context.signal, 'abort').length, 0)
  await until(() => simulator.stats.sockets === 0, 'the socket is closed')

  const stopped = run(t, simulator)
  await stopped.stop()
  t.strictSame(stopped.quotes, [])
})

interface Filled { readonly bars: Row[], readonly outcomes: Array<{ gap: Gap, state: string, bars: number, detail?: string }>, readonly joined: Gap[], readonly queries: URLSearchParams[] }

/** A history on a server that answers as told. */
async function fill (t: Test, gaps: ReadonlyArray<Required<Gap>>, now: number, answer: (query: URLSearchParams) => { status?: number, body: object }): Promise<Filled> {
  const queries: URLSearchParams[] = []
  const server = createServer((request, response) => {
    const query = new URL(request.url ?? '/', 'http://x').searchParams
    queries.push(query)
    const { status = 200, body } = answer(query)
    response.writeHead(status).end(JSON.stringify(body))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const dispatcher = new Agent()
  t.teardown(async () => {
    await dispatcher.destroy()
    server.close()
  })
  const { signal } = new AbortController()
  const api = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
  const rest = new Rest({ api, dispatcher, requestsPerSecond: 1000, penaltyMs: 20, signal, penalty: () => {}, counted: () => {} })
  const filled: Filled = { bars: [], outcomes: [], joined: [], queries }
  const history = new History({
    rest,
    clock: { now: () => now },
    log: fakeContext().log,
    signal,
    retryMs: 1,
    retryMsMax: 2,
    write: async rows => { filled.bars.push(...rows) },
    done: (gap, outcome) => { filled.outcomes.push({ gap, ...outcome }) },
    joined: swallowed => { filled.joined.push(swallowed) }
  })
  for (const gap of gaps) history.fill(gap)
  await until(() => filled.outcomes.length === gaps.length - filled.joined.length, 'all gaps are done')
  await history.settled()
  return filled
}

const minute = 60_000
const hour = 60 * minute
const now = Date.UTC(2026, 4, 4, 15, 0, 30)
const gap = (from: number, to: number, conid = apple): Required<Gap> => ({ symbol: 'AAPL', conid, from, to, reason: 'stale' })
const bar = (t: number): object => ({ o: 1, h: 2, l: 0.5, c: 1.5, v: 100, t })

await t.test('a long gap is fetched in windows that the gateway can answer, and only its own bars are kept', async t => {
  const from = now - 20 * hour
  const to = now - 2 * hour
  const { outcomes, queries, bars } = await fill(t, [gap(from, to)], now, query => {
    const end = query.get('startTime')
    const endMs = Date.parse(`${end?.slice(0, 4)}-${end?.slice(4, 6)}-${end?.slice(6, 8)}T${end?.slice(9)}Z`)
    return { body: { barLength: 60, data: Array.from({ length: 480 }, (_, i) => bar(Math.floor(endMs / minute - i) * minute)) } }
  })
  t.strictSame(queries.map(query => [query.get('period'), query.get('startTime')]), [['8h', '20260504-13:00:30'], ['8h', '20260504-05:00:30'], ['8h', '20260503-21:00:30']])
  t.equal(outcomes[0]?.state, 'filled')
  t.ok(bars.every(row => Number(row['t']) + minute > from && Number(row['t']) <= to))
  t.equal(new Set(bars.map(row => row['t'])).size, 18 * 60 + 1, 'every minute of it')
})

await t.test('an answer with other bars than asked for is refused', async t => {
  const { outcomes, bars } = await fill(t, [gap(now - 5 * minute, now)], now, () => ({ body: { barLength: 14400, data: [bar(now - minute)] } }))
  t.match(outcomes, [{ state: 'unfilled', bars: 0, detail: /bars of 14400 s instead of 60 s/ }])
  t.strictSame(bars, [])
})

await t.test('a passing failure is retried, a lasting one is not', async t => {
  let calls = 0
  const passing = await fill(t, [gap(now - 5 * minute, now)], now, () => ++calls < 6 ? { status: [503, 400, 429, 401, 500][calls - 1] ?? 0, body: { error: calls === 5 ? 'Please query /accounts first' : 'no bridge' } } : { body: { barLength: 60, data: [bar(now - 2 * minute)] } })
  t.match(passing.outcomes, [{ state: 'filled', bars: 1 }])
  const lasting = await fill(t, [gap(now - 5 * minute, now)], now, () => ({ status: 500, body: { error: 'Chart data unavailable' } }))
  t.match(lasting.outcomes, [{ state: 'unfilled', detail: /Chart data unavailable/ }])
  t.equal(lasting.queries.length, 3)
})

await t.test('many gaps of one instrument that wait become one', async t => {
  const gaps = Array.from({ length: 20 }, (_, i) => gap(now - (40 - i) * minute, now - (40 - i) * minute + 1000))
  const { outcomes, joined } = await fill(t, gaps, now, () => ({ body: { barLength: 60, data: [] } }))
  t.ok(outcomes.length <= 8, 'a few remain')
  t.equal(Math.max(...outcomes.map(({ gap }) => gap.to ?? 0)), gaps.at(-1)?.to, 'they cover all')
  t.equal(outcomes.length + joined.length, 20)
})

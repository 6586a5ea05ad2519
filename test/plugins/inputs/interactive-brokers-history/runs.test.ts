import t from 'tap'
import plugin from '../../../../plugins/inputs/interactive-brokers-history/index.ts'
import { nextWindow } from '../../../../plugins/inputs/interactive-brokers-history/windows.ts'
import { barsMs } from '../../../../plugins/inputs/interactive-brokers/bars.ts'
import { startSimulator } from '../../../../plugins/inputs/interactive-brokers/simulator/simulator.ts'
import { configure } from '../../../conform/configure.ts'
import { fakeContext, fakeTopic, until } from '../../../conform/context.ts'
import { answeringGateway } from './gateway.ts'
import type { Test } from 'tap'
import type { BarName } from '../../../../plugins/inputs/interactive-brokers/bars.ts'
import type { Simulator, SimulatorOptions } from '../../../../plugins/inputs/interactive-brokers/simulator/simulator.ts'
import type { PlatformError } from '../../../../runtime/errors.ts'
import type { Json, Row, Run } from '../../../../runtime/plugin.ts'
import type { FakeContext, FakeOptions } from '../../../conform/context.ts'

const [apple, ibm] = [265598, 8314]
const minuteMs = 60_000
const hourMs = 60 * minuteMs
const anchorMs = Date.UTC(2024, 0, 1)
/** The gateway's clock is the real one: tests read what lies behind them. */
const now = Math.floor(Date.now() / hourMs) * hourMs

const quick = {
  instruments: ['AAPL', 'IBM'],
  bar: '1min',
  start: '3h',
  settle_seconds: 0,
  requests_per_second: 50,
  penalty_minutes: 0.005,
  tickle_seconds: 0.05,
  retry_seconds: 0.01,
  retry_seconds_max: 0.05,
  session_seconds: 0.05,
  session_seconds_max: 0.1
}

async function simulate (t: Test, options: SimulatorOptions = {}): Promise<Simulator> {
  const simulator = await startSimulator({ anchorMs, requestsPerSecond: 0, penaltyMs: 100, bridgeMs: 10, historyMs: 0, ...options })
  t.teardown(() => simulator.close())
  return simulator
}

async function answering (t: Test, history: () => unknown): Promise<{ readonly url: string }> {
  const gateway = await answeringGateway(history)
  t.teardown(() => gateway.close())
  return gateway
}

interface Reading {
  readonly context: FakeContext
  readonly rows: Row[]
  checkpoint: Json | undefined
  error: PlatformError | undefined
}

interface Given {
  readonly config?: Readonly<Record<string, Json>>
  readonly now?: number
  /** null: the pipeline has no runs. */
  readonly run?: Run | null
  readonly checkpoint?: Json | undefined
  readonly root?: string
  /** The chunk of that number is taken but not made durable, and the reading is given up. */
  readonly lose?: number
  /** Called with the number of each chunk before the next one is asked for. */
  readonly taken?: (chunk: number) => void
}

function begin ({ url }: Pick<Simulator, 'url'>, { config = {}, checkpoint, lose = Infinity, taken: told = () => {}, run = { id: 'r1', kind: 'scheduled', from: 0, to: now }, ...options }: Given = {}): { readonly reading: Reading, readonly ended: Promise<Reading> } {
  const given: FakeOptions = { topic: fakeTopic('bars', ['symbol']), step: 'input', now, checkpoint: checkpoint === undefined ? undefined : JSON.parse(JSON.stringify(checkpoint)) as Json, ...options, ...(run !== null && { run }) }
  const context = fakeContext(given)
  const reading: Reading = { context, rows: [], checkpoint, error: undefined }
  const work = async (): Promise<Reading> => {
    let taken = 0
    try {
      for await (const chunk of plugin.read(configure(plugin, { ...quick, gateway: url, ...config }), context)) {
        if (taken++ === lose) break
        reading.rows.push(...chunk.batch.rows())
        reading.checkpoint = chunk.checkpoint
        told(taken)
      }
    } catch (error) {
      reading.error = error as PlatformError
    }
    return reading
  }
  return { reading, ended: work() }
}

const read = (simulator: Pick<Simulator, 'url'>, given: Given = {}): Promise<Reading> => begin(simulator, given).ended

function starts ({ rows }: Pick<Reading, 'rows'>, conid: number): number[] {
  return rows.filter(row => row['conid'] === conid).map(row => row['t'] as number)
}

/** Every bar that begins in [from, to). */
function series (from: number, to: number, stepMs = minuteMs): number[] {
  return Array.from({ length: Math.floor((to - from) / stepMs) }, (_, i) => from + i * stepMs)
}

await t.test('every complete bar of every instrument comes once, oldest first, with all that the gateway says', async t => {
  const simulator = await simulate(t)
  const { rows, error, context } = await read(simulator, { config: { start: '20h' } })
  t.equal(error, undefined)
  for (const conid of [apple, ibm]) t.strictSame(starts({ rows }, conid), series(now - 20 * hourMs, now))
  t.match(rows[0], { symbol: 'AAPL', conid: apple, o: Number, h: Number, l: Number, c: Number, v: Number, t: Number, barLength: 60, bar: '1min', prices: 'Trades', source: 'history', backfill: false, complete: true, received_time: now, priceFactor: 100, volumeFactor: 1, mdAvailability: 'S', mktDataDelay: 0, answer: { timePeriod: '8h', outsideRth: false } })
  t.notOk('data' in (rows[0]!['answer'] as object))
  t.strictSame(context.rejected, [])
  t.match(context.healths.at(-1), { ok: true, state: 'reading' })
  t.equal(context.gauges['instruments_left'], 0)
  const answer = await (await fetch(`${simulator.url}/iserver/marketdata/history?conid=${apple}&bar=1min&period=1h&startTime=${new Date(now).toISOString().replace(/[-Z]/g, '').replace('T', '-').slice(0, 17)}`)).json() as { data: Row[] }
  const last = rows.findLast(row => row['conid'] === apple)!
  t.match(last, answer.data.at(-1)!, 'the values are those of the gateway')
})

await t.test('the next run goes on after the last bar, and an incomplete bar is left to it', async t => {
  const simulator = await simulate(t)
  const first = await read(simulator, { now: now - hourMs - 30_000 })
  t.strictSame(starts(first, apple), series(now - 4 * hourMs, now - hourMs - minuteMs))
  t.match(first.checkpoint, { contracts: { AAPL: { conid: apple } }, last: { [apple]: now - hourMs - 2 * minuteMs }, bars: '1min Trades' })
  const again = await read(simulator, { now: now - hourMs - 30_000, checkpoint: first.checkpoint })
  t.strictSame(again.rows, [], 'nothing is new')
  const second = await read(simulator, { checkpoint: first.checkpoint })
  for (const conid of [apple, ibm]) t.strictSame([...starts(first, conid), ...starts(second, conid)], series(now - 4 * hourMs, now))
  t.equal(simulator.stats.requests['GET trsrv/stocks'], 1, 'contract ids are not looked up again')
})

await t.test('settle_seconds after its end a bar is complete', async t => {
  const simulator = await simulate(t)
  t.equal(starts(await read(simulator, { config: { settle_seconds: 60 } }), apple).at(-1), now - 2 * minuteMs)
  t.equal(starts(await read(simulator, { config: { settle_seconds: 60.001 } }), apple).at(-1), now - 3 * minuteMs)
})

await t.test('a run that dies at any chunk is resumed without a gap and without a double', async t => {
  const simulator = await simulate(t)
  for (const parallel of [1, 2]) {
    const config = { start: '30h', parallel }
    const rows: Row[] = []
    let checkpoint: Json | undefined
    for (let chunks = 0; chunks < 12; chunks++) {
      const died = await read(simulator, { config, checkpoint, lose: chunks % 3 })
      rows.push(...died.rows)
      checkpoint = died.checkpoint
    }
    const rest = await read(simulator, { config, checkpoint })
    for (const conid of [apple, ibm]) t.strictSame(starts({ rows: [...rows, ...rest.rows] }, conid), series(now - 30 * hourMs, now), `parallel: ${parallel}`)
  }
})

await t.test('a backfill reads its own interval, and is resumed like a run', async t => {
  const simulator = await simulate(t)
  const run: Run = { id: 'b1', kind: 'backfill', from: now - 40 * hourMs, to: now - 20 * hourMs }
  const first = await read(simulator, { run, lose: 2 })
  const second = await read(simulator, { run, checkpoint: first.checkpoint })
  t.ok(first.rows.length > 0 && second.rows.length > 0)
  for (const conid of [apple, ibm]) t.strictSame([...starts(first, conid), ...starts(second, conid)], series(run.from, run.to))
  const future = await read(simulator, { run: { ...run, from: now - hourMs, to: now + hourMs } })
  t.strictSame(starts(future, ibm), series(now - hourMs, now), 'it ends now at the latest')
  const scheduled = await read(simulator, { run: { ...run, kind: 'scheduled' } })
  t.strictSame(starts(scheduled, ibm), series(now - 3 * hourMs, now), 'a scheduled run goes on from its place')
})

await t.test('other bars begin anew, and an instrument that is added begins at start', async t => {
  const simulator = await simulate(t)
  const { checkpoint } = await read(simulator, { config: { instruments: ['AAPL'] } })
  const more = await read(simulator, { checkpoint })
  t.strictSame([starts(more, apple), starts(more, ibm)], [[], series(now - 3 * hourMs, now)])
  const longer = await read(simulator, { checkpoint, config: { instruments: ['AAPL'], bar: '5min', outside_hours: true } })
  t.strictSame(starts(longer, apple), series(now - 3 * hourMs, now, 5 * minuteMs))
  t.match(longer.checkpoint, { bars: '5min Trades outside hours' })
  const midpoints = await read(simulator, { checkpoint: longer.checkpoint, config: { instruments: ['AAPL'], source: 'Midpoint' } })
  t.equal(midpoints.rows.length, 180)
  t.match(midpoints.rows[0], { prices: 'Midpoint', v: 0 })
  const unreadable = await read(simulator, { checkpoint: { last: 7, contracts: [], bars: '1min Trades' } })
  t.equal(unreadable.rows.length, 360)
})

await t.test('every bar is asked for within the limits of the gateway', async t => {
  for (const [bar, ms] of Object.entries(barsMs) as Array<[BarName, number]>) {
    // A market in which each bar is one recorded bar, so that none is empty.
    const simulator = await simulate(t, { speed: minuteMs / ms, historiesMax: 1 })
    // The simulator's month has 30 days.
    const stepMs = bar === '1m' ? 30 * 24 * hourMs : ms
    const { to, from } = nextWindow(bar, 0, Infinity, Infinity)
    const length = to - from
    t.ok(length / stepMs >= 176 && length / stepMs <= 1000, `${bar}: ${length / stepMs} bars a request`)
    const start = Math.max(Math.ceil((now - 2.5 * length) / stepMs), Math.ceil(0 / stepMs)) * stepMs
    const { rows, error, context } = await read(simulator, { run: { id: 'b', kind: 'backfill', from: start, to: now }, config: { bar, instruments: ['IBM'] } })
    t.equal(error, undefined, bar)
    t.strictSame(context.rejected, [], bar)
    t.strictSame(starts({ rows }, ibm), series(start, now - ms + stepMs, stepMs).filter(at => at + ms <= now), `${bar}: all bars`)
    t.strictSame(simulator.stats.refused, {}, `${bar}: nothing was refused`)
    await simulator.close()
  }
})

await t.test('no more requests run at the same time than parallel says', async t => {
  const simulator = await simulate(t, { historiesMax: 3, historyMs: 20 })
  const { rows, error } = await read(simulator, { config: { instruments: ['AAPL', 'MSFT', 'IBM', 'GOOGL', 'META'], parallel: 3, start: '16h' } })
  t.equal(error, undefined)
  t.equal(rows.length, 5 * 16 * 60)
  t.strictSame(simulator.stats.refused, {})
})

await t.test('without runs it looks again, and rejects an instrument once', async t => {
  const simulator = await simulate(t, { faults: [{ name: 'history-error', args: { error: 'Internal error' } }] })
  const asked = (): number => simulator.stats.requests['GET iserver/marketdata/history'] ?? 0
  const { reading, ended } = begin(simulator, { run: null, config: { poll_seconds: 0.01 } })
  await until(() => asked() > 18, 'three rounds')
  t.equal(reading.context.rejected.length, 2)
  t.match(reading.context.healths.at(-1), { ok: false })
  simulator.clearFault('history-error')
  await until(() => reading.rows.length >= 360, 'all bars')
  reading.context.stop()
  const { rows, error } = await ended
  t.equal(error, undefined)
  for (const conid of [apple, ibm]) t.strictSame(starts({ rows }, conid), series(now - 3 * hourMs, now))
  t.ok(reading.context.healths.some(({ ok, state }) => ok && state === 'reading'), 'it is well again')
})

await t.test('an instrument that does not exist is rejected with the reason, and the others go on', async t => {
  const simulator = await simulate(t)
  const { rows, context, error, checkpoint } = await read(simulator, { config: { instruments: ['AAPL', 'NOPE', 4711, 'IBM'] } })
  t.equal(error, undefined)
  t.strictSame([starts({ rows }, apple).length, starts({ rows }, ibm).length], [180, 180])
  t.match(context.rejected, [
    { row: { symbol: 'NOPE' }, reason: /NOPE is no stock that the gateway knows/ },
    { row: { symbol: '4711', conid: 4711 }, reason: /no bars of 4711: .*HTTP 500 Chart data unavailable/ }
  ])
  t.match(context.healths.at(-1), { ok: false, state: 'reading', reason: /4711/ })
  t.strictSame(Object.keys((checkpoint as { last: object }).last).map(Number).sort(), [apple, ibm].sort())
})

await t.test('when the gateway gives no bars of any instrument, the run fails and says why', async t => {
  const simulator = await simulate(t)
  const nobody = await read(simulator, { config: { instruments: ['NOPE'] } })
  t.match(nobody.error, { code: 'CONFIG_INVALID', message: /NOPE/, where: 'instruments' })
  simulator.fault('history-error', { error: 'Internal error' })
  const none = await read(simulator)
  t.match(none.error, { code: 'SOURCE_UNAVAILABLE', message: /no bars of AAPL: .*Internal error.*no bars of IBM/ })
  t.equal(none.context.rejected.length, 2)
  simulator.clearFault('history-error')
  simulator.fault('history-blank', { conid: apple })
  const blank = await read(simulator)
  t.match(blank.context.rejected, [{ row: { symbol: 'AAPL' }, reason: /answered without bars/ }], 'an empty answer does not pass for a time without bars')
  t.equal(blank.rows.length, 180)
  t.match(await read(simulator, { config: { start: '2024-02-30' } }), { error: { code: 'CONFIG_INVALID', message: /no such day/ } })
})

await t.test('a time without data is passed', async t => {
  const simulator = await simulate(t, { faults: [{ name: 'history-error', args: { conid: ibm } }] })
  const { rows, error, context } = await read(simulator, { config: { start: '20h' } })
  t.equal(error, undefined)
  t.strictSame(context.rejected, [])
  t.strictSame([starts({ rows }, apple).length, starts({ rows }, ibm).length], [1200, 0])
})

await t.test('needs_login, competing and a penalty are shown, and the run goes on by itself', async t => {
  const simulator = await simulate(t, { historyMs: 20 })
  const cases: Array<readonly [fault: string, state: RegExp]> = [['sso-expired', /^needs_login .*has no login/], ['competing', /^competing .*Another program/], ['maintenance', /^connecting .*503/], ['too-many-requests', /^reading .*Too many requests|^connecting .*429/], ['no-bridge', /no bridge/]]
  for (const [fault, state] of cases) {
    const { reading, ended } = begin(simulator, { config: { start: '30h' }, taken: chunk => { if (chunk === 1) simulator.fault(fault) } })
    await until(() => reading.context.healths.some(({ ok, state: name, reason }) => !ok && state.test(`${name} ${reason ?? ''}`)), `health while ${fault}`)
    simulator.clearFault(fault)
    const { rows, error } = await ended
    t.equal(error, undefined)
    for (const conid of [apple, ibm]) t.strictSame(starts({ rows }, conid), series(now - 30 * hourMs, now), fault)
    t.match(reading.context.healths.at(-1), { ok: true, state: 'reading' }, fault)
  }
})

await t.test('with takeover the session is taken back', async t => {
  const simulator = await simulate(t)
  simulator.fault('competing')
  const { rows } = await read(simulator, { config: { takeover: 'once' } })
  t.equal(rows.length, 360)
})

await t.test('a run that waits for a login, or whose rows nobody takes, ends at the signal', async t => {
  const simulator = await simulate(t)
  simulator.fault('sso-expired')
  const { reading, ended } = begin(simulator)
  await until(() => reading.context.healths.at(-1)?.state === 'needs_login', 'needs_login')
  reading.context.stop()
  t.match(await ended, { error: undefined, rows: [] })
  simulator.clearFault('sso-expired')
  const context = fakeContext({ topic: fakeTopic('bars', ['symbol']), now })
  const generator = plugin.read(configure(plugin, { ...quick, gateway: simulator.url, start: '30h', parallel: 2 }), context)
  t.equal((await generator.next()).done, false)
  context.stop()
  t.equal((await generator.next()).done, true)
  context.stop()
  const stopped = fakeContext({ topic: fakeTopic('bars', ['symbol']), now })
  stopped.stop()
  t.equal((await plugin.read(configure(plugin, { ...quick, gateway: simulator.url }), stopped).next()).done, true)
})

await t.test('bars that are none are rejected, and their neighbours are taken', async t => {
  const bar = (t: unknown): object => ({ o: 1, h: 2, l: 1, c: 2, v: 10, t })
  const at = now - hourMs
  const gateway = await answering(t, () => ({ barLength: 60, data: [bar(at + minuteMs), bar(at), bar(at), bar('soon'), { o: 1 }, 'bar', bar(at - 100 * hourMs)] }))
  const { rows, context, error } = await read(gateway, { config: { instruments: [apple], start: '2h' } })
  t.equal(error, undefined)
  t.strictSame(starts({ rows }, apple), [at, at + minuteMs])
  t.strictSame(context.rejected.map(({ reason }) => reason).sort(), ['the answer has two bars that begin at the same time', ...Array<string>(3).fill('the bar does not say when it begins (t)')])
  t.equal(context.counts['rows_malformed'], 4)
})

await t.test('an answer with bars of another length and an error page are refused', async t => {
  const config = { instruments: [apple] }
  const other = await answering(t, () => ({ barLength: 14_400, data: [] }))
  t.match(await read(other, { config }), { error: { code: 'SOURCE_UNAVAILABLE', message: /bars of 14400 s instead of 60 s/ } })
  const page = await answering(t, () => '<html><body>Maintenance</body></html>')
  t.match(await read(page, { config }), { error: { message: /answered without bars/ } })
})

await t.test('delayed data are complete 20 minutes later', async t => {
  const data = series(now - hourMs, now).map(t => ({ t, o: 1 }))
  for (const more of [{ mdAvailability: 'D' }, { mktDataDelay: 900 }]) {
    const gateway = await answering(t, () => ({ barLength: 60, data, ...more }))
    t.equal(starts(await read(gateway, { config: { instruments: [apple], start: '1h' } }), apple).at(-1), now - 21 * minuteMs)
  }
})

await t.test('with a calendar the bar of a day is complete when its session has ended', async t => {
  const days = [Date.UTC(2024, 6, 2, 13, 30), Date.UTC(2024, 6, 3, 13, 30)]
  const gateway = await answering(t, () => ({ barLength: 86_400, data: days.map(t => ({ t, o: 1 })) }))
  const root = new URL('../../../..', import.meta.url).pathname
  const at = async (time: string, more = {}): Promise<number> => (await read(gateway, { root, now: Date.parse(time), config: { instruments: [apple], bar: '1d', start: '10d', calendar: 'XNYS', ...more } })).rows.length
  t.equal(await at('2024-07-03T16:59:59Z'), 1, 'the session ends at 13:00 on that day')
  t.equal(await at('2024-07-03T17:00:00Z'), 2)
  t.equal(await at('2024-07-03T17:00:00Z', { outside_hours: true }), 1)
  t.equal(await at('2024-07-03T17:00:00Z', { calendar: null }), 1)
  t.equal(await at('2024-07-04T13:30:00Z', { calendar: null }), 2)
  t.match(await read(gateway, { root, config: { calendar: 'XNSY' } }), { error: { code: 'CONFIG_INVALID', message: /did you mean "XNYS"/ } })
})

await t.test('the word simulator is a gateway with the same history in every run', async t => {
  const config = { gateway: 'simulator', bar: '1d', start: '30d' }
  const [first, second] = [await read({ url: '' }, { config }), await read({ url: '' }, { config })]
  t.equal(first.error, undefined)
  t.ok(first.rows.length >= 58)
  const prices = ({ rows }: Reading): unknown[] => rows.map(({ t, o, h, l, c, v }) => [t, o, h, l, c, v])
  t.strictSame(prices(first), prices(second))
  t.ok(new Set(first.rows.map(({ c }) => c)).size > 20, 'the days differ')
})

await t.test('the connection test says whether the gateway can be read', async t => {
  const simulator = await simulate(t)
  const probe = (): Promise<void> => plugin.probe!(configure(plugin, { ...quick, gateway: simulator.url }), fakeContext())
  await t.resolves(probe())
  simulator.fault('sso-expired')
  await t.rejects(probe(), { code: 'SOURCE_UNAVAILABLE', message: /no login/ })
})

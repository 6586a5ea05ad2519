import t from 'tap'
import { until } from '../../../conform/context.ts'
import { apple, compare, gapOver, ibm, run, sameAsSent, simulate, stream } from './driver.ts'

await t.test('every frame becomes one row: the values as they stand, what changed, and whose they are', async t => {
  const simulator = await simulate(t)
  const running = await stream(t, simulator)
  await running.more(30)
  await running.stop()
  sameAsSent(t, simulator, running)
  const [first, second] = running.quotes.filter(row => row['conid'] === apple)
  t.match(first, { symbol: 'AAPL', snapshot: true, delayed: false, 6509: 'RpB', topic: 'smd+265598', conidEx: '265598', 55: 'AAPL' })
  t.type(first?.['31'], 'string')
  t.type(first?.['received_time'], 'number')
  t.match(second, { snapshot: false, 6509: 'RpB', 55: 'AAPL' })
  t.notOk((second?.['changed'] as string[]).includes('ticker'), 'what did not change is there, but not in `changed`')
  t.equal(running.quotes.filter(row => row['snapshot'] === true).length, 2)
  t.ok(running.context.healths.some(({ ok, state }) => ok && state === 'streaming'))
  t.strictSame(running.context.rejected, [])
})

await t.test('a stop gives the market data lines back and loses nothing that is on its way', async t => {
  const simulator = await simulate(t)
  const running = await stream(t, simulator)
  await until(() => running.context.gauges['market_data_lines'] === 2, 'the lines are counted')
  await running.stop()
  await until(() => simulator.stats.sockets === 0, 'the socket is closed')
  t.equal(simulator.stats.lines, 0)
  t.equal(running.context.gauges['market_data_lines'], 0)
  sameAsSent(t, simulator, running)
})

for (const fault of ['close-1006', 'close-1011']) {
  await t.test(`${fault}: it connects again, records the gap, and no frame is lost`, async t => {
    const simulator = await simulate(t)
    const running = await stream(t, simulator)
    simulator.fault(fault)
    await gapOver(running, 'disconnected')
    await running.more(10)
    await running.stop()
    sameAsSent(t, simulator, running)
    t.equal(simulator.stats.socketsOpened, 2)
  })
}

await t.test('drop-tcp: what reached the machine is there once, and the gap covers the rest', async t => {
  const simulator = await simulate(t)
  const running = await stream(t, simulator)
  simulator.fault('drop-tcp')
  await gapOver(running, 'disconnected')
  await running.more(10)
  await running.stop()
  const { lost, unexplained } = compare(simulator.sent, running.quotes)
  t.strictSame(unexplained, [])
  for (const frame of lost) {
    const gap = running.gaps.find(({ conid, state }) => conid === frame.conid && state === 'closed')
    t.ok(frame.updated >= Number(gap?.['from_time']) - 100 && frame.updated <= Number(gap?.['to_time']), 'a reset may take frames in flight with it, inside the gap')
  }
})

await t.test('freeze: a connection that carries nothing is given up', async t => {
  const simulator = await simulate(t)
  const running = await stream(t, simulator, { silence_seconds: 0.5 })
  simulator.fault('freeze')
  await gapOver(running, 'stale')
  await running.more(10)
  await running.stop()
  sameAsSent(t, simulator, running)
})

await t.test('stop-heartbeat: data alone keeps a connection, silence ends it', async t => {
  const simulator = await simulate(t)
  const running = await stream(t, simulator, { silence_seconds: 0.5, tickle_seconds: 30 })
  simulator.fault('stop-heartbeat')
  await running.more(60)
  t.equal(simulator.stats.socketsOpened, 1)
  simulator.fault('closed')
  await gapOver(running, 'stale')
  simulator.clearFault()
  await running.more(10)
  await running.stop()
  sameAsSent(t, simulator, running)
})

await t.test('refuse-connect: it goes on trying, and says why', async t => {
  const simulator = await simulate(t)
  const running = await stream(t, simulator)
  simulator.fault('refuse-connect')
  simulator.fault('close-1006')
  await until(() => running.context.logs.filter(({ level }) => level === 'warn').length >= 3, 'several attempts')
  t.match(running.context.healths.at(-1), { ok: false, state: 'connecting', reason: /closed the connection/ })
  simulator.clearFault('refuse-connect')
  await gapOver(running, 'disconnected')
  await running.stop()
  sameAsSent(t, simulator, running)
  t.equal(running.gaps.filter(({ state }) => state === 'open').length, 2, 'one gap an instrument, however many attempts')
})

await t.test('maintenance: 503 everywhere is waited out', async t => {
  const simulator = await simulate(t)
  const running = await stream(t, simulator)
  simulator.fault('maintenance')
  await until(() => (simulator.stats.refused['503'] ?? 0) >= 2, 'refused calls')
  t.match(running.context.healths.at(-1), { ok: false, state: 'connecting', reason: /503/ })
  simulator.clearFault()
  await gapOver(running, 'disconnected')
  await running.stop()
  sameAsSent(t, simulator, running)
})

await t.test('a stop while the gateway is out of reach returns', async t => {
  const simulator = await simulate(t)
  await simulator.close()
  const running = run(t, simulator)
  await until(() => running.context.healths.length >= 2, 'a report')
  t.match(running.context.healths.at(-1), { ok: false, state: 'connecting', reason: /ECONNREFUSED/ })
  await running.stop()
  t.strictSame(running.quotes, [])
})

await t.test('subscriptions are renewed before they end', async t => {
  const simulator = await simulate(t, { smdTtlMs: 1000 })
  const running = await stream(t, simulator, { renew_minutes: 0.4 / 60 })
  await until(() => running.quotes.filter(row => row['conid'] === ibm && (row['changed'] as string[]).includes('ticker')).length >= 5, 'several renewals')
  await running.stop()
  t.strictSame(running.gaps, [])
  sameAsSent(t, simulator, running)
})

for (const heals of ['smd', 'umd', 'reconnect']) {
  await t.test(`silent-subscription: a stream that ${heals} revives comes back, and the gap is recorded`, async t => {
    const simulator = await simulate(t)
    const running = await stream(t, simulator, { stale_seconds: 0.4 })
    simulator.fault('silent-subscription', { conid: apple, heals })
    await gapOver(running, 'silent', ['AAPL'])
    await running.more(5, apple)
    t.equal(simulator.stats.socketsOpened, heals === 'reconnect' ? 2 : 1)
    await running.stop()
    sameAsSent(t, simulator, running)
  })
}

await t.test('end-streams: a stream that ended without a word is asked for again', async t => {
  const simulator = await simulate(t)
  const running = await stream(t, simulator, { stale_seconds: 0.4 })
  simulator.fault('end-streams', { conid: apple })
  await gapOver(running, 'silent', ['AAPL'])
  t.equal(simulator.stats.socketsOpened, 1)
  await running.stop()
  sameAsSent(t, simulator, running)
})

await t.test('a quiet market is no gap and no reason to reconnect', async t => {
  const simulator = await simulate(t, { speed: 0.0001 })
  const running = await stream(t, simulator, { stale_seconds: 0.6, silence_seconds: 2, renew_minutes: 0.05 })
  await until(() => running.quotes.length >= 6, 'it is asked several times')
  t.strictSame(running.gaps, [])
  t.equal(simulator.stats.socketsOpened, 1)
  t.equal(running.state(), 'streaming')
  await running.stop()
  sameAsSent(t, simulator, running)
})

await t.test('beyond the gateway\'s lines nothing comes: that is said, and the others stream on', async t => {
  const simulator = await simulate(t, { lines: 1 })
  const running = run(t, simulator, { stale_seconds: 0.3 })
  await until(() => running.state() === 'stale', 'it is noticed')
  t.match(running.context.healths.at(-1)?.reason, /Nothing comes for IBM: no market data line/)
  t.equal(simulator.stats.socketsOpened, 1)
  t.equal(running.context.gauges['instruments_stale'], 1)
  await running.more(5, apple)
  await running.stop()
  sameAsSent(t, simulator, running)
})

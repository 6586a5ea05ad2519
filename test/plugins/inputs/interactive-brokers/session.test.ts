import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect } from 'node:tls'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import plugin from '../../../../plugins/inputs/interactive-brokers/index.ts'
import { describe } from '../../../../runtime/errors.ts'
import { configure } from '../../../conform/configure.ts'
import { fakeContext, until } from '../../../conform/context.ts'
import { gapOver, run, sameAsSent, simulate, stream } from './driver.ts'
import type { AddressInfo } from 'node:net'
import type { Json } from '../../../../runtime/plugin.ts'

await t.test('unauthenticated: the brokerage session is opened again, without taking one from anybody', async t => {
  const simulator = await simulate(t)
  const running = await stream(t, simulator)
  simulator.fault('unauthenticated')
  await gapOver(running, 'logged_out')
  t.equal(simulator.stats.requests['POST iserver/auth/ssodh/init'], 1)
  t.equal(simulator.stats.requests['GET iserver/accounts'], 2, 'the new session is primed')
  await running.stop()
  sameAsSent(t, simulator, running)
})

await t.test('attempts to open the session become rarer', async t => {
  const openedAt: number[] = []
  const server = createServer((request, response) => {
    if (request.url?.endsWith('ssodh/init') === true) openedAt.push(performance.now())
    response.end(JSON.stringify({ session: '1', iserver: { authStatus: { authenticated: false, connected: true, competing: false } } }))
  }).listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await once(server, 'listening')
  const running = run(t, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }, { session_seconds: 0.04, session_seconds_max: 60 })
  await until(() => openedAt.length === 5, 'five attempts')
  await running.stop()
  for (let i = 1; i < 5; i++) t.ok(openedAt[i]! - openedAt[i - 1]! > 0.8 * 40 * 2 ** (i - 1), `wait ${i}`)
})

await t.test('competing, takeover never: it waits, says so, and streams on when the other program has gone', async t => {
  const simulator = await simulate(t)
  const running = await stream(t, simulator)
  simulator.fault('competing')
  await until(() => running.state() === 'competing', 'the state')
  t.match(running.context.healths.at(-1), { ok: false, reason: /Another program .* takeover/ })
  const before = simulator.stats.requests['POST tickle'] ?? 0
  await until(() => (simulator.stats.requests['POST tickle'] ?? 0) >= before + 3, 'it goes on looking')
  t.equal(simulator.stats.requests['POST iserver/auth/ssodh/init'], undefined, 'it takes nothing')
  simulator.clearFault('competing')
  await gapOver(running, 'competing')
  t.equal(running.state(), 'streaming')
  await running.stop()
  sameAsSent(t, simulator, running)
})

await t.test('competing, takeover once: the first time it takes the session back, the second time it waits', async t => {
  const simulator = await simulate(t)
  const running = await stream(t, simulator, { takeover: 'once' })
  simulator.fault('competing')
  await gapOver(running, 'competing')
  simulator.fault('competing')
  await until(() => running.state() === 'competing' && /taken back once/.test(running.context.healths.at(-1)?.reason ?? ''), 'it waits')
  t.equal(simulator.stats.requests['POST iserver/auth/ssodh/init'], 1)
  await running.stop()
  sameAsSent(t, simulator, running)
})

await t.test('competing, takeover always: it takes the session back every time', async t => {
  const simulator = await simulate(t)
  const running = await stream(t, simulator, { takeover: 'always' })
  for (let times = 1; times <= 2; times++) {
    simulator.fault('competing')
    await until(() => running.gaps.filter(({ reason, state }) => reason === 'competing' && state === 'closed').length === 2 * times, 'rows come again')
  }
  t.equal(simulator.stats.requests['POST iserver/auth/ssodh/init'], 2)
  await running.stop()
  sameAsSent(t, simulator, running)
})

await t.test('piecewise-sts: what comes one key at a time adds up', async t => {
  const simulator = await simulate(t, { faults: [{ name: 'piecewise-sts' }] })
  const running = await stream(t, simulator)
  simulator.fault('piecewise-sts')
  await running.more(5)
  t.equal(simulator.stats.socketsOpened, 1)
  simulator.fault('unauthenticated')
  await gapOver(running, 'logged_out')
  await running.stop()
  sameAsSent(t, simulator, running)
})

await t.test('sso-expired: it asks for a login, never logs in, and streams on after it', async t => {
  const simulator = await simulate(t)
  const running = await stream(t, simulator)
  simulator.fault('sso-expired')
  await until(() => running.state() === 'needs_login', 'the state')
  t.match(running.context.healths.at(-1), { ok: false, reason: new RegExp(`open http://127.0.0.1:${simulator.port} in a browser and log in`) })
  simulator.clearFault('sso-expired')
  await gapOver(running, 'logged_out')
  await running.stop()
  sameAsSent(t, simulator, running)
  t.notOk(Object.keys(simulator.stats.requests).some(name => /logout|login|sso\/Login/.test(name)))
})

await t.test('session-change: the socket is opened again with the new session', async t => {
  const simulator = await simulate(t)
  const running = await stream(t, simulator)
  simulator.fault('session-change')
  await gapOver(running, 'session_changed')
  t.equal(simulator.stats.socketsOpened, 2)
  await running.stop()
  sameAsSent(t, simulator, running)
})

await t.test('an idle end that nobody is told about is found by the tickle', async t => {
  const simulator = await simulate(t, { sessionIdleMs: 300 })
  const running = await stream(t, simulator, { tickle_seconds: 0.6 })
  await gapOver(running, 'logged_out')
  await running.stop()
  sameAsSent(t, simulator, running)
})

await t.test('no-bridge and a late bridge are waited out', async t => {
  const simulator = await simulate(t, { faults: [{ name: 'no-bridge' }] })
  const running = run(t, simulator)
  await until(() => /no bridge/.test(running.context.healths.at(-1)?.reason ?? ''), 'it says what it waits for')
  simulator.clearFault()
  await running.more(5)
  await running.stop()
  sameAsSent(t, simulator, running)
})

await t.test('too-many-requests: no request is made for the time of the penalty, and the stream goes on', async t => {
  const simulator = await simulate(t)
  const running = await stream(t, simulator)
  simulator.fault('too-many-requests')
  await until(() => /Too many requests/.test(running.context.healths.at(-1)?.reason ?? ''), 'it is noticed')
  const before = simulator.stats.requests['POST tickle']
  simulator.clearFault()
  const rows = running.quotes.length
  await until(() => running.quotes.length >= rows + 10, 'the stream goes on')
  t.equal(simulator.stats.requests['POST tickle'], before, 'nothing is asked meanwhile')
  t.equal(simulator.stats.refused['429'], 1)
  await until(() => (simulator.stats.requests['POST tickle'] ?? 0) > (before ?? 0), 'afterwards requests go on')
  await until(() => running.context.healths.at(-1)?.ok === true, 'health recovers')
  t.strictSame(running.gaps, [])
  await running.stop()
  sameAsSent(t, simulator, running)
})

await t.test('slow-rest, accounts-lost: the stream does not hang on HTTP', async t => {
  const simulator = await simulate(t)
  const running = await stream(t, simulator)
  simulator.fault('slow-rest', { ms: 500 })
  simulator.fault('accounts-lost')
  await running.more(40)
  t.strictSame(running.gaps, [])
  await running.stop()
  sameAsSent(t, simulator, running)
})

await t.test('requests keep below the rate that the gateway punishes', async t => {
  const simulator = await simulate(t, { requestsPerSecond: 10, penaltyMs: 60_000 })
  const running = await stream(t, simulator, { requests_per_second: 8, tickle_seconds: 0.05, retry_seconds: 0.01 })
  for (let i = 0; i < 3; i++) {
    simulator.fault('close-1011')
    await until(() => running.gaps.filter(({ state }) => state === 'filled').length >= 2 * (i + 1), 'gaps are filled')
  }
  t.equal(simulator.stats.refused['429'], undefined)
  await running.stop()
  sameAsSent(t, simulator, running)
})

await t.test('the connection test says in one sentence what is wrong', async t => {
  const simulator = await simulate(t)
  const probe = async (given: Readonly<Record<string, Json>> = {}): Promise<string> => {
    const config = configure(plugin, { gateway: simulator.url, instruments: ['AAPL'], ...given })
    return await plugin.probe?.(config, fakeContext()).then(() => 'fine', describe) ?? 'missing'
  }
  t.equal(await probe(), 'fine')
  t.equal(await probe({ gateway: simulator.url.replace('/v1/api', '') }), 'fine', 'the path may be left out')
  simulator.fault('competing')
  t.match(await probe(), /Another program with the same login/)
  t.equal(await probe({ takeover: 'always' }), 'fine')
  simulator.clearFault()
  simulator.fault('sso-expired')
  t.match(await probe(), /has no login/)
  simulator.clearFault()
  simulator.fault('unauthenticated')
  t.match(await probe(), /brokerage session is not open/)
  simulator.clearFault()
  simulator.fault('too-many-requests')
  t.match(await probe(), /429/)
  await simulator.close()
  t.match(await probe(), /ECONNREFUSED/)
})

await t.test('a certificate that cannot be checked is refused with what to do; ca_file and reject_unauthorized work', async t => {
  const simulator = await simulate(t, { tls: true })
  const running = run(t, simulator)
  await until(() => /certificate cannot be checked; name it in ca_file/.test(running.context.healths.at(-1)?.reason ?? ''), 'the reason')
  await running.stop()

  const trusting = await stream(t, simulator, { reject_unauthorized: false })
  await trusting.stop()

  const pem = await certificate(simulator.port)
  const file = join(t.testdir(), 'gateway.pem')
  writeFileSync(file, pem)
  const checking = await stream(t, simulator, { ca_file: file })
  await checking.more(5)
  await checking.stop()
  t.match(await run(t, simulator, { ca_file: '/nowhere.pem' }).failure(), { code: 'CONFIG_INVALID', message: /nowhere\.pem/ })
})

function certificate (port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
      resolve(new X509Certificate(socket.getPeerCertificate().raw).toString())
      socket.destroy()
    })
    socket.on('error', reject)
  })
}

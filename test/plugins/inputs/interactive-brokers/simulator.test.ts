import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { Agent, fetch, WebSocket } from 'undici'
import { main } from '../../../../plugins/inputs/interactive-brokers/simulator/cli.ts'
import { faultKinds, faultTable, parseFault, type FaultArguments, type FaultName } from '../../../../plugins/inputs/interactive-brokers/simulator/faults.ts'
import { readRecordings, SHIPPED_PRICES } from '../../../../plugins/inputs/interactive-brokers/simulator/recording.ts'
import { Replay } from '../../../../plugins/inputs/interactive-brokers/simulator/replay.ts'
import { startSimulator, type Simulator, type SimulatorOptions } from '../../../../plugins/inputs/interactive-brokers/simulator/simulator.ts'

interface Test { teardown (act: () => unknown): void }
type Frame = Record<string, unknown> & { topic?: string, args?: Record<string, unknown> }
interface Bar { o: number, h: number, l: number, c: number, v: number, t: number }

const apple = 265598
const microsoft = 272093
const dispatcher = new Agent({ connect: { rejectUnauthorized: false } })
t.teardown(() => dispatcher.close())

/** Fast prices and no request limit, unless a claim is about just that. */
async function open (t: Test, options: SimulatorOptions = {}): Promise<Simulator> {
  const simulator = await startSimulator({ speed: 50, requestsPerSecond: 0, preflightMs: 0, bridgeMs: 0, historyMs: 0, ...options })
  t.teardown(() => simulator.close())
  return simulator
}

async function call (simulator: Simulator, path: string, method = 'GET', body?: object) {
  const request = () => fetch(simulator.url + path, {
    method,
    dispatcher,
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } })
  })
  // Hundreds of short connections on one machine now and then meet a port that still closes; nothing was sent then.
  const response = await request().catch((error: Error & { cause?: { syscall?: string } }) => {
    if (error.cause?.syscall !== 'connect') throw error
    return request()
  })
  const text = await response.text()
  const json = text.startsWith('<') || text === '' ? undefined : JSON.parse(text) as Frame & Frame[]
  return { status: response.status, text, json: json!, headers: response.headers }
}

async function control (simulator: Simulator, path: string, method = 'GET', body?: object) {
  return call({ ...simulator, url: simulator.url.replace('/v1/api', '/simulator') }, path, method, body)
}

/** Resolves with the first truthy value; how long it takes is no claim, only that it comes. */
async function until<T> (look: () => T, what: string): Promise<NonNullable<T>> {
  for (let i = 0; i < 12_000; i++) {
    const value = look()
    if (value) return value
    await new Promise(resolve => setTimeout(resolve, 5))
  }
  throw new Error(`waited in vain for ${what}`)
}

/** A client on undici's WebSocket: keeps every frame, and how the socket ended. */
class Client {
  readonly frames: Frame[] = []
  readonly raw: string[] = []
  binary = 0
  closed: { code: number } | undefined
  readonly #socket: WebSocket

  constructor (url: string, cookie: string | undefined) {
    this.#socket = new WebSocket(url.replace('http', 'ws') + '/ws', { dispatcher, ...(cookie === undefined ? {} : { headers: { cookie } }) })
    this.#socket.binaryType = 'arraybuffer'
    this.#socket.onmessage = ({ data }) => {
      if (typeof data !== 'string') this.binary++
      this.raw.push(typeof data === 'string' ? data : Buffer.from(data as ArrayBuffer).toString())
      try {
        this.frames.push(JSON.parse(this.raw.at(-1)!) as Frame)
      } catch {
        // Kept in `raw`: garbage is what a claim may be about.
      }
    }
    this.#socket.onclose = ({ code }) => { this.closed = { code } }
    this.#socket.onerror = () => {}
  }

  get open (): boolean { return this.#socket.readyState === WebSocket.OPEN }

  send (text: string): void { this.#socket.send(text) }
  close (): void { this.#socket.close() }

  of (topic: string): Frame[] { return this.frames.filter(frame => frame.topic === topic) }
  data (conid = apple): Frame[] { return this.of(`smd+${conid}`) }

  subscribe (conid = apple, fields = ['31', '84', '86', '7762']): void {
    this.send(`smd+${conid}+${JSON.stringify({ fields })}`)
  }

  async greeted (): Promise<this> {
    await until(() => this.of('sts').length > 0, 'sts')
    return this
  }

  /** Waits for n more data frames. */
  async more (n: number, conid = apple): Promise<void> {
    const count = this.data(conid).length
    await until(() => this.data(conid).length >= count + n, `${n} frames of ${conid}`)
  }

  async ended (): Promise<number> {
    return (await until(() => this.closed, 'the end of the socket')).code
  }
}

async function connect (t: Test, simulator: Simulator, cookie?: string | null): Promise<Client> {
  const { json } = cookie === undefined ? await call(simulator, '/tickle', 'POST') : { json: undefined }
  const client = new Client(simulator.url, json === undefined ? cookie ?? undefined : `api={"session":"${String(json['session'])}"}`)
  t.teardown(() => client.close())
  return client
}

async function subscribed (t: Test, simulator: Simulator, conids = [apple], fields?: string[]): Promise<Client> {
  const client = await (await connect(t, simulator)).greeted()
  for (const conid of conids) client.subscribe(conid, fields)
  for (const conid of conids) await until(() => client.data(conid).length > 0, `the first frame of ${conid}`)
  return client
}

/** True when nothing more of a conid is sent: the ledger shows it, whatever is still under way. */
async function silent (simulator: Simulator, conid = apple): Promise<boolean> {
  const count = () => simulator.sent.filter(frame => frame.conid === conid).length
  const before = count()
  // Far longer than the 25 ms between two ticks at this speed.
  await new Promise(resolve => setTimeout(resolve, 200))
  return count() === before
}

const tried = new Set<string>()
function fault (simulator: Simulator, name: FaultName, args?: FaultArguments): void {
  tried.add(name)
  simulator.fault(name, args)
}

await t.test('the greeting is system, act, sts, in binary frames', async t => {
  const simulator = await open(t)
  const client = await (await connect(t, simulator)).greeted()
  t.same(client.frames.slice(0, 3).map(frame => frame.topic), ['system', 'act', 'sts'])
  t.equal(client.binary, client.raw.length)
  t.match(client.of('sts')[0]!.args, { authenticated: true, connected: true, competing: false })
  t.match(client.of('act')[0]!.args, { accounts: ['DU1234567'], selectedAccount: 'DU1234567' })
})

await t.test('the session is proved by either cookie, or by the first frame', async t => {
  const simulator = await open(t)
  const { json, headers } = await call(simulator, '/tickle', 'POST')
  const session = String(json['session'])
  const cookie = /x-sess-uuid=[^;]+/.exec(headers.get('set-cookie')!)![0]
  for (const accepted of [`api={"session":"${session}"}`, `api={"session": "${session}"}`, `other=1; ${cookie}`, `api=${session}`]) {
    const client = await (await connect(t, simulator, accepted)).greeted()
    t.equal(client.frames[0]!.topic, 'system', accepted.split('=')[0]!)
    client.send(JSON.stringify({ session }))
    await until(() => client.frames.find(frame => String(frame['error']).startsWith('Topic unknown')), 'the session frame to be refused')
  }
  for (const refused of [null, 'api={"session":"wrong"}', 'api=%']) {
    const client = await connect(t, simulator, refused)
    await until(() => client.frames[0]?.['message'] === 'waiting for session', 'waiting for session')
    client.send('tic')
    await until(() => client.frames.length === 2, 'waiting for session again')
    client.send(JSON.stringify({ session }))
    await client.greeted()
  }
})

await t.test('the socket answers tic four times, ech+hb as text, and unknown topics with an error', async t => {
  const simulator = await open(t)
  const client = await (await connect(t, simulator)).greeted()
  for (const text of ['tic', 'ech+hb', 'str+{}', 'xyz+1', 'smd+265598+{oops']) client.send(text)
  await until(() => client.frames.find(frame => frame['code'] === 1), 'the error')
  t.equal(client.of('tic').length, 4)
  t.equal(new Set(client.of('tic').map(frame => frame['lastAccessed'])).size, 4)
  t.ok(client.raw.includes('ech+hb'))
  t.match(client.frames.at(-1), { error: 'Topic unknown xyz+1', code: 1 })
  t.equal(simulator.stats.unknownTopics, 1)
})

await t.test('heartbeats come by themselves', async t => {
  const simulator = await open(t, { heartbeatMs: 20 })
  const client = await connect(t, simulator)
  await until(() => client.of('system').filter(frame => 'hb' in frame).length >= 3, 'heartbeats')
})

await t.test('a subscription before sts is ignored, so is one of an unknown conid or without fields', async t => {
  const simulator = await open(t)
  const client = await connect(t, simulator)
  await until(() => client.open, 'the socket')
  client.subscribe()
  await until(() => simulator.stats.ignoredSubscriptions === 1, 'the subscription to be ignored')
  await client.greeted()
  client.subscribe(4711)
  client.send('smd+265598+{}')
  await until(() => simulator.stats.ignoredSubscriptions === 3, 'three ignored')
  t.equal(simulator.sent.length, 0)
  client.subscribe()
  await client.more(1)
})

await t.test('a full frame is followed by what changed; the ledger has every frame as it was received', async t => {
  const simulator = await open(t)
  const client = await subscribed(t, simulator, [apple, microsoft])
  await client.more(10)
  const [first, ...rest] = client.data()
  t.match(first, { topic: 'smd+265598', conid: apple, conidEx: '265598', server_id: /^q\d+$/, 6119: /^q\d+$/, 6509: 'RpB', 31: /^\d+\.\d\d$/, 84: String, 86: String, 7762: String })
  t.ok(rest.every(frame => typeof frame['_updated'] === 'number' && !('6509' in frame)))
  t.ok(rest.some(frame => !('31' in frame)), 'a frame has only what changed')
  client.send(`umd+${apple}+{}`)
  client.send(`umd+${microsoft}+{}`)
  await until(() => simulator.stats.streams === 0, 'the streams to end')
  await until(() => client.data().length + client.data(microsoft).length === simulator.sent.length, 'every frame of the ledger')
  for (const conid of [apple, microsoft]) {
    const sent = simulator.sent.filter(frame => frame.conid === conid)
    t.same(client.data(conid).map(({ _updated }) => _updated), sent.map(({ updated }) => updated))
    t.same(client.data(conid).map(frame => frame['84']), sent.map(({ fields }) => fields['84']))
    t.ok(sent.every(frame => frame.written && !frame.duplicate && frame.topic === `smd+${conid}`))
  }
  simulator.clearSent()
  t.equal(simulator.sent.length, 0)
})

await t.test('a renewed subscription adds fields and starts with a full frame', async t => {
  const simulator = await open(t)
  const client = await subscribed(t, simulator, [apple], ['31'])
  client.subscribe(apple, ['55'])
  const full = await until(() => client.data().find(frame => '55' in frame), 'the added field')
  t.match(full, { 31: String, 55: 'AAPL', 6509: 'RpB' })
})

await t.test('frames of one conid are at least 500 ms apart however fast it ticks', async t => {
  const rows = Array.from({ length: 60 }, (_, i) => `T,2020-01-01T00:00:${String(i).padStart(2, '0')}Z,10,${12 + i},${9 - i / 10},11,4800`)
  const prices = `${t.testdir({ 'prices.csv': ['symbol,time,open,high,low,close,volume', ...rows].join('\n') })}/prices.csv`
  const simulator = await open(t, { speed: 1, prices })
  const { conid } = simulator.instruments[0]!
  const client = await subscribed(t, simulator, [conid])
  await client.more(2, conid)
  const times = simulator.sent.map(({ updated }) => updated)
  t.ok(times.every((time, i) => i === 0 || time - times[i - 1]! >= 499), `at ${times.join(', ')}`)
})

await t.test('fields have the formats of the real feed', async t => {
  const simulator = await open(t)
  const ids = ['31', '55', '58', '70', '71', '82', '83', '84', '85', '86', '87', '88', '6008', '6070', '7059', '7221', '7295', '7296', '7741', '7762', '9999']
  const [frame] = (await subscribed(t, simulator, [apple], ids)).data()
  t.match(frame, {
    31: /^\d+\.\d\d$/, 55: 'AAPL', 58: 'APPLE INC', 82: /^[+-]\d+\.\d\d$/, 83: Number, 85: /^\d+$/, 87: /^[\d.]+[KMB]?$/, '87_raw': Number, 88: /^\d+$/, 6008: apple, 6070: 'STK', 7059: /^[\d,]+$/, 7221: 'NASDAQ', 7762: /^\d+$/
  })
  t.notOk('9999' in frame!, 'an unknown field is left out')
  const price = (id: string) => Number(frame![id])
  t.ok(price('71') <= price('31') && price('31') <= price('70') && price('84') < price('86'))
  t.equal(String(frame!['87_raw']), frame!['7762'])
})

await t.test('a stream that is not renewed ends without a word, and frees its line', async t => {
  const simulator = await open(t, { smdTtlMs: 300 })
  const client = await subscribed(t, simulator)
  await until(() => simulator.stats.streams === 0, 'the stream to end')
  t.equal(simulator.stats.lines, 0)
  t.ok(await silent(simulator))
  t.equal(client.closed, undefined)
  t.notOk(client.frames.some(frame => 'error' in frame))
})

await t.test('streams and snapshots share the lines; beyond them there is silence', async t => {
  const simulator = await open(t, { lines: 2 })
  await call(simulator, '/iserver/accounts')
  await call(simulator, `/iserver/marketdata/snapshot?conids=${apple}&fields=31`)
  const client = await subscribed(t, simulator, [apple, microsoft])
  client.subscribe(8314)
  await until(() => simulator.stats.ignoredSubscriptions === 1, 'the third subscription to be ignored')
  for (let i = 0; i < 3; i++) {
    const { json } = await call(simulator, '/iserver/marketdata/snapshot?conids=8314,265598&fields=31')
    t.same(json[0], { conidEx: '8314', conid: 8314 })
    t.match(json[1], { 31: String })
  }
  t.equal(client.data(8314).length, 0)
  t.match((await call(simulator, '/iserver/marketdata/unsubscribeall')).json, { unsubscribed: true })
  t.match(simulator.stats, { lines: 0, streams: 0 })
  client.subscribe(8314)
  await client.more(1, 8314)
})

await t.test('subscriptions die with their socket', async t => {
  const simulator = await open(t)
  const client = await subscribed(t, simulator)
  client.close()
  await until(() => simulator.stats.sockets === 0, 'the socket to be gone')
  t.match(simulator.stats, { lines: 0, streams: 0 })
  const next = await (await connect(t, simulator)).greeted()
  t.ok(await silent(simulator))
  next.subscribe()
  await next.more(1)
})

await t.test('a snapshot needs accounts first, then a pre-flight for each conid', async t => {
  const simulator = await open(t, { preflightMs: 100 })
  const path = `/iserver/marketdata/snapshot?conids=${apple}%2C4711&fields=31%2C83%2C84`
  t.match(await call(simulator, path), { status: 500, json: { error: 'Please query /accounts first' } })
  await call(simulator, '/iserver/accounts')
  const bare = [{ conidEx: '265598', conid: apple }, { conidEx: '4711', conid: 4711 }]
  t.same((await call(simulator, path)).json, bare)
  let json: Frame[] = []
  while (!('31' in (json[0] ?? {}))) ({ json } = await call(simulator, path))
  t.match(json[0], { conid: apple, 31: String, 83: /%$/, 84: String, 6119: 'q1', 6509: 'RpB', _updated: Number })
  t.same(json[1], bare[1], 'an unknown conid stays without values')
  t.match(await call(simulator, '/iserver/marketdata/unsubscribe', 'POST', { conid: apple }), { status: 200, json: { success: true } })
  t.match(await call(simulator, '/iserver/marketdata/unsubscribe', 'POST', { conid: apple }), { status: 404, json: { error: 'unknown' } })
  t.same((await call(simulator, path)).json, bare, 'a pre-flight again')
  t.equal((await call(simulator, '/iserver/marketdata/snapshot')).status, 400)
})

await t.test('history is made of the ticks that were streamed', async t => {
  const simulator = await open(t, { speed: 50 })
  const client = await subscribed(t, simulator)
  await client.more(30)
  const { json } = await call(simulator, `/iserver/marketdata/history?conid=${apple}&period=10min&bar=1min&outsideRth=True&source=Trades`)
  const bars = json['data'] as Bar[]
  t.match(json, { symbol: 'AAPL', barLength: 60, outsideRth: true, mdAvailability: 'S', volumeFactor: 1, points: bars.length - 1, serverId: String })
  t.ok(bars.length >= 10 && bars.length <= 11)
  t.ok(bars.every((bar, i) => bar.t % 60_000 === 0 && (i === 0 || bar.t - bars[i - 1]!.t === 60_000)))
  t.ok(bars.every(bar => bar.l <= Math.min(bar.o, bar.c) && Math.max(bar.o, bar.c) <= bar.h))
  const trades = client.data().filter(frame => '31' in frame)
  for (const { _updated, 31: last } of trades) {
    const i = bars.findIndex(({ t }) => t <= Number(_updated) && Number(_updated) < t + 60_000)
    const bar = bars[i]
    // The first trade of a minute may be that of the minute before: a price stands until the next tick.
    if (bar !== undefined) t.ok((bar.l <= Number(last) && Number(last) <= bar.h) || Number(last) === bars[i - 1]?.c, `${String(last)} lies in its bar`)
  }
})

await t.test('history answers what is asked: at most 1,000 points, other sources, a period that ends earlier', async t => {
  const simulator = await open(t)
  const ask = async (query: string) => (await call(simulator, `/iserver/marketdata/history?conid=${apple}&${query}`))
  t.equal(((await ask('period=1w&bar=10min')).json['data'] as Bar[]).length, 1000)
  t.match(await ask('period=1w&bar=1min'), { status: 500, json: { error: /too small/ } }, 'long periods have no small bars')
  t.equal((await ask('period=1d&bar=5mins')).json['barLength'], 14400, 'a wrong bar text is not refused')
  const [trades, bidAsk] = await Promise.all(['Trades', 'Bid_Ask'].map(async source => (await ask(`period=2h&bar=1h&source=${source}`)).json['data'] as Bar[]))
  const midpoint = (await ask('period=2h&bar=1h&source=Midpoint')).json['data'] as Bar[]
  t.ok(midpoint[0]!.o < bidAsk![0]!.h && bidAsk![0]!.l <= midpoint[0]!.l, 'the midpoint lies between bid and ask')
  t.ok(trades![0]!.v > 0 && midpoint[0]!.v === 0)
  const earlier = (await ask('period=1h&bar=1min&startTime=20240102-15:30:00')).json['data'] as Bar[]
  t.same([earlier.length, earlier.at(-1)!.t], [60, Date.UTC(2024, 0, 2, 15, 29)])
  t.match(await ask('period=9h&bar=1h'), { status: 500, json: { error: String } })
  t.match(await ask('period=1d&startTime=yesterday'), { status: 500, json: { error: String } })
  t.equal((await call(simulator, '/iserver/marketdata/history?conid=1')).status, 500)
})

await t.test('a recorded bar is one minute of history at speed 1, and its ticks add up to its volume', async t => {
  const recording = readRecordings(SHIPPED_PRICES).get('MSFT')!
  const replay = new Replay(recording, { anchorMs: 0, speed: 1, seed: 1 })
  const count = recording.bars.length
  t.ok(count > 700)
  for (const i of [0, 1, 17, count - 1, count, -1]) {
    const { day, ...bar } = recording.bars[(i + count) % count]!
    t.same(replay.barOf(i * 60_000, (i + 1) * 60_000, 'trades'), bar, day)
  }
  const loop = replay.barOf(0, count * 60_000, 'trades')!
  t.equal(loop.volume, recording.bars.reduce((sum, { volume }) => sum + volume, 0))
  t.equal(loop.high, Math.max(...recording.bars.map(({ high }) => high)))
  t.same(replay.quoteAt(61_000), new Replay(recording, { anchorMs: 0, speed: 1, seed: 1 }).quoteAt(61_000), 'the replay is deterministic')
  t.not(replay.quoteAt(61_000).askSize + replay.quoteAt(62_500).askSize, new Replay(recording, { anchorMs: 0, speed: 1, seed: 2 }).quoteAt(61_000).askSize, 'and stirred by its seed')
  t.ok(replay.nextTickAt(61_000) > 61_000)
  t.equal(replay.barOf(60_000, 60_000, 'trades'), undefined)
})

await t.test('history over the socket has five slots, freed by umh', async t => {
  const simulator = await open(t)
  const client = await (await connect(t, simulator)).greeted()
  const ask = () => client.send(`smh+${apple}+{"period":"1h","bar":"5min","outsideRth":true,"source":"trades"}`)
  client.send('smh+1+{}')
  for (let i = 0; i < 6; i++) ask()
  const answers = () => client.of(`smh+${apple}`)
  await until(() => answers().length === 5, 'five answers')
  client.send(`umh+${String(answers()[0]!['serverId'])}`)
  await until(() => client.frames.find(({ message }) => message === `Unsubscribed ${String(answers()[0]!['serverId'])}`), 'the slot to be free')
  t.equal(answers().length, 5)
  ask()
  await until(() => answers().length === 6, 'a sixth answer')
})

await t.test('more than ten requests in a second lead into the penalty box', async t => {
  const simulator = await open(t, { requestsPerSecond: 10, penaltyMs: 60_000 })
  const statuses = await Promise.all(Array.from({ length: 60 }, async () => (await call(simulator, '/tickle', 'POST')).status))
  t.ok(statuses.includes(200) && statuses.includes(429))
  t.equal((await call(simulator, '/trsrv/stocks?symbols=AAPL')).status, 429, 'everything is refused')
  t.ok(simulator.stats.refused['429']! >= 2)
})

await t.test('the penalty ends', async t => {
  const simulator = await open(t, { requestsPerSecond: 1, penaltyMs: 1 })
  await Promise.all(Array.from({ length: 3 }, () => call(simulator, '/tickle', 'POST')))
  let { status } = await call(simulator, '/tickle', 'POST')
  for (let i = 0; status === 429 && i < 100; i++) {
    await new Promise(resolve => setTimeout(resolve, 100))
    ;({ status } = await call(simulator, '/tickle', 'POST'))
  }
  t.equal(status, 200)
})

await t.test('a sixth history at a time is refused', async t => {
  const simulator = await open(t, { historyMs: 1000 })
  const statuses = await Promise.all(Array.from({ length: 6 }, async () => (await call(simulator, `/iserver/marketdata/history?conid=${apple}&period=1h&bar=1min`)).status))
  t.same(statuses.toSorted(), [200, 200, 200, 200, 200, 429])
})

await t.test('without requests the brokerage session is lost, and no frame says so', async t => {
  const simulator = await open(t, { sessionIdleMs: 1000 })
  const client = await subscribed(t, simulator)
  await until(() => simulator.stats.streams === 0, 'the stream to end')
  t.equal(client.of('sts').length, 1)
  t.match((await call(simulator, '/iserver/auth/status', 'POST')).json, { authenticated: false, connected: true })
  t.match(await call(simulator, '/iserver/accounts'), { status: 400, json: { error: 'Bad Request: no bridge', statusCode: 400 } })
  t.match((await call(simulator, '/iserver/auth/ssodh/init', 'POST', { publish: true, compete: true })).json, { authenticated: true })
  await until(() => client.of('sts').length === 2, 'sts')
  t.equal((await call(simulator, '/iserver/accounts')).status, 200)
})

await t.test('the bridge is not there right after ssodh/init; publish is needed', async t => {
  const simulator = await open(t, { bridgeMs: 60_000 })
  t.equal((await call(simulator, '/iserver/auth/ssodh/init', 'POST', { publish: false })).status, 500)
  fault(simulator, 'unauthenticated')
  await call(simulator, '/iserver/auth/ssodh/init', 'POST', { publish: true, compete: true })
  t.equal((await call(simulator, '/iserver/accounts')).status, 400)
})

await t.test('session and contract calls answer in the shapes of the real API', async t => {
  const simulator = await open(t)
  const get = async (path: string, method = 'GET', body?: object) => (await call(simulator, path, method, body)).json
  t.match(await get('/tickle', 'POST'), { session: /^[0-9a-f]{32}$/, ssoExpires: Number, collission: false, hmds: { error: 'no bridge' }, iserver: { authStatus: { authenticated: true } } })
  for (const method of ['GET', 'POST']) t.match(await get('/iserver/auth/status', method), { authenticated: true, established: true, competing: false, connected: true, serverInfo: { serverName: String } })
  t.match(await get('/sso/validate'), { RESULT: true, LOGIN_TYPE: 2, EXPIRES: Number })
  t.same(await get('/iserver/reauthenticate', 'POST'), { message: 'triggered' })
  t.match(await get('/iserver/accounts'), { selectedAccount: 'DU1234567', isPaper: true })
  const stocks = await get('/trsrv/stocks?symbols=AAPL,NONE')
  t.match(stocks, { AAPL: [{ name: 'APPLE INC', contracts: [{ conid: apple, isUS: true }, { isUS: false }] }, { name: 'LS 1X AAPL' }], NONE: [] })
  t.match(await get('/trsrv/secdef?conids=265598,1'), { secdef: [{ conid: apple, currency: 'USD', ticker: 'AAPL', assetClass: 'STK' }] })
  t.same(await get('/trsrv/futures?symbols=ES'), { ES: [] })
  t.match(await get('/iserver/secdef/search?symbol=AAPL'), [{ conid: '265598', symbol: 'AAPL', sections: [{ secType: 'STK' }] }])
  t.match(await get('/iserver/secdef/search', 'POST', { symbol: 'aapl' }), [{ conid: '265598' }])
  t.match(await get('/iserver/secdef/search?symbol=NONE'), { error: String })
  t.match(await get('/iserver/secdef/search'), { statusCode: 400 })
  t.match(await get('/iserver/secdef/info?conid=265598&sectype=STK'), [{ conid: apple, currency: 'USD' }])
  t.match(await get('/iserver/secdef/info?conid=1'), { error: String })
  t.match(await get('/iserver/contract/265598/info'), { con_id: apple, currency: 'USD' })
  t.match(await get('/iserver/contract/1/info'), { error: String })
  t.match(await call(simulator, '/no/such/thing'), { status: 404, text: /<html>/ })
  t.equal((await fetch(simulator.url.replace('/v1/api', '/'), { dispatcher })).status, 404)
})

await t.test('TLS: the certificate is made at the start, and the socket works over it', async t => {
  const simulator = await open(t, { tls: true })
  t.match(simulator.url, /^https:/)
  for (const name of ['drop-tcp', 'close-1006', 'close-1011'] as const) {
    const client = await subscribed(t, simulator)
    simulator.fault(name)
    t.equal(await client.ended(), name === 'close-1011' ? 1011 : 1006, name)
  }
  await t.rejects(fetch(simulator.url + '/tickle', { method: 'POST' }), 'nobody trusts it by itself')
})

await t.test('faults that end the socket', async t => {
  const simulator = await open(t)
  const ends: [FaultName, number, FaultArguments?][] = [['drop-tcp', 1006], ['close-1006', 1006], ['close-1011', 1011], ['close-1011', 4000, { code: 4000 }]]
  for (const [name, code, args] of ends) {
    const client = await subscribed(t, simulator)
    fault(simulator, name, args)
    t.equal(await client.ended(), code, name)
  }
  const client = await subscribed(t, simulator)
  simulator.fault('drop-tcp', { every: '20ms' })
  t.equal(await client.ended(), 1006, 'repeated')
  const again = await connect(t, simulator)
  t.equal(await again.ended(), 1006, 'the next one too')
  simulator.clearFault()
  await subscribed(t, simulator)
})

await t.test('close-1006 loses no frame that was written', async t => {
  const simulator = await open(t, { speed: 1000 })
  const client = await subscribed(t, simulator, [apple, microsoft, 8314])
  await client.more(100)
  simulator.fault('close-1006')
  await client.ended()
  const written = simulator.sent.filter(frame => frame.written).length
  t.equal(client.frames.filter(frame => 'conid' in frame).length, written)
})

await t.test('freeze: the socket stays open and nothing is said any more, not even to tic', async t => {
  const simulator = await open(t, { heartbeatMs: 20 })
  const client = await subscribed(t, simulator)
  fault(simulator, 'freeze')
  await until(() => client.raw.length, 'what was under way')
  await silent(simulator)
  const count = client.raw.length
  client.send('tic')
  await silent(simulator)
  t.equal(client.raw.length, count)
  t.ok(client.open)
  await subscribed(t, simulator)
})

await t.test('refuse-connect, maintenance: new sockets are refused, calls fail, then all is well again', async t => {
  const simulator = await open(t)
  fault(simulator, 'refuse-connect', { status: 403 })
  t.equal(await (await connect(t, simulator)).ended(), 1006)
  simulator.clearFault('refuse-connect')
  const client = await subscribed(t, simulator)
  await call(simulator, '/iserver/accounts')
  fault(simulator, 'maintenance')
  t.equal(await client.ended(), 1006)
  t.match(await call(simulator, '/tickle', 'POST'), { status: 503, text: /<html>/ })
  t.equal(await (await connect(t, simulator, null)).ended(), 1006)
  simulator.clearFault('maintenance')
  t.equal((await call(simulator, `/iserver/marketdata/snapshot?conids=${apple}`)).status, 500, 'accounts must be queried again')
  simulator.fault('maintenance', { for: '500ms' })
  t.equal((await call(simulator, '/tickle', 'POST')).status, 503)
  await until(() => simulator.faults.length === 0, 'the end of the window')
  t.equal((await call(simulator, '/tickle', 'POST')).status, 200)
})

await t.test('stop-heartbeat: data goes on without heartbeats', async t => {
  const simulator = await open(t, { heartbeatMs: 10 })
  fault(simulator, 'stop-heartbeat')
  const client = await subscribed(t, simulator)
  await client.more(10)
  t.notOk(client.of('system').some(frame => 'hb' in frame))
})

await t.test('silent-subscription: one stream is silent until its remedy', async t => {
  const simulator = await open(t)
  for (const [heals, remedies] of [['smd', ['smd']], ['umd', ['smd', 'umd']], ['reconnect', ['smd', 'umd', 'reconnect']]] as const) {
    let client = await subscribed(t, simulator, [apple, microsoft])
    fault(simulator, 'silent-subscription', { conid: apple, heals })
    await client.more(1, microsoft)
    for (const remedy of remedies) {
      t.ok(await silent(simulator), `${heals}: still silent before ${remedy}`)
      if (remedy === 'reconnect') {
        client.close()
        client = await (await connect(t, simulator)).greeted()
      }
      if (remedy === 'umd') client.send(`umd+${apple}+{}`)
      client.subscribe()
    }
    await client.more(1)
    client.close()
  }
})

await t.test('end-streams: the stream is over, a new subscription works', async t => {
  const simulator = await open(t)
  const client = await subscribed(t, simulator, [apple, microsoft])
  fault(simulator, 'end-streams', { conid: apple })
  t.equal(simulator.stats.streams, 1)
  t.ok(await silent(simulator))
  client.subscribe()
  await client.more(1)
})

await t.test('unauthenticated: sts says so, streams end, ssodh/init restores the session', async t => {
  const simulator = await open(t)
  const client = await subscribed(t, simulator)
  fault(simulator, 'unauthenticated')
  await until(() => client.of('sts').at(-1)!.args!['authenticated'] === false, 'sts')
  t.match(await call(simulator, '/tickle', 'POST'), { status: 200, json: { iserver: { authStatus: { authenticated: false, connected: true } } } })
  t.equal(simulator.stats.streams, 0)
  client.subscribe()
  await until(() => simulator.stats.ignoredSubscriptions === 1, 'the subscription to be ignored')
  await call(simulator, '/iserver/auth/ssodh/init', 'POST', { publish: true, compete: false })
  await until(() => client.of('sts').at(-1)!.args!['authenticated'] === true, 'sts')
  t.same(simulator.faults, [])
  client.subscribe()
  await client.more(1)
  simulator.fault('unauthenticated')
  simulator.clearFault('unauthenticated')
  t.match((await call(simulator, '/iserver/auth/status')).json, { authenticated: true })
})

await t.test('competing: only compete:true takes the session back', async t => {
  const simulator = await open(t)
  const client = await subscribed(t, simulator)
  fault(simulator, 'competing')
  await until(() => client.of('sts').at(-1)!.args!['competing'] === true, 'sts')
  t.match((await call(simulator, '/iserver/auth/ssodh/init', 'POST', { publish: true, compete: false })).json, { competing: true, authenticated: false })
  t.equal((await call(simulator, '/iserver/accounts')).status, 400)
  t.match((await call(simulator, '/iserver/auth/ssodh/init', 'POST', { publish: true, compete: true })).json, { competing: false, authenticated: true })
  await until(() => client.of('sts').at(-1)!.args!['competing'] === false, 'sts')
})

await t.test('competing, repeated: the other login comes back after it was evicted', async t => {
  const simulator = await open(t)
  simulator.fault('competing', { every: 50 })
  for (let i = 0; i < 2; i++) {
    await until(() => simulator.faults.length > 0, 'the other login')
    await call(simulator, '/iserver/auth/ssodh/init', 'POST', { publish: true, compete: true })
  }
  simulator.clearFault('competing')
  t.match((await call(simulator, '/iserver/auth/status')).json, { competing: false, authenticated: true })
})

await t.test('piecewise-sts: one key a frame', async t => {
  const simulator = await open(t)
  const client = await subscribed(t, simulator)
  const count = client.of('sts').length
  fault(simulator, 'piecewise-sts')
  simulator.fault('unauthenticated')
  const pieces = () => client.of('sts').slice(count).map(frame => frame.args!)
  await until(() => pieces().some(args => args['authenticated'] === false), 'authenticated:false')
  t.ok(pieces().every(args => Object.keys(args).length === 1))
  t.ok(pieces().some(args => 'message' in args) && pieces().some(args => 'competing' in args))
})

await t.test('sso-expired: 401 on everything until the human has logged in again, with a new session', async t => {
  const simulator = await open(t)
  const before = (await call(simulator, '/tickle', 'POST')).json['session']
  const client = await subscribed(t, simulator)
  fault(simulator, 'sso-expired')
  await until(() => client.of('sts').at(-1)!.args!['connected'] === false, 'sts')
  for (const path of ['/tickle', '/iserver/auth/ssodh/init']) t.match(await call(simulator, path, 'POST', { publish: true }), { status: 401, text: '' })
  t.equal(await (await connect(t, simulator, null)).ended(), 1006, 'no socket either')
  simulator.clearFault('sso-expired')
  const after = (await call(simulator, '/tickle', 'POST')).json
  t.match(after, { iserver: { authStatus: { authenticated: true } } })
  t.not(after['session'], before)
  t.match(await call(simulator, '/logout', 'POST'), { status: 200, json: { status: true } })
  t.equal((await call(simulator, '/tickle', 'POST')).status, 401)
})

await t.test('no-bridge: /iserver fails, tickle does not', async t => {
  const simulator = await open(t)
  fault(simulator, 'no-bridge')
  t.match(await call(simulator, '/iserver/accounts'), { status: 400, json: { error: 'Bad Request: no bridge' } })
  t.equal((await call(simulator, '/tickle', 'POST')).status, 200)
  t.equal((await call(simulator, '/trsrv/stocks?symbols=AAPL')).status, 200)
})

await t.test('session-change: the old session opens no socket, and its streams are over', async t => {
  const simulator = await open(t)
  const before = String((await call(simulator, '/tickle', 'POST')).json['session'])
  const client = await subscribed(t, simulator)
  fault(simulator, 'session-change')
  t.ok(await silent(simulator))
  t.ok(client.open)
  const old = await connect(t, simulator, `api={"session":"${before}"}`)
  await until(() => old.frames[0]?.['message'] === 'waiting for session', 'waiting for session')
  await subscribed(t, simulator)
})

await t.test('accounts-lost: snapshots fail until accounts are queried again', async t => {
  const simulator = await open(t)
  await call(simulator, '/iserver/accounts')
  fault(simulator, 'accounts-lost')
  t.equal((await call(simulator, `/iserver/marketdata/snapshot?conids=${apple}`)).status, 500)
  await call(simulator, '/iserver/accounts')
  t.equal((await call(simulator, `/iserver/marketdata/snapshot?conids=${apple}`)).status, 200)
})

await t.test('rights: 6509 says what they are, for one conid or all; without them no price comes', async t => {
  const simulator = await open(t)
  const client = await subscribed(t, simulator, [apple, microsoft])
  const last = (conid: number) => client.data(conid).findLast(frame => '6509' in frame)!
  for (const [name, text] of [['delayed', 'DPB'], ['frozen', 'ZB'], ['not-subscribed', 'N'], ['no-agreement', 'O']] as const) {
    fault(simulator, name, { conid: apple })
    await until(() => last(apple)['6509'] === text, name)
    t.equal('31' in last(apple), name === 'delayed' || name === 'frozen', `${name}: a price`)
    t.equal(last(microsoft)['6509'], 'RpB')
    if (name === 'not-subscribed') t.ok(await silent(simulator))
    simulator.clearFault(name)
    await until(() => last(apple)['6509'] === 'RpB', 'the rights again')
    await client.more(2)
  }
  await call(simulator, '/iserver/accounts')
  simulator.fault('no-agreement')
  await call(simulator, `/iserver/marketdata/snapshot?conids=${apple}&fields=31`)
  const { json } = await call(simulator, `/iserver/marketdata/snapshot?conids=${apple}&fields=31`)
  t.match(json[0], { 6509: 'O' })
  t.notOk('31' in json[0]!)
})

await t.test('closed and halted: field 31 has its prefix', async t => {
  const simulator = await open(t)
  const client = await subscribed(t, simulator)
  fault(simulator, 'halted')
  const halted = await until(() => client.data().find(frame => String(frame['31']).startsWith('H')), 'H')
  t.notOk('84' in halted || '86' in halted, 'without bid and ask')
  simulator.clearFault('halted')
  fault(simulator, 'closed', { conid: apple })
  await until(() => client.data().find(frame => /^C\d+\.\d\d$/.test(String(frame['31']))), 'C')
  t.ok(await silent(simulator))
  simulator.clearFault('closed')
  await client.more(2)
})

await t.test('strange frames: garbage, {}, no conid, an error, an unknown topic, a huge one', async t => {
  const simulator = await open(t)
  const client = await subscribed(t, simulator)
  fault(simulator, 'garbage')
  await until(() => client.raw.length > client.frames.length, 'a frame that is no JSON')
  fault(simulator, 'empty-object')
  await until(() => client.frames.some(frame => Object.keys(frame).length === 0), '{}')
  fault(simulator, 'empty-update', { conid: apple })
  await until(() => client.data().some(frame => !('conid' in frame) && !('error' in frame)), 'an update without conid')
  fault(simulator, 'error-frame')
  await until(() => client.data().some(frame => 'error' in frame), 'an error')
  fault(simulator, 'unknown-topic')
  await until(() => client.of('xyz').length, 'an unknown topic')
  fault(simulator, 'huge-frame', { bytes: 1_000_000 })
  await until(() => client.raw.some(text => text.length > 1_000_000), 'a huge frame')
  await client.more(1)
})

await t.test('duplicate: every frame comes twice, and the ledger says which is the copy', async t => {
  const simulator = await open(t)
  fault(simulator, 'duplicate')
  const client = await subscribed(t, simulator)
  await client.more(4)
  t.same(client.data()[0], client.data()[1])
  t.same(simulator.sent.slice(0, 4).map(frame => frame.duplicate), [false, true, false, true])
})

await t.test('out-of-order: _updated goes back', async t => {
  const simulator = await open(t)
  fault(simulator, 'out-of-order', { ms: '5s' })
  const client = await subscribed(t, simulator)
  await client.more(3)
  const times = client.data().map(frame => Number(frame['_updated']))
  t.ok(times[1]! < times[0]! && times[2]! > times[1]!)
})

await t.test('clock-skew: the gateway is an hour ahead', async t => {
  const simulator = await open(t, { heartbeatMs: 20 })
  fault(simulator, 'clock-skew', { ms: '1h' })
  const client = await subscribed(t, simulator)
  const hb = await until(() => client.of('system').find(frame => 'hb' in frame), 'a heartbeat')
  t.ok(Number(hb['hb']) > Date.now() + 3_000_000)
  t.ok(Number(client.data()[0]!['_updated']) > Date.now() + 3_000_000)
})

await t.test('slow-rest, too-many-requests, history-error, history-blank', async t => {
  const simulator = await open(t)
  fault(simulator, 'slow-rest', { ms: 1000, path: 'accounts' })
  let answered = false
  const slow = call(simulator, '/iserver/accounts').then(() => { answered = true })
  await call(simulator, '/tickle', 'POST')
  t.equal(answered, false, 'a call that came later was answered first')
  await slow
  fault(simulator, 'too-many-requests')
  t.match(await call(simulator, '/tickle', 'POST'), { status: 429, json: { statusCode: 429 } })
  simulator.clearFault('too-many-requests')
  fault(simulator, 'history-error')
  t.match(await call(simulator, `/iserver/marketdata/history?conid=${apple}`), { status: 500, json: { error: 'No data.' } })
  simulator.clearFault('history-error')
  simulator.fault('history-error', { conid: apple, error: 'Chart data unavailable' })
  t.match(await call(simulator, `/iserver/marketdata/history?conid=${apple}`), { status: 500, json: { error: 'Chart data unavailable' } })
  t.equal((await call(simulator, '/iserver/marketdata/history?conid=8314')).status, 200, 'only that one')
  fault(simulator, 'history-blank', { conid: 8314 })
  const blank = await fetch(`${simulator.url}/iserver/marketdata/history?conid=8314`)
  t.same([blank.status, await blank.text()], [200, ''])
})

await t.test('every fault has a claim above', async t => {
  t.same([...tried].toSorted(), Object.keys(faultKinds).toSorted())
})

await t.test('faults are read from text, and what is unknown is refused', async t => {
  t.same(parseFault('freeze'), { name: 'freeze', args: {} })
  t.same(parseFault('drop-tcp=every:30s,after:2m'), { name: 'drop-tcp', args: { every: 30_000, after: 120_000 } })
  t.same(parseFault('clock-skew=ms:-500'), { name: 'clock-skew', args: { ms: -500 } })
  t.throws(() => parseFault('explode'), /"explode" is unknown; there are: drop-tcp/)
  t.throws(() => parseFault('freeze=how:long'), /argument "how" is unknown; it takes after, every, for/)
  t.throws(() => parseFault('freeze=every'), /is not key:value/)
})

await t.test('faults given at the start are on, and may wait', async t => {
  const simulator = await open(t, { faults: [{ name: 'no-bridge' }, { name: 'delayed', args: { after: 20 } }] })
  t.same(simulator.faults.map(({ name }) => name), ['no-bridge'])
  await until(() => simulator.faults.length === 2, 'the second fault')
})

await t.test('another process switches faults and reads the ledger over HTTP', async t => {
  const simulator = await open(t)
  const client = await subscribed(t, simulator, [apple, microsoft])
  await client.more(3)
  t.match((await control(simulator, '')).json, { url: simulator.url, stats: { sockets: 1, streams: 2 }, faults: [] })
  t.match((await control(simulator, '/faults', 'POST', { name: 'delayed', args: { conid: apple } })).json, [{ name: 'delayed', args: { conid: apple } }])
  t.match((await control(simulator, '/faults')).json, [{ name: 'delayed' }])
  t.same((await control(simulator, '/faults?name=delayed', 'DELETE')).json, [])
  t.match(await control(simulator, '/faults', 'POST', { name: 'explode' }), { status: 400, json: { error: /unknown/ } })
  t.match(await control(simulator, '/faults', 'POST'), { status: 400 })
  t.equal((await control(simulator, '/nothing')).status, 404)
  const all = (await control(simulator, '/ledger')).json as unknown as { frames: { index: number, conid: number }[] }
  t.ok(all.frames.length >= 4)
  const some = (await control(simulator, `/ledger?after=0&limit=1&conid=${apple}&socket=${simulator.sent[0]!.socket}`)).json as unknown as typeof all
  t.ok(some.frames.length === 1 && some.frames[0]!.index > 0 && some.frames[0]!.conid === apple)
  client.close()
  await until(() => simulator.stats.streams === 0, 'the streams to end')
  await control(simulator, '/ledger', 'DELETE')
  t.equal(simulator.sent.length, 0)
})

await t.test('the ledger is bounded, and counts what it dropped', async t => {
  const simulator = await open(t, { ledgerFramesMax: 10, speed: 1000 })
  await subscribed(t, simulator)
  await until(() => simulator.stats.ledgerDropped > 0, 'a dropped frame')
  t.ok(simulator.sent.length <= 12)
})

await t.test('prices of one\'s own, plain or gzipped; instruments of one\'s own', async t => {
  const csv = 'symbol,time,open,high,low,close,volume\nXYZ,2020-01-02T09:31,10,11,9,10.5,100\nXYZ,2020-01-02T09:30,10,11,9,10.5,100\n'
  const folder = t.testdir({ 'plain.csv': csv, 'packed.csv.gz': gzipSync(csv), 'short.csv': 'symbol,time\nA,1\n', 'wrong.csv': csv.replace(',11,', ',8,') })
  for (const file of ['plain.csv', 'packed.csv.gz']) t.match(readRecordings(`${folder}/${file}`).get('XYZ'), { barMs: 60_000, bars: [{ day: '2020-01-02', open: 10 }, {}] })
  t.throws(() => readRecordings(`${folder}/short.csv`), /missing: open, high, low, close, volume/)
  t.throws(() => readRecordings(`${folder}/wrong.csv`), /bar of XYZ at 2020-01-02T09:31 is not a price bar/)
  const simulator = await open(t, { prices: `${folder}/plain.csv`, instruments: ['XYZ', { symbol: 'COPY', conid: 7, prices: 'XYZ' }] })
  t.same(simulator.instruments.map(({ symbol, conid }) => [symbol, conid]), [['XYZ', 900_000_001], ['COPY', 7]])
  await subscribed(t, simulator, [7])
  await t.rejects(startSimulator({ instruments: ['XYZ'] }), /no prices for "XYZ" in the price file, which has AAPL/)
  await t.rejects(startSimulator({ instruments: ['AAPL', { symbol: 'B', conid: apple, prices: 'IBM' }] }), /conid 265598 is taken by AAPL/)
  await t.rejects(startSimulator({ speed: 0 }), /speed 0/)
  await t.rejects(startSimulator({ port: simulator.port }), /cannot listen on 127.0.0.1:\d+/)
})

await t.test('the command line starts it, and says where it listens', async t => {
  const lines: unknown[] = []
  t.intercept(console, 'log', { value: (line: unknown) => lines.push(line) })
  const simulator = (await main(['--port', '0', '--speed', '5', '--fault', 'no-bridge', '--fault', 'drop-tcp=every:30s']))!
  t.teardown(() => simulator.close())
  t.match(lines, [simulator.url, /AAPL 265598, .*IBM 8314, MSFT 272093/, /POST .*\/simulator\/faults/])
  t.same(simulator.faults.map(({ name }) => name), ['no-bridge'])
  t.equal(await main(['--faults']), undefined)
  t.equal(lines.at(-1), faultTable())
  await main(['--help'])
  t.match(lines.at(-1), /Usage/)
  await t.rejects(main(['--prot', '1']), /Unknown option '--prot'/)
  await t.rejects(main(['--port', 'x']), /--port x: this is not a number/)
})

await t.test('the README has the table of faults as it is in the code', async t => {
  const readme = readFileSync(new URL('../../../../plugins/inputs/interactive-brokers/simulator/README.md', import.meta.url), 'utf8')
  t.ok(readme.includes(faultTable()), 'print it with: node plugins/inputs/interactive-brokers/simulator/cli.ts --faults')
})

await t.test('close cuts every connection, also when called twice', async t => {
  const simulator = await open(t)
  const client = await subscribed(t, simulator)
  await Promise.all([simulator.close(), simulator.close()])
  t.equal(await client.ended(), 1006)
})

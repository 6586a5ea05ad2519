import { once } from 'node:events'
import { createServer } from 'node:http'
import { createServer as createTcpServer } from 'node:net'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { WebSocketServer } from 'ws'
import websocket from '../../../plugins/inputs/websocket/index.ts'
import { at, pointer } from '../../../runtime/json-pointer.ts'
import { configure } from '../../conform/configure.ts'
import { fakeContext, until } from '../../conform/context.ts'
import { conformInput } from '../../conform/input.ts'
import type { IncomingMessage } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Test } from 'tap'
import type { WebSocket } from 'ws'
import type { Json, Row } from '../../../runtime/plugin.ts'
import type { FakeContext } from '../../conform/context.ts'

type Given = Record<string, Json>

await t.test('it conforms', async t => {
  await conformInput(t, {
    plugin: websocket,
    replays: false,
    async source () {
      const feed = await makeFeed()
      const streaming = async (context: FakeContext): Promise<void> => await until(() => context.healths.some(({ state }) => state === 'streaming'), 'it is connected')
      return {
        config: { url: feed.url, batch_ms: 1, batch_rows: 4 },
        async produce (from, to, context) {
          await streaming(context)
          for (let n = from; n < to; n++) feed.send({ n })
        },
        async malformed (context) {
          await streaming(context)
          for (const message of ['{"n":', '5', Buffer.from([0xff, 0xfe]), '{"n":"\\ud800"}']) feed.send(message)
          return 4
        },
        close: feed.close
      }
    },
    async silent () {
      const feed = await makeFeed()
      return { config: { url: feed.url }, produce () {}, close: feed.close }
    },
    async broken () {
      const feed = await makeFeed()
      await feed.close()
      return { config: { url: feed.url }, says: /ws:\/\/127\.0\.0\.1:\d+\/ cannot be reached: .*ECONNREFUSED/ }
    }
  })
})

await t.test('it logs in, subscribes, and sends headers and parameters', async t => {
  const feed = await makeFeed()
  const reading = read(t, { url: `${feed.url}?a=1`, query: { token: 's3cret' }, headers: { 'x-key': 'k' }, login: [{ op: 'login' }], subscribe: ['plain', { op: 'subscribe', args: ['trades'] }] })
  await until(() => feed.received.length === 3, 'three messages')
  t.same(feed.received, ['{"op":"login"}', 'plain', '{"op":"subscribe","args":["trades"]}'])
  t.equal(feed.requests[0]?.url, '/?a=1&token=s3cret')
  t.equal(feed.requests[0]?.headers['x-key'], 'k')
  await reading.stop()
  await feed.close()
})

await t.test('rows are found by pointer, filtered, and carry the time and the envelope', async t => {
  const feed = await makeFeed()
  const reading = read(t, { url: feed.url, rows: ['/data', '/one/more~1row'], where: { '/type': ['trade', 'quote'], '/v': 1 }, envelope: { type: '/type', none: '/none' } })
  await reading.connected()
  feed.send({ type: 'subscribed', v: 1 })
  feed.send({ type: 'trade', v: 2, data: [{ p: 0 }] })
  feed.send({ type: 'trade', v: 1 })
  feed.send({ type: 'trade', v: 1, data: [{ p: 1 }, { p: 2, type: 'own' }, [7, 8]] })
  feed.send({ type: 'quote', v: 1, data: { p: 3 }, one: { 'more/row': { q: 9007199254740993n.toString() } } })
  feed.send('{"type":"quote","v":1,"data":[{"p":9007199254740993},5,null]}')
  await until(() => reading.rows.length === 6 && reading.context.rejected.length === 2, 'six rows')
  await reading.stop()
  const time = { received_time: '2024-01-02T14:30:00.000Z' }
  const present = reading.rows.map(row => Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null)))
  t.same(present, [
    { p: 1, type: 'trade', ...time }, { p: 2, type: 'own', ...time }, { 0: 7, 1: 8, type: 'trade', ...time },
    { p: 3, type: 'quote', ...time }, { q: '9007199254740993', type: 'quote', ...time }, { p: '9007199254740993', type: 'quote', ...time }
  ])
  t.match(reading.context.rejected, [{ row: { value: 5 }, reason: /no row at "data"/ }, { row: { value: null } }])
  await feed.close()
})

await t.test('JSON pointers are those of RFC 6901', async t => {
  const value = { 'a/b': { 'm~n': [10, { '': 1 }] } }
  t.equal(at(value, pointer('')), value)
  t.equal(at(value, pointer('/a~1b/m~0n/0')), 10)
  t.equal(at(value, pointer('/a~1b/m~0n/1/')), 1)
  for (const path of ['/x', '/a~1b/m~0n/2', '/constructor', '/__proto__', '/a~1b/m~0n/0/1']) t.equal(at(value, pointer(path)), undefined)
})

await t.test('binary and gzip frames are JSON, too', async t => {
  const feed = await makeFeed()
  const reading = read(t, { url: feed.url, message_bytes_max: 100_000 })
  await reading.connected()
  feed.send(Buffer.from('{"n":"é"}'))
  feed.send(gzipSync('{"n":"zipped"}'))
  feed.send(gzipSync('x'.repeat(1_000_000)))
  feed.send(Buffer.from([0x1f, 0x8b, 0, 0]))
  await until(() => reading.rows.length === 2 && reading.context.rejected.length === 2, 'two rows and two rejects')
  await reading.stop()
  t.same(reading.rows.map(row => row['n']), ['é', 'zipped'])
  t.equal(reading.context.counts['rows_malformed'], 2)
  await feed.close()
})

await t.test('a row of 10 MB arrives, names of any kind too, and deep nesting is rejected', async t => {
  const feed = await makeFeed()
  const reading = read(t, { url: feed.url })
  await reading.connected()
  feed.send({ text: 'x'.repeat(10 * 2 ** 20) })
  feed.send(`{"deep":${'['.repeat(1000)}${']'.repeat(1000)}}`)
  feed.send('{"__proto__":{"x":1},"constructor":2}')
  await until(() => reading.rows.length === 2 && reading.context.rejected.length === 1, 'all arrive')
  await reading.stop()
  t.equal((reading.rows[0]?.['text'] as string).length, 10 * 2 ** 20)
  t.ok(reading.rows.some(row => row['constructor'] === 2 && Object.hasOwn(row, '__proto__')))
  await feed.close()
})

await t.test('the heartbeat is sent', async t => {
  const feed = await makeFeed()
  const reading = read(t, { url: feed.url, heartbeat_interval_seconds: 0.02, heartbeat_message: '{"op":"ping"}' })
  await until(() => feed.received.length >= 3, 'three heartbeats')
  t.equal(feed.received[0], '{"op":"ping"}')
  await reading.stop()
  await feed.close()
})

await t.test('a silent, closed, broken or refusing feed is a clear error that can be tried again', async t => {
  const cases: ReadonlyArray<readonly [RegExp, Given, (client: WebSocket) => void]> = [
    [/sent nothing for 0\.05 s/, { idle_seconds: 0.05 }, () => {}],
    [/closed the connection with code 4001: bye/, {}, client => client.close(4001, 'bye')],
    [/closed the connection with code 1000\./, {}, client => client.close(1000)],
    [/was lost, or a message was larger/, {}, client => client.terminate()],
    [/was lost, or a message was larger/, { message_bytes_max: 100 }, client => client.send('x'.repeat(1000))]
  ]
  for (const [says, given, act] of cases) {
    const feed = await makeFeed(act)
    const { message, code } = await failure(t, { url: `${feed.url}?key=s3cret`, ...given })
    t.match(message, says)
    t.equal(code, 'SOURCE_UNAVAILABLE')
    t.notMatch(message, /s3cret/, 'keys in the address are not told')
    await feed.close()
  }
  const server = createServer().on('upgrade', (_, socket: Socket) => socket.end('HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.match((await failure(t, { url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/x` })).message, /\/x cannot be reached: it answered 401/)
  server.close()
})

await t.test('rows that came before the connection broke are not lost', async t => {
  const feed = await makeFeed(client => {
    for (let n = 0; n < 10; n++) client.send(JSON.stringify({ n }))
    client.close(1001, 'later')
  })
  const context = fakeContext()
  const rows: Row[] = []
  await t.rejects(async () => {
    for await (const { batch } of websocket.read(configure(websocket, { url: feed.url, batch_rows: 3 }), context)) rows.push(...batch.rows())
  }, { code: 'SOURCE_UNAVAILABLE' })
  t.same(rows.map(row => row['n']), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  await feed.close()
})

await t.test('what the topic does not take is dropped, counted, and told by health', async t => {
  const feed = await makeFeed()
  const context = fakeContext()
  const generator = websocket.read(configure(websocket, { url: feed.url, pending_rows_max: 5, batch_rows: 5, batch_ms: 0 }), context)
  const first = generator.next()
  await until(() => context.healths.at(-1)?.state === 'streaming', 'it is connected')
  feed.send({ n: 0 })
  await first
  for (let n = 1; n <= 20; n++) feed.send({ n })
  await until(() => context.counts['rows_dropped'] === 15, 'fifteen are dropped')
  t.match(context.healths.at(-1), { ok: false, state: 'dropping' })
  t.equal((await generator.next()).value?.batch.length, 5)
  for (let n = 21; context.healths.at(-1)?.ok !== true; n++) {
    feed.send({ n })
    await generator.next()
  }
  t.match(context.healths.at(-1), { ok: true, state: 'streaming' })
  context.stop()
  await generator.return()
  await feed.close()
})

await t.test('a feed that sends without end does not keep it from stopping', async t => {
  const feed = await makeFeed()
  const reading = read(t, { url: feed.url, batch_rows: 10 })
  await reading.connected()
  const timer = setInterval(() => { for (let n = 0; n < 100; n++) feed.send({ n }) }, 1)
  await until(() => reading.rows.length > 500, 'rows come')
  await reading.stop()
  clearInterval(timer)
  await feed.close()
})

await t.test('a server that takes the connection and never answers does not keep it from stopping', async t => {
  const sockets: Socket[] = []
  const server = createTcpServer(socket => sockets.push(socket.on('error', () => {}))).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const reading = read(t, { url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}` })
  await until(() => sockets.length === 1, 'it connects')
  await reading.stop()
  for (const socket of sockets) socket.destroy()
  server.close()
})

await t.test('the connection test opens a connection and says why it cannot', async t => {
  const feed = await makeFeed()
  const probe = async (): Promise<void> => await websocket.probe?.(configure(websocket, { url: feed.url, subscribe: ['no'] }), fakeContext())
  await t.resolves(probe())
  t.same(feed.received, [], 'nothing is subscribed to')
  await feed.close()
  await t.rejects(probe(), { code: 'SOURCE_UNAVAILABLE', message: /cannot be reached/ })
})

interface Feed {
  readonly url: string
  readonly received: string[]
  readonly requests: IncomingMessage[]
  /** To the newest connection. */
  send (message: object | string | Buffer): void
  close (): Promise<void>
}

async function makeFeed (act: (client: WebSocket) => void = () => {}): Promise<Feed> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: true })
  await once(server, 'listening')
  const received: string[] = []
  const requests: IncomingMessage[] = []
  let newest: WebSocket | undefined
  server.on('connection', (client, request) => {
    newest = client
    requests.push(request)
    client.on('error', () => {})
    client.on('message', message => received.push(String(message)))
    act(client)
  })
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    received,
    requests,
    send: message => newest?.send(typeof message === 'string' || Buffer.isBuffer(message) ? message : JSON.stringify(message)),
    async close () {
      for (const client of server.clients) client.terminate()
      await new Promise(resolve => server.close(resolve))
    }
  }
}

function read (t: Test, given: Given): { rows: Row[], context: FakeContext, connected (): Promise<void>, stop (): Promise<void> } {
  const context = fakeContext()
  const rows: Row[] = []
  const work = (async () => {
    for await (const { batch } of websocket.read(configure(websocket, given), context)) rows.push(...batch.rows())
  })()
  t.teardown(() => context.stop())
  return {
    rows,
    context,
    connected: () => until(() => context.healths.some(({ state }) => state === 'streaming'), 'it is connected'),
    async stop () {
      context.stop()
      await work
    }
  }
}

async function failure (t: Test, given: Given): Promise<{ message: string, code: unknown }> {
  const context = fakeContext()
  try {
    for await (const chunk of websocket.read(configure(websocket, given), context)) void chunk
  } catch (error) {
    return error as { message: string, code: unknown }
  }
  t.fail('it did not throw')
  return { message: '', code: '' }
}

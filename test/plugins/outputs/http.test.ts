import { once } from 'node:events'
import { createServer } from 'node:http'
import t from 'tap'
import http from '../../../plugins/outputs/http/index.ts'
import { Batch, fromRows } from '../../../runtime/batch.ts'
import { configure } from '../../conform/configure.ts'
import { fakeContext, fakeTopic } from '../../conform/context.ts'
import { conformOutput } from '../../conform/output.ts'
import type { IncomingHttpHeaders, IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import type { FakeContext } from '../../conform/context.ts'
import type { Json, Row } from '../../../runtime/plugin.ts'

interface Request { readonly method: string, readonly headers: IncomingHttpHeaders, readonly body: string }

interface Receiver {
  readonly url: string
  readonly requests: Request[]
  /** What is done with the next requests; by default they are taken. */
  answer: (response: ServerResponse, request: Request) => void
  close (): Promise<void>
}

async function listen (): Promise<Receiver> {
  const requests: Request[] = []
  const server: Server = createServer((incoming, response) => { void take(incoming, response) })
  const receiver: Receiver = {
    url: '',
    requests,
    answer: response => { response.end('taken') },
    async close () {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    }
  }
  async function take (incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = ''
    try {
      for await (const bytes of incoming) body += String(bytes)
    } catch {
      return // The sender was killed.
    }
    const request = { method: incoming.method ?? '', headers: incoming.headers, body }
    requests.push(request)
    receiver.answer(response, request)
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return Object.assign(receiver, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/rows` })
}

const topic = fakeTopic('quotes', ['symbol', 'price'])

function at (rows: readonly Row[], offset: number): Batch {
  return new Batch(topic, rows.length, fromRows(topic, rows).columns, { position: { partition: 0, offset, time: 0 } })
}

function numbered (rows: number): Row[] {
  return Array.from({ length: rows }, (_, i) => ({ symbol: `S${i}`, price: i }))
}

async function withReceiver (t: Test, work: (receiver: Receiver) => Promise<void>): Promise<void> {
  const receiver = await listen()
  try {
    await work(receiver)
  } finally {
    await receiver.close()
  }
  t.pass('closed')
}

/** Writes and flushes the batches. */
async function send (given: Readonly<Record<string, Json>>, batches: readonly Batch[], context: FakeContext = fakeContext({ topic })): Promise<FakeContext> {
  const sink = await http.open(configure(http, given), context)
  try {
    for (const batch of batches) await sink.write(batch)
    const last = batches.at(-1)
    await sink.flush({ partition: 0, from: 0, to: last === undefined ? 0 : last.offsetAt(last.length - 1) + 1 })
  } finally {
    await sink.close()
  }
  return context
}

await t.test('as an output', t => conformOutput(t, {
  plugin: http,
  module: new URL('../../../plugins/outputs/http/index.ts', import.meta.url).href,
  async destination () {
    const receiver = await listen()
    const taken: number[] = []
    const take: Receiver['answer'] = (response, { body }) => {
      for (const row of JSON.parse(body) as Row[]) taken.push(Number(row['n']))
      response.end()
    }
    receiver.answer = take
    return {
      config: { url: receiver.url, rows: 30, timeout_ms: 500 },
      rows: () => taken,
      break: () => {
        receiver.answer = response => { response.writeHead(503).end('not now') }
        return () => { receiver.answer = take }
      },
      hang: () => {
        receiver.answer = () => {}
        return () => { receiver.answer = take }
      },
      close: () => receiver.close()
    }
  },
  async broken () {
    const receiver = await listen()
    await receiver.close()
    return { config: { url: receiver.url }, says: /ECONNREFUSED/ }
  }
}))

await t.test('a request carries an array of rows, its headers, the token and a key', t => withReceiver(t, async receiver => {
  await send({ url: receiver.url, token: 'secret', headers: { 'x-team': 'quant' } }, [at([{ symbol: 'A', price: 1.5 }], 40), at([{ symbol: 'ü' }], 41)])
  t.strictSame(receiver.requests.map(request => request.body), ['[{"symbol":"A","price":1.5},{"symbol":"ü"}]'])
  t.match(receiver.requests[0]?.headers, {
    'content-type': 'application/json', authorization: 'Bearer secret', 'x-team': 'quant', 'idempotency-key': 'quotes-0-40-42'
  })
}))

await t.test('NDJSON is a row a line', t => withReceiver(t, async receiver => {
  await send({ url: receiver.url, format: 'ndjson' }, [at([{ symbol: 'A' }, { symbol: 'B' }], 0)])
  t.equal(receiver.requests[0]?.body, '{"symbol":"A"}\n{"symbol":"B"}\n')
  t.equal(receiver.requests[0]?.headers['content-type'], 'application/x-ndjson')
}))

await t.test('requests are cut by rows and by size, whatever the batches', t => withReceiver(t, async receiver => {
  const keys = async (given: Readonly<Record<string, Json>>, batches: readonly Batch[]): Promise<unknown[]> => {
    receiver.requests.length = 0
    await send({ url: receiver.url, ...given }, batches)
    return receiver.requests.map(({ headers }) => headers['idempotency-key'])
  }
  const rows = numbered(10)
  const wanted = ['quotes-0-0-4', 'quotes-0-4-8', 'quotes-0-8-10']
  t.strictSame(await keys({ rows: 4 }, [at(rows, 0)]), wanted)
  t.strictSame(await keys({ rows: 4 }, [at(rows.slice(0, 1), 0), at(rows.slice(1, 7), 1), at(rows.slice(7), 7)]), wanted)

  const wide = Array.from({ length: 5 }, () => ({ symbol: 'x'.repeat(400) }))
  t.strictSame(await keys({ kilobytes: 1 }, [at(wide, 0)]), ['quotes-0-0-2', 'quotes-0-2-4', 'quotes-0-4-5'])
  t.strictSame(await keys({ kilobytes: 1 }, [at([{ symbol: 'x'.repeat(3000) }, { symbol: 'y' }], 0)]), ['quotes-0-0-1', 'quotes-0-1-2'], 'a large row goes alone')
  t.ok(receiver.requests.every(({ body }) => body.length < 3100))
}))

await t.test('rows that the receiver calls bad are rejected with what it said, and the others arrive', t => withReceiver(t, async receiver => {
  receiver.answer = (response, { body }) => {
    if (body.includes('S3')) response.writeHead(422).end(`price is missing ${'x'.repeat(500)}`)
    else response.end()
  }
  const batch = at(numbered(6), 10)
  const { rejected } = await send({ url: receiver.url, rows: 2 }, [batch])
  t.strictSame(rejected.map(({ row }) => row), [2, 3], 'indexes in their batch')
  t.match(rejected[0]?.reason, /^The receiver answered 422: price is missing x+$/)
  t.equal(rejected[0]?.reason.length, 'The receiver answered 422: '.length + 200)
  t.equal(receiver.requests.length, 3)
}))

await t.test('a single row that is too large is rejected; many are an error that says what to do', t => withReceiver(t, async receiver => {
  receiver.answer = response => { response.writeHead(413).end() }
  const { rejected } = await send({ url: receiver.url, rows: 1 }, [at(numbered(2), 0)])
  t.equal(rejected.length, 2)
  await t.rejects(send({ url: receiver.url }, [at(numbered(2), 0)]), { code: 'DESTINATION_REFUSED', retryable: false, remedy: 'Lower `kilobytes` or `rows`.' })
}))

await t.test('a refusal that is not about the rows loses none of them', t => withReceiver(t, async receiver => {
  for (const [status, remedy] of [[401, /token/], [403, /token/], [404, /url/], [302, /elsewhere/], [409, /reject_on/]] as const) {
    receiver.answer = response => { response.writeHead(status, { location: 'http://elsewhere' }).end('no') }
    const context = fakeContext({ topic })
    await t.rejects(send({ url: receiver.url }, [at(numbered(2), 0)], context), { code: 'DESTINATION_REFUSED', message: `The receiver answered ${status}: no`, remedy })
    t.strictSame(context.rejected, [])
  }
}))

await t.test('a receiver that asks to wait is asked again with the same key', t => withReceiver(t, async receiver => {
  receiver.answer = response => {
    receiver.answer = response => { response.end() }
    response.writeHead(429, { 'retry-after': '0' }).end('slow down')
  }
  const { healths } = await send({ url: receiver.url }, [at(numbered(2), 0)])
  t.strictSame(receiver.requests.map(({ headers }) => headers['idempotency-key']), ['quotes-0-0-2', 'quotes-0-0-2'])
  t.match(healths, [{ ok: false, state: 'throttled', reason: /429: slow down/ }, { ok: true }])
}))

await t.test('a stop ends the waiting', t => withReceiver(t, async receiver => {
  const context = fakeContext({ topic })
  receiver.answer = response => {
    response.writeHead(503, { 'retry-after': new Date(context.clock.now() + 3_600_000).toUTCString() }).end()
    setImmediate(() => context.stop())
  }
  await t.rejects(send({ url: receiver.url }, [at(numbered(1), 0)], context), { code: 'DESTINATION_UNAVAILABLE', retryable: true })
}))

await t.test('after a failure no call passes over the rows that were lost', t => withReceiver(t, async receiver => {
  const sink = await http.open(configure(http, { url: receiver.url, rows: 1 }), fakeContext({ topic }))
  receiver.answer = response => { response.writeHead(500).end() }
  await t.rejects(sink.write(at(numbered(2), 0)), { code: 'DESTINATION_UNAVAILABLE' })
  receiver.answer = response => { response.end() }
  await t.rejects(sink.flush({ partition: 0, from: 0, to: 2 }), { code: 'DESTINATION_UNAVAILABLE' })
  await sink.close()
}))

await t.test('the connection test sends no row and says what is wrong', t => withReceiver(t, async receiver => {
  const probe = (): Promise<void> => http.probe?.(configure(http, { url: receiver.url, token: 'x' }), fakeContext({ topic })) ?? Promise.reject(new Error('no probe'))
  receiver.answer = response => { response.writeHead(405).end() }
  await probe()
  t.match(receiver.requests, [{ method: 'HEAD', body: '' }])
  receiver.answer = response => { response.writeHead(401).end() }
  await t.rejects(probe(), { code: 'DESTINATION_REFUSED' })
  receiver.answer = response => { response.writeHead(502).end() }
  await t.rejects(probe(), { code: 'DESTINATION_UNAVAILABLE' })
}))

await t.test('a header that cannot be sent is a configuration error', t => withReceiver(t, async receiver => {
  await t.rejects(send({ url: receiver.url, headers: { 'bad header': 'x' } }, [at(numbered(1), 0)]), { code: 'CONFIG_INVALID' })
}))

await t.test('an answer without an end is cut off, and its rows count as taken', t => withReceiver(t, async receiver => {
  receiver.answer = response => {
    response.on('close', () => clearInterval(timer))
    const timer = setInterval(() => response.write('x'.repeat(100_000)), 1)
  }
  await send({ url: receiver.url, rows: 1 }, [at(numbered(2), 0)])
  t.equal(receiver.requests.length, 2)
}))

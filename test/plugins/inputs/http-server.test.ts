import { createHmac } from 'node:crypto'
import { subscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { request } from 'node:http'
import { connect, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import httpServer from '../../../plugins/inputs/http-server/index.ts'
import { freePort } from '../../child.ts'
import { configure } from '../../conform/configure.ts'
import { fakeContext, until } from '../../conform/context.ts'
import { conformInput } from '../../conform/input.ts'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import type { Json, Row } from '../../../runtime/plugin.ts'
import type { FakeContext } from '../../conform/context.ts'

type Headers = Record<string, string>
interface Answer { readonly status: number, readonly headers: Record<string, string | string[] | undefined>, readonly body: { readonly rows?: number, readonly detail?: string } }

/** Requests whose headers have arrived at a server of this process. */
let requests = 0
subscribe('http.server.request.start', () => { requests++ })

await t.test('it conforms', async t => {
  await conformInput(t, {
    plugin: httpServer,
    replays: true,
    async source () {
      const port = await freePort()
      return {
        config: { port },
        async produce (from, to) {
          for (let n = from; n < to; n++) while (await post(port, { n }).then(({ status }) => status !== 200, () => true)) await sleep(5)
        },
        async malformed () {
          t.equal((await post(port, '{"n":')).status, 400)
          return 0
        }
      }
    },
    silent: async () => ({ config: { port: 0 }, produce () {} }),
    async broken () {
      const { port, close } = await occupied()
      return { config: { port }, says: /127\.0\.0\.1:\d+ cannot be listened on.*EADDRINUSE.*another port/, close }
    }
  })
})

await t.test('an object, an array and NDJSON become rows; 200 says how many', async t => {
  const { port, rows } = await listening(t)
  t.match(await post(port, { a: 1 }), { status: 200, body: { rows: 1 } })
  t.match(await post(port, [{ a: 2 }, { b: 'é' }]), { status: 200, body: { rows: 2 } })
  t.match(await post(port, '{"a":3}\r\n\n{"a":9007199254740993}', { 'content-type': 'application/x-ndjson; charset=UTF-8' }), { status: 200, body: { rows: 2 } })
  t.match(await post(port, []), { status: 200, body: { rows: 0 } })
  t.same(rows, [{ a: 1 }, { a: 2, b: null }, { a: null, b: 'é' }, { a: 3 }, { a: '9007199254740993' }])
})

await t.test('200 comes after the rows are durable, 503 where they are not', async t => {
  const { port, generator, context } = await opened(t)
  const first = generator.next()
  const answered: number[] = []
  const posting = post(port, { n: 1 }).then(({ status }) => answered.push(status))
  t.same([...(await first).value?.batch.rows() ?? []], [{ n: 1 }])
  const waiting = post(port, { n: 2 }).then(({ status }) => answered.push(status))
  await sleep(50)
  t.same(answered, [], 'nobody has an answer')
  const second = generator.next()
  await posting
  t.same(answered, [200])
  t.same([...(await second).value?.batch.rows() ?? []], [{ n: 2 }])
  await generator.return()
  await waiting
  t.same(answered, [200, 503])
  context.stop()
})

await t.test('posts that wait are taken together', async t => {
  const { port, generator, context } = await opened(t, { batch_rows: 10 })
  const first = generator.next()
  const posting = [post(port, { n: 0 })]
  await first
  const sizes = [4, 4, 4, 25]
  for (const size of sizes) posting.push(post(port, Array.from({ length: size }, (_, n) => ({ n }))))
  await sleep(100)
  const lengths: number[] = []
  const draining = (async () => { for await (const { batch } of generator) lengths.push(batch.length) })()
  for (const answer of posting) t.equal((await answer).status, 200)
  context.stop()
  await draining
  t.equal(lengths.reduce((a, b) => a + b), 37)
  t.ok(lengths.length < 4, String(lengths))
  t.ok(lengths.every(length => length <= 10 || length === 25), 'a post is not torn apart')
})

await t.test('a post of many rows becomes several batches, and is answered after the last one', async t => {
  const { port, generator } = await opened(t)
  const first = generator.next()
  let answered = false
  const posting = post(port, Array.from({ length: 25_000 }, (_, n) => ({ n }))).finally(() => { answered = true })
  const lengths: number[] = []
  for (let chunk = await first; lengths.push(chunk.value?.batch.length ?? 0) < 3;) {
    chunk = await generator.next()
    t.not(answered, true)
  }
  t.same(lengths, [10_000, 10_000, 5000])
  void generator.next()
  t.match(await posting, { status: 200, body: { rows: 25_000 } })
})

await t.test('a post whose batches are not all durable is answered with 503', async t => {
  const { port, generator } = await opened(t)
  const first = generator.next()
  const posting = post(port, Array.from({ length: 15_000 }, (_, n) => ({ n })))
  await first
  await generator.next()
  await generator.return()
  t.equal((await posting).status, 503)
})

await t.test('rows that each bring names of their own end their batch early', async t => {
  const { port, generator } = await opened(t)
  const first = generator.next()
  const posting = post(port, Array.from({ length: 600 }, (_, n) => Object.fromEntries(Array.from({ length: 10 }, (_, j) => [`id_${n}_${j}`, j]))))
  const batches = [(await first).value?.batch, (await generator.next()).value?.batch]
  for (const batch of batches) t.ok(Object.keys(batch?.columns ?? {}).length * (batch?.length ?? 0) <= 2_000_000)
  t.equal((batches[0]?.length ?? 0) + (batches[1]?.length ?? 0), 600)
  void generator.next()
  t.equal((await posting).status, 200)
})

await t.test('posts are taken together up to 8 MiB', async t => {
  const { port, generator } = await opened(t)
  const first = generator.next()
  const posting = [post(port, { n: 0 })]
  await first
  for (let n = 1; n < 4; n++) posting.push(post(port, { n, text: 'x'.repeat(3 * 2 ** 20) }))
  await sleep(200)
  const lengths: number[] = []
  while (lengths.reduce((a, b) => a + b, 0) < 3) lengths.push((await generator.next()).value?.batch.length ?? 0)
  void generator.next()
  for (const answer of posting) t.equal((await answer).status, 200)
  t.ok(lengths.every(length => length < 3), String(lengths))
})

await t.test('a post of rows_max rows is taken, one row more is answered with 413', async t => {
  const { port, rows } = await listening(t, { rows_max: 3 })
  const row = { text: '},{,"\\', list: [1, 2, { a: [3, 4] }, 5] }
  const ndjson = { 'content-type': 'application/x-ndjson' }
  t.equal((await post(port, Array(3).fill(row))).status, 200)
  t.equal((await post(port, { a: 1, b: 2, c: 3, d: 4 })).status, 200, 'fields are no rows')
  t.equal((await post(port, '{}\n\n{}\n{}\n\n', ndjson)).status, 200)
  for (const many of [post(port, Array(4).fill(row)), post(port, '{}\n{}\n{}\n{}', ndjson)]) t.match(await many, { status: 413, body: { detail: /more than 3 rows/ } })
  t.equal(rows.length, 7)
})

await t.test('a body that cannot be taken is answered with 400, and says why', async t => {
  const { port, rows } = await listening(t)
  const deep = '['.repeat(100_000)
  for (const [body, detail] of [
    ['', /not JSON/], ['{"a":', /not JSON/], ['5', /is a number, not an object/], ['null', /is null/], ['[{"a":1},[2]]', /Item 1 of the array is an array/],
    ['{"a":1}{"a":2}', /not JSON/], [deep, /./], [`{"a":${'['.repeat(500)}${']'.repeat(500)}}`, /nested deeper/], ['{"a":"\\ud800"}', /surrogate/],
    [Buffer.from([0x7b, 0xff, 0x7d]), /not UTF-8/], [Buffer.from('\ufeff{}', 'utf16le'), /not UTF-8/]
  ] as const) t.match(await post(port, body), { status: 400, headers: { 'content-type': 'application/problem+json' }, body: { status: 400, detail } })
  t.match(await post(port, '{"a":1}\n{"a":\n', { 'content-type': 'application/x-ndjson' }), { status: 400, body: { detail: /^Line 2 is not JSON/ } })
  t.equal((await post(port, { ok: true })).status, 200)
  t.same(rows, [{ ok: true }], 'a post is taken as a whole or not at all')
})

await t.test('fields of any name arrive', async t => {
  const { port, rows } = await listening(t)
  await post(port, '[{"__proto__":{"x":1},"constructor":1},{"toString":2}]')
  t.equal(Object.getPrototypeOf(rows[0]), Object.prototype)
  t.strictSame(Object.entries(rows[0] as Row).map(([name, value]) => [name, value]), [['__proto__', { x: 1 }], ['constructor', 1], ['toString', null]])
  t.equal((rows[1] as Row)['constructor'], null)
})

await t.test('other paths, methods, types and encodings are refused', async t => {
  const { port } = await listening(t, { path: '/rows' })
  t.equal((await post(port, { a: 1 }, {}, '/')).status, 404)
  t.equal((await post(port, { a: 1 }, {}, '/rows?x=1')).status, 200)
  t.match(await send(port, { method: 'GET', path: '/rows' }), { status: 405, headers: { allow: 'POST' } })
  for (const type of ['text/plain', 'application/json; charset=latin1', 'multipart/form-data; boundary=x']) t.equal((await post(port, '{}', { 'content-type': type }, '/rows')).status, 415)
  t.equal((await post(port, '{}', { 'content-encoding': 'gzip' }, '/rows')).status, 415)
})

await t.test('a body up to the limit is taken, one byte more is answered with 413', async t => {
  const { port, rows } = await listening(t, { body_bytes_max: 2000 })
  const body = (bytes: number): string => `{"a":"${'x'.repeat(bytes - 8)}"}`
  t.equal((await post(port, body(2000))).status, 200)
  t.match(await post(port, body(2001)), { status: 413, body: { detail: /more than 2000 bytes/ } })
  t.equal((await post(port, body(2001), { 'transfer-encoding': 'chunked' })).status, 413)
  t.equal((await post(port, 'x'.repeat(20 * 2 ** 20), { 'transfer-encoding': 'chunked' })).status, 413)
  t.equal(rows.length, 1)
})

await t.test('a row of 10 MB is taken', async t => {
  const { port, rows } = await listening(t)
  t.equal((await post(port, { a: 'é'.repeat(5 * 2 ** 20) })).status, 200)
  t.equal((rows[0]?.['a'] as string).length, 5 * 2 ** 20)
})

await t.test('with a token, only those who have it may post', async t => {
  const { port, rows } = await listening(t, { token: 's3cret' })
  for (const headers of [{}, { authorization: 's3cret' }, { authorization: 'Bearer' }, { authorization: 'Bearer wrong' }, { authorization: 'Bearer s3cre' }] as Headers[]) {
    t.match(await post(port, { a: 1 }, headers), { status: 401, headers: { 'www-authenticate': 'Bearer' } })
  }
  t.equal((await post(port, { a: 1 }, { authorization: 'bearer s3cret' })).status, 200)
  t.equal(rows.length, 1)
})

await t.test('with a secret, only signed bodies are taken', async t => {
  const { port, rows } = await listening(t, { signature_secret: 'key', signature_header: 'X-Sign' })
  const body = '{"a":1}'
  const sign = (text: string, key = 'key'): Buffer => createHmac('sha256', key).update(text).digest()
  for (const given of [undefined, '', 'sha256=00', sign('{"a":2}').toString('hex'), sign(body, 'other').toString('hex')]) {
    t.equal((await post(port, body, given === undefined ? {} : { 'x-sign': given })).status, 401)
  }
  for (const given of [`sha256=${sign(body).toString('hex')}`, sign(body).toString('hex'), sign(body).toString('base64')]) t.equal((await post(port, body, { 'x-sign': given })).status, 200)
  t.equal(rows.length, 3)
})

await t.test('beyond what may wait, posts are answered with 503, and health says so', async t => {
  const { port, generator, context } = await opened(t, { pending_rows_max: 10, batch_rows: 4 })
  const first = generator.next()
  const posting = [post(port, Array(8).fill({ n: 1 }))]
  await first
  t.match(await post(port, Array(3).fill({ n: 2 })), { status: 503, headers: { 'retry-after': '1' } })
  t.match(context.healths.at(-1), { ok: false, state: 'saturated', reason: /slow/ })
  posting.push(post(port, Array(2).fill({ n: 3 })))
  await sleep(30)
  const draining = (async () => { for await (const chunk of generator) void chunk })()
  for (const answer of posting) t.equal((await answer).status, 200)
  t.match(context.healths.at(-1), { ok: true, state: 'listening' })
  t.equal((await post(port, Array(11).fill({ n: 4 }))).status, 200, 'a large post is taken when nothing waits')
  context.stop()
  await draining
})

await t.test('the memory of bodies is bounded over all connections', async t => {
  const { port } = await listening(t, { pending_bytes_max: 1000, body_bytes_max: 1000 })
  const slow = request({ port, method: 'POST', agent: false, headers: { 'content-type': 'application/json', 'content-length': '900' } })
  slow.on('error', () => {})
  slow.write('x'.repeat(600))
  await until(async () => (await post(port, 'y'.repeat(500))).status === 503, 'the memory is taken')
  slow.destroy()
  await until(async () => (await post(port, { a: 'y'.repeat(500) })).status === 200, 'the memory is free again')
})

await t.test('the rows of a sender that went away before they were taken are not taken', async t => {
  const { port, generator, context } = await opened(t)
  const first = generator.next()
  const posting = post(port, { n: 1 })
  await first
  const gone = request({ port, method: 'POST', agent: false, headers: { 'content-type': 'application/json' } })
  gone.on('error', () => {})
  gone.end('{"n":2}')
  await sleep(50)
  gone.destroy()
  await sleep(50)
  const second = generator.next()
  await posting
  const last = post(port, { n: 3 })
  t.same([...(await second).value?.batch.rows() ?? []], [{ n: 3 }])
  await generator.next(context.stop())
  t.equal((await last).status, 200)
})

await t.test('slow senders are cut, and others are served meanwhile', async t => {
  const { port } = await listening(t, { headers_ms: 200, request_ms: 400 })
  const sockets = Array.from({ length: 50 }, (_, i) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(i % 2 === 0 ? 'POST / HTTP/1.1\r\nHost: x\r\nX-Slow: ' : 'POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{'))
    socket.on('error', () => {}).resume()
    return once(socket, 'close')
  })
  t.equal((await post(port, { a: 1 })).status, 200)
  await Promise.all(sockets)
  t.equal((await post(port, { a: 2 })).status, 200)
})

await t.test('connections beyond the limit are closed', async t => {
  const { port, context } = await listening(t, { connections_max: 3 })
  const sockets = Array.from({ length: 8 }, () => connect(port, '127.0.0.1').on('error', () => {}).resume())
  await until(() => (context.counts['connections_dropped'] ?? 0) >= 5, 'five are dropped')
  for (const socket of sockets) socket.destroy()
  await until(async () => await post(port, { a: 1 }).then(({ status }) => status === 200, () => false), 'it is served again')
})

await t.test('while it stops, what waits is taken and what is being sent is refused', async t => {
  const { port, generator, context } = await opened(t)
  const first = generator.next()
  const posting = [post(port, { n: 1 })]
  await first
  const before = requests
  posting.push(post(port, { n: 2 }))
  const slow = post(port, '{"n":', { 'content-length': '100' })
  await until(() => requests === before + 2, 'both have arrived')
  await sleep(50)
  context.stop()
  const late = post(port, { n: 3 })
  t.match(await late, { status: 503, headers: { connection: 'close' } })
  const rows: Row[] = []
  for await (const { batch } of generator) rows.push(...batch.rows())
  for (const answer of posting) t.equal((await answer).status, 200)
  t.same(rows, [{ n: 2 }])
  t.equal((await slow).status, 503)
})

await t.test('the connection test finds an address that is not of this machine', async t => {
  const probe = async (given: Record<string, Json>): Promise<void> => await httpServer.probe?.(configure(httpServer, given), fakeContext())
  await t.resolves(probe({ port: 0 }))
  await t.rejects(probe({ port: 0, host: '192.0.2.1' }), { code: 'SOURCE_UNAVAILABLE' })
  const { port, close } = await occupied()
  await t.resolves(probe({ port }), 'it may be the pipeline itself that listens')
  await close()
})

await t.test('an address that others can reach, without a token, is warned of', async t => {
  const { context } = await listening(t, { host: '0.0.0.0' })
  t.match(context.logs, [{ level: 'warn', message: /Everybody/ }])
})

async function opened (t: Test, given: Record<string, Json> = {}): Promise<{ port: number, context: FakeContext, generator: ReturnType<typeof httpServer.read> }> {
  const context = fakeContext()
  const port = await freePort()
  const generator = httpServer.read(configure(httpServer, { port, ...given }), context)
  t.teardown(async () => {
    context.stop()
    await generator.return()
  })
  return { port, context, generator }
}

async function listening (t: Test, given: Record<string, Json> = {}): Promise<{ port: number, context: FakeContext, rows: Row[] }> {
  const { port, context, generator } = await opened(t, given)
  const rows: Row[] = []
  const draining = (async () => { for await (const { batch } of generator) rows.push(...batch.rows()) })()
  t.teardown(() => {
    context.stop()
    return draining
  })
  await until(() => context.healths.length > 0, 'it listens')
  return { port, context, rows }
}

async function post (port: number, body: unknown, headers: Headers = {}, path = '/'): Promise<Answer> {
  const bytes = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body)
  return await send(port, { method: 'POST', path, headers: { 'content-type': 'application/json', ...headers } }, bytes)
}

/** A connection of its own for each request, so that none is left. */
async function send (port: number, options: { method: string, path: string, headers?: Headers }, body?: string | Buffer): Promise<Answer> {
  return await new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, agent: false, ...options }, response => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', reject)
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: JSON.parse(Buffer.concat(chunks).toString()) as Answer['body'] })
        sent.destroy()
      })
    })
    sent.on('error', reject)
    // A length that was promised and is not kept: the sender is slow.
    if (Number(options.headers?.['content-length'] ?? 0) > (body?.length ?? 0)) sent.write(body)
    else sent.end(body)
  })
}

async function occupied (): Promise<{ port: number, close (): Promise<void> }> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return { port, async close () { server.close(); await once(server, 'close') } }
}

import { gzipSync, zstdCompressSync } from 'node:zlib'
import t from 'tap'
import http from '../../../../plugins/inputs/http/index.ts'
import { configure } from '../../../conform/configure.ts'
import { fakeContext } from '../../../conform/context.ts'
import { readSource, startSource, text } from './source.ts'
import type { Test } from 'tap'
import type { Json } from '../../../../runtime/plugin.ts'
import type { Read, Reply } from './source.ts'

const good: Reply = { json: [{ n: 1 }, { n: 2 }] }

/** One reading of a source whose answers are, in turn, these; the last one for ever. */
async function answers (t: Test, replies: readonly Reply[], given: Record<string, Json> = {}): Promise<Read & { readonly asked: number }> {
  const source = await startSource(t, (_, n) => replies[Math.min(n, replies.length - 1)] as Reply)
  return { ...await readSource({ url: source.url, ...given }), asked: source.asked.length }
}

await t.test('a request is repeated after 500, 429, a cut connection, a wrong length and silence', async t => {
  const faults: readonly Reply[] = [
    { json: {}, status: 500 }, { json: {}, status: 503, headers: { 'retry-after': '0' } }, { json: {}, status: 429, headers: { 'retry-after': new Date(0).toUTCString() } }, { json: {}, status: 408 },
    response => response.destroy(),
    response => { response.writeHead(200, { 'content-length': '1000' }).write('[{"n":'); setImmediate(() => response.destroy()) },
    response => { response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('[{"n":1}]'.repeat(100)).subarray(0, 20)) },
    () => {} // says nothing
  ]
  for (const fault of faults) {
    const { rows, error, asked, context } = await answers(t, [fault, good], { timeout_seconds: 2 })
    t.equal(error, undefined)
    t.strictSame(rows, [{ n: 1 }, { n: 2 }])
    t.equal(asked, 2)
    t.equal(context.counts['requests_retried'], 1)
    t.match(context.healths.at(-1), { ok: true, state: 'reading' })
  }
})

await t.test('repetitions end, and the error says what the source said', async t => {
  const { error, asked } = await answers(t, [{ json: { message: 'no luck' }, status: 500 }], { retries: 3 })
  t.match(error, { code: 'SOURCE_UNAVAILABLE', message: /^The source answered 500 \(application\/json\): {"message":"no luck"} \(4 attempts\)$/ })
  t.equal(asked, 4)
  t.match((await answers(t, [() => {}], { retries: 0, timeout_seconds: 0.1 })).error, { code: 'SOURCE_UNAVAILABLE', message: /no whole answer within 0.1 s/ })
})

await t.test('Retry-After is obeyed up to a bound', async t => {
  const { error, asked } = await answers(t, [{ json: {}, status: 429, headers: { 'retry-after': '3600' } }])
  t.match(error, { code: 'SOURCE_UNAVAILABLE', message: /asks to wait 3600 s/ })
  t.equal(asked, 1)
})

await t.test('HTML, other statuses and answers without rows are told apart, each with the beginning of the answer', async t => {
  const html = '<!DOCTYPE html><html><body>Please log in</body></html>'
  for (const [reply, given, says] of [
    [text(html, 200, { 'content-type': 'text/html' }), {}, /The answer is no JSON.*200 \(text\/html\): <!DOCTYPE html>.*Please log in/],
    [text(html, 200, { 'content-type': 'text/html' }), { format: 'csv' }, /The answer is no CSV.*Please log in/],
    [text('', 200), {}, /no JSON.*without a text/],
    [{ json: { error: 'bad key' }, status: 401 }, {}, /answered 401.*bad key/],
    [{ json: {}, status: 404 }, {}, /answered 404/],
    [{ json: { data: [], total: 0 } }, { rows: '/items' }, /no rows at "\/items"; it has the keys "data", "total"/],
    [{ json: { items: 5 } }, { rows: '/items' }, /has 5, which is no row/],
    [text(Buffer.from([0x22, 0xff, 0x22])), {}, /not UTF-8/],
    [text('x'.repeat(2000)), { response_bytes_max: 1000 }, /more than 1000 bytes/],
    [text(gzipSync('x'.repeat(1_000_000)), 200, { 'content-encoding': 'gzip' }), { response_bytes_max: 10_000 }, /more than 10000 bytes/]
  ] as const) {
    const { error, asked } = await answers(t, [reply], given)
    t.match(error, { code: 'SOURCE_REFUSED', message: says })
    t.match(String(error), /Check|Ask|has to send/, 'it says what to do')
    t.equal(asked, 1)
  }
})

await t.test('compressed answers, byte order marks and long numbers arrive exactly', async t => {
  const body = '\ufeff[{"n":9007199254740993,"price":0.10000000000000000001,"text":"é"}]'
  for (const [encoding, bytes] of [['gzip', gzipSync(body)], ['zstd', zstdCompressSync(body)], ['identity', Buffer.from(body)]] as const) {
    const { rows, error } = await answers(t, [text(bytes, 200, { 'content-encoding': encoding })])
    t.equal(error, undefined)
    t.strictSame(rows, [{ n: '9007199254740993', price: '0.10000000000000000001', text: 'é' }])
  }
})

await t.test('NDJSON, CSV, arrays as rows and an envelope become rows', async t => {
  t.strictSame((await answers(t, [text('{"n":1}\n{"n":2}')], { format: 'ndjson' })).rows, [{ n: 1 }, { n: 2 }])
  t.strictSame((await answers(t, [text('n,e\n1,"a\nb"\n2,c')], { format: 'csv' })).rows, [{ n: '1', e: 'a\nb' }, { n: '2', e: 'c' }])
  const bars = await answers(t, [{ json: { symbol: 'AAPL', bars: [[1, 2], [3, 4], [5]] } }], { rows: '/bars', columns: ['time', 'close'], envelope: { symbol: '/symbol' } })
  t.strictSame(bars.rows, [{ time: 1, close: 2, symbol: 'AAPL' }, { time: 3, close: 4, symbol: 'AAPL' }])
  t.match(bars.context.rejected, [{ row: { text: '[5]' }, reason: /has 1 values, and 2 have a name/ }])
  t.strictSame((await answers(t, [{ json: { n: 1 } }])).rows, [{ n: 1 }], 'one object is one row')
  t.strictSame((await answers(t, [{ json: { rows: null } }], { rows: '/rows' })).rows, [])
})

await t.test('a source that goes round for ever is an error', async t => {
  for (const [paging, reply] of [
    [{ kind: 'page' }, good], [{ kind: 'offset' }, good],
    [{ kind: 'cursor', next: '/next' }, { json: { rows: [], next: 'a' } }],
    [{ kind: 'link', next: '/next' }, { json: { rows: [], next: '/rows?x=1' } }]
  ] as const) {
    const { error, asked } = await answers(t, [reply], { paging, rows: Array.isArray((reply as { json: unknown }).json) ? '' : '/rows' } as never)
    t.match(error, { code: 'SOURCE_REFUSED', message: /for ever/ })
    t.equal(asked, 2)
  }
  const source = await startSource(t, ({ query }) => ({ json: { rows: [{ n: query['cursor'] ?? 0 }], next: query['cursor'] === 'a' ? 'b' : 'a' } }))
  t.match((await readSource({ url: source.url, rows: '/rows', paging: { kind: 'cursor', next: '/next' } })).error, { message: /led?a?d?s? back|for ever/ })
  const counting = await startSource(t, (_, n) => ({ json: [{ n }] }))
  t.match((await readSource({ url: counting.url, paging: { kind: 'page' }, pages_max: 5 })).error, { code: 'SOURCE_REFUSED', message: /more than 5 pages/ })
})

await t.test('redirects are followed within the origin, and what is secret stays there', async t => {
  const other = await startSource(t, () => good)
  const source = await startSource(t, ({ path }) => path === '/rows' ? response => response.writeHead(302, { location: '/there' }).end() : path === '/there' ? good : response => response.writeHead(301, { location: path === '/loop' ? '/loop' : other.url }).end())
  t.equal((await readSource({ url: source.url, auth: { kind: 'bearer', token: 'secret' } })).rows.length, 2)
  t.equal(source.asked[1]?.headers.authorization, 'Bearer secret')
  t.match((await readSource({ url: source.url.replace('/rows', '/away') })).error, { code: 'SOURCE_REFUSED', message: /redirects to http:\/\/127/ })
  t.match((await readSource({ url: source.url.replace('/rows', '/loop') })).error, { message: /more than 5 times/ })
  const linked = await startSource(t, () => ({ json: { rows: [{ n: 1 }], next: `${other.url}?page=2` } }))
  t.match((await readSource({ url: linked.url, rows: '/rows', paging: { kind: 'link', next: '/next' } })).error, { message: /another origin/ })
  t.strictSame(other.asked, [])
})

await t.test('an error shows no key', async t => {
  const source = await startSource(t, () => ({ json: {}, status: 400 }))
  const { error } = await readSource({ url: source.url, query: { apikey: 'canary' }, headers: { 'x-key': 'canary' }, auth: { kind: 'basic', user: 'u', password: 'canary' } })
  t.match(source.asked[0], { query: { apikey: 'canary' }, headers: { 'x-key': 'canary', authorization: `Basic ${Buffer.from('u:canary').toString('base64')}` } })
  t.notMatch(String(error), /canary/)
})

await t.test('options that do not go together are told', async t => {
  for (const [given, says] of [
    [{ paging: { kind: 'cursor' } }, /a cursor comes from/], [{ paging: { kind: 'window' } }, /needs their length/], [{ paging: { kind: 'none', window: '1d' } }, /no request names its bounds/],
    [{ query: { to: '{to}' } }, /{to} and no {from}/], [{ query: { since: '{since}' } }, /incremental names no field/], [{ body: { a: 1 } }, /a GET sends no body/],
    [{ auth: { kind: 'basic', user: 'u' } }, /basic needs password/], [{ start: 'yesterday' }, /no ISO 8601 time/],
    [{ query: { day: '{from:date}' }, paging: { kind: 'window', window: '1h' } }, /no multiple/], [{ format: 'csv', paging: { kind: 'link', next: '/next' } }, /no JSON pointers/],
    [{ ca_file: 'none.pem' }, /cannot be read/]
  ] as const) {
    t.match((await readSource({ url: 'http://127.0.0.1:1/', ...given } as never)).error, { code: 'CONFIG_INVALID', message: says })
  }
})

await t.test('a probe asks once, takes nothing, and says what is wrong', async t => {
  const source = await startSource(t, ({ path }) => path === '/rows' ? good : { json: {}, status: 500 })
  const context = fakeContext()
  await http.probe?.(configure(http, { url: source.url }), context)
  await t.rejects(Promise.resolve(http.probe?.(configure(http, { url: source.url.replace('rows', 'none') }), context)), { code: 'SOURCE_UNAVAILABLE', message: /answered 500/ })
  t.equal(source.asked.length, 2)
})

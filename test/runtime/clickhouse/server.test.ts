import { setTimeout as sleep } from 'node:timers/promises'
import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import t from 'tap'
import { startTestEngine } from './engine.ts'

const { engine, client, ask, stop } = await startTestEngine({ readsMax: 3 })
t.teardown(stop)

const value = async (query: string, more: object = {}) => (await (await client.query({ query, format: 'TabSeparated', ...more })).text()).trimEnd()
/** Resolves when the engine works on as many queries whose id begins like this. */
async function running (start: string, count: number): Promise<void> {
  const query = `SELECT count() FROM system.processes WHERE startsWith(Settings['log_comment'], '${start}')`
  while (await value(query) !== String(count)) await sleep(20)
}
const endless = 'SELECT count() FROM numbers(1000000000000)'
const url = (keys: Record<string, string>) => `/?${new URLSearchParams(keys).toString()}`

await t.test('health checks need no password', async t => {
  for (const path of ['/ping', '/replicas_status', '/']) t.match(await ask(path, { user: null }), { status: 200, text: 'Ok.\n' })
  t.same(await client.ping(), { success: true })
  t.match(await ask('/nowhere'), { status: 404 })
})

await t.test('a wrong password is refused with code 516, in every way it can be sent', async t => {
  const refused = { status: 403, headers: { 'x-clickhouse-exception-code': '516' }, text: /^Code: 516\. DB::Exception: .*\(AUTHENTICATION_FAILED\) \(version 26/ }
  t.match(await ask(url({ query: 'SELECT 1' }), { user: 'default:wrong' }), refused)
  t.match(await ask(url({ query: 'SELECT 1' }), { user: 'nobody:wrong' }), refused)
  t.match(await ask(url({ query: 'SELECT 1', password: 'wrong' }), { user: null }), refused)
  t.match(await ask(url({ query: 'SELECT 1' }), { user: null, headers: { 'x-clickhouse-key': 'wrong' } }), refused)
  const none = await ask(url({ query: 'SELECT 1' }), { user: null })
  t.match(none, { ...refused, status: 401, headers: { 'www-authenticate': /^Basic/ } })
})

await t.test('the right password is taken in every way', async t => {
  const password = decodeURIComponent(new URL(engine.url).password)
  t.equal((await ask(url({ query: 'SELECT 1', user: 'default', password }), { user: null })).text, '1\n')
  t.equal((await ask(url({ query: 'SELECT 1' }), { user: null, headers: { 'x-clickhouse-user': 'default', 'x-clickhouse-key': password } })).text, '1\n')
})

await t.test('a query may be in the URL, in the body, in a form, or begun in one and ended in the other', async t => {
  t.equal((await ask(url({ query: 'SELECT 1' }))).text, '1\n')
  t.equal((await ask('/', { body: 'SELECT 2;' })).text, '2\n')
  t.equal((await ask(url({ query: 'SELECT 3 +' }), { body: '4' })).text, '7\n')
  const form = new FormData()
  form.set('query', 'SELECT {a:String}')
  form.set('param_a', 'é')
  const encoded = new Response(form)
  const type = encoded.headers.get('content-type') ?? ''
  t.equal((await ask('/', { body: new Uint8Array(await encoded.arrayBuffer()), headers: { 'content-type': type } })).text, 'é\n')
})

await t.test('answers carry a server\'s headers', async t => {
  const { headers } = await ask(url({ query: 'SELECT 1 AS a FORMAT JSON', query_id: 'mine', wait_end_of_query: '1' }))
  t.match(headers, { 'x-clickhouse-query-id': 'mine', 'x-clickhouse-format': 'JSON', 'content-type': /^application\/json/, 'x-clickhouse-timezone': /./ })
  t.match(JSON.parse(String(headers['x-clickhouse-summary'])), { read_rows: '1' })
  t.match((await ask(url({ query: 'SELECT 1', default_format: 'CSVWithNames' }))).headers, { 'x-clickhouse-format': 'CSVWithNames' })
})

await t.test('parameters of every kind arrive as they were sent', async t => {
  const given = { s: 'it\'s\t"a"\n\\ é 🎈', n: -12, f: 1.5, b: true, list: ['a', "b'c"], none: null, at: new Date(1700000000123), map: new Map([['k', 1]]) }
  const query = 'SELECT {s:String} s, {n:Int32} n, {f:Float64} f, {b:Bool} b, {list:Array(String)} list, {none:Nullable(String)} none, toUnixTimestamp64Milli({at:DateTime64(3)}) at, {map:Map(String, UInt8)} map'
  const [row] = await (await client.query({ query, query_params: given, format: 'JSONEachRow' })).json<Record<string, unknown>>()
  t.match(row, { s: given.s, n: -12, f: 1.5, b: true, list: given.list, none: null, map: { k: 1 } })
  t.equal(Number(row?.['at']), 1700000000123)
  t.equal(await value('SELECT {table:Identifier}.dummy FROM system.one AS one', { query_params: { table: 'one' } }), '0')
  await t.rejects(value('SELECT {a:String}'), { code: '456' }, 'parameters end with their query')
})

await t.test('parameters of queries that run at the same time do not mix', async t => {
  const asked = Array.from({ length: 24 }, (_, i) => String(i))
  t.same(await Promise.all(asked.map(i => value('SELECT {i:String} FROM numbers(2) WHERE sleep(0.01) = 0 LIMIT 1', { query_params: { i } }))), asked)
})

await t.test('settings, databases and variables hold for one query only', async t => {
  const before = await value("SELECT getSetting('max_block_size')")
  t.equal(await value("SELECT getSetting('max_block_size')", { clickhouse_settings: { max_block_size: '77' } }), '77')
  t.match(await ask(url({ query: "SELECT getSetting('readonly')", readonly: '1' })), { text: '1\n' })
  await client.command({ query: 'SET max_block_size = 78' })
  await client.command({ query: 'USE system' })
  await client.command({ query: 'CREATE TEMPORARY TABLE gone (a UInt8)' })
  t.equal((await ask(url({ query: 'SELECT currentDatabase()', database: 'system' }))).text, 'system\n')
  for (let i = 0; i < 10; i++) t.equal(await value("SELECT getSetting('max_block_size')"), before)
  t.equal(await value('SELECT currentDatabase()'), 'default')
  await t.rejects(value('SELECT * FROM gone'), { code: '60' })
  await client.command({ query: 'CREATE TABLE after_readonly (a UInt8) ENGINE = Memory' })
  await t.rejects(value('SELECT 1', { clickhouse_settings: { no_such_setting: 1 } }), { code: '115' })
  await t.rejects(value('SELECT 1', { clickhouse_settings: { 'a = 1, b': 1 } }), { code: '115' })
  t.match(await ask(url({ query: 'SELECT 1', database: 'nowhere' })), { status: 404, text: /^Code: 81\./ })
})

await t.test('GET changes nothing', async t => {
  t.match(await ask(url({ query: 'DROP TABLE after_readonly' })), { status: 500, text: /^Code: 164\./ })
  t.match(await ask(url({ query: 'DROP TABLE after_readonly', session_id: 'get' })), { status: 500, text: /^Code: 164\./ })
})

await t.test('a session keeps its tables and settings, apart from other sessions and from a query\'s own', async t => {
  const a = { session_id: 'a' }
  const b = { session_id: 'b' }
  await client.command({ query: 'CREATE TEMPORARY TABLE mine (n UInt8)', ...a })
  await client.insert({ table: 'mine', values: [{ n: 5 }], format: 'JSONEachRow', ...a })
  await client.command({ query: 'SET max_block_size = 99', ...a })
  t.equal(await value('SELECT n FROM mine', a), '5')
  await t.rejects(value('SELECT n FROM mine', b), { code: '60' })
  t.equal(await value("SELECT getSetting('max_block_size')", { ...a, clickhouse_settings: { max_block_size: '7' } }), '7')
  t.equal(await value("SELECT getSetting('max_block_size')", a), '99')
  t.not(await value("SELECT getSetting('max_block_size')", b), '99')
  t.equal((await ask(url({ query: 'SELECT currentDatabase()', database: 'system', ...a }))).text, 'system\n')
  t.equal(await value('SELECT currentDatabase()', a), 'default')
  t.equal(await value('SELECT {p:String}', { ...a, query_params: { p: 'x' } }), 'x')
  await t.rejects(value('SELECT {p:String}', a), { code: '456' })
})

await t.test('a session that is busy, unknown or too long is refused', async t => {
  const stopper = new AbortController()
  const slow = value(endless, { session_id: 'busy', query_id: 'busy', abort_signal: stopper.signal })
  slow.catch(() => {})
  await running('busy', 1)
  await t.rejects(value('SELECT 1', { session_id: 'busy' }), { code: '373' })
  stopper.abort()
  await t.rejects(slow)
  t.match(await ask(url({ query: 'SELECT 1', session_id: 'unknown', session_check: '1' })), { status: 500, text: /^Code: 372\./ })
  t.match(await ask(url({ query: 'SELECT 1', session_id: 'long', session_timeout: '99999' })), { status: 500, text: /^Code: 374\./ })
  await ask(url({ query: 'SELECT 1', session_id: 'short', session_timeout: '0' }))
  let code: unknown
  while (code !== '372') {
    await sleep(5)
    code = (await ask(url({ query: 'SELECT 1', session_id: 'short', session_check: '1', session_timeout: '0' }))).headers['x-clickhouse-exception-code']
  }
})

await t.test('errors have a server\'s status, code and text', async t => {
  t.match(await ask(url({ query: 'SELEC 1' })), { status: 400, headers: { 'x-clickhouse-exception-code': '62' }, text: /^Code: 62\. DB::Exception: Syntax error: failed at position 1 .*\(SYNTAX_ERROR\) \(version 26[\d.]* \(official build\)\)\n$/s })
  const cases: Array<[string, number, number]> = [['SELECT * FROM nowhere', 60, 404], ['SELECT nothing', 47, 404], ["SELECT toInt32('x')", 6, 400], ['SELECT 1 FORMAT Nope', 73, 404], ['', 62, 400], ['-- nothing', 62, 400], ['exit', 62, 400], ['SELECT throwIf(1)', 395, 500], ['SELECT sleep(2) SETTINGS max_execution_time = 0.1', 159, 408]]
  for (const [query, code, status] of cases) t.match(await ask('/', { body: query }), { status, text: new RegExp(`^Code: ${code}\\.`) }, query)
  t.notMatch((await ask(url({ query: 'SELECT 1 +' }))).text, /OUTFILE/, 'an error tells of the query as it was sent')
})

await t.test('several statements, and files of a client, are refused as a server refuses them', async t => {
  const refused: Array<[string, RegExp]> = [
    ['SELECT 1; SELECT 2', /^Code: 62\..*Multi-statements/s],
    ['SELECT 1; DROP TABLE after_readonly', /^Code: 62\./],
    ["SELECT ';' /* ; */; DROP TABLE after_readonly -- ;", /^Code: 62\./],
    ['CREATE TABLE x (a UInt8) ENGINE = Memory; SELECT 1', /^Code: 62\./],
    ["SELECT 1 INTO OUTFILE '/nowhere/x'", /^Code: 358\./],
    ["INSERT INTO after_readonly FROM INFILE '/etc/hostname' FORMAT TSV", /^Code: 78\./]
  ]
  for (const [query, text] of refused) t.match((await ask('/', { body: query })).text, text, query)
  t.equal((await ask('/', { body: "SELECT 'a;b', `x;y` FROM (SELECT 1 AS `x;y`) ; ; -- end;" })).text, 'a;b\t1\n')
  t.equal(await value('SELECT count() FROM after_readonly'), '0')
})

await t.test('answers and bodies are compressed when the client asks', async t => {
  const query = 'SELECT number FROM numbers(20000)'
  const plain = await ask('/', { body: query })
  const gzip = await ask(url({ enable_http_compression: '1' }), { body: query, headers: { 'accept-encoding': 'gzip' } })
  t.equal(gzip.headers['content-encoding'], 'gzip')
  t.ok(gunzipSync(gzip.bytes).equals(plain.bytes))
  const zstd = await ask(url({ enable_http_compression: '1' }), { body: query, headers: { 'accept-encoding': 'br, zstd' } })
  t.ok(zstdDecompressSync(zstd.bytes).equals(plain.bytes))
  t.equal((await ask('/', { body: query, headers: { 'accept-encoding': 'gzip' } })).headers['content-encoding'], undefined)
  t.equal((await ask('/', { body: gzipSync('SELECT 5'), headers: { 'content-encoding': 'gzip' } })).text, '5\n')
  t.equal((await ask('/', { body: zstdCompressSync('SELECT 6'), headers: { 'content-encoding': 'zstd' } })).text, '6\n')
  t.match(await ask('/', { body: 'SELECT 7', headers: { 'content-encoding': 'gzip' } }), { status: 500, text: /^Code: 271\./ })
  t.match(await ask(url({ query: 'SELECT 1', compress: '1' })), { status: 501, text: /^Code: 48\..*enable_http_compression/ })
})

await t.test('a failure that comes early enough has its own status, whatever of the result is made by then', async t => {
  t.match(await ask('/', { body: "SELECT throwIf(number = 5000, 'too far') FROM numbers(100000) SETTINGS max_block_size = 1000 FORMAT JSON" }), { status: 500, text: /^Code: 395\..*too far/ })
  t.match(JSON.parse(String((await ask('/', { body: 'SELECT 1' })).headers['x-clickhouse-summary'])), { read_rows: '1' })
})

await t.test('a large result comes whole, in text and in binary formats, with one header', async t => {
  const query = "SELECT number, repeat('x', 90) AS s FROM numbers(100000)"
  const native = await ask('/', { body: `${query} FORMAT Native` })
  t.equal(native.status, 200)
  t.ok(native.bytes.length > 9e6)
  const csv = await ask('/', { body: `${query} FORMAT CSVWithNames SETTINGS max_block_size = 1000` })
  t.equal(csv.text.split('\n').length, 100002)
  t.equal(csv.text.lastIndexOf('"number"'), 0)
  const json = JSON.parse((await ask('/', { body: `${query} FORMAT JSONCompact` })).text) as { rows: number, data: unknown[] }
  t.equal(json.rows, 100000)
})

await t.test('an error in the middle of a result is told in the body, and the connection is cut', async t => {
  const query = "SELECT number, throwIf(number = 400000, 'too far') AS n FROM numbers(1000000)"
  await t.rejects(ask('/', { body: query, headers: {} }), /aborted|hang up|terminated/)
  const rows = await client.query({ query, format: 'JSONEachRow', clickhouse_settings: { max_block_size: '1000' } })
  // A client that gets the block in two pieces knows that there is an error, and not which.
  await t.rejects(rows.json(), /too far|error in the stream/)
})

await t.test('an INSERT goes on while reads take all their places', async t => {
  await client.command({ query: 'CREATE TABLE beside (a UInt8) ENGINE = MergeTree ORDER BY a' })
  const stopper = new AbortController()
  const slow = [1, 2].map(i => value(endless, { query_id: `slow-${i}`, abort_signal: stopper.signal }))
  for (const query of slow) query.catch(() => {})
  await running('slow-', 2)
  const last = value(endless, { query_id: 'slow-3', abort_signal: stopper.signal })
  last.catch(() => {})
  await client.insert({ table: 'beside', values: [{ a: 1 }], format: 'JSONEachRow' })
  stopper.abort()
  for (const query of [...slow, last]) await t.rejects(query)
  await running('slow-', 0)
  t.equal(await value('SELECT a FROM beside'), '1')
})

await t.test('a query whose client has gone is ended and its place is free', async t => {
  for (let i = 0; i < 5; i++) {
    const stopper = new AbortController()
    const query = client.query({ query: endless, query_id: `gone-${i}`, abort_signal: stopper.signal })
    query.catch(() => {})
    await running(`gone-${i}`, 1)
    stopper.abort()
    await t.rejects(query)
  }
  await running('gone-', 0)
})

await t.test('a client that goes in the middle of a large result leaves the engine free', async t => {
  const rows = await client.query({ query: "SELECT repeat('x', 100) FROM numbers(1000000000)", format: 'TabSeparated', query_id: 'half' })
  rows.close()
  await running('half', 0)
  t.equal(await value('SELECT 1'), '1')
})

await t.test('KILL QUERY ends a query by the id its client gave it', async t => {
  const query = value(endless, { query_id: 'to-be-killed' })
  query.catch(() => {})
  await running('to-be-killed', 1)
  await t.rejects(value('SELECT 1', { query_id: 'to-be-killed' }), { code: '216' })
  await client.command({ query: "KILL QUERY WHERE query_id = 'to-be-killed' SYNC" })
  await t.rejects(query, { code: '394' })
})

import { ClickHouseError, createClient } from '@clickhouse/client'
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { noQuota } from '../../../runtime/access/directory.ts'
import { openEndpoint, pipeline, schema } from './endpoint.ts'
import { openShop, SECRET } from '../sql/shop.ts'

const python = process.env['GATEWAY_PYTHON'] ?? join(import.meta.dirname, '../../../.ci/venv/bin/python')
const shop = await openShop()
t.teardown(() => shop.engine.stop())
const { app, platform, ask } = await openEndpoint(t, { 'schemas/trades.yaml': schema, 'pipelines/trades.yaml': pipeline }, { env: { TWOLANE_CLICKHOUSE: shop.engine.engine.url }, limits: { requestsPerSecondMax: 2000 } })
const url = await app.listen({ host: '127.0.0.1', port: 0 })

const { access } = platform
function tokenOf (user: string, options: { readonly scopes?: readonly string[], readonly rows?: number } = {}): string {
  access.directory.putUser(access.newUser(user, { roles: ['analyst'], grants: [{ dataset: 'quotes', columns: ['symbol', 'at', 'bid'], where: ['desk', '=', 'open'] }] }))
  return access.tokens.make({ user, title: 'test', scopes: (options.scopes ?? ['sql:read']) as ['sql:read'], grants: null, quota: { ...noQuota, ...(options.rows !== undefined && { rows_per_day: options.rows }) }, days: 1 }).secret
}
const token = tokenOf('gus')
const client = createClient({ url, pathname: '/clickhouse', username: 'gus', password: token, compression: { response: true }, log: { level: 127 } })
t.teardown(() => client.close())

interface Given {
  readonly headers?: Record<string, string>
  readonly body?: string
  readonly method?: string
}

async function raw (path: string, { headers = { 'x-clickhouse-user': 'gus', 'x-clickhouse-key': token }, body, method = body === undefined ? 'GET' : 'POST' }: Given = {}): Promise<{ status: number, text: string, headers: Headers }> {
  const answer = await fetch(`${url}${path}`, { method, headers, ...(body !== undefined && { body }) })
  return { status: answer.status, text: await answer.text(), headers: answer.headers }
}

const basic = (user: string, password: string): Record<string, string> => ({ authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` })

await t.test('@clickhouse/client works as with a server', async t => {
  t.equal((await client.ping()).success, true)
  const rows = await client.query({ query: 'SELECT symbol, count() AS n FROM quotes WHERE bid > {least:Float64} GROUP BY symbol ORDER BY symbol', query_params: { least: 100 }, format: 'JSONEachRow' })
  t.same(await rows.json(), [{ symbol: 'AAPL', n: 99 }, { symbol: 'MSFT', n: 100 }])
  const stream = await client.query({ query: 'SELECT number FROM numbers(100000)', format: 'CSV' })
  let lines = 0
  for await (const batch of stream.stream()) lines += batch.length
  t.equal(lines, 100_000)
  const refusal = await client.query({ query: 'SELECT * FROM data.secrets' }).then(() => undefined, (error: unknown) => error)
  t.match(refusal, { code: '497', type: 'ACCESS_DENIED', message: /not granted/ })
  t.ok(refusal instanceof ClickHouseError)
  await t.rejects(client.query({ query: 'SELECT x FROM quotes' }), { code: '47' })
  await t.rejects(client.insert({ table: 'quotes', values: [{ symbol: 'X' }], format: 'JSONEachRow' }), { code: '497' })
  await t.rejects(client.command({ query: 'CREATE TABLE t (a Int8) ENGINE = Memory' }), { code: '497' })
  const multipart = createClient({ url, pathname: '/clickhouse', username: 'token', password: token, use_multipart_params: true })
  t.same(await (await multipart.query({ query: 'SELECT {s:Array(String)} AS s', query_params: { s: ['a', 'b'] }, format: 'JSONEachRow' })).json(), [{ s: ['a', 'b'] }])
  await multipart.close()
})

await t.test('clickhouse-connect works as with a server', { skip: existsSync(python) ? false : 'there is no Python with clickhouse-connect: set GATEWAY_PYTHON' }, async t => {
  const script = `
import sys, json, clickhouse_connect
host, port, token = sys.argv[1:]
client = clickhouse_connect.get_client(host=host, port=int(port), username='gus', password=token, proxy_path='/clickhouse')
found = {
  'ping': client.ping(),
  'rows': client.query('SELECT symbol, count() AS n, max(at) FROM quotes GROUP BY symbol ORDER BY symbol').result_rows,
  'bound': client.query('SELECT count() FROM quotes WHERE symbol = {s:String}', parameters={'s': 'AAPL'}).result_rows,
  'formatted': client.query('SELECT count() FROM quotes WHERE symbol = %(s)s', parameters={'s': 'AAPL'}).result_rows,
  'command': client.command('SHOW TABLES'),
  'settings': client.query('SELECT 1', settings={'max_threads': 1, 'join_use_nulls': 1}).result_rows,
  'columns': list(client.query('DESCRIBE TABLE quotes').result_columns[0]),
  'blocks': sum(len(block) for block in client.query_row_block_stream('SELECT number FROM numbers(150000)').__enter__()),
}
for name, sql in (('secret', 'SELECT * FROM data.secrets'), ('write', 'CREATE TABLE x (a Int8) ENGINE = Memory')):
  try:
    client.query(sql)
    found[name] = 'answered'
  except clickhouse_connect.driver.exceptions.DatabaseError as error:
    found[name] = str(error)
print(json.dumps(found, default=str))
`
  const { hostname, port } = new URL(url)
  const { stdout } = await promisify(execFile)(python, ['-c', script, hostname, port, token], { env: { PATH: process.env['PATH'] } })
  t.match(JSON.parse(stdout), {
    ping: true, rows: [['AAPL', 100], ['MSFT', 100]], bound: [[100]], formatted: [[100]], command: 'quotes', settings: [[1]], columns: ['symbol', 'at', 'bid'], blocks: 150_000, secret: /not granted/, write: /not allowed/
  })
})

await t.test('a token comes by Basic or ClickHouse\'s headers, for its own user, and never in the address', async t => {
  t.equal((await raw('/clickhouse?query=SELECT+1', { headers: basic('gus', token) })).text, '1\n')
  t.equal((await raw('/clickhouse/?query=SELECT+currentUser()', { headers: basic('default', token) })).text, 'gus\n')
  t.equal((await raw('/clickhouse?query=SELECT+1', { headers: { authorization: `Bearer ${token}` } })).text, '1\n')
  const nobody = await raw('/clickhouse?query=SELECT+1', { headers: {} })
  t.equal(nobody.status, 401)
  t.match(nobody.headers.get('www-authenticate'), /^Basic/)
  t.match(nobody.text, /^Code: 516\. DB::Exception: .*\(AUTHENTICATION_FAILED\) \(version \d/)
  for (const headers of [basic('ann', token), basic('gus', 'wrong'), { 'x-clickhouse-user': 'gus', 'x-clickhouse-key': `${token}x` }]) {
    const { status, headers: answered } = await raw('/clickhouse?query=SELECT+1', { headers })
    t.equal(status, 403)
    t.equal(answered.get('x-clickhouse-exception-code'), '516')
  }
  const told = await raw(`/clickhouse?query=SELECT+1&user=gus&password=${token}`)
  t.match(told.text, /not taken from the address/)
  t.notMatch(told.text, token)
  const weak = tokenOf('wes', { scopes: ['data:read'] })
  t.match((await raw('/clickhouse?query=SELECT+1', { headers: basic('wes', weak) })).text, /Code: 497.*sql:read/)
})

await t.test('addresses, bodies, settings and formats are those of ClickHouse', async t => {
  t.equal((await raw('/clickhouse/ping', { headers: {} })).text, 'Ok.\n')
  t.equal((await raw('/clickhouse/replicas_status', { headers: {} })).text, 'Ok.\n')
  t.equal((await raw('/clickhouse')).text, 'Ok.\n')
  t.equal((await raw('/clickhouse', { body: 'SELECT 1 AS a FORMAT CSVWithNames' })).text, '"a"\n1\n')
  t.equal((await raw('/clickhouse?query=SELECT', { body: '2' })).text, '2\n')
  t.equal((await raw('/clickhouse?database=realtime&query=SELECT+count()+FROM+quotes')).text, '200\n')
  t.match((await raw('/clickhouse?database=streaming&query=SELECT+1')).text, /^Code: 81\./)
  const { headers, text } = await raw('/clickhouse?default_format=JSON&output_format_json_quote_64bit_integers=1&max_threads=8&session_id=x&query=SELECT+count()+AS+n+FROM+quotes')
  t.equal((JSON.parse(text) as { data: Array<{ n: string }> }).data[0]?.n, '200')
  t.equal(headers.get('x-clickhouse-format'), 'JSON')
  t.ok(headers.get('x-clickhouse-timezone'))
  t.ok(headers.get('x-clickhouse-query-id'))
  const unknown = await raw('/clickhouse?query=SELECT+1&additional_table_filters=x')
  t.match([unknown.status, unknown.text], [404, /^Code: 115\. DB::Exception: Setting additional_table_filters/])
  t.match((await raw('/clickhouse?query=SELECT+1&query=SELECT+2')).text, /^Code: 36\./)
  t.match((await raw('/clickhouse?compress=1&query=SELECT+1')).text, /^Code: 48\..*compress/)
  t.match((await raw('/clickhouse', { body: 'SELECT 1 INTO OUTFILE \'x\'' })).text, /^Code: 497\..*OUTFILE/)
  t.match((await raw('/clickhouse', { body: 'SELEC 1' })).text, /^Code: 497\./)
  t.match((await raw('/clickhouse', { body: 'SELECT (1' })).text, /^Code: 62\..*SYNTAX_ERROR/)
  const packed = await raw('/clickhouse?enable_http_compression=1&query=SELECT+number+FROM+numbers(10)', { headers: { ...basic('gus', token), 'accept-encoding': 'gzip' } })
  t.equal(packed.headers.get('content-encoding'), 'gzip')
  t.match(packed.text, /^0\n1\n/)
})

await t.test('POST /v1/sql answers in the platform\'s own words', async t => {
  const sql = (text: string, query = ''): ReturnType<typeof ask> => ask('POST', `/v1/sql${query}`, { headers: { authorization: `Bearer ${token}`, 'content-type': 'text/plain' }, payload: text })
  const { statusCode, body } = await sql('SELECT symbol, count() AS n FROM quotes GROUP BY symbol ORDER BY symbol')
  t.same([statusCode, body], [200, '{"symbol":"AAPL","n":"100"}\n{"symbol":"MSFT","n":"100"}\n'])
  t.equal((await sql('SELECT {n:UInt8}', '?format=TabSeparated&param_n=3')).body, '3\n')
  t.match((await sql('SELECT desk FROM quotes')).json(), { status: 422, code: 'QUERY_REFUSED', detail: /desk/ })
  t.match((await sql('DROP TABLE quotes')).json(), { code: 'QUERY_REFUSED', detail: /begins with DROP/, remedy: /one SELECT/ })
  t.equal((await sql('SELECT 1', '?format=Template')).statusCode, 422)
  const weak = tokenOf('wim', { scopes: ['data:read'] })
  t.match((await ask('POST', '/v1/sql', { headers: { authorization: `Bearer ${weak}`, 'content-type': 'text/plain' }, payload: 'SELECT 1' })).json(), { status: 403, detail: /sql:read/ })
})

await t.test('rows count against the quota of the day', async t => {
  const few = basic('rob', tokenOf('rob', { rows: 150 }))
  t.equal((await raw('/clickhouse?query=SELECT+bid+FROM+quotes+LIMIT+100', { headers: few })).status, 200)
  const { status, text } = await raw('/clickhouse?query=SELECT+bid+FROM+quotes+LIMIT+100', { headers: few })
  t.match([status, text], [429, /^Code: 201\..*150 rows a day/])
  t.equal((await raw('/clickhouse?query=SELECT+count()+FROM+quotes', { headers: few })).text, '200\n', 'and 50 are left')
})

await t.test('item 39: the audit log has the hash of a statement, and not its text', async t => {
  await raw('/clickhouse', { body: `SELECT '${SECRET}'` })
  await raw('/clickhouse', { body: 'SELECT 1', headers: basic('gus', 'wrong') })
  const { entries } = (await ask('GET', '/v1/audit?limit=50')).json<{ entries: Array<{ action: string, user: string, outcome: string, detail: Record<string, unknown> }> }>()
  t.notMatch(JSON.stringify(entries), SECRET)
  t.ok(entries.some(({ action, user, detail }) => action.endsWith('/clickhouse') && user === 'gus' && /^[0-9a-f]{64}$/.test(String(detail['sql_sha256']))))
  t.ok(entries.some(({ outcome }) => outcome === 'refused'))
})

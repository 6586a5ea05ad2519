import { tableFromArrays, tableToIPC } from 'apache-arrow'
import { readdir } from 'node:fs/promises'
import { request } from 'node:http'
import { createHash } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { existsSync } from 'node:fs'
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import t from 'tap'
import { startTestEngine } from './engine.ts'

const { engine, client, ask, stop, folder } = await startTestEngine({ bodyBytesMax: 4_000_000 })
t.teardown(stop)

const value = async (query: string) => (await (await client.query({ query, format: 'TabSeparated' })).text()).trimEnd()
const post = async (query: string, body: string | Uint8Array, { headers = {}, settings = {} }: { headers?: Record<string, string>, settings?: Record<string, string> } = {}) =>
  await ask(`/?${new URLSearchParams({ query, ...settings }).toString()}`, { body, headers })
const columns = 'id UInt32, raw String, text String, list Array(Nullable(Int64)), price Decimal(18, 4), at DateTime64(9), name LowCardinality(String)'

// Every byte there is, invalid UTF-8, quotes, separators and line ends of every format, and what looks like SQL.
await client.command({ query: `CREATE TABLE source (${columns}) ENGINE = MergeTree ORDER BY id` })
await client.command({
  query: `INSERT INTO source SELECT number, concat(char(number % 256), unhex('00FF80C328'), '\\n\\t\\r"\\'\`\\\\'), concat('é🎈;', char(10), '--', toString(number)),
    [number, NULL, -1], toDecimal64(number / 3, 4), toDateTime64('2026-01-02 03:04:05.123456789', 9), ['a', 'b', ''][number % 3 + 1] FROM numbers(1000)`
})

await t.test('rows of every format arrive byte for byte', async t => {
  const exact = await value('SELECT count(), sum(cityHash64(*)) FROM source')
  for (const format of ['Native', 'RowBinary', 'RowBinaryWithNamesAndTypes', 'Arrow', 'ArrowStream', 'Parquet', 'ORC', 'TabSeparated', 'CSV', 'CSVWithNames', 'Values', 'MsgPack']) {
    await client.command({ query: `CREATE TABLE copy (${columns}) ENGINE = MergeTree ORDER BY id` })
    const { bytes } = await ask('/', { body: `SELECT * FROM source ORDER BY id FORMAT ${format}` })
    const answer = await post(`INSERT INTO copy FORMAT ${format}`, bytes)
    t.match(answer, { status: 200, text: '' }, format)
    t.match(JSON.parse(String(answer.headers['x-clickhouse-summary'])), { written_rows: '1000' }, format)
    t.equal(await value('SELECT count(), sum(cityHash64(*)) FROM copy'), exact, format)
    await client.command({ query: 'DROP TABLE copy' })
  }
})

await t.test('a body holds the query and its data, whatever bytes those are', async t => {
  await client.command({ query: `CREATE TABLE joined (${columns}) ENGINE = MergeTree ORDER BY id` })
  const { bytes } = await ask('/', { body: 'SELECT * FROM source FORMAT Native' })
  t.match(await ask('/', { body: Buffer.concat([Buffer.from('INSERT INTO joined /* FORMAT; */ FORMAT Native\n'), bytes]) }), { status: 200 })
  t.match(await ask('/', { body: 'INSERT INTO joined (id, text) VALUES (5000, \'a;b\'), (5001, \'VALUES (1)\');' }), { status: 200 })
  t.match(await ask('/', { body: 'INSERT INTO joined (id, text) SETTINGS async_insert = 0 FORMAT TSV\n5002\tx\n' }), { status: 200 })
  t.match(await post('INSERT INTO joined (id) FORMAT TSV 5003', '5004\n'), { status: 200 })
  t.match(await ask(`/?${new URLSearchParams({ query: 'INSERT INTO joined (id) VALUES' }).toString()}`, { body: '(5005)' }), { status: 200 })
  t.match(await ask('/', { body: 'INSERT INTO joined (id) SELECT 5006' }), { status: 200 })
  t.equal(await value('SELECT count(), sum(cityHash64(*)) FROM joined WHERE id < 5000'), await value('SELECT count(), sum(cityHash64(*)) FROM source'))
  t.equal(await value('SELECT groupArray((id, text)) FROM (SELECT * FROM joined WHERE id >= 5000 ORDER BY id)'), "[(5000,'a;b'),(5001,'VALUES (1)'),(5002,'x'),(5003,''),(5004,''),(5005,''),(5006,'')]")
})

await t.test('columns are matched by name, and what is left out gets its default', async t => {
  await client.command({ query: "CREATE TABLE defaults (a Int64, b String DEFAULT concat('b', toString(a)), c Int64 MATERIALIZED a * 2) ENGINE = MergeTree ORDER BY a" })
  await post('INSERT INTO defaults FORMAT JSONEachRow', '{"a":1}\n{"b":"given","a":2}\n')
  await post('INSERT INTO defaults FORMAT CSVWithNames', '"b","a"\n"given",3\n')
  await post('INSERT INTO defaults FORMAT ArrowStream', tableToIPC(tableFromArrays({ a: new BigInt64Array([4n]) }), 'stream'))
  await post('INSERT INTO defaults (a) FORMAT TabSeparated', '5\n')
  await post("INSERT INTO defaults (a, b) SELECT a + 1, s FROM input('a Int64, s String') FORMAT TabSeparated", '5\tinput\n')
  t.equal(await value('SELECT groupArray((a, b, c)) FROM (SELECT a, b, c FROM defaults ORDER BY a)'), "[(1,'b1',2),(2,'given',4),(3,'given',6),(4,'b4',8),(5,'b5',10),(6,'input',12)]")
})

await t.test('the client inserts rows, streams and settings as into a server', async t => {
  await client.command({ query: 'CREATE TABLE rows (a Int64, b Nullable(String)) ENGINE = MergeTree ORDER BY a' })
  await client.insert({ table: 'rows', values: [{ a: 1, b: 'é"\\' }, { a: 2, b: null }], format: 'JSONEachRow' })
  await client.insert({ table: 'rows', values: [[3, 'x']], format: 'JSONCompactEachRow', columns: ['a', 'b'] })
  const insert = (unknown: number) => client.insert({ table: 'rows', values: [{ a: 4, zz: 1 }], format: 'JSONEachRow', clickhouse_settings: { input_format_skip_unknown_fields: unknown === 1 ? 1 : 0 } })
  await insert(1)
  await t.rejects(insert(0), { code: '117', message: /zz/ })
  t.equal(await value('SELECT count() FROM rows'), '4')
})

await t.test('packed bodies are unpacked, up to the limit', async t => {
  await client.command({ query: 'CREATE TABLE packed (a String) ENGINE = MergeTree ORDER BY a' })
  const packers = { gzip: gzipSync, deflate: deflateSync, br: brotliCompressSync, zstd: zstdCompressSync }
  for (const [name, pack] of Object.entries(packers)) t.match(await post('INSERT INTO packed FORMAT TSV', pack(`${name}\n`), { headers: { 'content-encoding': name } }), { status: 200 }, name)
  t.equal(await value('SELECT groupArray(a) FROM (SELECT a FROM packed ORDER BY a)'), "['br','deflate','gzip','zstd']")
  const bomb = gzipSync(Buffer.alloc(5_000_000, 'a'))
  t.match(await post('INSERT INTO packed FORMAT TSV', bomb, { headers: { 'content-encoding': 'gzip' } }), { status: 413, text: /^Code: 229\./ })
  t.match(await post('INSERT INTO packed FORMAT TSV', 'not gzip', { headers: { 'content-encoding': 'gzip' } }), { status: 500, text: /^Code: 271\./ })
  t.match(await post('INSERT INTO packed FORMAT TSV', 'x', { headers: { 'content-encoding': 'rot13' } }), { status: 501, text: /^Code: 48\./ })
  t.equal(await value('SELECT count() FROM packed'), '4')
})

await t.test('a bad insert says what a server says, and inserts nothing', async t => {
  await client.command({ query: 'CREATE TABLE strict (a Int64) ENGINE = MergeTree ORDER BY a' })
  const bad = await post('INSERT INTO strict FORMAT JSONEachRow', '{"a":1}\n{"a":"x"}\n')
  t.match(bad, { status: 400, text: /^Code: 27\. DB::Exception: Cannot parse input: .*\(at row 2\)/s })
  t.notMatch(bad.text, /body-|in file|Code: 27.*Code: 27/s, 'the place of the spooled body is not told')
  t.match(await post('INSERT INTO nowhere FORMAT TSV', '1\n'), { status: 404, text: /^Code: 60\./ })
  t.match(await post('INSERT INTO strict FORMAT Nope', '1\n'), { status: 404, text: /^Code: 73\./ })
  t.match(await post('INSERT INTO strict (b) FORMAT TSV', '1\n'), { text: /^Code: (16|47)\./ })
  t.match(await post('INSERT INTO strict FORMAT ArrowStream', 'garbage'), { text: /^Code: \d+\./ })
  t.match(await post('INSERT INTO strict FORMAT TSV', ''), { status: 200 })
  t.match((await ask('/', { body: 'INSERT INTO strict VALUES (1); DROP TABLE strict' })).text, /^Code: 62\./)
  t.equal(await value('SELECT count() FROM strict'), '0')
})

await t.test('a client that dies in the middle of a body inserts nothing, and no file of it is left', async t => {
  await client.command({ query: 'CREATE TABLE cut (a Int64) ENGINE = MergeTree ORDER BY a' })
  const { origin, username, password } = new URL(engine.url)
  await new Promise<void>(resolve => {
    const message = request(`${origin}/?query=${encodeURIComponent('INSERT INTO cut FORMAT TSV')}`, { method: 'POST', auth: `${username}:${decodeURIComponent(password)}`, headers: { 'content-length': '1000000' } })
    message.on('error', () => { resolve() })
    message.write('1\n2\n3\n', () => { setImmediate(() => { message.destroy(new Error('gone')) }) })
  })
  t.equal(await value('SELECT count() FROM cut'), '0')
  const hash = createHash('sha256').update(folder).digest('hex').slice(0, 16)
  const places = [`/dev/shm/twolane-${hash}`, join(folder, 'spool')]
  const place = places.find(path => existsSync(path)) ?? tmpdir()
  let left = ['?']
  while (left.length > 0) left = (await readdir(place)).filter(name => name.startsWith('body-'))
  t.same(left, [])
})

await t.test('many inserts at once all land, each as one part', async t => {
  await client.command({ query: 'CREATE TABLE many (a Int64) ENGINE = MergeTree ORDER BY a' })
  await client.command({ query: 'SYSTEM STOP MERGES many' })
  const body = Array.from({ length: 20_000 }, (_, i) => i).join('\n')
  const answers = await Promise.all(Array.from({ length: 12 }, () => post('INSERT INTO many FORMAT TSV', body)))
  t.ok(answers.every(({ status }) => status === 200))
  t.equal(await value("SELECT count() FROM system.parts WHERE table = 'many' AND active"), '12')
  t.equal(await value('SELECT count(), sum(a) FROM many'), `${12 * 20_000}\t${12 * 19_999 * 10_000}`)
})

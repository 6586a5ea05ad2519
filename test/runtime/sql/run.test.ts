import { createServer } from 'node:net'
import { once } from 'node:events'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { PlatformError } from '../../../runtime/errors.ts'
import { modelProblem } from '../../../runtime/sql/model.ts'
import { runSql } from '../../../runtime/sql/run.ts'
import { WORLD_PREFIX } from '../../../runtime/sql/world.ts'
import { unlimited } from '../../../runtime/access/principal.ts'
import fc from '../../properties.ts'
import { fragments } from './fragments.ts'
import { honest } from './honest.ts'
import { hidden } from './hidden.ts'
import { probes } from './probes.ts'
import { analyst, guest, nobody, openShop, principalWith, SECRET, trader } from './shop.ts'
import type { AddressInfo } from 'node:net'
import type { Principal } from '../../../runtime/access/principal.ts'

process.env['TWOLANE_TEST_SECRET'] = SECRET
const shop = await openShop()
t.teardown(() => shop.engine.stop())

/** What is answered: rows, or why not. */
async function answerOf (sql: string, principal: Principal = analyst, options: Parameters<typeof shop.run>[2] = {}): Promise<{ rows?: string, code?: string, message: string }> {
  try {
    const rows = await shop.run(sql, principal, options)
    return { rows, message: '' }
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error
    return { code: error.code, message: error.message }
  }
}

await t.test('items 26 and 27: nothing but reading what is granted is possible, and the refusal says what is not', async t => {
  for (const [sql, says] of probes) {
    const { rows, code, message } = await answerOf(sql)
    if (rows !== undefined || code !== 'QUERY_REFUSED' || !says.test(message)) t.fail(`${sql}: ${code ?? 'rows'} ${message}`)
  }
  t.ok(probes.length > 200)
  t.equal((await shop.engine.ask('/?query=SELECT+count()+FROM+streaming.secrets')).text, '1\n', 'and all is as it was')
})

await t.test('what analysts ask works', async t => {
  for (const sql of honest) {
    const { code, message } = await answerOf(sql)
    if (code !== undefined) t.fail(`${sql}: ${code} ${message}`)
  }
  t.ok(honest.length > 50)
})

await t.test('the metadata that JDBC asks for tells of what is granted', async t => {
  t.equal((await answerOf('SHOW FULL TABLES FROM `data` LIKE \'q%\'')).rows, 'quotes\tView\n')
  t.equal((await answerOf('SHOW FULL TEMPORARY TABLES LIKE \'%\'')).rows, '')
  t.equal((await answerOf('SHOW DATABASES LIKE \'h%\'')).rows, 'history\n')
})

await t.test('a statement that is wrong is told where, in its own text', async t => {
  for (const [sql, place] of [
    ['SELECT symbol FRM trades', 'position 19 (trades) (line 1, col 19)'],
    ['-- é\nSELECT 1,\n  symbol /* x */\n  FRM data.quotes WHERE x', 'position 39 (`data`) (line 4, col 7)'],
    ['SELECT count( FROM trades', 'position 13 (() (line 1, col 13)'],
    ['SELECT symbol, \'é\' FROM data.quotes LIMIT 1 LIMIT 2 )', 'position 53 ()) (line 1, col 53)']
  ] as const) {
    const { message } = await answerOf(sql)
    t.ok(message.includes(place), `${sql}: ${message}`)
  }
})

await t.test('columns that are not granted cannot be reached, whatever they are called by', async t => {
  for (const sql of hidden) {
    const { rows = '', message } = await answerOf(sql, guest)
    if (`${rows}${message.replaceAll(sql, '')}`.includes(SECRET) || rows.includes('IBM')) t.fail(`${sql}: ${rows}${message}`)
  }
  const { rows } = await answerOf('SELECT * FROM quotes ORDER BY at LIMIT 1', guest)
  t.equal(rows, 'AAPL\t2026-01-05 00:00:00.000\t100\t101\t[\'a\',\'0\']\n')
  t.equal((await answerOf('SELECT arrayStringConcat(groupArray(name), \',\') FROM (SELECT name FROM system.columns WHERE database = \'data\' ORDER BY position)', guest)).rows, 'symbol,at,bid,ask,tags\n')
  t.equal((await answerOf('SELECT count() FROM data.trades', guest)).code, 'QUERY_REFUSED')
  t.equal((await answerOf('SHOW TABLES', nobody)).rows, '')
})

await t.test('rows that are not granted are not told of by an error that only they would raise', async t => {
  const boom = `intDiv(1, toUInt8(desk != '${SECRET}'))`
  for (const sql of [
    `SELECT count() FROM quotes WHERE ${boom} = 1`, `SELECT sum(${boom}) FROM quotes`, `SELECT ${boom} AS x, count() FROM quotes GROUP BY x`, `SELECT symbol FROM quotes ORDER BY ${boom} LIMIT 1`,
    `SELECT count() FROM quotes AS q JOIN trades AS t ON q.symbol = t.symbol AND ${boom} = 1`, `SELECT count() FROM quotes AS q JOIN trades AS t ON q.symbol = t.symbol WHERE ${boom} = 1`,
    `SELECT sum(bid) OVER (PARTITION BY ${boom}) FROM quotes`, `SELECT count() FROM quotes ARRAY JOIN [${boom}] AS z WHERE z = 1`, `SELECT symbol FROM quotes LIMIT 1 BY ${boom}`,
    `SELECT count() FROM quotes HAVING max(${boom}) = 1`, `WITH c AS (SELECT * FROM quotes WHERE ${boom} = 1) SELECT count() FROM c`, `SELECT count() FROM quotes WHERE symbol = 'IBM' AND ${boom} = 1`,
    `SELECT count() FROM trades WHERE (symbol, 1) IN (SELECT symbol, ${boom} FROM quotes)`, `SELECT DISTINCT ${boom} FROM quotes`, `SELECT count() FROM quotes WHERE toUInt8(if(desk = '${SECRET}', 'x', '1')) = 1`,
    `SELECT count() FROM realtime.quotes UNION ALL SELECT sum(${boom}) FROM history.quotes`, `SELECT symbol FROM quotes QUALIFY row_number() OVER (ORDER BY ${boom}) < 3`,
    `SELECT count() FROM quotes a, quotes b WHERE a.symbol = b.symbol AND intDiv(1, a.desk != '${SECRET}') = 1 AND intDiv(1, b.desk != '${SECRET}') = 1`
  ]) {
    const { code, message } = await answerOf(sql, trader)
    if (code !== undefined) t.fail(`${sql}: ${code} ${message}`)
  }
  t.equal((await answerOf(`SELECT count() FROM quotes WHERE ${boom} = 1`, analyst)).code, 'QUERY_REFUSED', 'whoever sees the rows gets the error')
  t.equal((await answerOf('SELECT count(), countIf(symbol = \'IBM\') FROM quotes', trader)).rows, '200\t0\n')
})

await t.test('a filter on a column that is not there hides all rows', async t => {
  t.equal((await answerOf('SHOW TABLES', principalWith({ quotes: { where: ['gone', '=', 1] } }))).rows, '')
  t.equal((await answerOf('SHOW TABLES', principalWith({ quotes: { columns: ['gone'] } }))).rows, '')
})

await t.test('filters of every kind become conditions', async t => {
  const count = async (where: NonNullable<ReturnType<Principal['grant']>>['where']): Promise<string | undefined> => (await answerOf('SELECT count() FROM quotes', principalWith({ quotes: { where } }))).rows
  t.equal(await count(['bid', '>=', 300]), '100\n')
  t.equal(await count({ and: [['at', '>', '2026-01-05T00:01:00Z'], ['symbol', 'in', ['AAPL', 'IBM']]] }), '159\n')
  t.equal(await count({ or: [['note', 'is null'], ['symbol', 'like', 'M%']] }), '140\n')
  t.equal(await count(['symbol', 'not in', []]), '300\n')
  t.equal(await count({ or: [] }), '0\n')
  t.equal(await count(['desk', '=', '\' OR 1 = 1 --']), '0\n')
})

await t.test('a change of grants holds for the next statement, and a world that was dropped is made again', async t => {
  const grants: Record<string, object> = {}
  const changing = principalWith(grants)
  t.equal((await answerOf('SELECT count() FROM trades', changing)).code, 'QUERY_REFUSED')
  grants['trades'] = {}
  t.equal((await answerOf('SELECT count() FROM trades', changing)).rows, '100\n')
  const databases = await shop.engine.ask(`/?query=SELECT+name+FROM+system.databases+WHERE+startsWith(name,'${WORLD_PREFIX}')`)
  for (const name of databases.text.trim().split('\n')) await shop.engine.ask('/', { body: `DROP DATABASE ${name}` })
  t.equal((await answerOf('SELECT count() FROM trades', changing)).rows, '100\n')
  delete grants['trades']
  t.equal((await answerOf('SELECT count() FROM data.trades', changing)).code, 'QUERY_REFUSED')
})

await t.test('item 29: a statement that reads too much is ended, with what to do', async t => {
  const { code, message } = await answerOf('SELECT max(number) FROM numbers(100000000000)')
  t.equal(code, 'RESULT_TOO_LARGE')
  t.match(message, /would read more than/)
})

await t.test('parameters are values, and names come from the statement alone', async t => {
  t.equal((await answerOf('SELECT {s:String}, {n:UInt8} + 1', analyst, { params: { s: '\'; DROP TABLE x', n: '2' } })).rows, '\\\'; DROP TABLE x\t3\n')
  t.match((await answerOf('SELECT {s:String}')).message, /Substitution/)
  t.match((await answerOf('SELECT 1', analyst, { params: { 'a=1, readonly': '0' } })).message, /parameter/)
})

await t.test('errors show no other names than those who ask wrote', async t => {
  for (const sql of ['SELECT x FROM quotes', 'SELECT quotes.x FROM data.quotes', 'SELECT secret FROM secret', 'SELECT sum(symbol) FROM quotes', 'SELECT * FROM quotes PREWHERE 1']) {
    const { code, message } = await answerOf(sql, guest)
    t.equal(code, 'QUERY_REFUSED', sql)
    t.notMatch(message, /twolane_granted|streaming|desk|secrets|[0-9a-f]{8}-[0-9a-f]{4}/, message)
  }
})

await t.test('item 31: a model that comes over the network is a SELECT on tables, and no way to files, hosts or other databases', async t => {
  const says = (sql: string): Promise<string | undefined> => modelProblem(shop.platform, `-- About\n-- table: quotes\n${sql}`)
  for (const sql of [
    'SELECT (SELECT line FROM file(\'/etc/passwd\', \'LineAsString\') LIMIT 1) AS x FROM quotes', 'SELECT * FROM url(\'http://127.0.0.1:1/\', \'RawBLOB\', \'s String\'), quotes', 'SELECT 1 FROM quotes, system.query_log',
    'SELECT 1 FROM quotes, streaming.secrets', 'SELECT getSetting(\'max_threads\') FROM quotes', 'SELECT 1 FROM quotes WHERE 1 IN system.users', 'SELECT 1 FROM quotes SETTINGS max_threads = 1', 'SELECT 1 FROM quotes /* a */ UNION ALL SELECT * FROM remote(\'h\', \'a.b\')',
    'SELECT 1) FROM file(\'x\') --', 'SELECT dictGet(\'a\', \'b\', 1) FROM quotes'
  ]) t.match(await says(sql), /not allowed|no dataset|Syntax error/, sql)
  const folder = join(import.meta.dirname, '../../../schemas/models')
  for (const name of readdirSync(folder).filter(name => name.endsWith('.sql'))) t.equal(await modelProblem(shop.platform, readFileSync(join(folder, name), 'utf8')), undefined, name)
})

await t.test('item 28: the engine has nothing of the environment of the platform', async t => {
  const { text } = await shop.engine.ask('/', { body: 'SELECT * FROM file(\'/proc/self/environ\', \'RawBLOB\', \'x String\')' })
  const names = text.split('\0').map(pair => pair.split('=')[0]?.trim()).filter(name => name !== '')
  t.notMatch(text, SECRET)
  t.same(names.filter(name => !/^(?:UV_THREADPOOL_SIZE|NODE_CHANNEL_FD|NODE_CHANNEL_SERIALIZATION_MODE|NODE_UNIQUE_ID)$/.test(name ?? '')), [], 'and that is all')
})

await t.test('whatever is put together from honest and hostile parts, nothing comes out that is not granted', async t => {
  const canary = join(t.testdir(), 'canary.txt')
  writeFileSync(canary, SECRET)
  let connections = 0
  const server = createServer(socket => {
    connections++
    socket.destroy()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const statement = fragments({ file: canary, port: (server.address() as AddressInfo).port })
  const state = async (): Promise<string> => (await shop.engine.ask('/', { body: `SELECT groupArray((database, name, total_rows)) FROM (SELECT * FROM system.tables WHERE database NOT IN ('system', 'INFORMATION_SCHEMA', 'information_schema') AND NOT startsWith(database, '${WORLD_PREFIX}') ORDER BY database, name)` })).text
  const before = await state()
  let answered = 0
  await fc.assert(fc.asyncProperty(statement, async sql => {
    const { rows, message } = await answerOf(sql, guest)
    if (rows !== undefined) answered++
    // IBM stands in the hidden rows only.
    return !`${rows ?? ''}${message}`.includes(SECRET) && !(rows ?? '').includes('IBM') && connections === 0
  }), { numRuns: Number(process.env['TWOLANE_FUZZ_RUNS'] ?? 200) })
  t.ok(answered > 0, `${answered} statements had an answer`)
  t.match(before, /secrets/)
  t.equal(await state(), before, 'no table came, went or changed')
  t.strictSame([readdirSync(dirname(canary)), readFileSync(canary, 'utf8')], [['canary.txt'], SECRET], 'no file came or changed')
  server.close()
})

await t.test('whoever leaves ends the statement', async t => {
  const left = new AbortController()
  const answer = await runSql(shop.platform, { sql: 'SELECT number, sipHash64(number) FROM numbers(400000000)', principal: analyst, lane: 'data', format: 'TabSeparated', signal: left.signal })
  left.abort()
  await t.rejects(answer.body.toArray())
  const quota = { ...analyst, quota: unlimited }
  t.equal((await answerOf('SELECT 1', quota)).rows, '1\n', 'and its place is free')
})

import t from 'tap'
import { conformDatabase } from './databases.ts'
import { readSql, run } from './reader.ts'
import { postgresMissing, startPostgres } from '../../../sql/server.ts'
import type { SqlServer } from '../../../sql/server.ts'

const exact = {
  i2: 1,
  i4: 2,
  i8: '9007199254740993',
  d: '12345678901234567890.12345678901234567890',
  f4: 1.1,
  f8: 0.1,
  nan: 'NaN',
  b: true,
  s: 'é',
  by: 'AP8=',
  ts: '2024-01-02T14:30:00.123456',
  tz: '2024-01-02T12:30:00.123456Z',
  day: '2024-01-02',
  tm: '14:30:00.5',
  iv: 'P1DT2H',
  j: { x: '0.10000000000000000001' },
  jb: [1, null],
  a: ['1', null, '9007199254740993'],
  aa: [['a,b', 'c"d'], ['NULL', null]],
  ta: ['2024-01-02T14:30:00Z'],
  u: '00000000-0000-0000-0000-000000000001',
  n: null,
  inf: 'infinity'
}

await t.test('PostgreSQL', { skip: postgresMissing }, async t => {
  const server = await startPostgres()
  t.teardown(() => server.stop())
  await conformDatabase(t, {
    url: server.url,
    createTable: name => `CREATE TABLE ${name} (n bigint, at timestamptz)`,
    run: (...statements) => server.run(...statements.map(utc)),
    broken: { url: 'postgres://127.0.0.1:1/none', says: /The database cannot be read: .*ECONNREFUSED/ }
  })
  await t.test('values are exact', async t => {
    await types(server)
    const { rows, error } = await readSql({ url: server.url, table: 'public.types' })
    t.equal(error, undefined)
    t.strictSame(rows, [exact])
  })
  await t.test('a database that disappears fails the run, and the next one repairs it', async t => {
    await server.run('CREATE TABLE many (n int PRIMARY KEY, text text)', "INSERT INTO many SELECT n, repeat('x', 500) FROM generate_series(1, 20000) n")
    const config = { url: server.url, table: 'many', incremental: { column: 'n' }, fetch_rows: 500 }
    const broken = await readSql(config, { run: run('1'), after: async chunks => { if (chunks === 3) await server.kill() } })
    t.match(broken.error, { code: 'SOURCE_UNAVAILABLE' })
    t.ok(broken.rows.length < 20_000)
    t.match((await readSql(config, { run: run('2'), checkpoint: broken.checkpoint })).error, { code: 'SOURCE_UNAVAILABLE', message: /ECONNREFUSED/ })
    await server.restart()
    const rest = await readSql(config, { run: run('3'), checkpoint: broken.checkpoint })
    t.equal(rest.error, undefined)
    t.strictSame([...broken.rows, ...rest.rows].map(row => row['n']), Array.from({ length: 20_000 }, (_, i) => i + 1))
  })
  await t.test('columns that cannot be told apart, or that have no order, are told', async t => {
    t.match((await readSql({ url: server.url, query: 'SELECT 1 AS a, 2 AS a' })).error, { code: 'CONFIG_INVALID', message: /two columns have the name "a"/ })
    t.match((await readSql({ url: server.url, query: 'SELECT NULL::int AS a', key: ['a'] })).error, { code: 'CONFIG_INVALID', message: /null, which has no order/ })
    t.match((await readSql({ url: server.url, query: 'SELECT 1 AS a', incremental: { column: 'a' }, key: ['A'] })).error, { code: 'SOURCE_REFUSED', message: /"A" does not exist/ })
  })
  await t.test('what is wrong with the connection is told, without a password', async t => {
    const wrong = await readSql({ url: server.url.replace('market', 'none'), table: 'x' })
    t.match(wrong.error, { code: 'SOURCE_REFUSED', message: /none/ })
    const tls = await readSql({ url: server.url, table: 'x', tls: true })
    t.match(tls.error, { code: 'SOURCE_REFUSED', message: /SSL/ })
    t.notMatch(`${String(wrong.error)} ${String(tls.error)}`, /read\/me/)
  })
  await t.test('a statement that takes too long is ended', async t => {
    const { error } = await readSql({ url: server.url, query: 'SELECT pg_sleep(60)', statement_seconds: 0.1 })
    t.match(error, { code: 'SOURCE_UNAVAILABLE', message: /statement timeout/ })
  })
  await t.test('nothing can be written', async t => {
    await server.run('CREATE SEQUENCE s', 'GRANT ALL ON SEQUENCE s TO reader')
    t.match((await readSql({ url: server.url, query: "SELECT nextval('s')" })).error, { code: 'SOURCE_REFUSED', message: /read-only/ })
  })
})

/** The tests' times are UTC. */
function utc (statement: string): string {
  return statement.replaceAll(/'(2024-[^']*)'/g, "'$1+00'")
}

async function types ({ run }: SqlServer): Promise<void> {
  await run(`CREATE TABLE types (i2 smallint, i4 int, i8 bigint, d numeric, f4 real, f8 double precision, nan float8, b boolean, s text, by bytea, ts timestamp, tz timestamptz, day date, tm time, iv interval,
    j json, jb jsonb, a bigint[], aa text[], ta timestamptz[], u uuid, n text, inf timestamp)`,
  `INSERT INTO types VALUES (1, 2, 9007199254740993, 12345678901234567890.12345678901234567890, 1.1, 0.1, 'NaN', true, 'é', '\\x00ff', '2024-01-02 14:30:00.123456', '2024-01-02 14:30:00.123456+02', '2024-01-02', '14:30:00.5', '1 day 2 hours',
    '{"x": 0.10000000000000000001}', '[1, null]', '{1,NULL,9007199254740993}', '{{"a,b","c\\"d"},{"NULL",NULL}}', '{"2024-01-02 14:30:00+00"}', '00000000-0000-0000-0000-000000000001', NULL, 'infinity')`)
}

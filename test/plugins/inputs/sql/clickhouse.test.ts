import { createServer } from 'node:net'
import { once } from 'node:events'
import t from 'tap'
import { startTestEngine } from '../../../runtime/clickhouse/engine.ts'
import { conformDatabase } from './databases.ts'
import { readSql, run } from './reader.ts'
import type { AddressInfo } from 'node:net'

const engine = await startTestEngine()
t.teardown(() => engine.stop())
const url = `${engine.engine.url}/default`.replace('http:', 'clickhouse:')
const command = (query: string): Promise<unknown> => engine.client.command({ query })

await t.test('ClickHouse', async t => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await conformDatabase(t, {
    url,
    createTable: name => `CREATE TABLE ${name} (n Int64, at DateTime64(3, 'UTC')) ENGINE = MergeTree ORDER BY n`,
    async run (...statements) { for (const statement of statements) await command(statement) },
    broken: { url: `clickhouse://127.0.0.1:${port}/default`, says: /The database cannot be read: .*ECONNREFUSED/ }
  })
})

await t.test('values are exact', async t => {
  await command(`CREATE TABLE types (i Int64, u UInt64, d Decimal(38, 18), f Float32, g Float64, s String, a Array(Nullable(Int64)), m Map(String, Int32), p Tuple(x Int8, y String),
    dt DateTime('America/New_York'), ns DateTime64(9, 'UTC'), day Date, l LowCardinality(Nullable(String)), e Enum8('a' = 1), z UUID) ENGINE = MergeTree ORDER BY tuple()`)
  await command(`INSERT INTO types VALUES (-9007199254740993, 18446744073709551615, 12345678901234567890.123456789012345678, 1.1, nan, 'é"', [1, NULL], {'k': 5}, (1, 'b'),
    toDateTime('2024-01-02 14:30:00', 'UTC'), '2024-01-02 14:30:00.123456789', '2024-01-02', NULL, 'a', '00000000-0000-0000-0000-000000000001')`)
  const { rows, error } = await readSql({ url, table: 'types' })
  t.equal(error, undefined)
  t.strictSame(rows, [{
    i: '-9007199254740993',
    u: '18446744073709551615',
    d: '12345678901234567890.123456789012345678',
    f: 1.1,
    g: 'nan',
    s: 'é"',
    a: ['1', null],
    m: { k: 5 },
    p: { x: 1, y: 'b' },
    dt: '2024-01-02T14:30:00Z',
    ns: '2024-01-02T14:30:00.123456789Z',
    day: '2024-01-02',
    l: null,
    e: 'a',
    z: '00000000-0000-0000-0000-000000000001'
  }])
})

await t.test('columns of every kind say where to go on', async t => {
  await command("CREATE TABLE places (a Nullable(DateTime('Asia/Tokyo')), b LowCardinality(String), c Decimal(10, 3)) ENGINE = MergeTree ORDER BY tuple()")
  await command("INSERT INTO places SELECT toDateTime('2024-01-02 00:00:00', 'UTC') + number, 'it''s ' || toString(number), number / 3 FROM numbers(10)")
  for (const key of ['a', 'b', 'c']) {
    const first = await readSql({ url, table: 'places', key: [key], fetch_rows: 4 }, { run: run('1'), chunks: 1 })
    const rest = await readSql({ url, table: 'places', key: [key], fetch_rows: 4 }, { run: run('1'), checkpoint: first.checkpoint })
    t.equal(rest.error, undefined)
    t.equal(new Set([...first.rows, ...rest.rows].map(row => row['b'])).size, 10)
    t.equal(first.rows.length + rest.rows.length, 10, key)
  }
})

await t.test('a statement that fails half-way fails the reading with what the engine says', async t => {
  const { error, rows } = await readSql({ url, query: 'SELECT number AS n, throwIf(number = 200000) FROM numbers(1000000)', fetch_rows: 1000 })
  t.match(error, { code: /^SOURCE_/ })
  t.match(String(error), /throwIf|non-zero|395|JSON/)
  t.ok(rows.length < 200_001)
})

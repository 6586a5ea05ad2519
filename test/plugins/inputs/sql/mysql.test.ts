import t from 'tap'
import { conformDatabase } from './databases.ts'
import { readSql, run } from './reader.ts'
import { mariadbMissing, startMariadb } from '../../../sql/server.ts'

await t.test('MariaDB', { skip: mariadbMissing }, async t => {
  const server = await startMariadb()
  t.teardown(() => server.stop())
  await conformDatabase(t, {
    url: server.url,
    createTable: name => `CREATE TABLE ${name} (n BIGINT, at DATETIME(3))`,
    run: server.run,
    broken: { url: 'mysql://127.0.0.1:1/none', says: /The database cannot be read: .*ECONNREFUSED/ }
  })

  await t.test('values are exact', async t => {
    await server.run("SET time_zone = '+02:00'; ".trim().replace(/;$/, ''),
      'CREATE TABLE types (i1 TINYINT, i4 INT, i8 BIGINT, u8 BIGINT UNSIGNED, d DECIMAL(38, 18), f FLOAT, g DOUBLE, s TEXT, by1 VARBINARY(10), bl BLOB, bt BIT(8), dt DATETIME(6), ts TIMESTAMP(6) NULL, day DATE, tm TIME(1), y YEAR, e ENUM(\'a\'), j JSON, n TEXT)',
      'INSERT INTO types VALUES (1, -2, 9007199254740993, 18446744073709551615, 12345678901234567890.123456789012345678, 1.1, 0.1, \'é\', x\'00ff\', x\'01\', b\'101\', \'2024-01-02 14:30:00.123456\', \'2024-01-02 14:30:00.123456\', \'2024-01-02\', \'-14:30:00.5\', 2024, \'a\', \'{"x": 0.10000000000000000001}\', NULL)')
    const { rows, error } = await readSql({ url: server.url, table: 'types' })
    t.equal(error, undefined)
    t.strictSame(rows, [{
      i1: 1, i4: -2, i8: '9007199254740993', u8: '18446744073709551615', d: '12345678901234567890.123456789012345678', f: 1.1, g: 0.1, s: 'é', by1: 'AP8=', bl: 'AQ==', bt: 5, dt: '2024-01-02T14:30:00.123456', ts: '2024-01-02T12:30:00.123456Z', day: '2024-01-02', tm: '-14:30:00.5', y: 2024, e: 'a', j: { x: '0.10000000000000000001' }, n: null
    }])
  })

  await t.test('large numbers say where to go on without losing a digit', async t => {
    await server.run('CREATE TABLE large (u BIGINT UNSIGNED, d DECIMAL(30, 10), ts TIMESTAMP(6) NULL)', `INSERT INTO large VALUES ${Array.from({ length: 9 }, (_, i) => `(1844674407370955160${i}, 9007199254740993.000000000${i}, '2024-01-02 14:30:00.00000${i}')`).join(', ')}`)
    for (const key of ['u', 'd', 'ts']) {
      const config = { url: server.url, table: 'large', key: [key], fetch_rows: 2 }
      const first = await readSql(config, { run: run('1'), chunks: 2 })
      const rest = await readSql(config, { run: run('1'), checkpoint: first.checkpoint })
      t.equal(first.rows.length + rest.rows.length, 9, key)
      t.equal(new Set([...first.rows, ...rest.rows].map(row => row[key])).size, 9)
    }
  })

  await t.test('a database that disappears fails the run, and the next one repairs it', async t => {
    await server.run('CREATE TABLE many (n INT PRIMARY KEY, text TEXT)', "INSERT INTO many SELECT seq, REPEAT('x', 2000) FROM seq_1_to_20000")
    const config = { url: server.url, table: 'many', incremental: { column: 'n' }, fetch_rows: 500 }
    const broken = await readSql(config, { run: run('1'), after: async chunks => { if (chunks === 3) await server.kill() } })
    t.match(broken.error, { code: 'SOURCE_UNAVAILABLE' })
    t.ok(broken.rows.length < 20_000)
    await server.restart()
    const rest = await readSql(config, { run: run('2'), checkpoint: broken.checkpoint })
    t.equal(rest.error, undefined)
    t.strictSame([...broken.rows, ...rest.rows].map(row => row['n']), Array.from({ length: 20_000 }, (_, i) => i + 1))
  })

  await t.test('what is wrong with the connection is told, without a password', async t => {
    const wrong = await readSql({ url: server.url.replace('read%2F', 'wrong'), table: 'x' })
    t.match(wrong.error, { code: 'SOURCE_REFUSED', message: /Access denied/ })
    t.notMatch(String(wrong.error), /wrongme/)
    t.match((await readSql({ url: server.url, table: 'x', tls: true })).error, { code: 'SOURCE_REFUSED', message: /secure connection|certificate|SSL/i })
  })

  await t.test('a statement that takes too long is ended', async t => {
    const { error } = await readSql({ url: server.url, query: 'SELECT SLEEP(60) AS n', statement_seconds: 0.1 })
    t.match(error, { code: 'SOURCE_UNAVAILABLE', message: /max_statement_time/ })
  })
})

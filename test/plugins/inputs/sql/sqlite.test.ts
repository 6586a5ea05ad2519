import { DatabaseSync } from 'node:sqlite'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { conformDatabase } from './databases.ts'
import { readSql } from './reader.ts'

const folder = t.testdir()
const path = join(folder, 'market.db')
const database = new DatabaseSync(path)
database.exec('PRAGMA journal_mode = WAL')
t.teardown(() => database.close())

await t.test('SQLite', async t => {
  await conformDatabase(t, {
    url: `sqlite:${path}`,
    createTable: name => `CREATE TABLE ${name} (n INTEGER, at TEXT)`,
    async run (...statements) { for (const statement of statements) database.exec(statement) },
    broken: { url: `sqlite:${join(folder, 'none.db')}`, says: /none\.db: The database cannot be read: the file does not exist/ }
  })
})

await t.test('values are exact', async t => {
  database.exec("CREATE TABLE types (i INTEGER, r REAL, t TEXT, b BLOB, x); INSERT INTO types VALUES (9007199254740993, 0.1, 'é', x'00ff', NULL), (5, 9e999, '', x'', 'y')")
  const { rows } = await readSql({ url: `sqlite:${path}`, table: 'types' })
  t.strictSame(rows, [{ i: '9007199254740993', r: 0.1, t: 'é', b: 'AP8=', x: null }, { i: 5, r: 'Infinity', t: '', b: '', x: 'y' }])
})

await t.test('what is no database, or a damaged one, is named', async t => {
  writeFileSync(join(folder, 'text.db'), 'this is no database, and long enough to be looked at')
  t.match((await readSql({ url: `sqlite:${join(folder, 'text.db')}`, table: 'types' })).error, { code: 'SOURCE_REFUSED', message: /not a database/ })
})

await t.test('options that do not go together are told', async t => {
  const url = `sqlite:${path}`
  for (const [given, says] of [
    [{}, /either table or query/], [{ table: 'types', query: 'SELECT 1' }, /either table or query/],
    [{ query: 'SELECT 1;' }, /semicolon/], [{ query: "SELECT '{from}'" }, /in quotes/],
    [{ table: 'types', incremental: { column: 'i', lag: 'soon' } }, /no lag/],
  ] as const) {
    const { error } = await readSql({ url, ...given } as never)
    t.match(error, { code: 'CONFIG_INVALID', message: says })
  }
  for (const bad of ['postgres://localhost/x?sslmode=disable', 'mysql://?x']) t.match((await readSql({ url: bad, table: 'x' }).catch((error: unknown) => ({ error }))).error, { code: 'CONFIG_INVALID' })
})

await t.test('too many rows of one value fail the reading, and a key helps', async t => {
  database.exec('CREATE TABLE bulk (n INTEGER, at TEXT); WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 50) INSERT INTO bulk SELECT n, \'2024\' FROM c')
  const config = { url: `sqlite:${path}`, table: 'bulk', incremental: { column: 'at' }, remembered_rows_max: 20 }
  t.match((await readSql(config)).error, { code: 'SOURCE_REFUSED', message: /More than 20 rows have the value "2024" in at/ })
  t.equal((await readSql({ ...config, key: ['n'] })).rows.length, 50)
})

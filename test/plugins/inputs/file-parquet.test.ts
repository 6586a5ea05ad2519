// Files that DuckDB has written, as the input file takes them.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import t from 'tap'
import file from '../../../plugins/inputs/file/index.ts'
import { nothing, numbersIn, runOnce, upTo } from './file-driver.ts'

const duckdb = await (await DuckDBInstance.create()).connect()
t.teardown(() => duckdb.closeSync())

/** Of a row: how DuckDB makes a value, and the raw form it has to have. */
const columns: Readonly<Record<string, readonly [string, unknown]>> = {
  n: ['n::bigint', 0],
  big: ['9007199254740993::bigint', '9007199254740993'],
  unsigned: ['18446744073709551615::ubigint', '18446744073709551615'],
  half: ['4294967295::uinteger', 4294967295],
  label: ["'s' || n", 's0'],
  small: ['1.25::decimal(10, 4)', '1.2500'],
  large: ['-12345678901234567890.123::decimal(30, 3)', '-12345678901234567890.123'],
  local: ["timestamp '2024-01-02 03:04:05.123456'", '2024-01-02T03:04:05.123456'],
  utc: ["timestamptz '2024-01-02 03:04:05.123456+00'", '2024-01-02T03:04:05.123456Z'],
  nano: ["timestamp_ns '1969-12-31 23:59:59.999999999'", '1969-12-31T23:59:59.999999999'],
  day: ["date '2024-03-01'", '2024-03-01'],
  clock: ["time '14:30:00.5'", '14:30:00.500000'],
  nan: ["'nan'::double", 'NaN'],
  low: ["'-inf'::double", '-Infinity'],
  zero: ['-0.0::double', '-0'],
  tenth: ['0.1::double', 0.1],
  yes: ['true', true],
  id: ["uuid '00112233-4455-6677-8899-aabbccddeeff'", '00112233-4455-6677-8899-aabbccddeeff'],
  list: ['[1, 2, null]', [1, 2, null]],
  struct: ['{a: 1::bigint, b: [{c: 1.5::decimal(5, 2)}]}', { a: 1, b: [{ c: '1.50' }] }],
  map: ["map{'k': 9007199254740993::bigint}", { k: '9007199254740993' }],
  nothing: ['null::int', null],
  json: ["'{\"a\":1.10}'::json", '{"a":1.10}'],
  maybe: ['case when n % 2 = 0 then n end', 0]
}

await t.test('Parquet: every type comes in a raw form that keeps all of it', async t => {
  const folder = t.testdir()
  const select = Object.entries(columns).map(([name, [sql]]) => `${sql} as "${name}"`).join(', ')
  await duckdb.run(`copy (select ${select}, case when n = 1 then '\\xff'::blob else 'ok'::blob end as bytes from range(3) r(n)) to '${join(folder, 'a.parquet')}'`)
  const durable = nothing()
  await runOnce(file, { path: join(folder, '*.parquet') }, durable)
  const expected = Object.fromEntries(Object.entries(columns).map(([name, [, value]]) => [name, value]))
  t.strictSame(JSON.parse(JSON.stringify(durable.rows[0])), { ...expected, bytes: 'ok' })
  t.strictSame(numbersIn(durable), [0, 2])
  t.match(durable.rejected, [{ row: { n: 1, row: 2 }, reason: 'bytes holds bytes that are not UTF-8 text.' }])
})

await t.test('Parquet: a run that dies anywhere goes on at that row, over row groups and with every codec', async t => {
  for (const codec of ['uncompressed', 'snappy', 'gzip', 'zstd', 'lz4_raw', 'brotli']) {
    const folder = t.testdir()
    for (const [name, from, to] of [['a', 0, 9000], ['b', 9000, 10_000]] as const) {
      await duckdb.run(`copy (select i n, 'sym' || i % 50 s, case when i % 3 > 0 then i * 1.5 end p, [i, i + 1] l from range(${from}, ${to}) r(i)) to '${join(folder, `${name}.parquet`)}' (compression ${codec}, row_group_size 4000)`)
    }
    const durable = nothing()
    const given = { path: join(folder, '*.parquet'), batch_rows: 700 }
    for (const chunks of [1, 2, 5, 3, 9, Infinity, Infinity]) await runOnce(file, given, durable, { chunks })
    t.strictSame(numbersIn(durable), upTo(10_000), codec)
    t.ok(durable.rows.every(row => row['s'] === `sym${Number(row['n']) % 50}` && Number((row['l'] as number[])[1]) === Number(row['n']) + 1), 'the columns belong together')
  }
})

await t.test('Parquet: what is cut off or damaged is told with file, column and rows, and what was taken before stays', async t => {
  const folder = t.testdir()
  const path = join(folder, 'a.parquet')
  await duckdb.run(`copy (select i n, md5(i::varchar) t from range(200000) r(i)) to '${path}' (compression zstd, row_group_size 50000)`)
  const whole = readFileSync(path)
  const given = { path: join(folder, '*.parquet') }
  for (const [bytes, says] of [
    [whole.subarray(0, whole.length - 20_000), /a\.parquet is no whole Parquet file: it does not end with PAR1/],
    [Buffer.concat([whole.subarray(0, 4), Buffer.alloc(100), whole.subarray(-8)]), /damaged: its footer cannot be read/],
    [Buffer.concat([Buffer.from('PARE'), whole.subarray(4)]), /encrypted/]
  ] as const) {
    writeFileSync(path, bytes)
    await t.rejects(runOnce(file, given, nothing()), { code: 'FILE_REFUSED', message: says })
  }
  const damaged = Buffer.from(whole)
  damaged.fill(7, Math.floor(0.45 * damaged.length), Math.floor(0.75 * damaged.length))
  writeFileSync(path, damaged)
  const durable = nothing()
  await t.rejects(runOnce(file, given, durable), { code: 'FILE_REFUSED', message: /a\.parquet is damaged: column \w+ in rows \d+ to \d+ cannot be read.*taken up to line or row \d+/ })
  t.ok(durable.rows.length >= 50_000 && durable.rows.length < 200_000)
  t.ok(numbersIn(durable).every((n, i) => n === i))
  const checkpoint = JSON.stringify(durable.checkpoint)
  await t.rejects(runOnce(file, given, durable), { code: 'FILE_REFUSED' })
  t.equal(JSON.stringify(durable.checkpoint), checkpoint, 'the place stays')
})

await t.test('CSV of DuckDB: quotes, line ends in values and gzip', async t => {
  const folder = t.testdir()
  await duckdb.run(`copy (select i n, case i % 4 when 0 then 'a,b' when 1 then 'say "x"' when 2 then 'two' || chr(10) || 'lines' else '' end t from range(3000) r(i)) to '${join(folder, 'a.csv.gz')}' (header, compression gzip)`)
  const durable = nothing()
  for (const chunks of [2, 3, Infinity]) await runOnce(file, { path: join(folder, '*'), batch_rows: 400 }, durable, { chunks })
  t.strictSame(numbersIn(durable), upTo(3000))
  t.strictSame(durable.rows.slice(0, 4).map(row => row['t']), ['a,b', 'say "x"', 'two\nlines', ''])
  t.strictSame(durable.rejected, [])
})

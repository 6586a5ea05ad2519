// The same claims for every database: each test file starts one and gives it here.

import { configure } from '../../../conform/configure.ts'
import { fakeContext } from '../../../conform/context.ts'
import { conformInput } from '../../../conform/input.ts'
import sql from '../../../../plugins/inputs/sql/index.ts'
import { readSql, run } from './reader.ts'
import type { Test } from 'tap'

export interface Subject {
  readonly url: string
  /** Of a table with `n` (its key) and `at` (a time). */
  readonly createTable: (name: string) => string
  run (...statements: string[]): Promise<void>
  /** An address where nobody answers, and what the error says. */
  readonly broken: { readonly url: string, readonly says: RegExp }
}

let tables = 0

export async function conformDatabase (t: Test, subject: Subject): Promise<void> {
  const { url } = subject
  const made = async (...rows: string[]): Promise<string> => {
    const name = `rows_${tables++}`
    await subject.run(subject.createTable(name))
    await insert(name, ...rows)
    return name
  }
  const insert = async (name: string, ...rows: string[]): Promise<void> => {
    if (rows.length > 0) await subject.run(`INSERT INTO ${name} (n, at) VALUES ${rows.join(', ')}`)
  }
  const second = (n: number, s: number): string => `(${n}, '2024-01-02 14:30:${String(s).padStart(2, '0')}')`
  const numbers = (rows: ReadonlyArray<Readonly<Record<string, unknown>>>): number[] => rows.map(row => Number(row['n']))

  for (const [name, more] of Object.entries({ 'by remembering': {}, 'by a key': { key: ['n'] } })) {
    await t.test(`what is new conforms, ${name}`, async t => {
      await conformInput(t, {
        plugin: sql,
        replays: true,
        async source () {
          const table = await made()
          return {
            config: { url, table, incremental: { column: 'n' }, fetch_rows: 7, poll_seconds: 0.01, ...more },
            produce: (from, to) => insert(table, ...Array.from({ length: to - from }, (_, i) => second(from + i, i % 60)))
          }
        },
        silent: async () => ({ config: { url, table: await made(), incremental: { column: 'n' }, poll_seconds: 0.01, ...more }, produce () {} }),
        broken: async () => ({ config: { url: subject.broken.url, table: 'rows' }, says: subject.broken.says })
      })
    })
  }

  await t.test('rows with the value where the last reading ended are neither lost nor doubled', async t => {
    const table = await made(second(1, 1), second(2, 2), second(3, 2))
    const config = { url, table, incremental: { column: 'at' }, fetch_rows: 2 }
    const first = await readSql(config, { run: run('1') })
    t.equal(first.error, undefined)
    t.strictSame(numbers(first.rows).sort(), [1, 2, 3])
    await insert(table, second(4, 2), second(5, 3))
    const next = await readSql(config, { run: run('2'), checkpoint: first.checkpoint })
    t.strictSame(numbers(next.rows).sort(), [4, 5])
    const last = await readSql(config, { run: run('3'), checkpoint: next.checkpoint })
    t.strictSame(last.rows, [])
  })

  await t.test('a row that comes late is taken within lag', async t => {
    const table = await made(second(1, 1), second(2, 30))
    const config = { url, table, incremental: { column: 'at', lag: '10s' } }
    const first = await readSql(config, { run: run('1') })
    t.equal(first.error, undefined)
    await insert(table, second(3, 21), second(4, 19))
    const next = await readSql(config, { run: run('2'), checkpoint: first.checkpoint })
    t.strictSame(numbers(next.rows), [3], 'the one that is later than lag is not seen')
    t.strictSame((await readSql(config, { run: run('3'), checkpoint: next.checkpoint })).rows, [])
  })

  await t.test('a reading that is given up anywhere goes on without a gap and without a double', async t => {
    const table = await made(...Array.from({ length: 20 }, (_, n) => second(n, Math.floor(n / 4))))
    for (const more of [{ incremental: { column: 'at' } }, { incremental: { column: 'at' }, key: ['n'] }, { key: ['n'] }, { incremental: { column: 'at', lag: '2s' } }]) {
      for (const chunks of [1, 2, 3, 5]) {
        const config = { url, table, fetch_rows: 3, ...more }
        const first = await readSql(config, { run: run('1'), chunks })
        const rest = await readSql(config, { run: run('1'), checkpoint: first.checkpoint })
        t.equal(rest.error, undefined)
        t.strictSame(numbers([...first.rows, ...rest.rows]).sort((a, b) => a - b), Array.from({ length: 20 }, (_, n) => n), `${JSON.stringify(more)} after ${chunks} chunks`)
      }
    }
  })

  await t.test('a run that has ended reads nothing when it is resumed; the next one does', async t => {
    const table = await made(second(1, 1))
    const first = await readSql({ url, table }, { run: run('1') })
    t.strictSame(numbers(first.rows), [1])
    t.strictSame((await readSql({ url, table }, { run: run('1'), checkpoint: first.checkpoint })).rows, [])
    t.strictSame(numbers((await readSql({ url, table }, { run: run('2'), checkpoint: first.checkpoint })).rows), [1])
  })

  await t.test('an interval is given to the query, and intervals follow each other', async t => {
    const table = await made(second(1, 1), second(2, 2), second(3, 3), second(4, 4))
    const config = { url, query: `SELECT * FROM ${table} WHERE at >= {from} AND at < {to} -- the interval`, key: ['n'], fetch_rows: 1 }
    const at = (s: number): number => Date.UTC(2024, 0, 2, 14, 30, s)
    const first = await readSql(config, { run: run('1', at(1), at(3)), chunks: 1 })
    t.strictSame(numbers(first.rows), [1], String(first.error))
    const next = await readSql(config, { run: run('2', at(3), at(4)), checkpoint: first.checkpoint })
    t.strictSame(numbers(next.rows), [2, 3], 'what the run before left is read first')
    const backfill = await readSql(config, { run: run('3', at(2), at(5), 'backfill') })
    t.strictSame(numbers(backfill.rows), [2, 3, 4])
  })

  await t.test('a probe connects, and says what is wrong', async t => {
    await sql.probe?.(configure(sql, { url, table: 'rows' }), fakeContext())
    await t.rejects(Promise.resolve(sql.probe?.(configure(sql, { url: subject.broken.url, table: 'rows' }), fakeContext())), { code: 'SOURCE_UNAVAILABLE', message: /The database cannot be read/ })
  })

  await t.test('a statement that is wrong is refused with what the database says', async t => {
    const table = await made()
    for (const config of [{ table: 'no_such_table' }, { query: 'SELEC 1' }, { query: `DELETE FROM ${table}` }, { table, incremental: { column: 'no_such_column' } }]) {
      t.match((await readSql({ url, ...config })).error, { code: 'SOURCE_REFUSED', message: /The database refuses the reading: ./ }, JSON.stringify(config))
    }
  })
}

import { join } from 'node:path'
import t from 'tap'
import http from '../../../plugins/inputs/http/index.ts'
import history from '../../../plugins/inputs/interactive-brokers-history/index.ts'
import lake from '../../../plugins/inputs/lake/index.ts'
import sql from '../../../plugins/inputs/sql/index.ts'
import { listPlugins, loadPlugin } from '../../../runtime/loader.ts'
import { configure } from '../../conform/configure.ts'
import type { InputPlugin, Json } from '../../../runtime/plugin.ts'

const root = join(import.meta.dirname, '../../..')

await t.test('inputs say whether a configuration reads the interval of a run', async t => {
  const url = 'https://api.example.com/bars'
  const database = 'sqlite:market.db'
  const cases: ReadonlyArray<readonly [InputPlugin, Readonly<Record<string, Json>>, boolean]> = [
    [http as unknown as InputPlugin, { url }, false],
    [http as unknown as InputPlugin, { url, incremental: { field: 'time', parameter: 'since' }, query: { after: '{since}' } }, false],
    [http as unknown as InputPlugin, { url, query: { start: '{from:unix_ms}', end: '{to:unix_ms}' } }, true],
    [http as unknown as InputPlugin, { url, query: { start: '{from}', end: '{to}' }, paging: { kind: 'window', window: '6h' } }, true],
    [http as unknown as InputPlugin, { url: `${url}/{from:date}.csv`, format: 'csv' }, true],
    [http as unknown as InputPlugin, { url, method: 'POST', body: { range: ['{from}', '{to}'] } }, true],
    [sql as unknown as InputPlugin, { url: database, table: 'trades' }, false],
    [sql as unknown as InputPlugin, { url: database, table: 'trades', incremental: { column: 'time' } }, false],
    [sql as unknown as InputPlugin, { url: database, query: 'SELECT * FROM trades' }, false],
    [sql as unknown as InputPlugin, { url: database, query: 'SELECT * FROM trades WHERE time >= {from} AND time < {to}' }, true],
    [sql as unknown as InputPlugin, { url: database, query: 'SELECT * FROM trades WHERE day = {from:date}' }, true],
    [lake as unknown as InputPlugin, { topic: 'quotes' }, true],
    [history as unknown as InputPlugin, { gateway: 'https://127.0.0.1:5000', instruments: ['AAPL'] }, true]
  ]
  for (const [plugin, given, expected] of cases) {
    // What is asked twice gives one answer.
    for (let i = 0; i < 2; i++) t.equal(plugin.interval?.(configure(plugin, given)), expected, JSON.stringify(given))
  }
})

await t.test('of all other inputs a backfill would take everything in each of its runs', async t => {
  const found: string[] = []
  for (const { kind, name } of await listPlugins(root)) {
    if (kind === 'input' && ((await loadPlugin(root, kind, name)).plugin as InputPlugin).interval !== undefined) found.push(name)
  }
  t.strictSame(found.sort(), ['http', 'interactive-brokers-history', 'lake', 'replay', 'sql'])
})

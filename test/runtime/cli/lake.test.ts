import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { main } from '../../../runtime/cli/main.ts'
import { fill, noon } from '../lake/rows.ts'
import { makeProject } from '../../system/project.ts'
import { capture } from './capture.ts'

await t.test('the files of a topic that count are shown one a line, and all lakes in a table', async t => {
  const { folder, data } = makeProject(t.testdir(), {
    'schemas/trades.yaml': 'fields:\n  n: { type: int64, description: Number }\n', 'pipelines/trades.yaml': 'topic: trades\noutputs:\n  - lake: {}\n'
  })
  const run = async (...args: string[]): Promise<{ code: number, lines: string[], complaints: string[] }> => {
    const { terminal, lines, complaints } = capture(folder, { TWOLANE_DATA: data })
    return { code: await main(['lake', ...args], terminal), lines, complaints }
  }
  t.match((await run()).lines, ['topic', /^trades +0 +0 +0 B/])
  await fill(data, [0, 10], [10, 1500, noon + 1])
  writeFileSync(join(data, 'lake/trades/date=2024-01-02/uncommitted.parquet'), 'x')
  const paths = [[0, 10], [10, 1500]].map(offsets => join(data, 'lake/trades/date=2024-01-02', `trades-0-${offsets.map(offset => String(offset).padStart(20, '0')).join('-')}`))
  const { lines } = await run('trades')
  t.strictSame(lines.map(line => line.replace(/-[0-9a-f]{12}\.parquet$/, '')), paths, 'but for the hash of the bytes')
  t.ok(lines.every(line => existsSync(line)))
  t.match((await run()).lines[1], /^trades +2 +1,500 +\d+ KB +2024-01-02T12:00:00.001Z +.*lake$/)
  t.match(JSON.parse((await run('trades', '--json')).lines.join('')), [{ topic: 'trades', seq: 2, pipeline: 'trades', files: [{ rows: 10 }, { rows: 1490 }] }])
  t.match(await run('quotes'), { code: 1, complaints: [/No pipeline keeps a lake of the topic quotes/] })
  t.equal((await run('a', 'b')).code, 2)
})

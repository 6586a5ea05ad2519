// The Python client, run by a real Python with pandas, polars and pyarrow (.ci/requirements.txt).

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { join } from 'node:path'
import t from 'tap'
import { eventually } from '../waiting.ts'
import { token } from '../runtime/control/endpoint.ts'
import { openStage } from '../runtime/live/stage.ts'

const python = process.env['PANDAS_PYTHON']
const client = join(import.meta.dirname, '..', '..', 'runtime', 'control', 'client')

await t.test('the Python client', { skip: python === undefined ? 'PANDAS_PYTHON names no Python with pandas, polars and pyarrow' : false }, async t => {
  const stage = await openStage(t)
  await stage.send(Array.from({ length: 30 }, (_, i) => ({ symbol: ['AAPL', 'MSFT', 'IBM'][i % 3], time: Date.UTC(2026, 0, 2, 14, 30) + i, price: `${100 + i}.5`, size: String(i) })))
  await eventually('the rows are stored', async () => {
    const answer = await stage.ask('GET', '/v1/data/ticks.json')
    return answer.statusCode === 200 && answer.json<{ rows: object[] }>().rows.length === 30 ? true : undefined
  })
  t.match((await fetch(`${stage.url}/twolane.py`)).headers.get('content-type'), /text\/x-python/, 'anyone may download it')

  const child = spawn(python as string, ['-B', join(import.meta.dirname, 'client.py'), client, join(stage.project.folder, 'files')], { env: { ...process.env, TWOLANE_URL: stage.url, TWOLANE_TOKEN: token }, stdio: ['ignore', 'pipe', 'pipe'] })
  t.teardown(() => child.kill('SIGKILL'))
  const [out, trouble, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit') as Promise<[number]>])
  t.equal(code, 0, trouble)
  const said = new Map(out.trim().split('\n').map(line => JSON.parse(line) as [string, unknown]))
  t.same(said.get('get'), { rows: 10, index: 'time', tz: 'UTC', symbols: ['AAPL'], columns: ['symbol', 'price', 'size', 'note', 'extra'] }, 'rows become a frame whose index is the time, in UTC')
  t.equal(said.get('arrow'), 30)
  t.same(said.get('polars'), [20, ['time', 'price']])
  t.match(said.get('warning'), [['TwolaneWarning', /NONE/]], 'what the platform warns of becomes a Python warning')
  t.same(said.get('error'), ['NOT_FOUND', 404, true], 'an error has its code, status and remedy')
  t.same(said.get('bars'), [1, 'UTC'])
  t.equal(said.get('latest'), 3)
  t.equal(said.get('asof'), 10)
  t.same(said.get('datasets'), ['ticks'])
  t.ok(Number(said.get('estimate')) >= 30)
  t.match(said.get('status'), /^(?:ok|degraded|down)$/)
  t.same(said.get('export'), [['ticks-2026-01-02.parquet', 'PAR1']], 'files are made, fetched and checked')
  t.same(said.get('without pyarrow'), { rows: 10, index: 'time', tz: 'UTC' }, 'without pyarrow rows travel as CSV')
  t.same((said.get('live') as number[]).toSorted((a, b) => a - b), [0, 3, 6, 9, 12, 15, 18, 21, 24, 27], 'a live stream is a loop over rows')
})

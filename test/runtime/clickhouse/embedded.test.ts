import { createClient } from '@clickhouse/client'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { startEmbedded } from '../../../runtime/clickhouse/embedded.ts'
import type { EmbeddedState } from '../../../runtime/clickhouse/embedded.ts'
import { eventually } from '../../waiting.ts'
import { silent, startTestEngine } from './engine.ts'

const alive = (pid: number) => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
async function gone (pid: number): Promise<void> {
  while (alive(pid)) await sleep(10)
}

await t.test('an engine that is killed in the middle of inserts comes back on the same URL with every acknowledged row', async t => {
  const states: EmbeddedState[] = []
  const { engine, client, stop } = await startTestEngine({ onState: state => { states.push(state) } })
  t.teardown(stop)
  await client.command({ query: 'CREATE TABLE log (a Int64) ENGINE = MergeTree ORDER BY a' })
  const { url, pid } = engine
  const acknowledged: number[] = []
  const insert = async (from: number) => {
    try {
      await client.insert({ table: 'log', values: Array.from({ length: 10 }, (_, i) => ({ a: from + i })), format: 'JSONEachRow' })
      acknowledged.push(from)
    } catch {
      // Not acknowledged: the rows may be there or not.
    }
  }
  let from = 0
  while (acknowledged.length < 10) await insert(from++ * 10)
  const last = insert(from++ * 10)
  process.kill(pid ?? 0, 'SIGKILL')
  await last
  const before = acknowledged.length
  while (acknowledged.length === before) await insert(from++ * 10)
  t.equal(engine.url, url)
  t.not(engine.pid, pid)
  const rows = new Set((await (await client.query({ query: 'SELECT a FROM log', format: 'JSONCompactEachRow' })).json<[string]>()).map(([a]) => Number(a)))
  t.same(acknowledged.flatMap(start => Array.from({ length: 10 }, (_, i) => start + i)).filter(a => !rows.has(a)), [])
  t.match(states, [{ state: 'up', restarts: 0 }, { state: 'restarting', reason: /SIGKILL/, restarts: 1 }, { state: 'up', restarts: 1 }])
})

await t.test('beside an engine that runs', async t => {
  process.env['TWOLANE_TEST_SECRET'] = 'canary'
  t.teardown(() => { delete process.env['TWOLANE_TEST_SECRET'] })
  const { engine, folder, stop } = await startTestEngine()
  t.teardown(stop)

  await t.test('its folder is refused to another process, with its name and what to do', async t => {
    await t.rejects(startEmbedded({ folder, log: silent }), { code: 'DATA_FOLDER_IN_USE', message: new RegExp(folder), remedy: /other process/ })
  })

  await t.test('its port is refused', async t => {
    const other = await mkdtemp(join(tmpdir(), 'twolane-engine-'))
    t.teardown(async () => { await rm(other, { recursive: true, force: true }) })
    await t.rejects(startEmbedded({ folder: other, port: Number(new URL(engine.url).port), log: silent }), { code: 'ENGINE_UNAVAILABLE', message: /taken/ })
  })

  await t.test('it sees nothing of the environment', { skip: process.platform !== 'linux' && 'reads /proc' }, async t => {
    const names = (await readFile(`/proc/${engine.pid}/environ`, 'utf8')).split('\0').map(line => line.split('=')[0])
    // The test runner adds names of its own to every process.
    t.same(names.filter(name => name !== '' && !/^(NODE_|_TAPJS_)/.test(name ?? '')), ['UV_THREADPOOL_SIZE'])
  })
})

await t.test('S7: an engine that hangs is ended and started again on the same URL, and a restart on purpose is counted apart', async t => {
  const errors: string[] = []
  const { engine, client, stop } = await startTestEngine({ askMs: 250, log: { ...silent, error: (_fields, message) => { errors.push(message) } } })
  t.teardown(stop)
  await client.command({ query: 'CREATE TABLE kept (a UInt32) ENGINE = MergeTree ORDER BY a' })
  await client.insert({ table: 'kept', values: [{ a: 1 }], format: 'JSONEachRow' })
  const { url, pid = 0 } = engine
  process.kill(pid, 'SIGSTOP')
  await eventually('another process', () => engine.state.state === 'up' && engine.pid !== pid ? true : undefined)
  t.equal(engine.url, url)
  t.match(engine.ends.newest, [{ kind: 'hung', reason: /did not answer for 3 s/ }])
  t.same(errors, ['Embedded ClickHouse does not answer, ending its process', 'Embedded ClickHouse is down, starting it again'])
  t.equal(await (await client.query({ query: 'SELECT a FROM kept', format: 'TabSeparated' })).text(), '1\n')
  engine.restart()
  await eventually('the restart', () => engine.ends.all === 2 && engine.state.state === 'up' ? true : undefined)
  t.match(engine.ends.counts, { died: 0, hung: 1, asked: 1 })
})

await t.test('close waits for queries that run, keeps the data, and may be called twice', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'twolane-engine-'))
  t.teardown(async () => { await rm(folder, { recursive: true, force: true }) })
  const first = await startTestEngine({ folder })
  const pid = first.engine.pid ?? 0
  await first.client.command({ query: 'CREATE TABLE kept (a UInt32) ENGINE = MergeTree ORDER BY a' })
  const slow = first.client.command({ query: 'INSERT INTO kept SELECT number + sleepEachRow(0.01) FROM numbers(50) SETTINGS max_block_size = 10', query_id: 'slow' })
  for (let running = '0'; running !== '1';) running = (await (await first.client.query({ query: "SELECT count() FROM system.processes WHERE Settings['log_comment'] = 'slow'", format: 'TabSeparated' })).text()).trim()
  await Promise.all([slow, first.engine.close(), first.engine.close()])
  await gone(pid)
  t.equal(first.engine.pid, undefined)
  await first.stop()
  const second = await startTestEngine({ folder })
  t.teardown(second.stop)
  t.equal(await (await second.client.query({ query: 'SELECT count() FROM kept', format: 'TabSeparated' })).text(), '50\n')
})

await t.test('an aborted signal closes the engine', async t => {
  const stopper = new AbortController()
  const { engine, stop } = await startTestEngine({ signal: stopper.signal })
  t.teardown(stop)
  const pid = engine.pid ?? 0
  stopper.abort()
  await gone(pid)
  t.match(engine.state, { state: 'down' })
  await t.rejects(startEmbedded({ folder: 'never', log: silent, signal: stopper.signal }))
})

await t.test('the engine ends with its parent, and its folder is free at once', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'twolane-engine-'))
  t.teardown(async () => { await rm(folder, { recursive: true, force: true }) })
  const parent = fork(join(import.meta.dirname, 'parent.ts'), [folder], { execArgv: [], env: {} })
  const [pid] = await once(parent, 'message') as [number]
  parent.kill('SIGKILL')
  await gone(pid)
  const { stop } = await startTestEngine({ folder })
  await stop()
})

await t.test('memory is bounded, the engine keeps no logs, and the password can be left out', async t => {
  const { engine, client, stop } = await startTestEngine({ memoryBytesMax: 300 * 1024 ** 2, password: null })
  t.teardown(stop)
  t.match(engine.url, /^http:\/\/127\.0\.0\.1:\d+$/)
  const open = createClient({ url: engine.url })
  t.equal(await (await open.query({ query: "SELECT count() FROM system.tables WHERE database = 'system' AND name LIKE '%\\_log'", format: 'TabSeparated' })).text(), '0\n')
  await open.close()
  await t.rejects(client.query({ query: 'SELECT groupArray(repeat(toString(number), 100)) FROM numbers(100000000)' }), { code: '241' })
  t.equal(await (await client.query({ query: 'SELECT 1', format: 'TabSeparated' })).text(), '1\n', 'the engine lives on')
})

import t from 'tap'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { connectClickHouse } from '../../../runtime/clickhouse/client.ts'
import { main } from '../../../runtime/cli/main.ts'
import { until } from '../../conform/context.ts'
import { capture } from './capture.ts'

const cli = new URL('../../../runtime/cli/main.ts', import.meta.url).pathname

interface Started {
  readonly lines: string[]
  readonly complaints: string[]
  readonly url: string
  readonly ended: Promise<number>
  stop (): Promise<number>
}

/** The command in this process, until `stop`. */
async function start (root: string, args: readonly string[], env: Record<string, string> = {}): Promise<Started> {
  const stop = new AbortController()
  const { lines, complaints, terminal } = capture(root, env)
  const ended = main(['clickhouse', '--port', '0', ...args], { ...terminal, signal: stop.signal })
  let over = false
  void ended.then(() => { over = true })
  await until(() => over || lines.length === 3, 'it answers')
  return { lines, complaints, ended, url: /http:\/\/\S+/.exec(lines[0] ?? '')?.[0] ?? '', stop: () => { stop.abort(); return ended } }
}

async function query (url: string, user: string, password: string, sql: string): Promise<unknown[]> {
  const client = await connectClickHouse(url.replace('://', `://${user}:${encodeURIComponent(password)}@`))
  try {
    return await client.rows(sql)
  } finally {
    await client.close()
  }
}

await t.test('several clients share the engine, and its data and password stay over a restart', async t => {
  const root = t.testdir()
  const first = await start(root, ['--data', 'engine'])
  const file = join(root, 'engine', 'twolane-password')
  const password = readFileSync(file, 'utf8').trim()
  t.equal(statSync(file).mode & 0o777, 0o600)
  t.notMatch([...first.lines, ...first.complaints].join('\n'), password)
  t.match(first.lines[1], /TWOLANE_CLICKHOUSE=http:\/\/default:<password>@127\.0\.0\.1:\d+$/)
  await query(first.url, 'default', password, 'SELECT 1 FROM system.one')
  const client = await connectClickHouse(first.url.replace('://', `://default:${password}@`))
  await client.command('CREATE DATABASE shared')
  await client.command('CREATE TABLE shared.t (a Int32) ENGINE = MergeTree ORDER BY a')
  await client.command('INSERT INTO shared.t SELECT 7')
  await client.close()
  await t.rejects(query(first.url, 'default', 'wrong', 'SELECT 1'), { code: 'DESTINATION_REFUSED', message: /Authentication failed/ })
  const twice = await start(root, ['--data', 'engine'])
  t.equal(await twice.ended, 1)
  t.match(twice.complaints.join('\n'), /Another process has the ClickHouse folder/)
  t.equal(await first.stop(), 0)
  const second = await start(root, ['--data', 'engine'])
  t.strictSame(await query(second.url, 'default', password, 'SELECT a FROM shared.t'), [{ a: 7 }])
  t.equal(await second.stop(), 0)
})

await t.test('user and password can be given, and Ctrl-C ends the process cleanly', async t => {
  const root = t.testdir()
  const child = spawn(process.execPath, [cli, 'clickhouse', '--port', '0', '--user', 'twolane', '--data', 'engine'], { cwd: root, env: { ...process.env, TWOLANE_CLICKHOUSE_PASSWORD: 'p@ss:word/16 chars' }, stdio: ['ignore', 'pipe', 'pipe'] })
  t.teardown(() => child.kill('SIGKILL'))
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => { said += text.toString() })
  await until(() => said.includes('Ctrl-C'), 'it answers')
  const url = /http:\/\/127\S+/.exec(said)?.[0] ?? ''
  t.strictSame(await query(url, 'twolane', 'p@ss:word/16 chars', 'SELECT 1 AS one'), [{ one: 1 }])
  await t.rejects(query(url, 'default', 'p@ss:word/16 chars', 'SELECT 1'), { code: 'DESTINATION_REFUSED' })
  child.kill('SIGINT')
  t.strictSame(await once(child, 'exit'), [0, null])
})

await t.test('what cannot work is said at once, with what to do', async t => {
  const root = t.testdir({ file: '', engine: { 'twolane-password': '' } })
  const busy = createServer().listen(0, '127.0.0.1')
  await once(busy, 'listening')
  t.teardown(() => busy.close())
  const cases: ReadonlyArray<readonly [readonly string[], Record<string, string>, number, RegExp]> = [
    [['--port', 'many'], {}, 2, /--port cannot be "many"/],
    [['--memory-gigabytes', '-1'], {}, 2, /--memory-gigabytes cannot be "-1"|ambiguous/],
    [['--colour', 'red'], {}, 2, /--colour/],
    [['--host', '0.0.0.0'], {}, 1, /Other machines can reach 0\.0\.0\.0.*TWOLANE_CLICKHOUSE_PASSWORD/],
    [['--host', '0.0.0.0'], { TWOLANE_CLICKHOUSE_PASSWORD: 'short' }, 1, /too short.*put TLS in front/],
    [['--data', 'file/inside'], {}, 1, /cannot be used.*--data/],
    [['--data', 'engine'], {}, 1, /is empty\..*Remove the file/],
    [['--data', 'other', '--port', String((busy.address() as AddressInfo).port)], {}, 1, /cannot be listened on.*choose another one/]
  ]
  for (const [args, env, code, says] of cases) {
    const { terminal, complaints } = capture(root, env)
    t.equal(await main(['clickhouse', ...args], terminal), code, args.join(' '))
    t.match(complaints.join('\n').replaceAll('\n', ' '), says, args.join(' '))
  }
})

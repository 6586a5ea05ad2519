import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { main } from '../../../runtime/cli/main.ts'
import { count, duration, size, table } from '../../../runtime/cli/table.ts'
import { makeProject, root, startPlatform } from '../../system/project.ts'
import { eventually } from '../../waiting.ts'
import { capture } from './capture.ts'
import type { AddressInfo } from 'node:net'
import type { Terminal } from '../../../runtime/cli/terminal.ts'

const schema = 'fields: { n: { type: int64, required: true, description: N } }'
const pipeline = 'input: { generate: { rate: 500, fields: { n: { counter: 1 } } } }\ntopic: trades\noutputs: [{ file: { path: out.ndjson } }]\n'

await t.test('the commands on a running platform', async t => {
  const project = makeProject(t.testdir(), { 'schemas/trades.yaml': schema, 'pipelines/trades.yaml': pipeline })
  const run = async (args: string[], env = {}, more: Partial<Terminal> = {}): Promise<{ code: number, lines: string[], complaints: string[] }> => {
    const { terminal, lines, complaints } = capture(project.folder, env)
    return { code: await main(args, { ...terminal, ...more }), lines, complaints }
  }
  t.match(await run(['status']), { code: 1, lines: [], complaints: [/The platform does not run on this data folder\. Start it with npm start/] })

  // The token is the one that the platform made: no command is told address or token.
  const platform = await startPlatform(project, { TWOLANE_ADMIN_TOKEN: '' })
  t.teardown(() => platform.kill())

  await t.test('status is a table, or JSON', async t => {
    await eventually('rows go through', async () => /outputs\.file +running +[1-9]/.test((await run(['status'])).lines.join('\n')) || undefined)
    const { code, lines } = await run(['status'])
    t.equal(code, 0)
    t.match(lines, [/^PIPELINE +STATE +ROWS\/S +LAG +AGE +RESTARTS +REASON$/, /^trades +running +[\d.]+[smh] +0$/, /^ {2}input\.generate +generating +[\d,]+$/, /^ {2}outputs\.file +running +[\d,]+ +\d/])
    t.match(lines.join('\n'), /\nTOPIC +ROWS +SIZE +NEWEST\n_platform [^]*\ntrades +[\d,]+ +[\d.]+ KB +[\d.]+s ago/)
    t.match(JSON.parse((await run(['status', '--json'])).lines[0] ?? ''), { pipelines: [{ id: 'trades', steps: [{}, { lag_rows: Number }] }], topics: [{}, { name: 'trades' }, {}], problems: [] })
    const stop = new AbortController()
    const shown: string[] = []
    const print = (line: string): void => {
      shown.push(line)
      stop.abort()
    }
    t.equal((await run(['status', '--watch'], {}, { signal: stop.signal, print })).code, 0)
    t.match(shown[0], /PIPELINE|\[2J/)
  })

  await t.test('plan and reload tell what changes, and what is wrong', async t => {
    t.match(await run(['plan']), { code: 0, lines: ['Nothing would change', '  trades: unchanged'] })
    t.match(await run(['reload']), { code: 0, lines: ['Nothing has changed'] })
    project.write('pipelines/trades.yaml', pipeline.replace('500', '400'))
    const plan = await run(['plan'])
    t.match(plan, { code: 0, lines: [/^~ trades changed [0-9a-f]{8} ▶ [0-9a-f]{8}$/, /^Apply exactly this: npx twolane reload --plan [0-9a-f]{16}$/] })
    t.match(await run(['reload', '--plan', '0000']), { code: 1, complaints: [/have changed since the plan was made\. Make a new plan\./] })
    t.match(await run(['reload', '--plan', plan.lines[1]?.split(' ').at(-1) ?? '']), { code: 0, lines: [/^Applied as revision \d+ in \d+ ms$/, /^ {2}~ trades changed .* \(rows in flight: drained, \d+ ms\)$/] })
    project.write('pipelines/trades.yaml', pipeline.replace('500', 'many'))
    for (const command of ['plan', 'reload']) t.match((await run([command])).lines.join('\n'), /rejected.*\n {2}pipelines\/trades\.yaml:1:22 input\.generate\.rate: must be a/i)
    const { code, lines } = await run(['reload', '--json'])
    t.equal(code, 1)
    t.match(JSON.parse(lines[0] ?? ''), { outcome: 'rejected' })
    t.match((await run(['status'])).lines.slice(-2), [/wait to be mended/, /^ {2}pipelines\/trades\.yaml:1:22 /])
    project.write('pipelines/trades.yaml', pipeline)
    t.equal((await run(['reload'])).code, 0)
  })

  await t.test('pause, resume and restart', async t => {
    t.match(await run(['pause', 'trades']), { code: 0, lines: ['trades is paused'] })
    t.match(await run(['resume', 'trades']), { code: 0, lines: ['trades is running'] })
    t.match(await run(['restart', 'trades']), { code: 0, lines: ['trades is running'] })
    t.match(await run(['pause', 'nope']), { code: 1, complaints: ['There is no pipeline "nope"'] })
    t.match(await run(['pause', '../../x']), { code: 1, complaints: [/must match pattern/] })
    t.match(await run(['pause']), { code: 2, complaints: ['One pipeline must be named', 'Usage: twolane pause <pipeline>'] })
  })

  await t.test('tail shows the last rows and follows', async t => {
    t.match(await run(['tail', 'trades', '--rows', '2']), { code: 0, lines: [/^\d{4}-\d\d-\d\dT[\d:.]+Z 0:\d+ \{"n":\d+\}$/, /./] })
    const stop = new AbortController()
    const lines: string[] = []
    const following = run(['tail', 'trades', '--follow', '--json', '-n', '1'], {}, { signal: stop.signal, print: line => { lines.push(line) } })
    await eventually('rows come', () => lines.length > 200 || undefined)
    stop.abort()
    t.match(await following, { code: 0, complaints: [] })
    const offsets = lines.map(line => (JSON.parse(line) as { offset: number }).offset)
    t.strictSame(offsets, offsets.map((_, i) => (offsets[0] ?? 0) + i), 'none is missing, none comes twice')
    t.match(await run(['tail', 'nope']), { code: 1, complaints: ['There is no topic "nope"'] })
    t.match(await run(['tail', 'trades', '--rows', '0']), { code: 2, complaints: [/1 to 1000/, /^Usage/] })
  })

  await t.test('query prints rows in any format', async t => {
    t.match((await run(['query', 'select 1 as one'])).lines.join('\n'), /one.*\n.*1 /)
    t.strictSame((await run(['query', 'select 1 as one', '--format', 'JSONEachRow'])).lines, ['{"one":1}'])
    const out = new PassThrough()
    const bytes = text(out)
    t.equal((await run(['query', 'select 1 format CSV'], {}, { out })).code, 0)
    out.end()
    t.equal(await bytes, '1\n')
    t.match(await run(['query', 'select nope']), { code: 1, complaints: [/Unknown expression identifier `nope`/] })
    t.match(await run(['query']), { code: 2 })
  })

  await t.test('wrong tokens and addresses are named', async t => {
    t.match(await run(['status', '--token', 'wrong']), { code: 1, complaints: ['The platform does not know this admin token. Check TWOLANE_ADMIN_TOKEN or --token.'] })
    t.match(await run(['status'], { TWOLANE_ADMIN_TOKEN: 'a-token-that-is-wrong' }), { code: 1, complaints: [/does not know this admin token/] })
    const token = readFileSync(join(project.data, 'admin-token'), 'utf8').trim()
    t.match(await run(['status'], { TWOLANE_URL: `${platform.url}/`, TWOLANE_ADMIN_TOKEN: token }), { code: 0 })
    t.match(await run(['status'], { TWOLANE_URL: platform.url }), { code: 1, complaints: [/token is not known here/] }, 'the local token is for the local platform')
    t.match(await run(['status', '--token', token], { TWOLANE_URL: 'http://127.0.0.1:9' }), { code: 1, complaints: [/No platform answers at http:\/\/127\.0\.0\.1:9: .*ECONNREFUSED/] })
    t.match(await run(['status', '--token', token], { TWOLANE_URL: 'nowhere' }), { code: 1, complaints: [/TWOLANE_URL: "nowhere" is no address/] })
    const stranger = createServer((_, response) => response.end('<html>')).listen(0, '127.0.0.1')
    t.teardown(() => stranger.close())
    await once(stranger, 'listening')
    const other = `http://127.0.0.1:${(stranger.address() as AddressInfo).port}`
    t.match(await run(['plan', '--token', token], { TWOLANE_URL: other }), { code: 1, complaints: [/What answers there is no platform/] })
    rmSync(join(project.data, 'admin-token'))
    t.match(await run(['status']), { code: 1, complaints: ['The admin token is not known here. Set TWOLANE_ADMIN_TOKEN, or give it with --token.'] })
  })

  await platform.kill()
  t.match(await run(['status']), { code: 1, complaints: [/does not run on this data folder/] }, 'an address that a crash left behind is not called')
  writeFileSync(join(project.data, 'owner'), String(process.pid))
  t.match(await run(['status', '--token', 'x']), { code: 1, complaints: [/No platform answers/] })
})

await t.test('simulate runs a source until Ctrl-C', async t => {
  const { terminal, complaints } = capture(root)
  t.equal(await main(['simulate', 'interactive-borkers'], terminal), 2)
  t.match(complaints[0], 'There is no simulator of "interactive-borkers"; did you mean "interactive-brokers"?')
  t.equal(await main(['simulate'], terminal), 2)
  const child = spawn(process.execPath, [join(root, 'runtime/cli/main.ts'), 'simulate', 'interactive-brokers', '--port', '0'], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  t.teardown(() => { if (child.exitCode === null) child.kill('SIGKILL') })
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', chunk => { printed += String(chunk) })
  await eventually('it listens', () => /Interactive Brokers gateway simulator: http/.test(printed) || undefined)
  child.kill('SIGINT')
  t.equal((await once(child, 'exit'))[0], 0, printed)
})

await t.test('tables, sizes and times for people', async t => {
  t.strictSame(table(['A', 'N'], [['x', '1'], ['long', '1000']], ['N']), ['A         N', 'x         1', 'long   1000'])
  t.strictSame([0, 0.01, 1.25, 59.6, 119, 120, 7199, 7200, 172_800].map(duration), ['0s', '0.1s', '1.3s', '60s', '119s', '2m', '120m', '2h', '2d'])
  t.strictSame([0, 1023, 1024, 10_240, 5 * 2 ** 20, 2 ** 50].map(size), ['0 B', '1023 B', '1.0 KB', '10 KB', '5.0 MB', '1024 TB'])
  t.equal(count(1234567.4), '1,234,567')
})

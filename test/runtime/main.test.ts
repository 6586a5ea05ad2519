import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { makeProject, root } from '../system/project.ts'
import { eventually } from '../waiting.ts'
import type { ChildProcess } from 'node:child_process'
import type { Test } from 'tap'
import type { Project } from '../system/project.ts'

const schema = 'fields: { n: { type: int64, required: true, description: N } }'
const counting = 'input: { generate: { rate: 2000, fields: { n: { counter: 1 } } } }\ntopic: trades\noutputs: [{ file: { path: out.ndjson } }]'
const stuck = "export default { kind: 'input', description: 'Does not stop', options: {}, async * read () { await new Promise(resolve => setTimeout(resolve, 2 ** 30)) } }"

interface Run {
  readonly child: ChildProcess
  output (): string
  /** Resolves when the process prints what matches, or rejects when it ends first. */
  prints (pattern: RegExp): Promise<void>
  readonly code: Promise<number | null>
}

/** As from a terminal: in a group of its own, so that a signal can reach all of it. */
function start (t: Test, project: Project, env: Record<string, string> = {}): Run {
  const child = spawn(process.execPath, [join(root, 'runtime/main.ts')], {
    cwd: project.folder, detached: true, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, TWOLANE_PORT: '0', TWOLANE_CLICKHOUSE: 'http://127.0.0.1:9', TWOLANE_ADMIN_TOKEN: '', ...env }
  })
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', chunk => { printed += String(chunk) })
  const code = once(child, 'close').then(([code]) => code as number | null)
  t.teardown(() => { if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL') })
  return {
    child,
    output: () => printed,
    code,
    prints: pattern => eventually(`prints ${pattern}: ${printed}`, () => {
      if (child.exitCode !== null) throw new Error(`It ended: ${printed}`)
      return pattern.test(printed) || undefined
    }).then(() => {})
  }
}

await t.test('a first start tells all in five lines, and Ctrl-C drains', async t => {
  const project = makeProject(t.testdir(), { 'schemas/trades.yaml': schema, 'pipelines/trades.yaml': counting, 'pipelines/bad.yaml': 'topic: x\noutputs: [{ file: a }]' })
  // With the database: a signal to the group reaches it, too, and must not end it before the rest.
  const run = start(t, project, { TWOLANE_CLICKHOUSE: 'embedded', TWOLANE_LOG_LEVEL: 'silent' })
  await run.prints(/Ctrl-C/)
  const lines = run.output().trim().split('\n')
  t.equal(lines.length, 5)
  t.match(lines, [/^Twolane \S+ is running at http:\/\/127\.0\.0\.1:\d+ /, /^Pipelines: trades\. Not running because of problems: pipelines\/bad\.yaml; see npx twolane lint\. Data: /, /^Admin token, shown only this once: tl_[\w-]{43}$/, /^Set up the first user within 30 minutes: http:\/\/127\.0\.0\.1:\d+\/#\/setup\/[\w-]{22}$/, /^See npx twolane status/])
  const token = readFileSync(join(project.data, 'admin-token'), 'utf8').trim()
  t.ok(lines[2]?.endsWith(token), 'the file holds the token')
  t.equal(statSync(join(project.data, 'admin-token')).mode & 0o777, 0o600, 'for the user alone')
  const url = readFileSync(join(project.data, 'address'), 'utf8').trim()
  t.equal((await fetch(`${url}/v1/pipelines`, { headers: { authorization: `Bearer ${token}` } })).status, 200)
  await eventually('rows are written', () => existsSync(join(project.data, 'out.ndjson')) || undefined)

  process.kill(-(run.child.pid as number), 'SIGINT')
  t.equal(await run.code, 0)
  t.equal(run.output().trim().split('\n').length, 5, 'and nothing more is said')
  t.notOk(existsSync(join(project.data, 'address')))
  t.match(readFileSync(join(project.data, 'out.ndjson'), 'utf8'), /\n$/)

  const again = start(t, project, { TWOLANE_LOG_LEVEL: 'silent' })
  await again.prints(/Ctrl-C/)
  t.notMatch(again.output(), /tl_/, 'the token is not shown again')
  t.equal(readFileSync(join(project.data, 'admin-token'), 'utf8').trim(), token)
  again.child.kill('SIGTERM')
  t.equal(await again.code, 0)

  const own = start(t, project, { TWOLANE_LOG_LEVEL: 'silent', TWOLANE_ADMIN_TOKEN: 'a-token-of-my-own-making' })
  await own.prints(/Ctrl-C/)
  t.notOk(existsSync(join(project.data, 'admin-token')), 'the old token is not good any more')
  own.child.kill('SIGINT')
  t.equal(await own.code, 0)
})

await t.test('warnings are shown, and what is less is not', async t => {
  const project = makeProject(t.testdir(), { 'schemas/trades.yaml': schema, 'pipelines/trades.yaml': 'topic: trades\ninput: { generate: { rate: 10, fields: { n: { counter: 1 } } } }\noutputs: [{ http: { url: "http://127.0.0.1:9/" } }]' })
  const run = start(t, project)
  await run.prints(/Failed, trying again/)
  t.notMatch(run.output(), /"level":[123]0/)
  run.child.kill('SIGINT')
  t.equal(await run.code, 0)
})

await t.test('what cannot start says why and ends with 1', async t => {
  const project = makeProject(t.testdir(), {})
  const first = start(t, project)
  await first.prints(/Ctrl-C/)
  const port = /:(\d+) \(health/.exec(first.output())?.[1] ?? ''
  const fails = async (env: Record<string, string>, message: RegExp): Promise<void> => {
    const run = start(t, project, env)
    t.equal(await run.code, 1)
    t.match(run.output(), message)
    t.notMatch(run.output(), /\n\s+at |node:internal/, 'no stack')
  }
  await Promise.all([
    fails({ TWOLANE_PORT: port }, /^Another program, perhaps this platform, listens on 127\.0\.0\.1:\d+\. Stop it, or choose another port with TWOLANE_PORT\.$/m),
    fails({}, /data: Another process \(\d+\) works with the data folder/),
    fails({ TWOLANE_HOST: '0.0.0.0' }, /Other machines can reach 0\.0\.0\.0, and no admin token is set/),
    fails({ TWOLANE_HOST: '0.0.0.0', TWOLANE_ADMIN_TOKEN: 'a-token-of-my-own-making' }, /passwords and tokens would go there in the clear/),
    fails({ TWOLANE_HOST: '203.0.113.7', TWOLANE_ADMIN_TOKEN: 'a-token-of-my-own-making', TWOLANE_INSECURE_HTTP: 'true' }, /cannot listen on 203\.0\.113\.7:0 \(EADDRNOTAVAIL\)/),
    fails({ TWOLANE_PORT: 'high' }, /environment TWOLANE_PORT: must be a whole number/)
  ])
  first.child.kill('SIGINT')
  t.equal(await first.code, 0)
})

await t.test('a plugin that does not stop holds up the end for seconds, and for a second Ctrl-C not at all', async t => {
  const files = { 'schemas/trades.yaml': schema, 'pipelines/trades.yaml': 'input: { stuck: {} }\ntopic: trades', 'plugins/inputs/stuck/index.js': stuck }
  const patient = start(t, makeProject(join(t.testdir(), 'patient'), files))
  const hasty = start(t, makeProject(join(t.testdirName, 'hasty'), files))
  await Promise.all([patient.prints(/Ctrl-C/), hasty.prints(/Ctrl-C/)])
  patient.child.kill('SIGINT')
  hasty.child.kill('SIGINT')
  await new Promise(resolve => setTimeout(resolve, 200))
  hasty.child.kill('SIGINT')
  t.equal(await hasty.code, 130)
  t.equal(patient.child.exitCode, null, 'the other one still waits')
  t.equal(await patient.code, 0)
})

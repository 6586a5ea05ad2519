// Health, canary, tests and status of a real platform, with its database.

import t from 'tap'
import { join } from 'node:path'
import { main } from '../../../runtime/cli/main.ts'
import { capture } from '../cli/capture.ts'
import { makeProject, root, startPlatform } from '../../system/project.ts'
import { eventually } from '../../waiting.ts'
import { readFileSync } from 'node:fs'

interface Health { readonly state: string, readonly sentence: string, readonly canary: { readonly state: string, readonly hops: ReadonlyArray<{ readonly hop: string, readonly ms: number, readonly at: string | null }> }, readonly problems: ReadonlyArray<{ readonly id: string, readonly touches: { readonly datasets: readonly string[] } }>, readonly changes: readonly unknown[] }

const shipped = (file: string): string => readFileSync(join(root, file), 'utf8')
const pipeline = shipped('pipelines/canary.yaml').replace('0.016666666666666666', '2').replace('300000', '500')

await t.test('a platform with a canary', async t => {
  const project = makeProject(join(t.testdir(), 'project'), { 'schemas/canary.yaml': shipped('schemas/canary.yaml'), 'pipelines/canary.yaml': pipeline })
  const platform = await startPlatform(project, { TWOLANE_BACKUP_TO: join(project.folder, 'backups') })
  t.teardown(() => platform.kill())

  await t.test('finds each row at every hop', async t => {
    const found = await eventually('a canary that arrived everywhere', async () => {
      const { body } = await platform.api<{ last: Health['canary'], history: ReadonlyArray<{ hops: ReadonlyArray<{ at: string | null }> }> }>('GET', '/v1/canary')
      return body.last.state === 'ok' && body.history.length > 0 ? body : undefined
    })
    t.same(found.last.hops.map(({ hop }) => hop), ['connector', 'topic', 'streaming database', 'data', 'warehouse', 'lake'])
    t.ok(found.last.hops.every(({ ms, at }) => ms >= 0 && at !== null))
  })

  await t.test('says in a sentence how it is', async t => {
    const body = await eventually('a look after the canary arrived', async () => {
      const { body } = await platform.api<Health>('GET', '/v1/health')
      return body.canary.state === 'ok' ? body : undefined
    })
    t.equal(body.state, 'ok')
    t.match(body.sentence, /up to date, and the canary of \d+ s ago arrived everywhere/)
  })

  await t.test('item 43: details want a token, and the status of all shows no names', async t => {
    for (const path of ['/v1/health', '/v1/canary', '/v1/tests', '/v1/alerts', '/v1/backups', '/metrics']) t.equal((await fetch(`${platform.url}${path}`)).status, 401, path)
    t.same(await (await fetch(`${platform.url}/healthz`)).json(), { status: 'ok' })
    const status = await fetch(`${platform.url}/v1/status`)
    t.equal(status.status, 200)
    t.same(((await status.json()) as { datasets: unknown[] }).datasets, [])
    const badge = await fetch(`${platform.url}/v1/status.svg`)
    t.match(badge.headers.get('content-type'), /image\/svg\+xml/)
    t.match(await (await fetch(`${platform.url}/readyz`, { headers: { 'x-forwarded-for': '203.0.113.9' } })).text(), /^(?!.*failing)/)
  })

  await t.test('is tested by a command, and the backup is brought back', async t => {
    const run = async (...args: string[]): Promise<{ readonly code: number, readonly text: string }> => {
      const { terminal, lines, complaints } = capture(project.folder, { TWOLANE_ADMIN_TOKEN: 'a-token-for-tests-only' })
      return { code: await main(args, terminal), text: [...lines, ...complaints].join('\n') }
    }
    t.equal((await run('backup')).code, 0)
    const all = await run('check')
    t.equal(all.code, 0, all.text)
    t.match(all.text, /tables +ok +\d tables are as their schemas say/)
    t.match(all.text, /backup +ok .*were brought back/)
    t.equal((await run('check', 'nonsense')).code, 1)
    const { body } = await platform.api<{ tests: Array<{ test: string, state: string, at: string | null }> }>('GET', '/v1/tests')
    t.ok(body.tests.every(({ state, at }) => state !== 'failed' && at !== null))
  })

  await t.test('names a file that is broken, and the quick tests run after a reload', async t => {
    project.write('pipelines/copy.yaml', 'topic: canary\noutputs: [{ file: { path: out.ndjson } }]\n')
    t.equal((await platform.api<{ outcome: string }>('POST', '/v1/reload')).body.outcome, 'applied')
    project.write('pipelines/broken.yaml', 'topic: nowhere\n')
    await platform.api('POST', '/v1/reload')
    const { changes } = await eventually('the problem', async () => {
      const { body } = await platform.api<Health>('GET', '/v1/health')
      return body.problems.some(({ id }) => id === 'file/pipelines/broken.yaml') ? body : undefined
    })
    t.ok(changes.length > 1, 'both reloads are among the changes')
    await eventually('a run of the tests', async () => (await platform.api<{ runs: Array<{ started_by: string }> }>('GET', '/v1/jobs/tests/runs')).body.runs.find(({ started_by: by }) => by.startsWith('reload ')))
  })
})

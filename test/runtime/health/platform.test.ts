// Health, canary, tests and status of a real platform, with its database.

import t from 'tap'
import { join } from 'node:path'
import { main } from '../../../runtime/cli/main.ts'
import { capture } from '../cli/capture.ts'
import { makeProject, root, startPlatform } from '../../system/project.ts'
import { eventually } from '../../waiting.ts'
import { readFileSync, truncateSync } from 'node:fs'

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

  await t.test('and as numbers for Prometheus', async t => {
    const { body } = await platform.api<string>('GET', '/metrics')
    for (const line of ['twolane_health_state 0', 'twolane_part_state{part="Lake"} 0', 'twolane_problems{severity="error"} 0', 'twolane_canary_hop_late{hop="warehouse"} 0', 'twolane_alerts_open{severity="error"} 0', 'twolane_engine_ends_total{kind="hung"} 0']) t.ok(body.includes(`\n${line}\n`), line)
    t.match(body, /\ntwolane_canary_hop_seconds\{hop="data"\} [\d.]+\n[^]*\ntwolane_canary_age_seconds [\d.]+\n/)
    t.notMatch(body, /twolane_backup_age_seconds \d/, 'there is none yet')
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

await t.test('a database that cannot read a part is restarted, and goes on with what the part was merged from', async t => {
  const rows = 3000
  const project = makeProject(join(t.testdir(), 'project'), {
    'schemas/rows.yaml': 'event_time: t\nfields:\n  n: { type: int64, required: true, description: Number of the row }\n  t: { type: timestamp(ms), required: true, description: Time of the row, cast: { unit: ms } }\n',
    'pipelines/rows.yaml': `
input: { generate: { rate: 1000, count: ${rows}, fields: { n: { counter: 1 }, t: { counter: 1704205800000 } } } }
topic: rows
transforms: [mapping: rows]
outputs:
  - streaming-database: {}
    flush: { rows: 200, ms: 100 }
`
  })
  const platform = await startPlatform(project)
  t.teardown(() => platform.kill())
  const sum = async (): Promise<Array<{ total: string, sum: string }>> => platform.query('SELECT count() AS total, sum(n) AS sum FROM streaming.rows')
  const all = [{ total: String(rows), sum: String(rows * (rows + 1) / 2) }]
  await eventually('all rows', async () => JSON.stringify(await sum().catch(() => [])) === JSON.stringify(all) || undefined)
  const merged = await eventually('a part that was merged', async () => {
    const [part] = await platform.query<{ path: string }>('SELECT path FROM system.parts WHERE database = \'streaming\' AND table = \'rows\' AND active AND level > 0 ORDER BY rows DESC LIMIT 1')
    return part?.path
  })

  // What a merge leaves behind that ended where nothing could be written.
  truncateSync(join(merged, 'data.bin'), 0)
  await t.rejects(sum(), 'the part cannot be read')
  await eventually('queries fail often enough to be believed', async () => {
    await sum().catch(() => { /* until it is restarted */ })
    return /it is restarted, so that it takes what the damaged part was merged from/.test(platform.output()) || undefined
  }, 500)
  await eventually('all rows again', async () => JSON.stringify(await sum().catch(() => [])) === JSON.stringify(all) || undefined)
})

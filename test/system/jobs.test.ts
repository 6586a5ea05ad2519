import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { range } from '../conform/broker.ts'
import { files, job, write } from '../runtime/jobs/ledger.ts'
import { makeProject, startPlatform } from './project.ts'
import { eventually } from '../waiting.ts'
import type { RunDetail, ShownJob, ShownRun } from '../../runtime/cli/job.ts'
import type { RunningPlatform } from './project.ts'

const KILLS = 3
const env = { TWOLANE_CLICKHOUSE: 'http://127.0.0.1:9', TWOLANE_LOG_LEVEL: 'silent' }

await t.test('a run that is killed again and again goes on under its id, and every row is there once', async t => {
  const project = makeProject(t.testdir(), { ...files, 'ledger.txt': '1000 hang', 'pipelines/one.yaml': job('one', 'manual').replace('rows: 1000000', 'rows: 100') })
  let platform: RunningPlatform | undefined
  t.teardown(() => platform?.kill())
  const run = async (id: string): Promise<RunDetail> => (await (platform as RunningPlatform).api<RunDetail>('GET', `/v1/jobs/one/runs/${id}`)).body

  platform = await startPlatform(project, env)
  const { body: { id } } = await platform.api<ShownRun>('POST', '/v1/jobs/one/runs')
  for (let kill = 1; kill <= KILLS; kill++) {
    // The source hangs behind these rows, so that the run cannot end; the output is at work on them.
    await eventually('its rows are in the topic', async () => {
      const { body: { topics } } = await (platform as RunningPlatform).api<{ topics: Array<{ name: string, partitions: Array<{ next: number }> }> }>('GET', '/v1/topics')
      return topics.find(({ name }) => name === 'one')?.partitions[0]?.next === kill * 1000 || undefined
    })
    t.match(await run(id), { state: 'running', attempt: kill })
    await platform.kill()
    write(project.folder, kill === KILLS ? '4000' : `${(kill + 1) * 1000} hang`)
    platform = await startPlatform(project, env)
  }
  const ended = await eventually('it ends', async () => {
    const detail = await run(id)
    return detail.ended > 0 ? detail : undefined
  })
  t.match(ended, { id, state: 'succeeded' })
  t.equal(ended.attempts.filter(({ outcome }) => outcome === 'interrupted').length, KILLS)
  t.equal(ended.attempts.at(-1)?.outcome, 'succeeded')
  t.equal((await platform.api<{ runs: ShownRun[] }>('GET', '/v1/jobs/one/runs')).body.runs.length, 1)
  const rows = readFileSync(join(project.data, 'one.ndjson'), 'utf8').trim().split('\n').map(line => (JSON.parse(line) as { n: number }).n)
  t.strictSame(rows, range(0, 4000))
  t.equal(await platform.stop(), 0)
})

await t.test('a schedule goes on over a restart, and a stop in the middle of a run leaves it to the next start', async t => {
  const project = makeProject(t.testdir(), { ...files, 'ledger.txt': '100 hang', 'pipelines/one.yaml': job('one', '{ every: 1s, catch_up: once }') })
  let platform = await startPlatform(project, env)
  t.teardown(() => platform.kill())
  const shown = async (): Promise<ShownJob> => (await platform.api<ShownJob>('GET', '/v1/jobs/one')).body
  const first = await eventually('the schedule begins a run', async () => {
    const { running } = await shown()
    return (running?.rows ?? 0) >= 100 ? running : undefined
  })
  t.match(first, { kind: 'scheduled', started_by: 'schedule' })
  t.equal((first.to - first.from) % 1000, 0)
  t.equal(await platform.stop(), 0, 'it stops in time although the source hangs')

  write(project.folder, '150')
  platform = await startPlatform(project, env)
  const runs = await eventually('it is finished, and the schedule goes on', async () => {
    const { body: { runs } } = await platform.api<{ runs: ShownRun[] }>('GET', '/v1/jobs/one/runs')
    return runs.filter(({ state }) => state === 'succeeded').length >= 3 ? runs.toReversed() : undefined
  })
  t.match(runs[0], { id: first.id, state: 'succeeded', attempt: 2, rows: 150 })
  for (const [i, { from }] of runs.entries()) if (i > 0) t.equal(from, runs[i - 1]?.to, 'no time is left out, and none comes twice')
  t.equal(await platform.stop(), 0)
})

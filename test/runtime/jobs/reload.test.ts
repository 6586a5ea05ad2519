import { rmSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { openJobs } from '../../../runtime/jobs/open.ts'
import { until } from '../../conform/context.ts'
import { goesOn, numbered, openShop } from '../shop.ts'
import { files, job, write } from './ledger.ts'
import type { Test } from 'tap'
import type { Jobs } from '../../../runtime/jobs/jobs.ts'
import type { RunRecord } from '../../../runtime/jobs/record.ts'
import type { Platform } from '../../../runtime/platform.ts'
import type { Shop } from '../shop.ts'

function open (t: Test, { supervisor, store, project }: Shop): Jobs {
  const log = { error () {}, warn () {}, info () {}, debug () {} }
  // What the jobs of pipelines need of a platform.
  const jobs = openJobs({ root: project.folder, supervisor, store, log, config: { secrets: [] }, clickhouse: undefined, warehouse: undefined } as unknown as Platform, { isControl: true }, () => {})
  jobs.open()
  t.teardown(() => jobs.close(5000))
  return jobs
}

function ended (jobs: Jobs, { id }: RunRecord): Promise<void> {
  return until(() => jobs.run('one', id).ended > 0, 'the run ends')
}

const start = (jobs: Jobs): RunRecord => jobs.start('one', { startedBy: 'test' })

await t.test('a job is added, changed, paused and removed by a reload like a stream', async t => {
  const shop = await openShop(t, { ...files })
  const jobs = open(t, shop)
  const { supervisor, project } = shop
  const change = async (): Promise<unknown> => (await supervisor.reload()).changes.map(({ pipeline, change }) => [pipeline, change])
  project.write('pipelines/one.yaml', job('one', 'manual'))
  t.strictSame(await change(), [['one', 'added']])
  t.strictSame(await change(), [])
  t.match(shop.status('one'), { state: 'scheduled', healthy: true })
  await ended(jobs, start(jobs))

  project.write('pipelines/one.yaml', job('one', '{ every: 1s }'))
  t.strictSame(await change(), [['one', 'changed']])
  await until(() => jobs.history('one', { limit: 10 }).some(({ kind, ended }) => kind === 'scheduled' && ended > 0), 'the schedule begins runs')
  await supervisor.pause('one')
  t.match(shop.status('one'), { state: 'paused', healthy: true })
  t.equal(jobs.job('one').next, undefined)
  await supervisor.resume('one')
  t.not(jobs.job('one').next, undefined)

  project.write('pipelines/one.yaml', job('one', '{ every: 1x }'))
  t.match(await supervisor.reload(), { outcome: 'rejected', reason: /schedule\.every/ })
  t.not(jobs.job('one').next, undefined, 'it goes on as it was')
  rmSync(join(project.folder, 'pipelines/one.yaml'))
  t.strictSame(await change(), [['one', 'removed']])
  t.throws(() => jobs.job('one'), { code: 'NOT_FOUND' })
})

await t.test('a job whose plugin cannot be opened is refused by the reload', async t => {
  const shop = await openShop(t, { ...files, 'pipelines/one.yaml': job('one', 'manual') })
  open(t, shop)
  const broken = "export default { kind: 'transform', description: 'Breaks', options: {}, open () { throw new Error('It has no key') } }"
  shop.project.write('plugins/transforms/broken/index.ts', broken)
  shop.project.write('pipelines/one.yaml', job('one', 'manual').replace('outputs:', 'transforms: [broken]\noutputs:'))
  t.match(await shop.supervisor.reload(), { outcome: 'rejected', reason: /one: .*It has no key/ })
})

await t.test('a run that is under way when its job becomes a stream is cancelled first, and its file changes for the next run only', async t => {
  const shop = await openShop(t, { ...files, 'ledger.txt': '250 hang', 'pipelines/one.yaml': job('one', 'manual') })
  const jobs = open(t, shop)
  const { project, supervisor } = shop
  const first = start(jobs)
  await until(() => jobs.run('one', first.id).rows >= 100, 'it reads')
  project.write('pipelines/one.yaml', job('one', '{ retries: 1 }'))
  t.match(await supervisor.reload(), { outcome: 'applied' })
  t.match(jobs.run('one', first.id), { state: 'running' }, 'it goes on under the revision that it began with')
  project.write('pipelines/one.yaml', numbered('one'))
  t.match(await supervisor.reload(), { outcome: 'applied', changes: [{ change: 'changed' }] })
  t.match(jobs.run('one', first.id), { state: 'cancelled' })
  await goesOn(shop, 'one.ndjson')
  write(project.folder, '0')
  project.write('pipelines/one.yaml', job('one', 'manual'))
  t.match(await supervisor.reload(), { outcome: 'applied', changes: [{ change: 'changed', inFlight: 'drained' }] })
  t.match(shop.status('one'), { state: 'scheduled' })
})

await t.test('a thread that dies fails the attempt and nothing else, and the run is tried again', async t => {
  const shop = await openShop(t, { ...files, 'schemas/two.yaml': files['schemas/one.yaml'], 'pipelines/two.yaml': numbered('two'), 'pipelines/one.yaml': job('one', '{ retries: 1, retry_delay: 100ms }') })
  const jobs = open(t, shop)
  const exiting = files['plugins/inputs/ledger/index.ts'].replace("log.info({ run, checkpoint }, 'Reading the ledger')", 'if (checkpoint === undefined) process.exit(3)')
  shop.project.write('plugins/inputs/ledger/index.ts', exiting)
  t.match(await shop.supervisor.reload(), { outcome: 'applied' })
  const run = start(jobs)
  await ended(jobs, run)
  t.match(jobs.run('one', run.id), { state: 'failed', error: /process\.exit\(3\) was called/, attempts: [{ outcome: 'failed' }, { outcome: 'failed' }] })
  await goesOn(shop, 'two.ndjson')
  t.match(shop.status('two'), { restarts: 0 })
})

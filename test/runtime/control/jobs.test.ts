import { Writable } from 'node:stream'
import t from 'tap'
import { main } from '../../../runtime/cli/main.ts'
import { capture } from '../cli/capture.ts'
import { dated, files, job, write } from '../jobs/ledger.ts'
import { eventually } from '../../waiting.ts'
import { startEndpoint, token } from './endpoint.ts'
import type { RunDetail, ShownJob, ShownRun } from '../../../runtime/cli/job.ts'
import type { Answer } from './endpoint.ts'

const DAY_MS = 86_400_000

await t.test('jobs and runs over the admin endpoint and the command line', async t => {
  const endpoint = await startEndpoint(t, {
    ...files,
    'plugins/inputs/dated/index.ts': dated,
    'pipelines/stream.yaml': 'topic: one\noutputs: [{ file: { path: stream.ndjson } }]',
    'pipelines/rested.yaml': job('one', 'manual', 'enabled: false').replace('one.ndjson', 'rested.ndjson'),
    'pipelines/moved.yaml': job('one', 'manual').replace('ledger', 'dated').replace('one.ndjson', 'moved.ndjson'),
    'pipelines/one.yaml': job('one', 'manual', 'description: A ledger'),
    'pipelines/daily.yaml': job('one', "{ cron: '0 6 * * *', time_zone: America/New_York, retries: 0 }").replace('ledger', 'dated').replace('one.ndjson', 'daily.ndjson')
  })
  const { ask, project } = endpoint
  const post = (url: string, payload: object = {}): Promise<Answer> => ask('POST', url, { headers: { 'content-type': 'application/json' }, payload })
  const cli = async (...args: string[]): Promise<{ code: number, lines: string[], complaints: string[] }> => {
    const { terminal, lines, complaints } = capture(project.folder, { TWOLANE_ADMIN_TOKEN: token })
    return { code: await main(['job', ...args], terminal), lines, complaints }
  }
  const ended = (job: string, run: string): Promise<RunDetail> => eventually(`${run} ends`, async () => {
    const detail = (await ask('GET', `/v1/jobs/${job}/runs/${run}`)).json<RunDetail>()
    return detail.ended > 0 ? detail : undefined
  })

  await t.test('a job is listed with its schedule and its next fire, and as a pipeline', async t => {
    const { jobs } = (await ask('GET', '/v1/jobs')).json<{ jobs: ShownJob[] }>()
    t.match(jobs.filter(({ kind }) => kind === 'pipeline'), [{ id: 'daily', schedule: '0 6 * * * America/New_York', words: 'At 06:00', zone: 'America/New_York', next: { length: 3 } }, { id: 'moved' }, { id: 'one', schedule: 'manual', words: 'Started by hand', next: { length: 0 }, description: 'A ledger', queued: 0, healthy: true }])
    t.match((await ask('GET', '/v1/pipelines/one')).json(), { state: 'scheduled', healthy: true })
    t.equal((await ask('GET', '/v1/jobs/nobody')).json<{ code: string }>().code, 'NOT_FOUND')
    t.match((await ask('POST', '/v1/pipelines/one/restart')).json(), { code: 'REQUEST_INVALID', remedy: /job run one/ })
  })

  await t.test('a run is started, and says what it did', async t => {
    t.match((await ask('POST', '/v1/jobs/replay/runs')).json(), { code: 'REQUEST_INVALID', detail: /needs topic and into/, remedy: /npx twolane replay/ }, 'none begins that can only fail')
    t.match((await ask('POST', '/v1/jobs/backup/runs')).json(), { code: 'BACKUP_REFUSED', remedy: /backup_to/ }, 'nor without a place')
    const begun = await ask('POST', '/v1/jobs/one/runs')
    t.match(begun, { statusCode: 202 })
    const run = begun.json<ShownRun>()
    t.match(run, { job: 'one', kind: 'manual', state: 'queued', from: 0, started_by: 'admin' })
    const detail = await ended('one', run.id)
    t.match(detail, { state: 'succeeded', rows: 250, attempt: 1, steps: [{ step: 'input.ledger', rows: 250 }, { step: 'outputs.file', rows: 250 }], attempts: [{ outcome: 'succeeded' }] })
    t.match(detail.log.find(({ message }) => message === 'Reading the ledger'), { level: 'info', fields: { run: { id: run.id, kind: 'manual', from: 0, to: run.to } } })
    write(project.folder, '300')
    const next = await ended('one', (await post('/v1/jobs/one/runs')).json<ShownRun>().id)
    t.match(next, { state: 'succeeded', rows: 50, from: run.to }, 'from where the last one that succeeded ended')
    t.match((await ask('GET', '/v1/jobs/one/runs')).json(), { runs: [{ id: next.id }, { id: run.id }] })
    t.match((await ask('GET', `/v1/jobs/one/runs?before=${next.id}&limit=1`)).json(), { runs: [{ id: run.id }] })
    t.match((await ask('GET', '/v1/jobs/one/runs/nothing')).json(), { code: 'NOT_FOUND' })
  })

  await t.test('a second run at once is refused and names the first one, which can be cancelled', async t => {
    write(project.folder, '400 hang')
    const { id } = (await post('/v1/jobs/one/runs')).json<ShownRun>()
    const second = await post('/v1/jobs/one/runs')
    t.match(second, { statusCode: 409 })
    t.match(second.json(), { code: 'JOB_RUNNING', detail: new RegExp(id), remedy: new RegExp(`job cancel one ${id}`) })
    await eventually('it has read', async () => (await ask('GET', `/v1/jobs/one/runs/${id}`)).json<RunDetail>().rows === 100 || undefined)
    t.match((await ask('GET', '/v1/pipelines/one')).json(), { state: 'running' })
    t.match(await ask('POST', `/v1/jobs/one/runs/${id}/cancel`), { statusCode: 202 })
    t.match(await ended('one', id), { state: 'cancelled', rows: 100 })
    t.match((await ask('POST', `/v1/jobs/one/runs/${id}/cancel`)).json(), { code: 'RUN_ENDED', status: 409 })
    t.equal((await ask('GET', '/v1/jobs/one')).json<ShownJob>().healthy, true, 'a cancelled run is no failure')
  })

  await t.test('a run that fails makes the job unhealthy until one succeeds', async t => {
    write(project.folder, '900 fail 0')
    t.match(await cli('run', 'daily'), { code: 1, lines: [/daily \w+ queued|running/, /./] })
    const failed = (await ask('GET', '/v1/jobs/daily')).json<ShownJob>()
    t.match(failed, { healthy: false, last: { state: 'failed', error: 'The ledger is torn', step: 'input.dated' } })
    t.match((await ask('GET', '/readyz')).json(), { ready: false })
    t.match((await ask('GET', '/v1/pipelines/daily')).json(), { state: 'scheduled', healthy: false, reasons: [/Its last run \w+ failed: input\.dated: The ledger is torn/] })
    t.match((await cli('show', 'daily', failed.last?.id ?? '')).lines.join('\n'), /Reason: input\.dated: The ledger is torn[^]*STEP[^]*Reading the ledger/)
    write(project.folder, '900')
    const { code, lines } = await cli('run', 'daily')
    t.equal(code, 0)
    t.match(lines.at(-1), /^daily \w+ succeeded: 800 rows in /)
    t.equal((await ask('GET', '/v1/jobs/daily')).json<ShownJob>().healthy, true)
  })

  await t.test('a backfill shows its intervals, and runs them in order', async t => {
    const dry = (await post('/v1/jobs/daily/backfills', { from: '2024-03-08', to: '2024-03-12', dry_run: true })).json<{ intervals: Array<{ from: number, to: number }>, runs: ShownRun[] }>()
    // The clocks of New York went forward on the 10th.
    const fires = ['2024-03-08T11:00Z', '2024-03-09T11:00Z', '2024-03-10T10:00Z', '2024-03-11T10:00Z'].map(text => Date.parse(text))
    t.strictSame(dry.intervals.map(({ from }) => from), [Date.parse('2024-03-08T00:00Z'), ...fires])
    t.strictSame(dry.intervals.map(({ to }) => to), [...fires, Date.parse('2024-03-12T00:00Z')])
    t.match(dry, { dry_run: true, runs: [] })
    for (const dryRun of [null, 0, 'false']) t.equal((await post('/v1/jobs/daily/backfills', { from: '2024-03-08', to: '2024-03-12', dry_run: dryRun })).statusCode, 422, `${JSON.stringify(dryRun)} is no false`)
    t.match((await cli('backfill', 'daily', '--from', '2024-03-08', '--to', '2024-03-09', '--dry-run')).lines, ['2024-03-08T00:00:00Z ▶ 2024-03-08T11:00:00Z', '2024-03-08T11:00:00Z ▶ 2024-03-09T00:00:00Z', /^Its rows come on top of those that are there, unless the schema says .*unique$/])
    t.equal((await cli('backfill', 'handoff', '--from', '2024-03-08', '--to', '2024-03-09', '--dry-run')).lines.some(line => line.includes('on top')), false, 'a task of the platform adds none')
    t.match((await cli('backfill', 'daily', '--from', '2024-03-08', '--to', '2024-03-09', '--dry-run', '--json')).lines.map(line => JSON.parse(line) as unknown[]), [{ length: 2 }])
    write(project.folder, '10')
    const { code, lines } = await cli('backfill', 'daily', '--from', '2024-03-08', '--to', '2024-03-09')
    t.equal(code, 0)
    t.equal(lines.filter(line => line.includes('succeeded: 10 rows')).length, 2)
    const { runs } = (await ask('GET', '/v1/jobs/daily/runs?limit=2')).json<{ runs: ShownRun[] }>()
    t.match(runs, [{ kind: 'backfill', from: fires[0] }, { kind: 'backfill', to: fires[0] }])
    t.ok((runs[0]?.started ?? 0) >= (runs[1]?.ended ?? Infinity), 'one after the other')
    t.match((await post('/v1/jobs/moved/backfills', { from: 0, to: DAY_MS, dry_run: true })).json(), { intervals: [{ from: 0, to: DAY_MS }] }, 'of a manual job it is one')
  })

  await t.test('a backfill is refused where the input would take everything in each run', async t => {
    for (const dryRun of [true, false]) {
      const refused = await post('/v1/jobs/one/backfills', { from: 0, to: DAY_MS, dry_run: dryRun })
      t.match(refused, { statusCode: 400 })
      t.match(refused.json(), { code: 'REQUEST_INVALID', detail: 'The input ledger of one does not read an interval: each run would take everything again', remedy: /^npx twolane job run one takes what is new/ })
    }
    t.match(await cli('backfill', 'one', '--from', '2024-03-08', '--to', '2024-03-09', '--dry-run'), { code: 1, lines: [], complaints: [/does not read an interval/] })
  })

  await t.test('what is no job is told from what there is not', async t => {
    t.match((await post('/v1/jobs/stream/runs')).json(), { code: 'NOT_FOUND', detail: 'stream is a stream: it runs all the time; a job has a schedule' })
    t.match((await post('/v1/jobs/rested/runs')).json(), { code: 'NOT_FOUND', detail: 'rested is disabled', remedy: /pipelines\/rested\.yaml/ })
    t.match((await post('/v1/jobs/dayly/runs')).json(), { code: 'NOT_FOUND', detail: 'There is no job "dayly"; did you mean "daily"?' })
    t.match(await cli('run', 'stream'), { code: 1, complaints: [/stream is a stream: it runs all the time; a job has a schedule/] })
  })

  await t.test('what cannot be meant is refused', async t => {
    const code = async (answer: Promise<Answer>): Promise<[number, string]> => {
      const { statusCode, json } = await answer
      return [statusCode, json<{ code: string }>().code]
    }
    t.strictSame(await code(post('/v1/jobs/nobody/runs')), [404, 'NOT_FOUND'])
    t.strictSame(await code(post('/v1/jobs/one/runs', { from: 'yesterday' })), [400, 'REQUEST_INVALID'])
    t.strictSame(await code(post('/v1/jobs/one/runs', { from: 2, to: 1 })), [400, 'REQUEST_INVALID'])
    t.strictSame(await code(post('/v1/jobs/one/runs', { params: { a: 1 } })), [400, 'REQUEST_INVALID'])
    t.strictSame(await code(post('/v1/jobs/one/runs', { form: 1 })), [422, 'REQUEST_INVALID'])
    t.strictSame(await code(post('/v1/jobs/one/backfills', { from: 1 })), [422, 'REQUEST_INVALID'])
    t.strictSame(await code(post('/v1/jobs/daily/backfills', { from: 0, to: 1001 * DAY_MS })), [400, 'REQUEST_INVALID'])
    t.match(await cli('dance'), { code: 2, complaints: [/no "job dance"/, /Usage/] })
    t.match(await cli('run'), { code: 2 })
    t.match(await cli('cancel', 'one'), { code: 1, complaints: ['No run of one is under way'] })
    t.match(await cli('run', 'one', '--param', 'x'), { code: 2 })
  })

  await t.test('the command line lists, shows and watches', async t => {
    t.match((await cli()).lines, [/^JOB +STATE +SCHEDULE +NEXT +LAST RUN +ROWS +REASON/])
    t.match((await cli('list')).lines.join('\n'), /\ndaily +scheduled +0 6 \* \* \* America\/New_York +in \d+[smh] +succeeded [\d.]+[smh] ago +10/)
    t.match((await cli('show', 'one')).lines.join('\n'), /^one \(pipeline\): A ledger\nSchedule: manual\n\nRUN +STATE/)
    const drawn: string[] = []
    const out = Object.assign(new Writable({ write: (chunk, _encoding, done) => { drawn.push(String(chunk)); done() } }), { isTTY: true })
    const { terminal, lines } = capture(project.folder, { TWOLANE_ADMIN_TOKEN: token })
    t.equal(await main(['job', 'run', 'one'], { ...terminal, out }), 0)
    t.match(drawn.join(''), /\r.*one \w+ (?:queued|running).* rows/)
    t.match(lines, [/^one \w+ succeeded/])
    const { lines: [begun] } = await cli('run', 'one', '--no-wait', '--json')
    t.match(JSON.parse(begun ?? ''), { state: 'queued' })
    const status = capture(project.folder, { TWOLANE_ADMIN_TOKEN: token })
    await main(['status'], status.terminal)
    t.match(status.lines.join('\n'), /\nJOB +STATE[^]*\none +\w+ +manual/)
  })
})

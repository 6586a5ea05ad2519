import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { PlatformError } from '../../../runtime/errors.ts'
import { Jobs } from '../../../runtime/jobs/jobs.ts'
import { newRecord } from '../../../runtime/jobs/record.ts'
import { Runs } from '../../../runtime/jobs/runs.ts'
import { manual } from '../../../runtime/jobs/schedule.ts'
import { until } from '../../conform/context.ts'
import type { Test } from 'tap'
import type { JobLimits } from '../../../runtime/jobs/job-limits.ts'
import type { Job } from '../../../runtime/jobs/jobs.ts'
import type { RunRecord } from '../../../runtime/jobs/record.ts'
import type { Schedule } from '../../../runtime/jobs/schedule.ts'
import type { TaskContext } from '../../../runtime/jobs/task.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const start = Date.UTC(2024, 0, 2, 12)
const hourly: Schedule['when'] = { kind: 'every', ms: HOUR }

type Work = (context: TaskContext) => Promise<void> | void

/** Jobs on a clock that the test owns: nothing happens but in `look`. */
class Office {
  now = start
  control = true
  paused = false
  jobs: Jobs
  list: Job[]
  readonly database: DatabaseSync
  readonly #limits: Partial<JobLimits>
  /** Those of the processes that died. */
  readonly #dead: Jobs[] = []

  constructor (t: Test, work: Work, schedule: Partial<Schedule> = {}, limits: Partial<JobLimits> = {}) {
    this.database = new DatabaseSync(':memory:')
    this.#limits = { lookMs: 2 ** 30, ...limits }
    this.list = [this.job('a', work, schedule)]
    this.jobs = this.#make()
    this.jobs.open()
    t.teardown(async () => {
      for (const jobs of [this.jobs, ...this.#dead]) await jobs.close(5000)
      this.database.close()
    })
  }

  job (id: string, work: Work, schedule: Partial<Schedule> = {}): Job {
    return { kind: 'task', paused: false, task: { id, description: '', schedule: { ...manual, retries: 0, ...schedule }, run: async context => { await work(context) } } }
  }

  /** As after a crash: nothing was closed. */
  restart (): void {
    this.#dead.push(this.jobs)
    this.jobs = this.#make()
    this.jobs.open()
  }

  look (): void {
    this.jobs.look()
  }

  /** The runs of a job, oldest first. */
  runs (job = 'a'): RunRecord[] {
    return this.jobs.history(job, { limit: 1000 }).reverse()
  }

  /** Begin and end of them, in hours after the start. */
  intervals (): Array<[number, number]> {
    return this.runs().map(({ from, to }) => [(from - start) / HOUR, (to - start) / HOUR])
  }

  async settled (job = 'a'): Promise<RunRecord[]> {
    await until(() => this.runs(job).every(({ ended }) => ended > 0), 'all runs have ended')
    return this.runs(job)
  }

  /** Looks until nothing is due any more. */
  async idle (): Promise<void> {
    while (true) {
      this.look()
      const before = this.runs().length
      await this.settled()
      this.look()
      if (this.runs().length === before) return
    }
  }

  async at (hours: number): Promise<void> {
    this.now = start + hours * HOUR
    await this.idle()
  }

  #make (): Jobs {
    return new Jobs({
      runs: new Runs(this.database),
      jobs: () => this.list.map(job => ({ ...job, paused: this.paused })),
      isControl: () => this.control,
      now: () => this.now,
      log: { error () {}, warn () {}, info () {}, debug () {} },
      forward () {},
      mask: text => text.replaceAll('hunter2', '***'),
      limits: this.#limits
    })
  }
}

await t.test('a schedule runs each interval once, from one fire to the next', async t => {
  const seen: Array<TaskContext['run']> = []
  const office = new Office(t, ({ run }) => { seen.push(run) }, { when: hourly })
  await office.at(0.5)
  t.strictSame(office.intervals(), [], 'what is past when it is first seen stays so')
  await office.at(1)
  await office.at(2.001)
  t.strictSame(office.intervals(), [[0, 1], [1, 2]])
  t.match(seen[0], { kind: 'scheduled', from: start, to: start + HOUR })
  t.match(office.runs(), [{ state: 'succeeded', startedBy: 'schedule' }, { startedBy: 'schedule' }])
})

await t.test('runs that were missed while the platform was down are caught up as the file says', async t => {
  for (const [catchUp, expected] of [['none', [[0, 1]]], ['once', [[0, 1], [1, 5]]], ['each', [[0, 1], [1, 2], [2, 3], [3, 4], [4, 5]]]] as const) {
    const office = new Office(t, () => {}, { when: hourly, catchUp })
    office.look()
    await office.at(1)
    office.restart()
    await office.at(5.5)
    t.strictSame(office.intervals(), expected, catchUp)
    t.ok(office.runs().slice(1).every(({ startedBy }) => startedBy === 'catch_up'))
    await office.at(6)
    t.strictSame(office.intervals().at(-1), [5, 6], `${catchUp}: then as before`)
  }
})

await t.test('a clock that is set back a day runs nothing twice, and one that jumps ahead catches up', async t => {
  const office = new Office(t, () => {}, { when: hourly, catchUp: 'each' })
  await office.at(0.1)
  await office.at(2)
  office.now -= DAY
  await office.idle()
  office.restart()
  await office.at(-10)
  await office.at(1.5)
  t.strictSame(office.intervals(), [[0, 1], [1, 2]])
  t.match(office.jobs.job('a'), { next: start + 3 * HOUR })
  await office.at(3)
  t.strictSame(office.intervals().at(-1), [2, 3])
  await office.at(27)
  t.strictSame(office.intervals().slice(-24).map(([from]) => from), Array.from({ length: 24 }, (_, i) => i + 3), 'each hour of the day that it jumped')
  office.now -= DAY
  await office.idle()
  t.equal(office.runs().length, 27)
})

await t.test('a manual run after the clock was set back has an interval that is not upside down', async t => {
  const office = new Office(t, () => {})
  t.match(office.jobs.start('a', { startedBy: 'test' }), { from: 0, to: start, kind: 'manual' })
  await office.idle()
  office.now += HOUR
  t.match(office.jobs.start('a', { startedBy: 'test' }), { from: start, to: start + HOUR })
  await office.idle()
  office.now -= DAY
  t.match(office.jobs.start('a', { startedBy: 'test' }), { from: start + HOUR - DAY, to: start + HOUR - DAY })
  await office.idle()
})

await t.test('fires while a run is under way follow catch_up, and runs of one job never overlap', async t => {
  for (const [catchUp, expected] of [['none', [[0, 1], [4, 5]]], ['once', [[0, 1], [1, 4], [4, 5]]], ['each', [[0, 1], [1, 2], [2, 3], [3, 4], [4, 5]]]] as const) {
    let gate = Promise.withResolvers<void>()
    let [atOnce, most] = [0, 0]
    const office = new Office(t, async () => {
      most = Math.max(most, ++atOnce)
      await gate.promise
      atOnce--
    }, { when: hourly, catchUp })
    office.look()
    for (const hour of [1, 2, 3, 4]) {
      office.now = start + hour * HOUR
      office.look()
    }
    t.equal(office.runs().length, 1)
    gate.resolve()
    gate = Promise.withResolvers()
    gate.resolve()
    await office.at(4.5)
    await office.at(5)
    t.strictSame(office.intervals(), expected, catchUp)
    t.equal(most, 1)
  }
})

await t.test('a changed schedule leaves no time out and begins nothing at once', async t => {
  const office = new Office(t, () => {}, { when: hourly, catchUp: 'each' })
  await office.at(0.1)
  await office.at(1)
  office.now = start + 1.6 * HOUR
  office.list = [office.job('a', () => {}, { when: { kind: 'every', ms: HOUR / 4 }, catchUp: 'each' })]
  await office.idle()
  t.equal(office.runs().length, 1)
  await office.at(2)
  t.strictSame(office.intervals(), [[0, 1], [1, 1.75], [1.75, 2]])
})

await t.test('a paused job begins nothing, and catches up afterwards', async t => {
  const office = new Office(t, () => {}, { when: hourly })
  await office.at(0.1)
  office.paused = true
  await office.at(3)
  t.strictSame(office.intervals(), [])
  t.equal(office.jobs.job('a').next, undefined)
  office.paused = false
  await office.at(3.5)
  t.strictSame(office.intervals(), [[0, 3]])
})

await t.test('of two runs that are started at once one is refused with the name of the other', async t => {
  const office = new Office(t, () => {})
  const { id } = office.jobs.start('a', { startedBy: 'test' })
  t.throws(() => office.jobs.start('a', { startedBy: 'test' }), { code: 'JOB_RUNNING', message: new RegExp(`${id} of a is waiting`) })
  office.look()
  t.throws(() => office.jobs.start('a', { startedBy: 'test' }), { code: 'JOB_RUNNING', message: new RegExp(`${id} of a is under way`) })
  await office.settled()
  t.not(office.jobs.start('a', { startedBy: 'test' }).id, id)
})

await t.test('a run that fails is tried again with a growing delay, and keeps its attempts', async t => {
  let tries = 0
  const office = new Office(t, ({ progress }) => {
    progress({ rows: 10 })
    if (++tries < 4) throw new Error(`Try ${tries} failed with hunter2`)
  }, { retries: 3, retryDelayMs: 40 })
  const { id } = office.jobs.start('a', { startedBy: 'test' })
  await until(() => {
    office.look()
    return office.jobs.run('a', id).ended > 0
  }, 'it has ended')
  const run = office.jobs.run('a', id)
  t.match(run, { state: 'succeeded', rows: 40, error: '', attempts: [{ outcome: 'failed', error: 'Try 1 failed with ***' }, { outcome: 'failed' }, { outcome: 'failed' }, { outcome: 'succeeded' }] })
})

await t.test('a run is given up when its tries are used up, or where trying again cannot help', async t => {
  const office = new Office(t, () => { throw new Error('broken') }, { retries: 2, retryDelayMs: 1 })
  const { id } = office.jobs.start('a', { startedBy: 'test' })
  await until(() => {
    office.look()
    return office.jobs.run('a', id).ended > 0
  }, 'it has ended')
  t.match(office.jobs.run('a', id), { state: 'failed', error: 'broken' })
  t.equal(office.jobs.run('a', id).attempts.length, 3)
  t.match(office.jobs.job('a').last, { id, state: 'failed' })

  office.list = [office.job('a', () => { throw new PlatformError('CONFIG_INVALID', 'wrong for good') }, { retries: 9, retryDelayMs: 1 })]
  office.jobs.start('a', { startedBy: 'test' })
  office.look()
  const runs = await office.settled()
  t.match(runs.at(-1), { state: 'failed', error: 'wrong for good', attempts: { length: 1 } })
})

const patient: Work = async ({ signal }) => {
  await sleep(2 ** 30, undefined, { signal })
}

await t.test('a run that takes longer than its timeout is ended and has failed', async t => {
  const office = new Office(t, patient, { retries: 5, timeoutMs: 30 })
  office.jobs.start('a', { startedBy: 'test' })
  await until(() => {
    office.look()
    return (office.runs()[0]?.ended ?? 0) > 0
  }, 'it has ended')
  t.match(office.runs(), [{ state: 'failed', error: 'It took longer than its timeout', attempts: [{ outcome: 'timed out' }] }])
})

await t.test('a run is cancelled while it waits, while it works, and while it waits for its next try', async t => {
  const office = new Office(t, patient, { retries: 5, retryDelayMs: HOUR })
  const waiting = office.jobs.start('a', { startedBy: 'test' })
  t.match(office.jobs.cancel('a', waiting.id), { state: 'cancelled' })
  t.throws(() => office.jobs.cancel('a', waiting.id), { code: 'RUN_ENDED' })

  const working = office.jobs.start('a', { startedBy: 'test' })
  office.look()
  t.match(office.jobs.cancel('a', working.id), { state: 'running' })
  await office.settled()
  t.match(office.jobs.run('a', working.id), { state: 'cancelled', attempts: [{ outcome: 'cancelled' }] })

  office.list = [office.job('a', () => { throw new Error('broken') }, { retries: 5, retryDelayMs: HOUR })]
  const failing = office.jobs.start('a', { startedBy: 'test' })
  office.look()
  await until(() => office.jobs.run('a', failing.id).retryAt > 0, 'it waits for its next try')
  t.match(office.jobs.cancel('a', failing.id), { state: 'cancelled' })
  office.look()
  t.equal(office.jobs.job('a').queued, 0)
})

await t.test('a run that was under way when the process died goes on under its id', async t => {
  const office = new Office(t, patient, { when: hourly })
  office.look()
  office.now = start + HOUR
  office.look()
  const [{ id } = { id: '' }] = office.runs()
  await until(() => office.jobs.job('a').running !== undefined, 'it runs')

  office.list = [office.job('a', () => {}, { when: hourly })]
  office.restart()
  t.match(office.runs(), [{ id, state: 'interrupted', attempts: [{ outcome: 'interrupted', error: /ended meanwhile/ }] }])
  await office.idle()
  t.match(office.runs(), [{ id, state: 'succeeded', attempts: [{ outcome: 'interrupted' }, { outcome: 'succeeded' }] }])
  t.equal(office.runs().length, 1, 'its interval was not begun again')
})

await t.test('a run that takes the platform down each time is given up', async t => {
  const office = new Office(t, patient, { retries: 0 })
  const { id } = office.jobs.start('a', { startedBy: 'test' })
  for (let i = 0; i < 21; i++) {
    office.look()
    office.restart()
  }
  t.match(office.jobs.run('a', id), { state: 'failed', error: 'It was interrupted 21 times' })
})

await t.test('a stop of the platform interrupts a run, and the next start resumes it', async t => {
  const office = new Office(t, patient)
  const { id } = office.jobs.start('a', { startedBy: 'test' })
  office.look()
  await office.jobs.close(5000)
  t.match(office.jobs.run('a', id), { state: 'interrupted' })
  office.list = [office.job('a', () => {})]
  office.restart()
  await office.idle()
  t.match(office.jobs.run('a', id), { state: 'succeeded' })
})

await t.test('no more runs than the limit work at once, and the others wait for their turn', async t => {
  let [atOnce, most] = [0, 0]
  const order: string[] = []
  const office = new Office(t, () => {}, {}, { runsMax: 2 })
  const ids = ['a', 'b', 'c', 'd', 'e', 'f']
  office.list = ids.map(id => office.job(id, async () => {
    order.push(id)
    most = Math.max(most, ++atOnce)
    await sleep(5)
    atOnce--
  }))
  for (const id of ids) office.jobs.start(id, { startedBy: 'test' })
  await until(() => {
    office.look()
    return order.length === ids.length && atOnce === 0
  }, 'all have run')
  t.equal(most, 2)
  t.strictSame(order, ids)
})

await t.test('a backfill runs its intervals in order, and what is scheduled meanwhile goes first', async t => {
  const seen: string[] = []
  const office = new Office(t, ({ run }) => { seen.push(`${run.kind} ${(run.from - start) / HOUR}`) }, { when: hourly, catchUp: 'each' })
  office.look()
  const { intervals } = office.jobs.backfill('a', { from: start - 2.5 * HOUR, to: start }, { dryRun: true, startedBy: 'test' })
  t.strictSame(intervals.map(({ from, to }) => [(from - start) / HOUR, (to - start) / HOUR]), [[-2.5, -2], [-2, -1], [-1, 0]])
  t.equal(office.runs().length, 0, 'a dry run does nothing')
  const { runs } = office.jobs.backfill('a', { from: start - 2.5 * HOUR, to: start }, { dryRun: false, startedBy: 'test' })
  t.equal(runs.length, 3)
  office.now = start + HOUR
  await until(() => {
    office.look()
    return seen.length === 4
  }, 'all have run')
  t.strictSame(seen, ['scheduled 0', 'backfill -2.5', 'backfill -2', 'backfill -1'])
  t.throws(() => office.jobs.backfill('a', { from: 0, to: start }, { dryRun: true, startedBy: 'test' }), { code: 'REQUEST_INVALID', message: `The schedule has ${start / HOUR} intervals in that time, more than the 1000 of one backfill`, remedy: /up to 1970-02-11T16:00:00\.000Z,/ })
  t.throws(() => office.jobs.backfill('a', { from: start, to: start }, { dryRun: true, startedBy: 'test' }), { code: 'REQUEST_INVALID' })
})

await t.test('a backfill of too many intervals of an expression says about how many, and how far one may go', async t => {
  const office = new Office(t, () => {}, { when: { kind: 'cron', expression: '0 6 * * *', timeZone: 'UTC' } })
  const from = Date.UTC(2000, 0, 1, 6)
  const ask = (to: number): unknown => office.jobs.backfill('a', { from, to }, { dryRun: true, startedBy: 'test' })
  t.throws(() => ask(from + 9000 * DAY), { message: /^The schedule has about 9000 intervals/, remedy: /up to 2002-09-27T06:00:00\.000Z,/ })
  t.match(ask(Date.UTC(2002, 8, 27, 6)), { intervals: { length: 1000 } }, 'as far as it says')
})

await t.test('runs that wait have a bound, also over several backfills', async t => {
  const office = new Office(t, patient, { when: hourly }, { queuedMax: 10 })
  const ask = (): unknown => office.jobs.backfill('a', { from: start - 6 * HOUR, to: start }, { dryRun: false, startedBy: 'test' })
  ask()
  t.throws(ask, { code: 'JOB_RUNNING', message: /6 runs of a are waiting, and 10 may/ })
})

await t.test('the history is bounded by the job, and so are the lines of a run', async t => {
  const office = new Office(t, ({ log }) => {
    for (let i = 0; i < 600; i++) log.info({ i, secret: 'hunter2' }, 'A line')
    log.warn({}, 'x'.repeat(10_000))
  }, { historyRuns: 3 })
  for (let i = 0; i < 5; i++) {
    office.jobs.start('a', { startedBy: 'test' })
    await office.idle()
  }
  const runs = office.runs()
  t.equal(runs.length, 3)
  const lines = office.jobs.lines('a', runs.at(-1)?.id ?? '')
  t.equal(lines.length, 500)
  t.match(JSON.parse(lines[0] ?? ''), { i: 101, secret: '***', msg: 'A line' })
  t.ok((lines.at(-1)?.length ?? 0) < 2000)
  t.equal((office.database.prepare('select count(*) as n from run_logs').get() as { n: number }).n, 3)
})

await t.test('elsewhere than on the control side nothing begins, and what is under way is interrupted', async t => {
  const office = new Office(t, patient, { when: hourly })
  office.look()
  office.now = start + HOUR
  office.control = false
  office.look()
  t.equal(office.runs().length, 0)
  office.control = true
  office.look()
  await until(() => office.jobs.job('a').running !== undefined, 'it runs')
  office.control = false
  office.look()
  await until(() => office.runs()[0]?.state === 'interrupted', 'it is interrupted')
})

await t.test('no number of pipelines at work keeps a task from its own', async t => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const office = new Office(t, () => promise, {}, { runsMax: 2 })
  office.list = [...['a', 'b', 'c'].map(id => ({ ...office.job(id, () => promise), kind: 'pipeline' as const })), office.job('handoff', () => {})]
  for (const { task: { id } } of office.list) office.jobs.start(id, { startedBy: 'test' })
  office.look()
  t.strictSame(office.list.map(({ task: { id } }) => office.jobs.job(id).running !== undefined), [true, true, false, true])
  await until(() => office.jobs.job('handoff').last?.state === 'succeeded', 'the task has ended')
  resolve()
})

await t.test('the end of a run, and an interval that is due, are written down once the disk has room again', async t => {
  const seen: number[] = []
  const office = new Office(t, ({ run }) => { seen.push((run.from - start) / HOUR) }, { when: hourly, catchUp: 'each' })
  office.look()
  office.now = start + HOUR
  const full = (table: string): void => office.database.exec(`create trigger full before ${table === 'runs' ? 'update' : 'insert'} on runs begin select raise(rollback, 'database or disk is full'); end`)
  const room = (): void => office.database.exec('drop trigger full')
  full('insert')
  office.look()
  t.equal(office.runs().length, 0)
  room()
  office.look()
  t.equal(office.runs().length, 1, 'the interval was not passed over')
  await office.idle()
  const { id } = office.jobs.start('a', { startedBy: 'test' })
  const started = Promise.withResolvers<void>()
  const work = Promise.withResolvers<void>()
  office.list = [office.job('a', () => { started.resolve(); return work.promise }, { when: hourly, catchUp: 'each' })]
  office.look()
  await started.promise
  full('runs')
  work.resolve()
  await until(() => {
    office.look()
    return office.jobs.run('a', id).state === 'running'
  }, 'it cannot end yet')
  room()
  await until(() => {
    office.look()
    return office.jobs.run('a', id).state === 'succeeded'
  }, 'it has ended')
})

await t.test('a job that is gone is forgotten after a while, with its runs and their logs', async t => {
  const database = new DatabaseSync(':memory:')
  const runs = new Runs(database)
  const days = DAY
  for (const [job, at] of [['gone', 0], ['kept', 0], ['lately', 80 * days]] as const) {
    const [record] = runs.add([newRecord({ job, kind: 'manual', from: 0, to: 1, startedBy: '', params: {} }, at)], { when: '', covered: at, after: at, succeeded: 0 })
    if (record !== undefined) runs.save({ ...record, state: 'succeeded' }, { lines: ['{}'] })
  }
  runs.forgetRemoved(['kept'], 100 * days)
  t.same(['gone', 'kept', 'lately'].map(job => [runs.list(job, { limit: 9 }).length, runs.job(job) !== undefined]), [[0, false], [1, true], [1, true]])
  t.equal((database.prepare('select count(*) as n from run_logs').get() as { n: number }).n, 2)
})

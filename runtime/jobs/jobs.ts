// All jobs: their clock, their queue, their runs. One run of a job at a time, and not too many of all jobs; the rest waits.
//
//   a fire or a request ─▶ queued, in the database ─▶ an attempt ─▶ the end, or queued again

import { describe, PlatformError } from '../errors.ts'
import { inTime } from '../in-time.ts'
import { ActiveRun } from './active-run.ts'
import { backfillIntervals, checkInterval, checkParams, unknownJob } from './asked-interval.ts'
import { beginState, dueOf, nextFire, succeededTo } from './due.ts'
import { hasEnded, newRecord } from './record.ts'
import { jobLimits } from './job-limits.ts'
import { afterAttempt } from './retry.ts'
import type { Logger } from '../plugin.ts'
import type { Outcome } from './active-run.ts'
import type { Interval } from './clock.ts'
import type { JobLimits } from './job-limits.ts'
import type { NewRun, Params, RunRecord } from './record.ts'
import type { JobState, Runs } from './runs.ts'
import type { Task } from './task.ts'

export interface Job {
  readonly task: Task
  readonly kind: 'pipeline' | 'task'
  /** Its schedule begins nothing. */
  readonly paused: boolean
  /** Name of the input, where it takes everything in each run, whatever the run's interval: then there are no backfills. */
  readonly wholeInput?: string | undefined
}

export interface JobStatus extends Job {
  readonly next: number | undefined
  readonly running: RunRecord | undefined
  /** Runs that wait. */
  readonly queued: number
  readonly last: RunRecord | undefined
}

export interface JobsOptions {
  readonly runs: Runs
  /** Those that there are now. */
  jobs (): Job[]
  /** NOT_FOUND that says why a pipeline of that id is no job; undefined: there is none. */
  noJob? (id: string): PlatformError | undefined
  /** Nothing begins elsewhere. */
  isControl (): boolean
  /** ms since 1970. */
  now? (): number
  readonly log: Logger
  /** Takes a line of a pipeline's thread, as JSON. */
  forward (line: string): void
  /** Takes secrets out of a text. */
  mask (text: string): string
  readonly limits?: Partial<JobLimits>
}

export interface Asked {
  readonly from?: number | undefined
  readonly to?: number | undefined
  readonly params?: Params
  readonly startedBy: string
}

export class Jobs {
  readonly #options: JobsOptions
  readonly #limits: JobLimits
  readonly #runs: Runs
  /** By job, oldest first; of what was read at the start and what came since. */
  readonly #waiting = new Map<string, RunRecord[]>()
  readonly #active = new Map<string, ActiveRun>()
  readonly #last = new Map<string, RunRecord>()
  readonly #states = new Map<string, JobState>()
  /** The next fire by job, and what it was made from. */
  readonly #fires = new Map<string, { readonly state: JobState, readonly next: number | undefined }>()
  /** Of runs that wait for their next try: `performance.now()`. */
  readonly #retries = new Map<string, number>()
  /** Attempts whose end is not written down yet. */
  readonly #unsaved = new Map<ActiveRun, Outcome>()
  /** Why the last look failed; it is said once. */
  #trouble = ''
  #timer: NodeJS.Timeout | undefined
  #savedAt = performance.now()

  constructor (options: JobsOptions) {
    this.#options = options
    this.#limits = { ...jobLimits, ...options.limits }
    this.#runs = options.runs
  }

  /** Finds the runs that were under way, and begins. */
  open (): void {
    for (const record of this.#runs.lastEnded()) this.#last.set(record.job, record)
    for (const record of this.#runs.recover(this.#now())) if (!hasEnded(record)) this.#enqueue(record)
    this.#runs.forgetRemoved(this.#options.jobs().map(({ task }) => task.id), this.#now())
    this.#timer = setInterval(() => this.look(), this.#limits.lookMs)
  }

  /** Begins what is due. Called by its own timer; tests call it, too. */
  look (): void {
    try {
      if (!this.#options.isControl()) {
        for (const active of this.#active.values()) active.stop('interrupted')
        return
      }
      for (const [active, outcome] of [...this.#unsaved]) this.#finish(active, outcome)
      const jobs = this.#options.jobs()
      for (const job of jobs) this.#fire(job)
      for (const active of this.#active.values()) if (performance.now() > active.deadline) active.stop('timed out')
      this.#begin(jobs)
      if (performance.now() - this.#savedAt > this.#limits.saveMs) this.#save()
      this.#trouble = ''
    } catch (error) {
      const reason = describe(error)
      if (reason !== this.#trouble) this.#options.log.error({ reason }, 'The clock of the jobs could not go on, trying again')
      this.#trouble = reason
    }
  }

  list (): JobStatus[] {
    return this.#options.jobs().map(job => this.#statusOf(job)).sort((a, b) => a.task.id < b.task.id ? -1 : 1)
  }

  job (id: string): JobStatus {
    return this.#statusOf(this.#known(id))
  }

  /** Queues a run. Throws JOB_RUNNING where one is waiting or at work. */
  start (id: string, { from, to, params = {}, startedBy }: Asked): RunRecord {
    const job = this.#known(id)
    const pending = this.#pending(id)
    if (pending !== undefined) throw new PlatformError('JOB_RUNNING', `Run ${pending.id} of ${id} ${this.#active.has(id) ? 'is under way' : 'is waiting'}`, { remedy: `Wait for its end, or cancel it: npx twolane job cancel ${id} ${pending.id}` })
    checkParams(job, params)
    const now = this.#now()
    const until = to ?? Math.max(now, from ?? 0)
    const interval = { from: from ?? Math.min(until, this.#stateOf(job).succeeded), to: until }
    checkInterval(interval)
    return this.#add([{ ...interval, job: id, kind: 'manual', startedBy, params }])[0] as RunRecord
  }

  /** The intervals of the schedule in [from, to), and unless `dryRun` a queued run for each, in order. */
  backfill (id: string, interval: Interval, { dryRun, params = {}, startedBy }: { readonly dryRun: boolean, readonly params?: Params, readonly startedBy: string }): { readonly intervals: readonly Interval[], readonly runs: readonly RunRecord[] } {
    const job = this.#known(id)
    checkParams(job, params)
    const { queuedMax } = this.#limits
    const intervals = backfillIntervals(job, interval, queuedMax)
    if (dryRun) return { intervals, runs: [] }
    const waiting = this.#waiting.get(id)?.length ?? 0
    if (waiting + intervals.length > queuedMax) throw new PlatformError('JOB_RUNNING', `${waiting} runs of ${id} are waiting, and ${queuedMax} may`, { remedy: 'Wait until some have ended, or ask for a shorter time.' })
    return { intervals, runs: this.#add(intervals.map(one => ({ ...one, job: id, kind: 'backfill' as const, startedBy, params }))) }
  }

  /** A new run with the interval and the params of one that has ended; that of a backfill begins without a checkpoint again. Throws JOB_RUNNING where it has not ended, or another one is at work. */
  again (job: string, id: string, startedBy: string): RunRecord {
    const { from, to, kind, params, state } = this.run(job, id)
    if (!hasEnded({ state })) throw new PlatformError('JOB_RUNNING', `Run ${id} of ${job} has not ended`, { remedy: `Wait for its end, or cancel it: npx twolane job cancel ${job} ${id}` })
    if (kind !== 'backfill') return this.start(job, { from, to, params, startedBy })
    checkParams(this.#known(job), params)
    return this.#add([{ from, to, job, kind, params, startedBy }])[0] as RunRecord
  }

  /** A run at work ends soon after, once it has settled what is in flight. */
  cancel (job: string, id: string): RunRecord {
    const record = this.run(job, id)
    const active = this.#active.get(job)
    if (active?.record.id === id) {
      active.stop('cancelled')
      return active.record
    }
    const waiting = this.#waiting.get(job)?.find(one => one.id === id)
    if (waiting === undefined) throw new PlatformError('RUN_ENDED', `Run ${id} has ended: ${record.state}`)
    const cancelled: RunRecord = { ...waiting, state: 'cancelled', ended: this.#now(), retryAt: 0 }
    this.#dequeue(cancelled)
    this.#runs.save(cancelled)
    return cancelled
  }

  /** As it is now. */
  run (job: string, id: string): RunRecord {
    const active = this.#active.get(job)?.record
    const record = active?.id === id ? active : this.#runs.get(id)
    if (record?.job !== job) throw new PlatformError('NOT_FOUND', `There is no run "${id}" of ${job}`)
    return record
  }

  /** Newest first. `before`: of the run with that id. */
  history (job: string, { limit, before }: { readonly limit: number, readonly before?: string | undefined }): RunRecord[] {
    this.#known(job)
    const active = this.#active.get(job)?.record
    const found = this.#runs.list(job, { limit, before: before === undefined ? undefined : this.run(job, before).seq })
    return found.map(record => record.id === active?.id ? active : record)
  }

  /** JSON lines. */
  lines (job: string, id: string): readonly string[] {
    const active = this.#active.get(job)
    return active?.record.id === id ? active.log.lines : this.#runs.lines(this.run(job, id).id)
  }

  /** Cancels the run of a job that is going, or going to be a stream, and waits for its end. */
  async end (job: string): Promise<void> {
    for (const { id } of this.#waiting.get(job) ?? []) this.cancel(job, id)
    const active = this.#active.get(job)
    active?.stop('cancelled')
    await active?.ended
  }

  /** Runs that are under way go on at the next start. */
  async close (msMax: number): Promise<void> {
    clearInterval(this.#timer)
    const ending = [...this.#active.values()]
    for (const active of ending) active.stop('interrupted')
    await inTime(Promise.all(ending.map(({ ended }) => ended)).then(() => {}), msMax, () => 'late')
    // One that hangs is found as it is.
    this.#save()
  }

  #fire (job: Job): void {
    const { id, schedule } = job.task
    const state = this.#stateOf(job)
    const next = this.#nextFire(job, state)
    const now = this.#now()
    if (job.paused || next === undefined || next > now) return
    const due = dueOf(schedule, state, { now, busy: this.#pending(id) !== undefined })
    if (due === undefined) return
    // First what is durable: an interval that could not be written down is still due.
    if (due.interval === undefined) {
      this.#runs.setJob(id, due.state)
      this.#states.set(id, due.state)
      this.#options.log.info({ job: id, to: due.state.covered }, 'Missed runs are passed over')
    } else {
      this.#add([{ ...due.interval, job: id, kind: 'scheduled', startedBy: due.missed ? 'catch_up' : 'schedule', params: {} }], due.state)
      this.#states.set(id, due.state)
    }
  }

  #begin (jobs: readonly Job[]): void {
    const free = jobs.filter(({ task: { id } }) => !this.#active.has(id)).map(job => ({ job, record: this.#nextOf(job.task.id) }))
    const ready = free.filter((one): one is { readonly job: Job, readonly record: RunRecord } => one.record !== undefined).sort((a, b) => a.record.seq - b.record.seq)
    // Each kind has places of its own: no number of long backfills keeps the handoff from its work.
    for (const kind of ['task', 'pipeline'] as const) {
      const busy = jobs.filter(job => job.kind === kind && this.#active.has(job.task.id)).length
      for (const { job, record } of ready.filter(({ job }) => job.kind === kind).slice(0, Math.max(0, this.#limits.runsMax - busy))) this.#attempt(job, record)
    }
  }

  #attempt ({ task }: Job, record: RunRecord): void {
    const now = this.#now()
    const usedMs = record.attempts.filter(({ outcome }) => outcome !== 'interrupted').reduce((sum, { started, ended }) => sum + Math.max(0, ended - started), 0)
    const running: RunRecord = {
      ...record,
      state: 'running',
      started: record.started === 0 ? now : record.started,
      retryAt: 0,
      error: '',
      step: '',
      attempts: [...record.attempts, { started: now, ended: 0, outcome: 'running', error: '' }]
    }
    this.#dequeue(record)
    this.#runs.save(running)
    const { log: logger, forward, mask } = this.#options
    const active = new ActiveRun(task, running, { lines: this.#runs.lines(record.id), deadline: performance.now() + task.schedule.timeoutMs - usedMs, logger, forward, mask })
    this.#active.set(task.id, active)
    void active.ended.then(outcome => this.#finish(active, outcome))
  }

  #finish (active: ActiveRun, outcome: Outcome): void {
    const { task, record, log: { lines } } = active
    const { log } = this.#options
    const { record: after, retryDelayMs } = afterAttempt(record, outcome, this.#now(), task.schedule)
    const state = after.state === 'succeeded' && after.kind !== 'backfill' ? succeededTo(this.#states.get(task.id), after.to) : undefined
    try {
      this.#runs.save(after, { lines, state })
    } catch (error) {
      // Such as a full disk. Until it is written down nothing else of this job begins.
      if (!this.#unsaved.has(active)) log.error({ job: task.id, run: record.id, reason: describe(error) }, 'The end of a run cannot be written down, trying again')
      this.#unsaved.set(active, outcome)
      return
    }
    this.#unsaved.delete(active)
    this.#active.delete(task.id)
    if (state !== undefined) this.#states.set(task.id, state)
    const fields = { job: task.id, run: after.id, attempt: after.attempts.length, rows: after.rows }
    if (after.state === 'queued' || after.state === 'interrupted') {
      if (retryDelayMs !== undefined) this.#retries.set(after.id, performance.now() + retryDelayMs)
      this.#enqueue(after)
      log.warn({ ...fields, reason: after.error, ...(retryDelayMs !== undefined && { retryDelayMs }) }, after.state === 'queued' ? 'A run failed, trying again' : 'A run was interrupted')
      return
    }
    if (after.state !== 'cancelled') this.#last.set(task.id, after)
    this.#runs.prune(task.id, task.schedule.historyRuns)
    if (after.state === 'failed') log.error({ ...fields, reason: after.error }, 'A run failed')
    else log.info({ ...fields, state: after.state }, 'A run has ended')
    // The next one of this job need not wait for the clock.
    setImmediate(() => { if (this.#timer !== undefined && this.#waiting.has(task.id)) this.look() })
  }

  #add (runs: readonly NewRun[], state?: JobState): RunRecord[] {
    const records = this.#runs.add(runs.map(run => newRecord(run, this.#now())), state)
    for (const record of records) this.#enqueue(record)
    return records
  }

  #enqueue (record: RunRecord): void {
    this.#waiting.set(record.job, [...this.#waiting.get(record.job) ?? [], record].sort((a, b) => a.seq - b.seq))
  }

  #dequeue ({ job, id }: RunRecord): void {
    const left = (this.#waiting.get(job) ?? []).filter(record => record.id !== id)
    if (left.length > 0) this.#waiting.set(job, left)
    else this.#waiting.delete(job)
    this.#retries.delete(id)
  }

  /** The run of the job that is next; undefined: none may begin now. The backfills wait for the others, and none overtakes one that is tried again. */
  #nextOf (job: string): RunRecord | undefined {
    const waiting = this.#waiting.get(job)
    const next = waiting?.find(({ kind }) => kind !== 'backfill') ?? waiting?.[0]
    return next === undefined || performance.now() < (this.#retries.get(next.id) ?? 0) ? undefined : next
  }

  /** The run that is no backfill and has not ended. */
  #pending (job: string): RunRecord | undefined {
    const active = this.#active.get(job)?.record
    if (active !== undefined && active.kind !== 'backfill') return active
    return this.#waiting.get(job)?.find(({ kind }) => kind !== 'backfill')
  }

  #stateOf ({ task: { id, schedule } }: Job): JobState {
    const known = this.#states.get(id) ?? this.#runs.job(id)
    const when = JSON.stringify(schedule.when)
    const state = known?.when === when ? known : beginState(schedule, this.#now(), known)
    if (state !== known) this.#runs.setJob(id, state)
    this.#states.set(id, state)
    return state
  }

  #nextFire ({ task: { id, schedule } }: Job, state: JobState): number | undefined {
    const known = this.#fires.get(id)
    if (known?.state === state) return known.next
    const next = nextFire(schedule, state)
    this.#fires.set(id, { state, next })
    return next
  }

  #statusOf (job: Job): JobStatus {
    const { id } = job.task
    return {
      ...job,
      next: job.paused ? undefined : this.#nextFire(job, this.#stateOf(job)),
      running: this.#active.get(id)?.record,
      queued: this.#waiting.get(id)?.length ?? 0,
      last: this.#last.get(id)
    }
  }

  #known (id: string): Job {
    const jobs = this.#options.jobs()
    const job = jobs.find(({ task }) => task.id === id)
    if (job === undefined) throw this.#options.noJob?.(id) ?? unknownJob(id, jobs)
    return job
  }

  #save (): void {
    this.#savedAt = performance.now()
    for (const { record, log } of this.#active.values()) this.#runs.save(record, { lines: log.lines })
  }

  #now (): number {
    return (this.#options.now ?? Date.now)()
  }
}

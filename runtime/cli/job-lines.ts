// Jobs and runs as lines for people.

import { count, duration, moment, size, table } from './table.ts'
import type { RunDetail, ShownDay, ShownJob, ShownRun } from './job.ts'

export function jobTable (jobs: readonly ShownJob[]): string[] {
  return table(['JOB', 'STATE', 'SCHEDULE', 'NEXT', 'LAST RUN', 'ROWS', 'REASON'], jobs.map(jobRow), ['ROWS'])
}

function jobRow ({ id, schedule, paused, next: [next], running, queued, last }: ShownJob): string[] {
  const waiting = running === undefined && queued > 0 ? 'queued' : ''
  const state = running !== undefined ? 'running' : waiting !== '' ? waiting : paused ? 'paused' : last?.state === 'failed' ? 'failed' : 'scheduled'
  return [
    id,
    state,
    schedule,
    next === undefined ? '' : `in ${duration(Math.max(0, next - Date.now()) / 1000)}`,
    last === undefined ? '' : `${last.state} ${duration(Math.max(0, Date.now() - last.ended) / 1000)} ago`,
    count((running ?? last)?.rows ?? 0),
    last?.state === 'failed' ? reasonOf(last) : ''
  ]
}

export function jobLines (job: ShownJob, runs: readonly ShownRun[]): string[] {
  const { id, kind, description, schedule, words, zone, catch_up: catchUp, paused, next, queued } = job
  return [
    `${id} (${kind})${description === '' ? '' : `: ${description}`}`,
    `Schedule: ${schedule}${schedule === 'manual' ? '' : `, catch-up ${catchUp}`}${paused ? ', paused' : ''}`,
    ...schedule === 'manual' ? [] : [`In words: ${words}, ${zone}`],
    ...next.length === 0 ? [] : [`Next: ${next.map(moment).join(', ')}`],
    ...queued === 0 ? [] : [`Waiting: ${queued} runs`],
    '',
    ...runs.length === 0 ? ['There were no runs yet'] : table(['RUN', 'STATE', 'KIND', 'INTERVAL', 'TOOK', 'ROWS', 'REJECTED', 'STARTED BY', 'REASON'], runs.map(runRow), ['TOOK', 'ROWS', 'REJECTED'])
  ]
}

function runRow (run: ShownRun): string[] {
  const { id, state, kind, rows, rejected, started_by: by } = run
  return [id, state, kind, intervalOf(run), tookOf(run), count(rows), count(rejected), by, reasonOf(run)]
}

export function runLines (run: RunDetail): string[] {
  const { steps, attempts, log } = run
  return [
    runLine(run),
    `Interval: ${intervalOf(run)}. Started by: ${run.started_by}${run.started === 0 ? '' : `, at ${moment(run.started)}`}`,
    ...run.error === '' ? [] : [`Reason: ${reasonOf(run)}`],
    ...run.retry_at === 0 ? [] : [`It is tried again at ${moment(run.retry_at)}`],
    ...steps.length === 0 ? [] : ['', ...table(['STEP', 'ROWS', 'SIZE', 'REJECTED'], steps.map(({ step, rows, bytes, rejected }) => [step, count(rows), size(bytes), count(rejected)]), ['ROWS', 'SIZE', 'REJECTED'])],
    ...attempts.length < 2 ? [] : ['', ...table(['ATTEMPT', 'BEGAN', 'OUTCOME', 'REASON'], attempts.map(({ started, outcome, error }, i) => [`${i + 1}`, moment(started), outcome, error]))],
    ...log.length === 0 ? [] : ['', ...log.map(logLine)]
  ]
}

/** What became of it, or what it is at. */
export function runLine (run: ShownRun): string {
  const { id, job, state, rows, rejected, attempt } = run
  const tries = attempt > 1 ? `, attempt ${attempt}` : ''
  const took = tookOf(run)
  return `${job} ${id} ${state}: ${count(rows)} rows${rejected === 0 ? '' : `, ${count(rejected)} rejected`}${took === '' ? '' : ` in ${took}`}${tries}`
}

/** What a backfill would run. */
export function intervalLines (intervals: ReadonlyArray<{ readonly from: number, readonly to: number }>, { kind }: ShownJob): string[] {
  return [
    ...intervals.map(intervalOf),
    // A task of the platform adds no rows of a source.
    ...kind === 'task' ? [] : ['Its rows come on top of those that are there, unless the schema says what names a row: unique']
  ]
}

export function cancelLine ({ job, id, state }: ShownRun): string {
  return state === 'cancelled' ? `${job} ${id} is cancelled` : `${job} ${id} is being cancelled`
}

export function reasonOf ({ error, step }: ShownRun): string {
  return step === '' || error === '' ? error : `${step}: ${error}`
}

function intervalOf ({ from, to }: Pick<ShownRun, 'from' | 'to'>): string {
  return `${from === 0 ? '…' : moment(from)} ▶ ${moment(to)}`
}

function tookOf ({ started, ended }: ShownRun): string {
  return started === 0 ? '' : duration(Math.max(0, (ended === 0 ? Date.now() : ended) - started) / 1000)
}

/** A line of a run's log. */
export function logLine ({ time, level, message, fields }: RunDetail['log'][number]): string {
  return `${moment(time)} ${level.padEnd(5)} ${message}${fieldsOf(fields)}`
}

const marks = { done: '■', failed: '✗', running: '▶', missing: '·' } as const

/** A line a week, Monday first: a mark a day. */
export function dayLines (days: readonly ShownDay[]): string[] {
  const weeks = new Map<string, string[]>()
  for (const { day, state } of days) {
    const weekday = (new Date(`${day}T00:00:00Z`).getUTCDay() + 6) % 7
    const monday = new Date(Date.parse(`${day}T00:00:00Z`) - weekday * 86_400_000).toISOString().slice(0, 10)
    const week = weeks.get(monday) ?? weeks.set(monday, new Array<string>(7).fill(' ')).get(monday) as string[]
    week[weekday] = marks[state]
  }
  const count = (state: ShownDay['state']): string => `${marks[state]} ${state} ${days.filter(day => day.state === state).length}`
  return [...[...weeks].map(([monday, week]) => `${monday} ${week.join(' ')}`), '', (['done', 'failed', 'running', 'missing'] as const).map(count).join('   ')]
}

function fieldsOf (fields: Readonly<Record<string, unknown>>): string {
  const { pipeline: _pipeline, job: _job, run: _run, ...rest } = fields
  return Object.keys(rest).length === 0 ? '' : ` ${JSON.stringify(rest)}`
}

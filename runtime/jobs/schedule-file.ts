// `schedule:` of a pipeline file.
//
//   schedule: manual
//   schedule: { every: 15m }
//   schedule: { cron: '0 6 * * 1-5', time_zone: America/New_York, catch_up: each, retries: 5 }

import { DURATION_PATTERN, formatDuration, parseDuration } from '../duration.ts'
import { quote } from '../problems.ts'
import { cronOf } from './clock.ts'
import { manual } from './schedule.ts'
import type { Interpolated } from '../interpolate.ts'
import type { Problem } from '../problems.ts'
import type { Schedule } from './schedule.ts'

export const EVERY_MS_MIN = 1000
const EVERY_MS_MAX = 366 * 86_400_000
const TIMEOUT_MS_MAX = 30 * 86_400_000

const duration = { type: 'string', pattern: DURATION_PATTERN }

export const scheduleForm = {
  type: ['string', 'object'],
  pattern: '^manual$',
  additionalProperties: false,
  description: 'When its runs begin, which makes it a job: manual, or a map with cron or every; with neither of them it is started by hand.',
  properties: {
    cron: { type: 'string', description: 'When it runs: minute, hour, day of the month, month, day of the week; with six fields, seconds come first.' },
    time_zone: { type: 'string', default: 'UTC', description: 'Of cron: an IANA name, such as America/New_York.' },
    every: { ...duration, description: `How often it runs, such as 15m or 1d, counted from 1970-01-01T00:00Z: ${formatDuration(EVERY_MS_MIN)} to ${formatDuration(EVERY_MS_MAX)}.` },
    catch_up: { type: 'string', enum: ['none', 'once', 'each'], default: manual.catchUp, description: 'Of runs that were missed, because the platform was down or an earlier run took too long: none, one for all of them together, or one for each.' },
    retries: { type: 'integer', minimum: 0, maximum: 100, default: manual.retries, description: 'How often a run that failed is tried again.' },
    retry_delay: { ...duration, default: formatDuration(manual.retryDelayMs), description: 'How long before the first of them; it doubles, up to an hour.' },
    timeout: { ...duration, default: formatDuration(manual.timeoutMs), description: `A run that works longer, all its attempts together, is ended and counts as failed; at most ${formatDuration(TIMEOUT_MS_MAX)}.` },
    history: { type: 'integer', minimum: 1, maximum: 100_000, default: manual.historyRuns, description: 'How many runs are remembered.' }
  }
} as const

interface ScheduleText {
  readonly cron?: string
  readonly time_zone?: string
  readonly every?: string
  readonly catch_up?: Schedule['catchUp']
  readonly retries?: number
  readonly retry_delay?: string
  readonly timeout?: string
  readonly history?: number
}

/** Of a pipeline that was checked against the form. What is wrong beyond it is added to `problems`. */
export function readSchedule (yaml: Interpolated, given: string | object | undefined, problems: Problem[]): Schedule | undefined {
  if (given === undefined) return undefined
  if (typeof given === 'string') return manual
  const { cron, time_zone: zone = 'UTC', every, catch_up: catchUp, retries, retry_delay: delay, timeout, history } = given as ScheduleText
  const wrong = (key: string, message: string): void => { problems.push(yaml.problem(['schedule', key], message)) }
  if (cron !== undefined && every !== undefined) wrong('every', 'stands beside cron; one of them says when the job runs')
  const stands = (yaml.value as { readonly schedule: object }).schedule
  if (cron === undefined && 'time_zone' in stands) wrong('time_zone', 'only goes with cron; the intervals of every are counted from 1970-01-01T00:00Z')
  const timeoutMs = durationOf(timeout, manual.timeoutMs)
  if (timeoutMs > TIMEOUT_MS_MAX) wrong('timeout', `must be at most ${formatDuration(TIMEOUT_MS_MAX)}`)
  const everyMs = durationOf(every, EVERY_MS_MIN)
  if (everyMs < EVERY_MS_MIN || everyMs > EVERY_MS_MAX) wrong('every', `must be from ${formatDuration(EVERY_MS_MIN)} to ${formatDuration(EVERY_MS_MAX)}`)
  if (cron !== undefined) checkCron(cron, zone, wrong)
  return {
    when: cron !== undefined ? { kind: 'cron', expression: cron, timeZone: zone } : every !== undefined ? { kind: 'every', ms: everyMs } : { kind: 'manual' },
    catchUp: catchUp ?? manual.catchUp,
    retries: retries ?? manual.retries,
    retryDelayMs: durationOf(delay, manual.retryDelayMs),
    timeoutMs,
    historyRuns: history ?? manual.historyRuns
  }
}

/** As it is written in a file. */
export function formatWhen (when: Schedule['when']): string {
  switch (when.kind) {
    case 'manual': return 'manual'
    case 'every': return `every ${formatDuration(when.ms)}`
    case 'cron': return when.timeZone === 'UTC' ? when.expression : `${when.expression} ${when.timeZone}`
  }
}

/** The form has checked it. */
function durationOf (text: string | undefined, otherwise: number): number {
  return (text === undefined ? undefined : parseDuration(text)) ?? otherwise
}

function checkCron (expression: string, zone: string, wrong: (key: string, message: string) => void): void {
  try {
    Intl.DateTimeFormat('en', { timeZone: zone })
  } catch {
    return wrong('time_zone', `${quote(zone)} is no time zone; one is called America/New_York, Europe/London or UTC`)
  }
  const fields = expression.trim().split(/\s+/).length
  if (fields !== 5 && fields !== 6 && !expression.startsWith('@')) return wrong('cron', `${quote(expression)} has ${fields} fields; minute, hour, day of the month, month and day of the week are 5, with seconds in front 6`)
  try {
    if (cronOf(expression, zone).nextRun(new Date(0)) === null) wrong('cron', `${quote(expression)} never comes`)
  } catch (error) {
    wrong('cron', `${quote(expression)} is no time: ${(error as Error).message.replace(/^CronPattern: /, '')}`)
  }
}

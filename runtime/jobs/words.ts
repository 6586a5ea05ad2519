// A schedule in words, for people.

import cronstrue from 'cronstrue'
import { formatDuration } from '../duration.ts'
import type { Schedule } from './schedule.ts'

const units = [['d', 'day'], ['h', 'hour'], ['m', 'minute'], ['s', 'second'], ['ms', 'millisecond']] as const

/** Such as "At 06:00, Monday through Friday" or "Every 15 minutes"; the time zone is not in it. */
export function wordsOf (when: Schedule['when']): string {
  switch (when.kind) {
    case 'manual': return 'Started by hand'
    case 'every': return everyWords(when.ms)
    case 'cron': return cronWords(when.expression)
  }
}

/** IANA name of the zone that a schedule goes by. */
export function zoneOf (when: Schedule['when']): string {
  return when.kind === 'cron' ? when.timeZone : 'UTC'
}

function everyWords (ms: number): string {
  const [, count = '', unit = ''] = /^(\d+)(\D+)$/.exec(formatDuration(ms)) ?? []
  const name = units.find(([short]) => short === unit)?.[1] ?? unit
  return count === '1' ? `Every ${name}` : `Every ${count} ${name}s`
}

function cronWords (expression: string): string {
  try {
    return cronstrue.toString(expression, { use24HourTimeFormat: true })
  } catch {
    // The clock knows signs that this library has no words for.
    return expression
  }
}

// The log of a run as it grows. What is kept of it is its end, over all attempts: a look is the look before without its
// first lines, with new ones behind it.
//
//   before   a b c d e
//   now          c d e f g      new: f g

import { setTimeout as sleep } from 'node:timers/promises'
import { hasEnded } from './record.ts'
import { parseLine } from './run-log.ts'
import type { Jobs } from './jobs.ts'
import type { LogLine } from './run-log.ts'

const LOOK_MS = 250

/** The lines there are, then those that come, until the run has ended or the signal. Where more came between two looks than are kept, the first of them are left out. */
export async function * followRunLines (jobs: Pick<Jobs, 'run' | 'lines'>, job: string, id: string, signal: AbortSignal): AsyncGenerator<LogLine, void, void> {
  let before: readonly string[] = []
  while (!signal.aborted) {
    // In this order: the last lines are there before the run has ended.
    const ended = hasEnded(jobs.run(job, id))
    const now = [...jobs.lines(job, id)]
    for (const line of newLines(before, now)) yield parseLine(line)
    before = now
    if (ended) return
    await sleep(LOOK_MS, undefined, { signal }).catch(() => { /* the loop looks at the signal */ })
  }
}

/** The lines of `now` that were not in `before`. */
export function newLines (before: readonly string[], now: readonly string[]): readonly string[] {
  for (let gone = 0; gone < before.length; gone++) {
    const left = before.length - gone
    if (left <= now.length && before[gone] === now[0] && startsWith(now, before, gone)) return now.slice(left)
  }
  return now
}

function startsWith (now: readonly string[], before: readonly string[], gone: number): boolean {
  for (let i = gone; i < before.length; i++) if (before[i] !== now[i - gone]) return false
  return true
}

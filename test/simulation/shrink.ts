// The least of a failure: faults are left out, one after the other and in halves, as long as the world still fails.

import { simulate } from './world.ts'
import type { Outcome, WorldOptions } from './world.ts'

const RUNS_MAX = 150

/** The same seed with as few faults as make it fail; the outcome itself where all are needed. */
export async function shrink (outcome: Outcome, options: WorldOptions): Promise<Outcome> {
  let least = outcome
  let runs = 0
  for (let size = Math.ceil(least.faults.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < least.faults.length && runs < RUNS_MAX; runs++) {
      const only = new Set(least.faults.filter((_, i) => i < at || i >= at + size).map(({ point }) => point))
      const without = await simulate({ ...options, only })
      if (without.failure === undefined) at += size
      else least = without
    }
  }
  return least
}

/** What led to the failure: the faults, what was said about them, and the last calls. */
export function story ({ seed, failure, faults, trace, steps }: Outcome, lines = 40): string {
  const told = trace.filter(line => /◀|starts$|reload$|warn:|error:|failed:/.test(line))
  return [
    `seed ${seed}: ${failure}`,
    `${faults.length} faults, ${steps} steps; the call's number, the time, the process, the call ◀ what happened to it`,
    ...told.slice(-lines),
    '  the last calls:',
    ...trace.slice(-lines / 2)
  ].map(line => line.slice(0, 220)).join('\n')
}

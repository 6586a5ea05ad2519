// One run: load, faults one after the other, quiet, and the verdict.

import { setTimeout as sleep } from 'node:timers/promises'
import { describe } from '../../runtime/errors.ts'
import { WAIT_MS_MAX } from '../waiting.ts'
import { faults } from './faults.ts'
import { random } from './random.ts'
import { Reader } from './reader.ts'
import { judge } from './verdict.ts'
import { World } from './world.ts'
import type { Fault } from './faults.ts'
import type { Random } from './random.ts'
import type { WorldOptions } from './world.ts'

export interface RunOptions extends WorldOptions {
  readonly seed: number
  /** How long faults go on; undefined: until each of `kinds` has happened once. */
  readonly minutes?: number
  /** Names of faults; all that the world can have where it is left out. */
  readonly kinds?: readonly string[]
  readonly tell: (line: string) => void
  /** Ends the faults early; what was sent is judged all the same. */
  readonly signal?: AbortSignal
}

export interface Outcome {
  readonly faults: ReadonlyMap<string, number>
  readonly rows: number
  readonly rejected: number
  readonly reads: number
  readonly lost: number
  readonly doubled: number
  /** Rows that an at-least-once output has got again. */
  readonly repeated: number
  readonly longestMs: number
  readonly longestAfter: string
  /** What must not happen; empty: all held. */
  readonly violations: readonly string[]
}

/** From the end of a fault until a row that was made after it can be read. */
const RECOVERY_MS_MAX = WAIT_MS_MAX
/** A fault that begins while the platform is still at the one before. */
const COMPOUND_SHARE = 0.3
const WARM_UP_ROWS = 500

export async function runChaos (options: RunOptions): Promise<Outcome> {
  const { seed, tell } = options
  const chance = random(seed)
  const world = await World.open(options)
  const reader = new Reader(world)
  reader.begin()
  const happened = new Map<string, number>()
  const longest = { ms: 0, after: '' }
  try {
    if (!await isRead(reader, WARM_UP_ROWS)) throw new Error(`No rows arrive before the first fault: ${world.platform?.output()}`)
    const end = options.minutes === undefined ? Infinity : performance.now() + options.minutes * 60_000
    for (const kind of deck(options, chance)) {
      const began = performance.now()
      if (began > end || world.violations.length > 0 || options.signal?.aborted) break
      await (faults[kind] as Fault).run(world, chance)
      happened.set(kind, (happened.get(kind) ?? 0) + 1)
      const over = performance.now()
      const compound = chance.next() < COMPOUND_SHARE
      if (!compound && !await isRead(reader, world.feed.made)) world.violations.push(`After "${kind}" no new row could be read for ${RECOVERY_MS_MAX / 1000} s: ${world.platform?.output().slice(-2000)}`)
      const ms = Math.round(performance.now() - over)
      if (ms > longest.ms) Object.assign(longest, { ms, after: kind })
      tell(`${kind}: took ${Math.round(over - began)} ms, ${compound ? 'and the next one at once' : `read again after ${ms} ms`}; ${world.feed.made} rows`)
      await sleep(chance.between(100, 1500))
    }
    world.feed.end()
    // A signal that a terminal sends has reached the platform, too.
    if (world.platform?.process.exitCode !== null || world.platform.process.signalCode !== null) await world.start()
    const verdict = await judge(world, () => reader.stop()).catch((error: unknown) => ({ rejected: 0, lost: 0, doubled: 0, repeated: 0, violations: [`What arrived cannot be read: ${describe(error)}`] }))
    return { ...verdict, faults: happened, rows: world.feed.made, reads: reader.reads, longestMs: longest.ms, longestAfter: longest.after, violations: [...world.violations, ...verdict.violations] }
  } finally {
    await reader.stop()
    await world.close()
  }
}

/** All kinds in a random order, again and again: none is forgotten in a short run. */
function * deck ({ kind: world, kinds, minutes, clock, disk }: RunOptions, chance: Random): Generator<string> {
  const possible = Object.entries(faults).filter(([name, { worlds, needs }]) =>
    (worlds?.includes(world) ?? true) && (needs !== 'clock' || clock) && (needs !== 'disk' || disk) && (kinds?.includes(name) ?? true)).map(([name]) => name)
  yield * chance.shuffled(possible)
  if (minutes !== undefined) while (true) yield * chance.shuffled(possible)
}

async function isRead (reader: Reader, n: number): Promise<boolean> {
  for (const end = performance.now() + RECOVERY_MS_MAX; performance.now() < end;) {
    if (reader.next >= n) return true
    await sleep(50)
  }
  return false
}

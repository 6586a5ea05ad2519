// npm run sweep: each operation, with each fault at each call, one after another.

import { parseArgs } from 'node:util'
import { SweptEngine } from './engine.ts'
import { engineOperations } from './engine-operations.ts'
import { operations } from './operation.ts'
import { calls, faults, straceMissing } from './strace.ts'
import { Swept } from './sweep.ts'
import type { Fault } from './strace.ts'
import type { Outcome } from './sweep.ts'

/** No operation makes so many calls; one that does never ends. */
const POINTS_MAX = 2000

interface Line { points: number, lost: number, doubled: number, half: number, undurable: number, readonly ends: Map<string, number> }

const { values: { operation: only } } = parseArgs({ options: { operation: { type: 'string' } } })
if (straceMissing !== undefined) {
  console.error(straceMissing)
  process.exit(1)
}

let wrong = 0

/** Points 1, 2, 3 … of one call until one is not reached. */
async function sweepCall (swept: Swept | SweptEngine, call: string, fault: Fault, line: Line): Promise<void> {
  for (let at = 1; at <= POINTS_MAX; at++) {
    const outcome = await swept.at({ call, fault, at })
    if (!outcome.hit) return
    add(line, outcome)
    if (outcome.lost + outcome.doubled + outcome.half + outcome.promised.length > 0) console.log(`  ${swept.name}: ${fault} at ${call} ${at}: ${JSON.stringify(outcome)}`)
  }
}

function add (line: Line, { lost, doubled, half, promised, end }: Outcome): void {
  line.points++
  line.lost += lost
  line.doubled += doubled
  line.half += half
  line.undurable += promised.length
  line.ends.set(end, (line.ends.get(end) ?? 0) + 1)
}

const row = (cells: readonly unknown[]): void => console.log(cells.map((cell, i) => i === 3 ? String(cell).padStart(6) : i > 3 && i < 8 ? String(cell).padStart(8) : String(cell).padEnd([18, 7, 8][i] ?? 0)).join(' '))

row(['operation', 'call', 'fault', 'points', 'lost', 'doubled', 'half', 'promised', ' how the process ended'])
for (const name of only === undefined ? [...Object.keys(operations), ...Object.keys(engineOperations)] : [only]) {
  const inEngine = engineOperations[name] !== undefined
  const swept = inEngine ? await SweptEngine.open(name) : await Swept.open(name)
  const made = await swept.count()
  for (const [kind, names] of Object.entries(calls)) {
    // The engine's threads wake each other by a write: one that fails is no disk that fails (README.md).
    for (const fault of faults.filter(fault => !inEngine || kind !== 'write' || fault === 'SIGKILL')) {
      const line: Line = { points: 0, lost: 0, doubled: 0, half: 0, undurable: 0, ends: new Map() }
      for (const call of names.filter(call => made.has(call))) await sweepCall(swept, call, fault, line)
      if (line.points === 0) continue
      row([name, kind, fault, line.points, line.lost, line.doubled, line.half, line.undurable, ` ${[...line.ends].map(([end, n]) => `${n} ${end}`).join(' · ')}`])
      wrong += line.lost + line.doubled + line.half + line.undurable
    }
  }
  await swept.close()
}
process.exit(wrong === 0 ? 0 : 1)

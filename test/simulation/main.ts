// npm run simulate -- [--seeds 10000] [--from 1] [--seed S] [--jobs N]
//
// --seed runs one seed and prints all that happens in it. A failure is printed with its seed and with as few faults as
// make it fail; the exit code is 1 then.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { faultKinds } from './faults.ts'
import { shrink, story } from './shrink.ts'
import { simulate } from './world.ts'
import type { FaultKind } from './faults.ts'

const PROGRESS_MS = 10_000
const FAILURES_MAX = 5

interface Totals {
  seeds: number
  failed: number
  steps: number
  stepsMost: number
  seedMost: number
  rows: number
  handoffs: number
  reloads: number
  readonly faults: Record<FaultKind, number>
}

function noTotals (): Totals {
  return { seeds: 0, failed: 0, steps: 0, stepsMost: 0, seedMost: 0, rows: 0, handoffs: 0, reloads: 0, faults: Object.fromEntries(faultKinds.map(kind => [kind, 0])) as Record<FaultKind, number> }
}

const { values } = parseArgs({ options: { seeds: { type: 'string', default: '10000' }, from: { type: 'string', default: '1' }, seed: { type: 'string' }, jobs: { type: 'string', default: String(availableParallelism()) }, part: { type: 'boolean', default: false } } })
const [seeds, from, jobs] = [values.seeds, values.from, values.jobs].map(Number) as [number, number, number]

if (values.seed !== undefined) await one(Number(values.seed))
else if (values.part) await part()
else await all()

async function one (seed: number): Promise<void> {
  const outcome = await simulate({ seed })
  for (const line of outcome.trace) console.log(line)
  if (outcome.failure === undefined) console.log(`seed ${seed}: all held; ${outcome.rows} rows, ${outcome.faults.length} faults, ${outcome.steps} steps, ${outcome.handoffs} handoffs, ${outcome.reloads} reloads`)
  else await tell(outcome)
}

async function tell (outcome: Awaited<ReturnType<typeof simulate>>): Promise<void> {
  process.exitCode = 1
  console.log(`\n${story(await shrink(outcome, { seed: outcome.seed }))}\n\nnpm run simulate -- --seed ${outcome.seed}`)
}

/** Every so many seeds from the first one on; the totals are the last line. */
async function part (): Promise<void> {
  const totals = noTotals()
  let told = performance.now()
  for (let seed = from; seed < from + seeds * jobs && totals.failed < FAILURES_MAX; seed += jobs) {
    const outcome = await simulate({ seed })
    totals.seeds++
    for (const { kind } of outcome.faults) totals.faults[kind]++
    for (const name of ['steps', 'rows', 'handoffs', 'reloads'] as const) totals[name] += outcome[name]
    if (outcome.steps > totals.stepsMost) [totals.stepsMost, totals.seedMost] = [outcome.steps, seed]
    if (outcome.failure !== undefined) {
      totals.failed++
      await tell(outcome)
    }
    if (performance.now() - told > PROGRESS_MS) {
      console.log(`at seed ${seed}, ${totals.failed} failed`)
      told = performance.now()
    }
  }
  console.log(JSON.stringify(totals))
}

async function all (): Promise<void> {
  const began = performance.now()
  const totals = noTotals()
  await Promise.all(Array.from({ length: jobs }, async (_, job) => {
    const share = Math.ceil((seeds - job) / jobs)
    const child = spawn(process.execPath, [import.meta.filename, '--part', '--seeds', String(share), '--from', String(from + job), '--jobs', String(jobs)], { stdio: ['ignore', 'pipe', 'inherit'] })
    let text = ''
    child.stdout.setEncoding('utf8').on('data', (piece: string) => {
      text += piece
      const end = text.lastIndexOf('\n') + 1
      for (const line of text.slice(0, end).split('\n')) if (line !== '' && !line.startsWith('{')) console.log(line)
      if (text.slice(0, end).includes('\n{') || text.startsWith('{')) add(totals, text.slice(0, end))
      text = text.slice(end)
    })
    const [code] = await once(child, 'close') as [number | null]
    if (code !== 0) process.exitCode = 1
  }))
  const seconds = (performance.now() - began) / 1000
  console.log(`${totals.seeds} seeds in ${seconds.toFixed(0)} s, ${(totals.seeds / seconds).toFixed(1)} a second: ${totals.failed} failed`)
  console.log(`${totals.rows} rows, ${totals.handoffs} handoffs, ${totals.reloads} starts and reloads, ${totals.steps} steps; the longest world is seed ${totals.seedMost} with ${totals.stepsMost} steps`)
  console.log(`faults: ${Object.entries(totals.faults).map(([kind, count]) => `${kind} ${count}`).join(', ')}`)
}

function add (totals: Totals, text: string): void {
  const line = text.split('\n').find(each => each.startsWith('{'))
  if (line === undefined) return
  const more = JSON.parse(line) as Totals
  for (const name of ['seeds', 'failed', 'steps', 'rows', 'handoffs', 'reloads'] as const) totals[name] += more[name]
  for (const kind of faultKinds) totals.faults[kind] += more.faults[kind]
  if (more.stepsMost > totals.stepsMost) [totals.stepsMost, totals.seedMost] = [more.stepsMost, more.seedMost]
}

// npm run chaos -- [--minutes 10] [--seed S] [--world embedded|kafka|server] [--rows 1500] [--fault 'engine: SIGKILL']… [--keep]
//
// Without --world the minutes are shared by all worlds. Exit code 1 at any loss; what was seen is printed with the seed.
// With --fault, only such faults. With --keep, the folder of the run stays.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { noOwnKafka } from '../kafka/server.ts'
import { faults } from './faults.ts'
import { runChaos } from './run.ts'
import { canMount, canSetClock, worldKinds } from './world.ts'
import type { Outcome } from './run.ts'
import type { WorldKind } from './world.ts'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    world: { type: 'string' },
    rows: { type: 'string', default: '1500' },
    fault: { type: 'string', multiple: true },
    keep: { type: 'boolean', default: false }
  }
})
const [minutes, seed, rowsPerSecond] = [values.minutes, values.seed, values.rows].map(Number) as [number, number, number]
for (const [name, value] of Object.entries({ minutes, seed, rows: rowsPerSecond })) if (!(value > 0)) throw new Error(`--${name} has to be a number above 0`)
const unknown = values.fault?.find(name => faults[name] === undefined)
if (unknown !== undefined) throw new Error(`There is no fault "${unknown}". There are: ${Object.keys(faults).join('; ')}`)

// The first signal ends the faults, so that disks and processes are taken away in order.
const stopping = new AbortController()
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stopping.abort())

const worlds = chosen()
for (const kind of worlds) if (!stopping.signal.aborted) await one(kind, minutes / worlds.length)

function chosen (): readonly WorldKind[] {
  if (values.world !== undefined) {
    const found = worldKinds.find(kind => kind === values.world)
    if (found === undefined) throw new Error(`There is no world "${values.world}". There are: ${worldKinds.join(', ')}`)
    return [found]
  }
  const why = noOwnKafka()
  if (why === false) return worldKinds
  console.log(`No Kafka: it ${why}`)
  return worldKinds.filter(kind => kind !== 'kafka')
}

async function one (kind: WorldKind, minutes: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'chaos-'))
  const disk = canMount(join(folder, 'probe'))
  const clock = canSetClock()
  if (!disk) console.log('No full disk: only root can mount a small one')
  if (!clock) console.log('No clock jumps: they need libfaketime (apt-get install faketime)')
  console.log(`${kind}, seed ${seed}, ${minutes.toFixed(1)} minutes, ${rowsPerSecond} rows/s`)
  const outcome = await runChaos({ kind, folder, rowsPerSecond, clock, disk, seed, minutes, signal: stopping.signal, ...(values.fault !== undefined && { kinds: values.fault }), tell: line => console.log(`  ${line}`) })
  print(kind, outcome)
  if (values.keep) console.log(`Kept: ${folder}`)
  else rmSync(folder, { recursive: true, force: true })
}

function print (kind: WorldKind, { faults, rows, rejected, reads, lost, doubled, repeated, longestMs, longestAfter, violations }: Outcome): void {
  console.log(`\n${kind}, seed ${seed}: ${violations.length === 0 ? 'all held' : 'FAILED'}`)
  for (const [name, times] of [...faults].toSorted(([a], [b]) => a.localeCompare(b))) console.log(`  ${String(times).padStart(4)}  ${name}`)
  console.log(`  ${[...faults.values()].reduce((sum, times) => sum + times, 0)} faults; ${rows} rows, of which ${rejected} were rejected with a reason; ${lost} lost, ${doubled} doubled; ${repeated} sent again to the webhook with the keys they had`)
  console.log(`  ${reads} reads meanwhile; longest time until new rows could be read: ${(longestMs / 1000).toFixed(1)} s, after "${longestAfter}"`)
  for (const violation of violations) console.log(`  ✗ ${violation}`)
  if (violations.length > 0) process.exitCode = 1
}

// The same work on the platform and on what a user would run instead, one after the other:
//   npm run bench:peers [-- <million rows> [rounds [workload …]]]
// What comes out is compared by value before a number is printed. What cannot be had here is named, and left out.

import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { median } from '../measure.ts'
import { installBento, installKafkaTools } from './installs.ts'
import { run } from './process.ts'
import { printTable } from './report.ts'
import { expected, makeText } from './work.ts'
import { fileWork, kafkaWork, parquetWork } from './workloads.ts'
import type { Taken } from './process.ts'
import type { Result } from './report.ts'
import type { Contestant, Ground } from './workloads.ts'

const [millions = '2', rounds = '3', ...only] = process.argv.slice(2)
const rows = Number(millions) * 1_000_000
const folder = mkdtempSync(join(tmpdir(), 'twolane-peers-'))
const results: Result[] = []
const notes: string[] = []

console.log(`${cpus().length} cores (${cpus()[0]?.model.trim() ?? 'unknown'}), Node ${process.version}, ${millions} million quotes, ${rounds} rounds each`)
try {
  const ground: Ground = { folder, rows, csv: join(folder, 'quotes.csv'), ndjson: join(folder, 'quotes.ndjson'), bento: await installBento(), kafkaTools: await installKafkaTools() }
  for (const { missing } of [ground.bento, ground.kafkaTools]) if (missing !== undefined) notes.push(`left out: ${missing}`)
  makeFile('csv', ground.csv)
  makeFile('ndjson', ground.ndjson)
  const digests = { cast: expected(rows, { cast: true }), raw: expected(rows, { cast: false }) }
  if (wanted('file')) for (const kind of ['csv', 'ndjson'] as const) await compare(`${kind === 'csv' ? 'CSV' : 'NDJSON'} ▶ cast ▶ NDJSON`, fileWork(ground, ground[kind], digests.cast))
  if (wanted('kafka')) {
    const { contestants, missing, close } = await kafkaWork(ground, digests.raw)
    if (missing !== undefined) notes.push(`left out: ${missing}`)
    try {
      for (const [name, some] of contestants) await compare(name, some)
    } finally {
      await close()
    }
  }
  if (wanted('parquet')) await compare('NDJSON ▶ Parquet', parquetWork(ground, digests.raw))
} finally {
  rmSync(folder, { recursive: true, force: true })
}
printTable(results)
for (const note of notes) console.log(note)
process.exit(results.some(({ failed }) => failed !== undefined) ? 1 : 0)

function wanted (workload: string): boolean {
  return only.length === 0 || only.includes(workload)
}

function makeFile (kind: 'csv' | 'ndjson', path: string): void {
  const file = openSync(path, 'w')
  for (const text of makeText(kind, rows)) writeSync(file, text)
  closeSync(file)
}

/** All programs in turns, so that none has the better hour. */
async function compare (workload: string, contestants: readonly Contestant[]): Promise<void> {
  const taken = new Map<Contestant, Taken[]>(contestants.map(contestant => [contestant, []]))
  const failures = new Map<Contestant, string>()
  for (let round = 0; round < Number(rounds); round++) {
    for (const contestant of contestants) {
      if (failures.has(contestant)) continue
      const place = mkdtempSync(join(folder, 'round-'))
      try {
        const began = performance.now()
        const found = await run(await contestant.program(place, round))
        // Each round writes the same: looked at once.
        if (round === 0) await contestant.check(place)
        taken.get(contestant)?.push(found)
        process.stderr.write(`${workload}: ${contestant.name}, round ${round + 1}: ${found.cpuSeconds.toFixed(1)} CPU-s, ${((performance.now() - began) / 1000).toFixed(0)} s\n`)
      } catch (error) {
        failures.set(contestant, (error as Error).message)
      } finally {
        rmSync(place, { recursive: true, force: true })
      }
    }
  }
  for (const contestant of contestants) results.push(resultOf(workload, contestant, taken.get(contestant) ?? [], failures.get(contestant)))
}

function resultOf (workload: string, { name }: Contestant, taken: readonly Taken[], failed: string | undefined): Result {
  const cpu = taken.map(({ cpuSeconds }) => cpuSeconds / rows * 1e6).toSorted((a, b) => a - b)
  if (failed !== undefined || cpu.length === 0) return { workload, name, failed: failed ?? 'no round' }
  const of = (value: (taken: Taken) => number): number => median(taken.map(value))
  return { workload, name, seconds: of(({ seconds }) => seconds), rows, cpu: median(cpu), cpuLeast: cpu[0] as number, cpuMost: cpu.at(-1) as number, peakMiB: of(({ peakMiB }) => peakMiB) }
}

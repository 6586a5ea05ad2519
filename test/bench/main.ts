// `npm run bench`: every number that the README claims, each script in a process of its own.

import { spawnSync } from 'node:child_process'
import { cpus, totalmem } from 'node:os'
import { join } from 'node:path'

const scripts: ReadonlyArray<readonly [what: string, file: string, ...args: string[]]> = [
  ['Catch-up from the embedded topic into embedded ClickHouse', 'catchup.ts', '4', '3'],
  ['Apache Kafka on this machine: append, catch-up into embedded ClickHouse, rebalance', 'kafka.ts', '2', '3'],
  ['Event to queryable, start, memory, reload, stop', 'latency.ts', '10000', '30'],
  ['Jobs beside a stream', 'jobs.ts', '10000', '60'],
  ['A file of 20 million rows in 512 MB', 'big-file.ts', '20'],
  ['The mapping alone', 'mapping.ts'],
  ['Arrow encoding alone', 'arrow.ts'],
  ['Files', 'outputs.ts', '1'],
  ['The lake alone: write, read back, compaction', 'lake.ts', '1'],
  ['The lake in a folder and in an S3-compatible store', 's3.ts', '1'],
  ['A day of 10 million rows handed over to the warehouse', 'handoff.ts', '10'],
  ['The data API: last rows, bars, a million rows in each format', 'data.ts', '5', '1'],
  ['The embedded engine alone', 'engine.ts'],
  ['The web page: bytes and timings in Chromium', 'panel.ts', '5'],
  ['What a machine has to have, and what it costs a month', 'sizing.ts', '2', '5'],
  ['Whether the time of a login tells who there is', 'login.ts', '200'],
  ['What it costs to keep logs and metrics', 'observe.ts', '5', '120']
]

console.log(`${cpus().length} cores (${cpus()[0]?.model.trim() ?? 'unknown'}), ${(totalmem() / 2 ** 30).toFixed(0)} GiB, Node ${process.version}`)
let failed = 0
for (const [what, file, ...args] of scripts) {
  console.log(`\n${what} (node test/bench/${[file, ...args].join(' ')})`)
  const { status } = spawnSync(process.execPath, [join(import.meta.dirname, file), ...args], { stdio: 'inherit' })
  if (status !== 0) failed++
}
process.exitCode = failed

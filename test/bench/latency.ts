// A real platform process fed by a WebSocket server at a steady rate: start-up, memory at idle, event to queryable,
// reload.
//   node test/bench/latency.ts [rows a second] [seconds]

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeProject, startPlatform } from '../system/project.ts'
import { measureDelays, startFeed } from './live-feed.ts'
import { residentMiB } from './measure.ts'
import { quotesSchema } from './quotes.ts'
import type { RunningPlatform } from '../system/project.ts'

const rate = Number(process.argv[2] ?? 10_000)
const seconds = Number(process.argv[3] ?? 30)
const folder = mkdtempSync(join(tmpdir(), 'twolane-bench-'))
const feed = await startFeed(rate)

const pipeline = (flushMs: number): string => `
input:
  websocket: { url: '${feed.url}' }
topic: quotes
transforms:
  - mapping: quotes
outputs:
  - streaming-database: {}
    flush: { ms: ${flushMs} }
  - lake: {}
`
const project = makeProject(folder, { 'schemas/quotes.yaml': quotesSchema, 'pipelines/quotes.yaml': pipeline(250) })

try {
  const cold = await timed('start, empty data folder')
  await cold.stop()
  const platform = await timed('start, warm')
  await pause(3000)
  console.log(`memory at idle: platform ${residentMiB(platform.process.pid as number).toFixed(0)} MiB, engine ${engineMiB(platform).toFixed(0)} MiB`)
  await latency(platform)
  for (const flushMs of [200, 250]) {
    project.write('pipelines/quotes.yaml', pipeline(flushMs))
    const { body } = await platform.api<{ outcome: string, ms: number, changes: Array<{ ms: number }> }>('POST', '/v1/reload')
    console.log(`reload under load: ${body.outcome} in ${body.ms} ms, of which the pipeline stood still for at most ${body.changes[0]?.ms ?? 0} ms`)
    await pause(2000)
  }
  const stopping = performance.now()
  await platform.stop()
  console.log(`Ctrl-C under load: drained and stopped in ${(performance.now() - stopping).toFixed(0)} ms`)
} finally {
  feed.close()
  rmSync(folder, { recursive: true, force: true })
}
process.exit()

async function timed (what: string): Promise<RunningPlatform> {
  const began = performance.now()
  const platform = await startPlatform(project, { TWOLANE_LOG_LEVEL: 'info' })
  console.log(`${what}: ${(performance.now() - began).toFixed(0)} ms until every pipeline runs`)
  return platform
}

async function latency (platform: RunningPlatform): Promise<void> {
  feed.begin()
  const { p50, p99, max, rows } = await measureDelays(platform, seconds)
  console.log(`event to queryable at ${rate} rows/s for ${seconds} s: p50 ${p50} ms, p99 ${p99} ms, max ${max} ms (${rows} rows)`)
}

function engineMiB (platform: RunningPlatform): number {
  const pid = /"pid":(\d+)/.exec(platform.output())?.[1]
  return pid === undefined ? NaN : residentMiB(Number(pid))
}

function pause (ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}

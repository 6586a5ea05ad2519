// Jobs beside a stream: what one run costs, and what a stream notices of 50 runs a minute, which all fire at once.
//   node test/bench/jobs.ts [rows a second] [seconds]

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeProject, startPlatform } from '../system/project.ts'
import { eventually } from '../waiting.ts'
import { measureDelays, startFeed } from './live-feed.ts'
import { cpuSecondsOf, residentMiB } from './measure.ts'
import { quotesSchema } from './quotes.ts'
import type { RunDetail, ShownJob, ShownRun } from '../../runtime/cli/job.ts'
import type { RunningPlatform } from '../system/project.ts'

const rate = Number(process.argv[2] ?? 10_000)
const seconds = Number(process.argv[3] ?? 60)
const JOBS = 50
const RUNS_ALONE = 20

const plugin = `
import { defineInput, fromRows } from '../../../runtime/plugin.ts'

export default defineInput({
  description: 'A hundred rows a run',
  bounded: true,
  options: {},
  async * read (_config, { run, topic }) {
    yield { batch: fromRows(topic, Array.from({ length: 100 }, (_, n) => ({ n, at: run.to }))), checkpoint: run.id }
  }
})
`
const schema = `
fields:
  n: { type: int64, required: true, description: Number }
  at: { type: timestamp(ms), description: End of the interval, cast: { unit: ms } }
`
const job = (i: number, schedule: string): string => `
input: hundred
topic: rows
transforms:
  - mapping: rows
outputs:
  - file: { path: job-${i}.ndjson }
schedule: ${schedule}
`
const feed = await startFeed(rate)
const stream = `
input:
  websocket: { url: '${feed.url}' }
topic: quotes
transforms:
  - mapping: quotes
outputs:
  - streaming-database: {}
    flush: { ms: 250 }
`
const folder = mkdtempSync(join(tmpdir(), 'twolane-bench-'))
const project = makeProject(folder, { 'plugins/inputs/hundred/index.ts': plugin, 'schemas/quotes.yaml': quotesSchema, 'schemas/rows.yaml': schema, 'pipelines/quotes.yaml': stream, 'pipelines/alone.yaml': job(0, 'manual') })

try {
  const platform = await startPlatform(project)
  await alone(platform)
  feed.begin()
  await beside(platform, 'the stream alone')
  for (let i = 1; i <= JOBS; i++) project.write(`pipelines/job-${i}.yaml`, job(i, '{ every: 1m }'))
  await platform.api('POST', '/v1/reload')
  await beside(platform, `with ${JOBS} jobs a minute`)
  const { body: { jobs } } = await platform.api<{ jobs: ShownJob[] }>('GET', '/v1/jobs')
  const last = jobs.flatMap(({ id, last }) => id.startsWith('job-') && last !== undefined ? [last] : [])
  const began = Math.min(...last.map(({ queued }) => queued))
  console.log(`${last.filter(({ state }) => state === 'succeeded').length} of ${JOBS} jobs ran; the last one ended ${((Math.max(...last.map(({ ended }) => ended)) - began) / 1000).toFixed(1)} s after the fire`)
  await platform.stop()
} finally {
  feed.close()
  rmSync(folder, { recursive: true, force: true })
}
process.exit()

/** One run after the other, beside an idle stream. */
async function alone (platform: RunningPlatform): Promise<void> {
  const pid = platform.process.pid as number
  const took: number[] = []
  const cpuBefore = cpuSecondsOf(pid)
  for (let i = 0; i < RUNS_ALONE; i++) {
    const { body: { id } } = await platform.api<ShownRun>('POST', '/v1/jobs/alone/runs')
    const run = await eventually('the run ends', async () => {
      const { body } = await platform.api<RunDetail>('GET', `/v1/jobs/alone/runs/${id}`)
      return body.ended > 0 ? body : undefined
    })
    took.push(run.ended - run.started)
  }
  took.sort((a, b) => a - b)
  console.log(`one run of 100 rows, thread and all: median ${took[RUNS_ALONE >> 1]} ms, ${((cpuSecondsOf(pid) - cpuBefore) / RUNS_ALONE).toFixed(2)} CPU-seconds`)
}

async function beside (platform: RunningPlatform, what: string): Promise<void> {
  const pid = platform.process.pid as number
  let [cpu, at] = [0, 0]
  const { p50, p99, max } = await measureDelays(platform, seconds, () => {
    cpu = cpuSecondsOf(pid)
    at = performance.now()
  })
  const cores = (cpuSecondsOf(pid) - cpu) / ((performance.now() - at) / 1000)
  console.log(`${what}, ${rate} rows/s for ${seconds} s: p50 ${p50} ms, p99 ${p99} ms, max ${max} ms; the platform took ${cores.toFixed(2)} cores and ${residentMiB(pid).toFixed(0)} MiB`)
}

// The thread of one pipeline. It is started by the supervisor (supervisor.ts) with WorkerData, prepares, waits for
// `start`, runs until `stop`, and ends. A plugin can throw, exit or fill its memory here and hurts no other pipeline.

import { parentPort, workerData } from 'node:worker_threads'
import pino from 'pino'
import { pluginIn } from './blame.ts'
import { openBroker } from './broker/open.ts'
import { describe } from './errors.ts'
import { readKeptRevision } from './kept-revision.ts'
import { masker } from './mask.ts'
import { Pulse, stepsOf } from './messages.ts'
import { PipelineMetrics } from './metrics.ts'
import { PipelineRun } from './run.ts'
import type { FromWorker, ToWorker, WorkerData } from './messages.ts'
import type { OldRevision } from './kept-revision.ts'
import type { Surroundings } from './steps.ts'

const BEAT_MS = 250
const MEASURE_MS = 1000
const METRICS_MS = 1000

const data = workerData as WorkerData
const { pipeline, schemas, dataFolder, root } = data
const port = parentPort as NonNullable<typeof parentPort>
const mask = masker(pipeline.secrets)

/** No text for people that leaves the thread may hold a secret. */
function send (message: FromWorker): void {
  port.postMessage(masked(message))
}

/** Words of the protocol stay: a secret may be as short and plain as one of them. */
function masked (message: FromWorker): FromWorker {
  switch (message.type) {
    case 'log': return { ...message, line: mask(message.line) }
    case 'failed': return { ...message, reason: mask(message.reason) }
    case 'health': {
      const { reason } = message.health
      return reason === undefined ? message : { ...message, health: { ...message.health, reason: mask(reason) } }
    }
    default: return message
  }
}

const pulse = new Pulse(stepsOf(pipeline), data.pulse)
const metrics = new PipelineMetrics()
const logger = pino({ level: data.logLevel, base: { pipeline: pipeline.id } }, { write: line => send({ type: 'log', line }) })

function fail (error: unknown, plugin = pluginIn((error as Error | undefined)?.stack) ?? pulse.step): void {
  send({ type: 'failed', reason: describe(error), plugin })
}

/** A plugin that calls `process.exit` ends this thread only; this says which one it was. */
const exit = process.exit.bind(process)
process.exit = code => {
  fail(new Error(`process.exit(${code ?? ''}) was called`), pluginIn(new Error().stack) ?? pulse.step)
  return exit(code)
}
process.on('uncaughtException', error => {
  fail(error)
  exit(1)
})

const broker = openBroker({ dataFolder })
const surroundings: Surroundings = {
  root,
  dataFolder,
  pipeline,
  schemas,
  clickhouse: data.clickhouse,
  broker,
  clock: { now: Date.now },
  metrics,
  watch: pulse,
  log: step => logger.child({ step }),
  health: (step, health) => send({ type: 'health', step, health })
}

/** Revisions are kept by the supervisor as files, before a worker with them starts. */
async function keptRevision (revision: string): Promise<OldRevision | undefined> {
  try {
    return await readKeptRevision(revision, { root, dataFolder, pipeline, env: process.env })
  } catch (error) {
    logger.warn({ revision, reason: describe(error) }, 'The revision that began the rows in flight cannot be opened, finishing them with the current one')
    return undefined
  }
}

function guardMemory (): void {
  const { arrayBuffers, external } = process.memoryUsage()
  const bytes = Math.max(arrayBuffers, external)
  if (bytes <= data.buffersBytesMax) return
  fail(new Error(`Buffers of ${bytes >> 20} MiB are over the limit of ${data.buffersBytesMax >> 20} MiB`), pulse.step)
  exit(1)
}

// A counter that is there from the start shows its first increase, too.
for (const step of stepsOf(pipeline)) metrics.begin(pipeline.id, step)
const run = new PipelineRun(surroundings, keptRevision)
const beat = setInterval(() => pulse.beat(), BEAT_MS)
const report = async (): Promise<void> => {
  guardMemory()
  send({ type: 'metrics', metrics: await metrics.registry.getMetricsAsJSON() })
}

async function start (): Promise<void> {
  await preparing
  const measure = setInterval(() => { run.lag.measure().catch((error: unknown) => logger.debug({ reason: describe(error) }, 'Lag not measured')) }, MEASURE_MS)
  const reporting = setInterval(() => { void report() }, METRICS_MS)
  await run.run(() => send({ type: 'running' }))
  clearInterval(measure)
  clearInterval(reporting)
  await report()
  await end()
}

async function end (): Promise<void> {
  await broker.close()
  clearInterval(beat)
  send({ type: 'stopped' })
  port.close()
}

let started = false
port.on('message', (message: ToWorker) => {
  if (message.type === 'stop') {
    if (started) run.stop()
    else void end()
  } else if (!started) {
    started = true
    start().catch(error => {
      fail(error)
      exit(1)
    })
  }
})

const preparing = run.prepare()
preparing.then(() => send({ type: 'prepared' }), error => {
  fail(error)
  exit(1)
})

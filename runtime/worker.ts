// The thread of one pipeline. It is started by the supervisor (supervisor.ts) with WorkerData, prepares, waits for
// `start`, runs until `stop`, and ends. A plugin can throw, exit or fill its memory here and hurts no other pipeline.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { parentPort, workerData } from 'node:worker_threads'
import pino from 'pino'
import { openBroker } from './broker/open.ts'
import { withReserve } from './disk-reserve.ts'
import { describe, PlatformError } from './errors.ts'
import { masker } from './mask.ts'
import { Pulse, stepsOf } from './messages.ts'
import { PipelineMetrics } from './metrics.ts'
import { PipelineRun, producerOf } from './run.ts'
import { StepFailed } from './run-end.ts'
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

function fail (error: unknown): void {
  if (error instanceof StepFailed) {
    const { cause, step, stack } = error
    send({ type: 'failed', reason: describe(cause), step, stack, lasting: cause instanceof PlatformError && !cause.retryable })
    return
  }
  const stuck = error instanceof PlatformError && error.code === 'PLUGIN_STUCK'
  // A plugin may have changed what the thread needs to find out more: that is left to the main thread.
  send({ type: 'failed', reason: stuck ? error.message : describe(error), step: stuck ? error.where : undefined, stack: (error as Error | undefined)?.stack })
}

/** A plugin that wants to end the process ends this thread only; this says which one it was. */
const exit = process.exit.bind(process)
process.exit = code => {
  fail(new Error(`process.exit(${code ?? ''}) was called`))
  return exit(code)
}
const kill = process.kill.bind(process)
process.kill = (pid, signal) => {
  if (pid !== process.pid) return kill(pid, signal)
  fail(new Error(`process.kill(${pid}) was called on the platform itself`))
  return exit(1)
}
process.on('uncaughtException', error => {
  fail(error)
  exit(1)
})

const broker = withReserve(await openBroker({ dataFolder, kafka: data.kafka }), { folder: dataFolder, bytes: data.limits.diskReserveBytes, producer: producerOf(pipeline.id, data.run) })
const surroundings: Surroundings = {
  root,
  dataFolder,
  pipeline,
  schemas,
  clickhouse: data.clickhouse,
  warehouse: data.warehouse,
  run: data.run,
  broker,
  clock: { now: Date.now },
  metrics,
  watch: pulse,
  limits: data.limits,
  log: step => logger.child({ step }),
  health: (step, health) => send({ type: 'health', step, health })
}

/** Revisions are kept by the supervisor as files, before a worker with them starts. What reads them is loaded only where it is needed: every run of a job starts a thread. */
async function keptRevision (revision: string): Promise<OldRevision | undefined> {
  try {
    const { readKeptRevision } = await import('./kept-revision.ts')
    return await readKeptRevision(revision, { root, dataFolder, pipeline, env: process.env })
  } catch (error) {
    logger.warn({ revision, reason: describe(error) }, 'The revision that began the rows in flight cannot be opened, finishing them with the current one')
    return undefined
  }
}

function heapBytesWithoutGarbage (): number {
  setFlagsFromString('--expose-gc')
  ;(runInNewContext('gc') as () => void)()
  return process.memoryUsage().heapUsed
}

/** Ends the thread when it holds more than it may: sooner than V8 would end the process, or the machine the platform. */
function guardMemory (): void {
  const { arrayBuffers, external, heapUsed } = process.memoryUsage()
  const heapBytesMax = pipeline.heapMegabytes * 2 ** 20
  if (heapUsed > heapBytesMax && heapBytesWithoutGarbage() > heapBytesMax) {
    fail(new Error(`${pulse.step ?? 'A step'} filled the heap; limits.heap_megabytes sets how large it may be`))
    exit(1)
  }
  const bytes = Math.max(arrayBuffers, external)
  const { buffersBytesMax } = data.limits
  if (bytes <= buffersBytesMax) return
  fail(new Error(`Buffers of ${Math.round(bytes / 2 ** 20)} MiB are over the limit of ${Math.round(buffersBytesMax / 2 ** 20)} MiB`))
  exit(1)
}

// A counter that is there from the start shows its first increase, too.
for (const step of stepsOf(pipeline)) metrics.begin(pipeline.id, step)
const run = new PipelineRun(surroundings, keptRevision)
const beat = setInterval(() => {
  pulse.beat()
  guardMemory()
}, BEAT_MS)
const report = async (): Promise<void> => {
  metrics.used(pipeline.id)
  send({ type: 'metrics', metrics: await metrics.registry.getMetricsAsJSON() })
}

async function start (): Promise<void> {
  await preparing
  const measure = setInterval(() => { run.lag.measure().catch((error: unknown) => logger.debug({ reason: describe(error) }, 'Lag not measured')) }, MEASURE_MS)
  const reporting = setInterval(() => { void report() }, METRICS_MS)
  try {
    await run.run(() => send({ type: 'running' }))
  } finally {
    clearInterval(measure)
    clearInterval(reporting)
    await report()
  }
  await end()
}

async function end (): Promise<void> {
  await broker.close()
  clearInterval(beat)
  send({ type: 'stopped' })
  // Timers and sockets that a plugin has left behind would keep the thread alive.
  exit(0)
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

// The inside of a thread that runs steps of pipelines beside them, for a redelivery or a comparison: plugins are loaded
// anew, as a reload has left them, and one that hangs or ends its thread does so here.

import { parentPort, workerData } from 'node:worker_threads'
import { openBroker } from './broker/open.ts'
import { describe, PlatformError } from './errors.ts'
import { limits } from './limits.ts'
import { masker } from './mask.ts'
import { PipelineMetrics } from './metrics.ts'
import type { Broker } from './broker/broker.ts'
import type { Json, Logger } from './plugin.ts'
import type { FromSideThread, SideData } from './side-thread.ts'
import type { Surroundings } from './steps.ts'

export interface SideWork {
  /** Of the pipelines that were given, in their order. */
  readonly arounds: readonly Surroundings[]
  readonly broker: Broker
  readonly signal: AbortSignal
  /** Shown to whoever waits. */
  progress (done: Json): void
}

/** Does what the thread was started for, and ends the thread. The answer is plain data; secrets are taken out of it. */
export async function serveSide<Q, R> (work: (request: Q, parts: SideWork) => Promise<R>): Promise<void> {
  const { request, pipelines, ...data } = workerData as SideData<Q>
  const port = parentPort as NonNullable<typeof parentPort>
  const mask = masker(pipelines.flatMap(({ secrets }) => secrets))
  const masked = <T>(value: T): T => JSON.parse(mask(JSON.stringify(value))) as T
  const send = (message: FromSideThread): void => port.postMessage(message)
  const fail = (error: unknown): void => {
    send({ type: 'failed', code: error instanceof PlatformError ? error.code : 'PLUGIN_FAILED', reason: mask(describe(error)) })
  }
  const exit = process.exit.bind(process)
  process.exit = code => {
    fail(new Error(`process.exit(${code ?? ''}) was called`))
    return exit(code)
  }
  process.on('uncaughtException', error => {
    fail(error)
    exit(1)
  })
  const stop = new AbortController()
  port.once('message', () => stop.abort())

  const enter = (step: string): void => send({ type: 'in', step })
  const logOf = (step: string, pipeline: string): Logger => {
    const log = (level: 'error' | 'warn' | 'info') => (fields: object, message: string): void => send({ type: 'log', level, ...masked({ fields: { pipeline, step, ...fields }, message }) })
    return { error: log('error'), warn: log('warn'), info: log('info'), debug () {} }
  }
  const broker = await openBroker(data)
  const arounds = pipelines.map((pipeline): Surroundings => ({
    ...data,
    pipeline,
    broker,
    clock: { now: Date.now },
    metrics: new PipelineMetrics(),
    watch: { enter, leave () {}, begin: enter, end () {} },
    limits,
    log: step => logOf(step, pipeline.id),
    health () {}
  }))
  try {
    const answer = await work(request, { arounds, broker, signal: stop.signal, progress: done => send({ type: 'progress', done: masked(done) }) })
    send({ type: 'done', answer: masked(answer) })
  } catch (error) {
    fail(error)
  } finally {
    await broker.close()
  }
  // Timers and sockets that a plugin has left behind would keep the thread alive.
  exit(0)
}

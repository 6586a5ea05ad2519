// The thread of one redelivery: plugins are loaded anew, as a reload has left them, and one that hangs or ends its
// thread does so here.

import { parentPort, workerData } from 'node:worker_threads'
import { openBroker } from '../broker/open.ts'
import { describe, PlatformError } from '../errors.ts'
import { limits } from '../limits.ts'
import { masker } from '../mask.ts'
import { PipelineMetrics } from '../metrics.ts'
import { redeliver } from './redelivery.ts'
import type { ErrorCode } from '../errors.ts'
import type { KafkaConfig } from '../broker/kafka/options.ts'
import type { Logger } from '../plugin.ts'
import type { Pipeline } from '../pipeline.ts'
import type { Topic } from '../schema.ts'
import type { Surroundings } from '../steps.ts'
import type { RedeliveryRequest } from './redelivery.ts'
import type { Report } from './report.ts'

/** Plain data: it is copied into the thread. */
export interface RedeliveryData {
  readonly request: RedeliveryRequest
  readonly root: string
  readonly dataFolder: string
  readonly kafka: KafkaConfig | undefined
  readonly clickhouse: string | undefined
  readonly warehouse: string | undefined
  /** All that are enabled and have the topic. */
  readonly pipelines: readonly Pipeline[]
  readonly schemas: ReadonlyMap<string, Topic>
}

export type FromRedelivery =
  | { readonly type: 'in', readonly step: string }
  | { readonly type: 'log', readonly level: 'error' | 'warn' | 'info', readonly fields: object, readonly message: string }
  | { readonly type: 'failed', readonly code: ErrorCode, readonly reason: string }
  | { readonly type: 'done', readonly report: Report }

const { request, pipelines, ...data } = workerData as RedeliveryData
const port = parentPort as NonNullable<typeof parentPort>
const mask = masker(pipelines.flatMap(({ secrets }) => secrets))
const stop = new AbortController()

function send (message: FromRedelivery): void {
  port.postMessage(message)
}

function fail (error: unknown): void {
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
port.once('message', () => stop.abort())

const enter = (step: string): void => send({ type: 'in', step })
const watch = { enter, leave () {}, begin: enter, end () {} }

function logOf (step: string, pipeline: string): Logger {
  const log = (level: 'error' | 'warn' | 'info') => (fields: object, message: string): void => {
    send({ type: 'log', level, fields: JSON.parse(mask(JSON.stringify({ pipeline, step, ...fields }))) as object, message: mask(message) })
  }
  return { error: log('error'), warn: log('warn'), info: log('info'), debug () {} }
}

const broker = await openBroker(data)
const arounds = pipelines.map((pipeline): Surroundings => ({
  ...data,
  pipeline,
  broker,
  clock: { now: Date.now },
  metrics: new PipelineMetrics(),
  watch,
  limits,
  log: step => logOf(step, pipeline.id),
  health () {}
}))
try {
  const report = await redeliver(request, arounds, broker, stop.signal)
  send({ type: 'done', report: JSON.parse(mask(JSON.stringify(report))) as Report })
} catch (error) {
  fail(error)
} finally {
  await broker.close()
}
// Timers and sockets that a plugin has left behind would keep the thread alive.
exit(0)

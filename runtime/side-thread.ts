// A thread that runs steps of pipelines beside them (side-worker.ts), from outside.

import { Worker } from 'node:worker_threads'
import { PlatformError } from './errors.ts'
import type { KafkaConfig } from './broker/kafka/options.ts'
import type { ErrorCode } from './errors.ts'
import type { Pipeline } from './pipeline.ts'
import type { Platform } from './platform.ts'
import type { Json, Logger } from './plugin.ts'
import type { Topic } from './schema.ts'

/** Plain data: it is copied into the thread. */
export interface SideData<Q> {
  readonly request: Q
  readonly root: string
  readonly dataFolder: string
  readonly kafka: KafkaConfig | undefined
  readonly clickhouse: string | undefined
  readonly warehouse: string | undefined
  readonly pipelines: readonly Pipeline[]
  readonly schemas: ReadonlyMap<string, Topic>
}

export type FromSideThread =
  /** The step whose call begins. */
  | { readonly type: 'in', readonly step: string }
  | { readonly type: 'log', readonly level: 'error' | 'warn' | 'info', readonly fields: object, readonly message: string }
  | { readonly type: 'progress', readonly done: Json }
  | { readonly type: 'failed', readonly code: ErrorCode, readonly reason: string }
  | { readonly type: 'done', readonly answer: unknown }

export interface Side<Q> {
  /** The module that calls `serveSide`. */
  readonly module: URL
  readonly request: Q
  readonly pipelines: readonly Pipeline[]
  readonly platform: Pick<Platform, 'supervisor' | 'config' | 'root' | 'clickhouse' | 'warehouse'>
  readonly log: Pick<Logger, 'error' | 'warn' | 'info'>
  readonly signal: AbortSignal
  /** It is ended when it takes longer. */
  readonly msMax: number
  progress? (done: Json): void
}

/** Resolves to the thread's answer. Throws what it failed with; PLUGIN_STUCK, with the step, when it takes too long. */
export async function runSide<Q, R> ({ module, request, pipelines, platform, log, signal, msMax, progress }: Side<Q>): Promise<R> {
  const { supervisor, config, root, clickhouse, warehouse } = platform
  const data: SideData<Q> = { request, root, dataFolder: config.dataFolder, kafka: config.kafka, clickhouse, warehouse, pipelines, schemas: supervisor.schemas }
  const thread = new Worker(module, { workerData: data })
  const { promise, resolve, reject } = Promise.withResolvers<R>()
  let step = 'A step'
  const late = setTimeout(() => reject(new PlatformError('PLUGIN_STUCK', `${step} did not end`, { where: step })), msMax)
  const onStop = (): void => thread.postMessage('stop')
  if (signal.aborted) onStop()
  signal.addEventListener('abort', onStop)
  thread.on('message', (message: FromSideThread) => {
    switch (message.type) {
      case 'in': step = message.step; return
      case 'log': return log[message.level](message.fields, message.message)
      case 'progress': return progress?.(message.done)
      case 'failed': return reject(new PlatformError(message.code, message.reason))
      case 'done': resolve(message.answer as R)
    }
  })
  thread.once('error', reject)
  thread.once('exit', code => reject(new PlatformError('PLUGIN_FAILED', `The thread ended with code ${code}`, { where: step })))
  try {
    return await promise
  } finally {
    clearTimeout(late)
    signal.removeEventListener('abort', onStop)
    await thread.terminate()
  }
}

// The project's files as the platform understands them, read in a thread that ends afterwards. ES modules cannot be
// unloaded: plugins are imported to check their options, and only a fresh thread sees code that has changed.

import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { describe, PlatformError } from './errors.ts'
import { readPipelines } from './pipeline.ts'
import type { Pipeline } from './pipeline.ts'
import type { Problem } from './problems.ts'
import type { Topic } from './schema.ts'

export interface FileProblem {
  /** Relative to the project's folder. */
  readonly file: string
  /** One line each, with line, column and path. */
  readonly message: string
  readonly problems: readonly Problem[]
}

export interface Files {
  readonly pipelines: ReadonlyMap<string, Pipeline>
  readonly schemas: ReadonlyMap<string, Topic>
  readonly problems: readonly FileProblem[]
}

const READ_MS_MAX = 30_000

/** Reads and checks all pipelines and schemas below `root`, plugins included. */
export async function readFiles (root: string): Promise<Files> {
  const thread = new Worker(new URL(import.meta.url), { workerData: { root }, name: 'read files' })
  const { promise, resolve, reject } = Promise.withResolvers<Files>()
  thread.once('message', resolve)
  thread.once('error', reject)
  thread.once('exit', code => reject(new PlatformError('PLUGIN_FAILED', `Reading the files ended with code ${code}`, { remedy: 'A plugin ends its process when it is imported: look at the one that was changed last.' })))
  const timer = setTimeout(() => reject(new PlatformError('PLUGIN_STUCK', `Reading the files took more than ${READ_MS_MAX / 1000} s`, { remedy: 'A plugin hangs when it is imported: look at the one that was changed last.' })), READ_MS_MAX)
  try {
    return await promise
  } finally {
    clearTimeout(timer)
    void thread.terminate()
  }
}

if (!isMainThread && parentPort !== null && (workerData as { root?: string } | null)?.root !== undefined && import.meta.url.endsWith('/files.ts')) {
  const port = parentPort
  readPipelines((workerData as { root: string }).root, process.env).then(({ pipelines, schemas, problems }) => {
    port.postMessage({
      pipelines,
      schemas,
      problems: problems.map(({ file, error }) => ({ file, message: describe(error), problems: error.problems ?? [] }))
    } satisfies Files)
  }, error => { throw error })
}

// The project's files as the platform understands them, read in a thread that ends afterwards. ES modules cannot be
// unloaded: plugins are imported to check their options, and only a fresh thread sees code that has changed.

import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { describe, PlatformError } from './errors.ts'
import { listPlugins } from './loader.ts'
import { readPipelines } from './pipeline.ts'
import type { ListedPlugin, UsedPlugin } from './loader.ts'
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

/** What the thread is asked for. */
type Task = { readonly read: 'files', readonly root: string } | { readonly read: 'plugins', readonly root: string, readonly used: readonly UsedPlugin[] }

/** Reads and checks all pipelines and schemas below `root`, plugins included. */
export function readFiles (root: string): Promise<Files> {
  return inThread<Files>({ read: 'files', root })
}

/** The plugins of the folder and those that are `used`, as their code is now. */
export function readPlugins (root: string, used: readonly UsedPlugin[]): Promise<ListedPlugin[]> {
  return inThread<ListedPlugin[]>({ read: 'plugins', root, used })
}

async function inThread<T> (task: Task): Promise<T> {
  const thread = new Worker(new URL(import.meta.url), { workerData: task, name: 'read files' })
  const { promise, resolve, reject } = Promise.withResolvers<T>()
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

async function answer (task: Task): Promise<Files | ListedPlugin[]> {
  if (task.read === 'plugins') return listPlugins(task.root, task.used)
  const { pipelines, schemas, problems } = await readPipelines(task.root, process.env)
  return { pipelines, schemas, problems: problems.map(({ file, error }) => ({ file, message: describe(error), problems: error.problems ?? [] })) }
}

const task = isMainThread ? undefined : workerData as Partial<Task> | undefined
if (parentPort !== null && task?.read !== undefined) {
  const port = parentPort
  answer(task as Task).then(found => port.postMessage(found), error => { throw error })
}

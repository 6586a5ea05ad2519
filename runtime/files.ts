// The project's files as the platform understands them, read in a thread that ends afterwards. ES modules cannot be
// unloaded: plugins are imported to check their options, and only a fresh thread sees code that has changed.

import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { describe, PlatformError } from './errors.ts'
import { guardImports, listPlugins } from './loader.ts'
import { readPipelines } from './pipeline.ts'
import type { ImportGuard, ListedPlugin, UsedPlugin } from './loader.ts'
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

/** How long the thread may take for one import. */
const IMPORT_MS_MAX = 15_000
/** How long for what lies between two of them, its own start included. */
const READ_MS_MAX = 60_000

/** What the thread is asked for. */
type Task = { readonly read: 'files', readonly root: string } | { readonly read: 'plugins', readonly root: string, readonly used: readonly UsedPlugin[], readonly all: boolean }

/** Reads and checks all pipelines and schemas below `root`, plugins included. */
export function readFiles (root: string, importMsMax?: number): Promise<Files> {
  return inThread<Files>({ read: 'files', root }, importMsMax)
}

/** The plugins of the folder and those that are `used`, as their code is now. */
export function readPlugins (root: string, used: readonly UsedPlugin[]): Promise<ListedPlugin[]> {
  return inThread<ListedPlugin[]>({ read: 'plugins', root, used, all: true })
}

/** These plugins alone. */
export function readNamedPlugins (root: string, named: readonly UsedPlugin[]): Promise<ListedPlugin[]> {
  return inThread<ListedPlugin[]>({ read: 'plugins', root, used: named, all: false })
}

/** What the thread says: the module that it begins to import (null: it has ended doing so), or all that was asked for. */
type FromThread<T> = { readonly importing: string | null } | { readonly found: T }

async function inThread<T> (task: Task, importMsMax = IMPORT_MS_MAX): Promise<T> {
  const refused: Record<string, string> = {}
  while (true) {
    const { found, importing, end } = await attempt<T>(task, refused, importMsMax)
    if (found !== undefined) return found
    if (importing === null || importing in refused) throw new PlatformError('PLUGIN_FAILED', `Reading the files failed: it ${end}`)
    // Once more without the culprit, which becomes a problem of the pipelines that use it.
    refused[importing] = `it ${end} when it is imported`
  }
}

interface Attempt<T> {
  readonly found?: T
  readonly importing: string | null
  /** How it ended instead. */
  readonly end: string
}

async function attempt<T> (task: Task, refused: Readonly<Record<string, string>>, importMsMax: number): Promise<Attempt<T>> {
  const thread = new Worker(new URL(import.meta.url), { workerData: { ...task, refused }, name: 'read files' })
  const { promise, resolve, reject } = Promise.withResolvers<Attempt<T>>()
  let importing: string | null = null
  const wait = (ms: number): NodeJS.Timeout => setTimeout(() => resolve({ importing, end: `takes more than ${ms / 1000} s` }), ms)
  let timer = wait(READ_MS_MAX)
  thread.on('message', (message: FromThread<T>) => {
    if ('found' in message) return resolve({ found: message.found, importing, end: '' })
    importing = message.importing
    clearTimeout(timer)
    timer = wait(importing === null ? READ_MS_MAX : importMsMax)
  })
  thread.once('error', reject)
  thread.once('exit', code => resolve({ importing, end: code === 0 || code === 13 ? 'never ends' : `ends its thread with code ${code}` }))
  try {
    return await promise
  } finally {
    clearTimeout(timer)
    void thread.terminate()
  }
}

async function answer (task: Task): Promise<Files | ListedPlugin[]> {
  if (task.read === 'plugins') return listPlugins(task.root, task.used, task)
  const { pipelines, schemas, problems } = await readPipelines(task.root, process.env)
  return { pipelines, schemas, problems: problems.map(({ file, error }) => ({ file, message: describe(error), problems: error.problems ?? [] })) }
}

const task = isMainThread ? undefined : workerData as Partial<Task & Pick<ImportGuard, 'refused'>> | undefined
if (parentPort !== null && task?.read !== undefined) {
  const port = parentPort
  const say = (message: FromThread<unknown>): void => port.postMessage(message)
  guardImports({ begin: importing => say({ importing }), end: () => say({ importing: null }), refused: task.refused ?? {} })
  // Becomes an error of the import.
  process.exit = code => { throw new Error(`it calls process.exit(${code ?? ''})`) }
  // What a plugin does later, such as in a timer, is no business of whoever reads its options.
  process.on('uncaughtException', () => {})
  answer(task as Task).then(found => say({ found }), (error: unknown) => {
    process.removeAllListeners('uncaughtException')
    throw error
  })
}

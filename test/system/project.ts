// A project folder of its own with a real platform process on it: what the system tests work with.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { WAIT_MS_MAX } from '../waiting.ts'
import type { ChildProcess } from 'node:child_process'

export const root = join(import.meta.dirname, '..', '..')
const token = 'a-token-for-tests-only'

export interface Project {
  readonly folder: string
  readonly data: string
  write (file: string, text: string): void
}

/** Makes a project in `folder`: `files` by path, and the platform's own plugins unless the files bring some. */
export function makeProject (folder: string, files: Readonly<Record<string, string>>): Project {
  const write = (file: string, text: string): void => {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    writeFileSync(join(folder, file), text)
  }
  for (const name of ['pipelines', 'schemas', 'plugins/inputs', 'plugins/transforms', 'plugins/outputs']) mkdirSync(join(folder, name), { recursive: true })
  for (const [kind, names] of Object.entries(shipped)) for (const name of names) symlinkSync(join(root, 'plugins', kind, name), join(folder, 'plugins', kind, name))
  // Plugins in the folder import the contract from where it is in the project.
  symlinkSync(join(root, 'runtime'), join(folder, 'runtime'))
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  write('package.json', JSON.stringify({ name: 'project', type: 'module' }))
  for (const [file, text] of Object.entries(files)) write(file, text)
  return { folder, data: join(folder, 'data'), write }
}

const shipped = {
  inputs: ['generate', 'file', 'http-server', 'websocket', 'interactive-brokers', 'replay'],
  transforms: ['mapping', 'filter', 'deduplicate'],
  outputs: ['streaming-database', 'warehouse', 'lake', 'file', 'http', 'topic']
}

export interface RunningPlatform {
  readonly process: ChildProcess
  readonly url: string
  /** All that it printed. */
  output (): string
  /** An answer of the admin endpoint; JSON where it is JSON. */
  api<T = unknown> (method: string, path: string, body?: { readonly type: string, readonly text: string }): Promise<{ readonly status: number, readonly body: T }>
  /** Rows of a query. */
  query<T> (sql: string): Promise<T[]>
  kill (): Promise<void>
  /** Resolves with the exit code. */
  stop (): Promise<number | null>
}

export async function startPlatform (project: Project, env: Readonly<Record<string, string>> = {}): Promise<RunningPlatform> {
  const child = spawn(process.execPath, [join(root, 'runtime', 'main.ts')], {
    cwd: project.folder,
    env: { ...process.env, TWOLANE_PORT: '0', TWOLANE_ADMIN_TOKEN: token, ...env },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  let printed = ''
  const { promise: up, resolve, reject } = Promise.withResolvers<string>()
  const read = (text: Buffer): void => {
    printed += String(text)
    const url = /is running at (https?:\/\/\S+)/.exec(printed)?.[1]
    if (url !== undefined) resolve(url)
  }
  child.stdout.on('data', read)
  child.stderr.on('data', read)
  child.once('close', code => reject(new Error(`The platform ended with code ${code}: ${printed}`)))
  const timer = setTimeout(() => reject(new Error(`The platform did not start: ${printed}`)), WAIT_MS_MAX)
  const url = await up.finally(() => clearTimeout(timer))

  const api: RunningPlatform['api'] = async (method, path, body) => {
    const answer = await fetch(`${url}${path}`, {
      method, headers: { authorization: `Bearer ${token}`, ...(body !== undefined && { 'content-type': body.type }) }, ...(body !== undefined && { body: body.text })
    })
    const text = await answer.text()
    return { status: answer.status, body: (/json/.test(answer.headers.get('content-type') ?? '') && !/ndjson/.test(answer.headers.get('content-type') ?? '') ? JSON.parse(text) : text) as never }
  }
  return {
    process: child,
    url,
    output: () => printed,
    api,
    async query (sql) {
      const { status, body } = await api<string>('POST', '/v1/query?format=JSONEachRow', { type: 'text/plain', text: sql })
      if (status !== 200) throw new Error(JSON.stringify(body))
      return (typeof body === 'string' ? body.trim().split('\n').filter(line => line !== '').map(line => JSON.parse(line)) : [body]) as never
    },
    async kill () {
      if (child.exitCode !== null || child.signalCode !== null) return
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
    },
    async stop () {
      const ended = once(child, 'exit')
      child.kill('SIGINT')
      return (await ended)[0] as number | null
    }
  }
}

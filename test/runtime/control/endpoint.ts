// The admin endpoint on a small platform of its own without a database: in this process, where a test looks inside, or in
// another one, where threads start faster because no test runner hooks into their imports.

import { join } from 'node:path'
import { readConfig } from '../../../runtime/config.ts'
import { clientLimits, makeApp } from '../../../runtime/control/app.ts'
import { RouteTable } from '../../../runtime/control/route-table.ts'
import { openPlatform } from '../../../runtime/platform.ts'
import { makeProject, startPlatform } from '../../system/project.ts'
import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify'
import type { Test } from 'tap'
import type { ClientLimits } from '../../../runtime/control/app.ts'
import type { Platform } from '../../../runtime/platform.ts'
import type { Project, RunningPlatform } from '../../system/project.ts'

export const token = 'a-token-for-tests-only'

export const schema = 'fields: { n: { type: int64, required: true, description: Number of the row } }'
export const pipeline = `# Made for a test.
input: { generate: { rate: 500, fields: { n: { counter: 1 } } } } # a counter
topic: trades
outputs:
  - file: { path: out.ndjson }
`

export interface Endpoint {
  readonly project: Project
  readonly platform: Platform
  readonly app: FastifyInstance
  readonly table: RouteTable
  /** With the token, unless the headers say otherwise. */
  ask (method: NonNullable<InjectOptions['method']>, url: string, options?: InjectOptions): Promise<LightMyRequestResponse>
}

export interface Answer {
  readonly statusCode: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  json<T> (): T
}

export interface RemoteEndpoint {
  readonly project: Project
  ask (method: string, url: string, options?: { readonly headers?: Readonly<Record<string, string>>, readonly payload?: string | object }): Promise<Answer>
}

export async function startEndpoint (t: Test, files: Readonly<Record<string, string>>): Promise<RemoteEndpoint> {
  // The end of the process comes before that of the folder.
  const started: RunningPlatform[] = []
  t.teardown(() => Promise.all(started.map(platform => platform.kill())))
  const project = makeProject(join(t.testdir(), 'project'), files)
  const platform = await startPlatform(project, { TWOLANE_CLICKHOUSE: 'http://127.0.0.1:9', TWOLANE_ADMIN_TOKEN: token, TWOLANE_LOG_LEVEL: 'silent' })
  started.push(platform)
  return {
    project,
    async ask (method, url, { headers = {}, payload } = {}) {
      const answer = await fetch(`${platform.url}${url}`, {
        method,
        headers: { authorization: `Bearer ${token}`, ...headers },
        ...(payload !== undefined && { body: typeof payload === 'string' ? payload : JSON.stringify(payload) })
      })
      const body = await answer.text()
      return { statusCode: answer.status, headers: Object.fromEntries(answer.headers), body, json: <T>() => JSON.parse(body) as T }
    }
  }
}

export async function openEndpoint (t: Test, files: Readonly<Record<string, string>>, { env = {}, limits }: { readonly env?: Record<string, string>, readonly limits?: Partial<ClientLimits> } = {}): Promise<Endpoint> {
  const closers: Array<() => Promise<unknown>> = []
  t.teardown(async () => { for (const close of closers.reverse()) await close() })
  const project = makeProject(join(t.testdir(), 'project'), files)
  const config = await readConfig({ root: project.folder, env: { TWOLANE_CLICKHOUSE: 'http://127.0.0.1:9', TWOLANE_ADMIN_TOKEN: token, TWOLANE_LOG_LEVEL: 'silent', ...env } })
  const platform = await openPlatform({ root: project.folder, config })
  closers.push(() => platform.close())
  const table = new RouteTable()
  const app = await makeApp(platform, { table, limits: { ...clientLimits, ...limits } })
  closers.push(() => app.close())
  return {
    project,
    platform,
    app,
    table,
    ask: (method, url, options = {}) => app.inject({ method, url, ...options, headers: { authorization: `Bearer ${token}`, ...options.headers } })
  }
}

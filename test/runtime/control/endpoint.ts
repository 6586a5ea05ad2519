// The admin endpoint on a small platform of its own, in this process and without a database.

import { join } from 'node:path'
import { readConfig } from '../../../runtime/config.ts'
import { clientLimits, makeApp } from '../../../runtime/control/app.ts'
import { RouteTable } from '../../../runtime/control/route-table.ts'
import { openPlatform } from '../../../runtime/platform.ts'
import { makeProject } from '../../system/project.ts'
import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify'
import type { Test } from 'tap'
import type { ClientLimits } from '../../../runtime/control/app.ts'
import type { Platform } from '../../../runtime/platform.ts'
import type { Project } from '../../system/project.ts'

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

export async function openEndpoint (t: Test, files: Readonly<Record<string, string>>, { env = {}, limits }: { readonly env?: Record<string, string>, readonly limits?: Partial<ClientLimits> } = {}): Promise<Endpoint> {
  const project = makeProject(join(t.testdir(), 'project'), files)
  const config = await readConfig({ root: project.folder, env: { TWOLANE_CLICKHOUSE: 'http://127.0.0.1:9', TWOLANE_ADMIN_TOKEN: token, TWOLANE_LOG_LEVEL: 'silent', ...env } })
  const platform = await openPlatform({ root: project.folder, config })
  const table = new RouteTable()
  const app = await makeApp(platform, { table, limits: { ...clientLimits, ...limits } })
  t.teardown(async () => {
    await app.close()
    await platform.close()
  })
  return {
    project,
    platform,
    app,
    table,
    ask: (method, url, options = {}) => app.inject({ method, url, ...options, headers: { authorization: `Bearer ${token}`, ...options.headers } })
  }
}

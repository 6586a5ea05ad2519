// A supervisor with real threads on a project folder of its own: what the tests of pipelines' lives work with.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Store } from '../../runtime/store.ts'
import { Supervisor } from '../../runtime/supervisor.ts'
import { makeProject } from '../system/project.ts'
import { range } from '../conform/broker.ts'
import { until } from '../conform/context.ts'
import { memoryFolder } from './destination.ts'
import type { Test } from 'tap'
import type { Limits } from '../../runtime/limits.ts'
import type { PipelineStatus } from '../../runtime/managed.ts'
import type { Project } from '../system/project.ts'

export interface Shop {
  readonly project: Project
  readonly supervisor: Supervisor
  readonly store: Store
  /** Lines of the log, of the supervisor and of the threads. */
  readonly log: string[]
  status (id: string): PipelineStatus
  /** Values of `n` in a file of the data folder, in the order of its lines. */
  rows (file: string): number[]
  close (): Promise<void>
}

/** Rows numbered in `n`, and when they were made. */
export const schema = `
key: [symbol]
fields:
  n: { type: int64, required: true, description: Number of the row }
  symbol: { type: string, description: Instrument }
`

/** Rows numbered from 0 on, into `<topic>`, and from there into the file `<topic>.ndjson`. */
export function numbered (topic: string, { rate = 300, more = '' } = {}): string {
  return `
input:
  generate: { rate: ${rate}, batch_rows: 50, fields: { n: { counter: 0 }, symbol: { choice: [AAPL, MSFT] } } }
topic: ${topic}
outputs:
  - file: { path: ${topic}.ndjson }
    flush: { rows: 1000, ms: 20 }
${more}`
}

export async function openShop (t: Test, files: Readonly<Record<string, string>>, limits: Partial<Limits> = {}): Promise<Shop> {
  return startShop(makeProject(memoryFolder(t), files), limits, t)
}

/** On a project that is there already, as after a restart of the platform. */
export async function startShop (project: Project, limits: Partial<Limits>, t: Test): Promise<Shop> {
  const store = new Store(project.data)
  const log: string[] = []
  const say = (level: string) => (fields: object, message: string): void => { log.push(JSON.stringify({ level, ...fields, message })) }
  const supervisor = new Supervisor({
    root: project.folder,
    dataFolder: project.data,
    clickhouse: undefined,
    logLevel: 'info',
    store,
    log: { error: say('error'), warn: say('warn'), info: say('info'), debug () {} },
    onLog: line => { log.push(line) },
    limits
  })
  let closed = false
  const shop: Shop = {
    project,
    supervisor,
    store,
    log,
    status (id) {
      const found = supervisor.status().find(status => status.id === id)
      if (found === undefined) throw new Error(`there is no pipeline ${id}`)
      return found
    },
    rows: file => rowsIn(join(project.data, file)),
    async close () {
      if (closed) return
      closed = true
      await supervisor.close()
      store.close()
    }
  }
  t.teardown(() => shop.close())
  await supervisor.start()
  return shop
}

function rowsIn (file: string): number[] {
  if (!existsSync(file)) return []
  return readFileSync(file, 'utf8').split('\n').slice(0, -1).map(line => (JSON.parse(line) as { n: number }).n)
}

/** Waits until the pipeline has a reason that says so. */
export async function says (shop: Shop, id: string, pattern: RegExp): Promise<void> {
  await until(() => shop.status(id).reasons.some(reason => pattern.test(reason)), `${id} says ${pattern}`)
    .catch((error: Error) => { throw new Error(`${error.message}; it says ${JSON.stringify(shop.status(id))}`) })
}

/** Waits until the file has more rows than now. */
export async function goesOn (shop: Shop, file: string, more = 1): Promise<void> {
  const before = shop.rows(file).length
  await until(() => shop.rows(file).length >= before + more, `${file} gets more rows`)
}

/** Waits until they run. */
export async function running (shop: Shop, ...ids: readonly string[]): Promise<void> {
  for (const id of ids) await until(() => shop.status(id).state === 'running', `${id} runs`)
}

/** Closes the shop; every row of the files is there once and in order, from 0 on. */
export async function checkRows (t: Test, shop: Shop, ...files: readonly string[]): Promise<void> {
  await shop.close()
  for (const file of files) {
    const rows = shop.rows(file)
    t.strictSame(rows, range(0, rows.length), `${rows.length} rows of ${file}, none lost or doubled`)
    t.ok(rows.length > 0)
  }
}

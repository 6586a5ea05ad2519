// Tests of the platform as a whole: on demand, and the quick ones after each reload. Each looks at the real thing, ends in
// bounded time, and says what it found in one sentence. They change nothing.

import { connect as connectTls } from 'node:tls'
import { connectClickHouse } from '../clickhouse/client.ts'
import { describeTable, planMigration } from '../clickhouse/migrate.ts'
import { engineCode } from '../clickhouse/answers.ts'
import { lakesOf, openLake } from '../lake/lakes.ts'
import { openLakeTable } from '../lake/table.ts'
import { inStore } from '../objects/open.ts'
import { backupsOf } from '../backup/backups.ts'
import { readFlips } from '../warehouse/boundary.ts'
import { checkVersion } from '../warehouse/certified.ts'
import { datasetsOf } from '../warehouse/datasets.ts'
import type { Opening } from '../platform.ts'
import type { Making } from '../backup/make.ts'
import type { Flip } from '../warehouse/boundary.ts'
import type { Verdict } from './verdict.ts'

export interface Found {
  readonly state: 'ok' | 'failed' | 'skipped'
  /** One sentence; of a failure what is wrong and where. */
  readonly detail: string
}

export interface PlatformTest {
  readonly test: string
  readonly title: string
  /** Also after each reload. */
  readonly quick: boolean
  run (ground: TestGround): Promise<Found>
}

export interface TestGround {
  readonly platform: Opening
  readonly verdict: Verdict
  readonly jobs: ReadonlyArray<{ readonly task: { readonly id: string }, readonly last: { readonly state: string, readonly error: string } | undefined }>
  readonly making: Making
}

/** Newest versions of a dataset whose rows are compared with their certificates; all of them would read the whole warehouse. */
const VERSIONS_MAX = 3
const EXPIRES_DAYS_MIN = 14
const TLS_MS_MAX = 10_000
const DAY_MS = 86_400_000
/** There is no such database or table. */
const notThere = new Set([60, 81])

const ok = (detail: string): Found => ({ state: 'ok', detail })
const failed = (faults: readonly string[]): Found => ({ state: 'failed', detail: faults.slice(0, 10).join('; ') + (faults.length > 10 ? `; and ${faults.length - 10} more` : '') })
const skipped = (detail: string): Found => ({ state: 'skipped', detail })

export const platformTests: readonly PlatformTest[] = [
  { test: 'canary', title: 'A row arrives everywhere', quick: true, run: async ({ verdict: { canary } }) => canary.state === 'absent' ? skipped('no canary is sent') : canary.state === 'late' ? failed(canary.hops.filter(({ state }) => state === 'late').map(({ hop, reason }) => `${hop}: ${reason}`)) : canary.state === 'waiting' ? skipped('the first one is on its way') : ok(`the one of ${new Date(canary.at).toISOString()} arrived at ${canary.hops.length} hops`) },
  { test: 'connections', title: 'Inputs and outputs are connected', quick: true, run: testConnections },
  { test: 'tables', title: 'Tables fit their schemas', quick: true, run: testTables },
  { test: 'certificates', title: 'Days in the warehouse are what their certificates say', quick: false, run: testCertificates },
  { test: 'lakes', title: 'Lakes can be read', quick: true, run: testLakes },
  { test: 'backup', title: 'The newest backup can be brought back', quick: false, run: async ({ platform, making }) => backupsOf(platform).address === '' ? skipped('no place for backups is set') : ok(await backupsOf(platform).verify(undefined, making)) },
  { test: 'disk', title: 'There is room on the disk', quick: true, run: async ({ verdict }) => resourceTest(verdict, 'disk') },
  { test: 'clock', title: 'The clocks agree', quick: true, run: async ({ verdict }) => resourceTest(verdict, 'clock') },
  { test: 'tls', title: 'TLS certificates are valid for a while', quick: false, run: testTls }
]

function resourceTest ({ problems, evidence }: Verdict, part: string): Found {
  const faults = problems.flatMap(problem => [problem, ...problem.hides]).filter(problem => problem.part === part)
  return faults.length > 0 ? failed(faults.map(({ cause }) => cause)) : ok(evidence.find(({ what }) => what === part)?.detail ?? 'nothing is wrong')
}

/** Of streams the connection that is at work, of jobs their last run: another one beside it could push the first one out. */
async function testConnections ({ platform: { supervisor }, jobs }: TestGround): Promise<Found> {
  const isJob = (id: string): boolean => jobs.some(({ task }) => task.id === id)
  const streams = supervisor.status().filter(({ id, state }) => !isJob(id) && state !== 'paused' && state !== 'disabled')
  const faults = [
    ...streams.flatMap(({ id, steps, healthy, reasons }) => healthy ? [] : steps.some(({ ok }) => !ok) ? steps.filter(({ ok }) => !ok).map(({ step, reason }) => `${id} ${step}: ${reason}`) : [`${id}: ${reasons[0]}`]),
    ...jobs.filter(({ task, last }) => supervisor.files.pipelines.has(task.id) && last?.state === 'failed').map(({ task, last }) => `${task.id}: its last run failed: ${last?.error}`)
  ]
  return faults.length > 0 ? failed(faults) : ok(`${streams.reduce((sum, { steps }) => sum + steps.length, 0)} steps of ${streams.length} pipelines are connected`)
}

async function testTables ({ platform: { clickhouse, supervisor }, making: { signal } }: TestGround): Promise<Found> {
  const datasets = [...datasetsOf(supervisor.files.pipelines.values(), supervisor.schemas).values()]
  if (datasets.length === 0 || clickhouse === undefined) return skipped('there is no dataset')
  const client = await connectClickHouse(clickhouse, { signal })
  try {
    const faults: string[] = []
    let tables = 0
    for (const { name, schema, table } of datasets) {
      const state = await describeTable(client, client.cluster === '' ? table : { ...table, table: `${table.table}_local` })
      if (state === undefined) continue
      tables++
      try {
        const changes = planMigration(schema, table, state, client.cluster)
        if (changes.length > 0) faults.push(`${name} lacks what its schema says: ${changes[0]}`)
      } catch (error) {
        faults.push((error as Error).message)
      }
    }
    return faults.length > 0 ? failed(faults) : ok(`${tables} tables are as their schemas say`)
  } finally {
    await client.close()
  }
}

async function testCertificates ({ platform: { warehouse, supervisor }, making: { signal } }: TestGround): Promise<Found> {
  if (warehouse === undefined) return skipped('there is no warehouse')
  const datasets = datasetsOf(supervisor.files.pipelines.values(), supervisor.schemas)
  const client = await connectClickHouse(warehouse, { statementSeconds: 1800, signal })
  try {
    const flips = await readFlips(client, {}).catch((error: unknown) => {
      if (notThere.has(engineCode(error) ?? 0)) return []
      throw error
    })
    const current = [...new Map(flips.map(flip => [JSON.stringify([flip.dataset, flip.topic, flip.day]), flip])).values()]
    const faults: string[] = []
    let versions = 0
    for (const [name, dataset] of datasets) {
      for (const flip of current.filter((flip: Flip) => flip.dataset === name).sort((a, b) => a.day < b.day ? 1 : -1).slice(0, VERSIONS_MAX)) {
        signal.throwIfAborted()
        versions++
        await checkVersion(client, dataset, flip, signal).catch((error: unknown) => { faults.push((error as Error).message) })
      }
    }
    return faults.length > 0 ? failed(faults) : versions === 0 ? skipped('no day was handed over yet') : ok(`${versions} of ${current.length} days hold what their certificates say`)
  } finally {
    await client.close()
  }
}

async function testLakes ({ platform: { config: { dataFolder }, supervisor }, making: { signal } }: TestGround): Promise<Found> {
  const lakes = lakesOf(supervisor.files.pipelines.values())
  const faults: string[] = []
  let files = 0
  for (const { topic, config } of lakes) {
    signal.throwIfAborted()
    const objects = await openLake(config, { dataFolder, owner: 'tests.' })
    try {
      await objects.check()
      const { files: listed } = await openLakeTable(objects, topic).read()
      const there = new Map<string, number>()
      for await (const { name, bytes } of objects.list(`${topic}/`)) there.set(name, bytes)
      const bad = listed.filter(({ name, bytes }) => there.get(name) !== bytes)
      if (bad.length > 0) faults.push(`${bad.length} files of the lake of ${topic} are not there, or not as long as they were: ${bad[0]?.name}`)
      files += listed.length
    } catch (error) {
      faults.push(`${topic}: ${(error as Error).message}`)
    } finally {
      objects.close()
    }
  }
  return lakes.length === 0 ? skipped('no pipeline keeps a lake') : faults.length > 0 ? failed(faults) : ok(`${files} files of ${lakes.length} lakes are there`)
}

async function testTls ({ platform: { config, clickhouse, warehouse, supervisor }, making: { signal } }: TestGround): Promise<Found> {
  const stores = lakesOf(supervisor.files.pipelines.values()).flatMap(({ config: { folder, endpoint } }) => inStore(folder) && endpoint !== null ? [endpoint] : [])
  const addresses = [clickhouse, warehouse, config.advertisedUrl, config.backupEndpoint, ...stores].flatMap(text => {
    const url = URL.parse((text ?? '').replace(/,[^/?]*/, ''))
    return url?.protocol === 'https:' ? [`${url.hostname}:${url.port === '' ? 443 : url.port}`] : []
  })
  const hosts = [...new Set(addresses)]
  if (hosts.length === 0) return skipped('nothing is reached by https')
  const faults: string[] = []
  for (const host of hosts) {
    signal.throwIfAborted()
    try {
      const days = (await expiryOf(host) - Date.now()) / DAY_MS
      if (days < EXPIRES_DAYS_MIN) faults.push(days < 0 ? `the certificate of ${host} has expired` : `the certificate of ${host} expires in ${Math.floor(days)} days`)
    } catch (error) {
      faults.push(`${host}: ${(error as Error).message}`)
    }
  }
  return faults.length > 0 ? failed(faults) : ok(`the certificates of ${hosts.length} hosts are valid for ${EXPIRES_DAYS_MIN} days and more`)
}

/** When the certificate ends, ms since 1970. Whether it is trusted, the connections themselves say. */
function expiryOf (host: string): Promise<number> {
  const { hostname, port } = new URL(`https://${host}`)
  const bare = hostname.replace(/^\[(.*)\]$/, '$1')
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  const socket = connectTls({ host: bare, port: Number(port === '' ? 443 : port), servername: /^[\d.]+$|:/.test(bare) ? '' : bare, rejectUnauthorized: false, timeout: TLS_MS_MAX }, () => resolve(Date.parse(socket.getPeerCertificate().valid_to)))
  socket.once('error', reject)
  socket.once('timeout', () => reject(new Error(`no answer within ${TLS_MS_MAX / 1000} s`)))
  return promise.finally(() => socket.destroy())
}

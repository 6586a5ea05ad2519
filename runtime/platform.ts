// One runtime of the platform: data folder, broker, ClickHouse, the other runtimes, pipelines. Opened in order, closed in
// reverse.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Access } from './access/access.ts'
import { openBroker } from './broker/open.ts'
import { checkPeers, fleetOf, Follower, peersOf } from './peers.ts'
import { startEmbedded } from './clickhouse/embedded.ts'
import { describe } from './errors.ts'
import { readFiles } from './files.ts'
import { runtimesTopic } from './fleet.ts'
import { lockFolder } from './lock.ts'
import { openLog } from './log.ts'
import { checkMoved } from './move/marks.ts'
import { checkRestored } from './backup/restore.ts'
import { masker } from './mask.ts'
import { PlatformTopic, platformTopic } from './platform-topic.ts'
import { Costs } from './cost/sampler.ts'
import { openObserve } from './observe/open.ts'
import { failingTasks, openJobs } from './jobs/open.ts'
import { groupOf } from './run.ts'
import { rejectedTopic } from './schema.ts'
import { tidyFiles } from './setup/journal.ts'
import { keepServerUsers } from './sql/server-users.ts'
import { Store } from './store.ts'
import { openWatch } from './health/open.ts'
import { Supervisor } from './supervisor.ts'
import type { Peers } from './supervisor.ts'
import type { Broker } from './broker/broker.ts'
import type { EmbeddedClickHouse } from './clickhouse/embedded.ts'
import type { PlatformConfig } from './config.ts'
import type { Fleet } from './fleet.ts'
import type { Watch } from './health/open.ts'
import type { Jobs } from './jobs/jobs.ts'
import type { Observe } from './observe/open.ts'
import type { Logger } from 'pino'

const TRIM_MS = 60_000
/** How long a pipeline may take to settle when the platform stops. */
const STOP_MS_MAX = 6000
/** How long the start waits for a broker that does not answer. */
const KNOWN_MS_MAX = 8000

export interface Platform {
  readonly root: string
  readonly version: string
  readonly config: PlatformConfig
  readonly store: Store
  /** Who may do what, and the audit log. */
  readonly access: Access
  readonly broker: Broker
  readonly supervisor: Supervisor
  /** The other runtimes on the same broker. */
  readonly fleet: Fleet
  readonly peers: Peers
  /** Schedules and runs; they begin on the control side only. */
  readonly jobs: Jobs
  /** What is measured, and whether logs and metrics are kept. */
  readonly observe: Observe
  /** What was used, and what that costs. */
  readonly costs: Costs
  /** Health of the whole, and what goes by it. */
  readonly watch: Watch
  /** Where the admin endpoint is; set when it listens. */
  url: string
  /** URL with user and password. */
  readonly clickhouse: string | undefined
  /** Likewise, of the one that has the warehouse. */
  readonly warehouse: string | undefined
  readonly log: Logger
  /** The admin token, at the first start only. */
  readonly newAdminToken: string | undefined
  /** Log and metric rows that were dropped. */
  readonly rowsDropped: number
  isAdminToken (token: string): boolean
  /** Parts of this runtime that should be healthy and are not. */
  failing (): Array<{ readonly name: string, readonly reasons: readonly string[] }>
  /** The process of the embedded ClickHouse; undefined: it is a server's. */
  readonly engine: Pick<EmbeddedClickHouse, 'ends' | 'state' | 'restart'> | undefined
  /** Drains and stops everything; nothing is lost. */
  close (): Promise<void>
}

/** The platform while it opens: without the parts that are made of it. */
export type Opening = Omit<Platform, 'fleet' | 'peers' | 'jobs' | 'observe' | 'costs' | 'watch' | 'engine'>

export async function openPlatform ({ root, config }: { readonly root: string, readonly config: PlatformConfig }): Promise<Platform> {
  const { dataFolder } = config
  // Threads then start in half the time: what Node compiles, and strips of types, is kept between starts.
  process.env['NODE_COMPILE_CACHE'] ??= join(dataFolder, 'cache')
  const closers: Array<() => unknown> = []
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).reverse()) await closer()
  }
  try {
    const lock = lockFolder(dataFolder)
    closers.push(() => lock.release())
    checkMoved(config)
    checkRestored(config)
    const store = new Store(dataFolder)
    closers.push(() => store.close())
    const newAdminToken = keepAdminToken(store, config)

    const broker = await openBroker({ dataFolder, kafka: config.kafka })
    closers.push(() => broker.close())
    const platformRows = new PlatformTopic(config.name)
    const { logger: log, forward } = openLog({ level: config.logLevel, mask: masker(config.secrets), onLine: line => platformRows.log(line) })
    const access = new Access({ database: store.database, dataFolder, secrets: config.secrets, onTrouble: error => log.error({ reason: describe(error) }, 'The audit log could not be written') })
    closers.push(() => access.close())

    // Beside each other: both take most of a second.
    const files = tidyFiles({ root, dataFolder, log }).then(() => readFiles(root))
    files.catch(() => {})
    const clickhouse = await openClickHouse(config, log)
    closers.push(() => clickhouse.close())

    const supervisor = new Supervisor({ root, dataFolder, kafka: config.kafka, clickhouse: clickhouse.url, warehouse: config.warehouse ?? clickhouse.url, logLevel: config.logLevel === 'debug' ? 'debug' : 'info', store, log, onLog: forward, limits: { diskReserveBytes: reserveBytesOf(config) } })
    const version = (JSON.parse(await readFile(join(import.meta.dirname, '..', 'package.json'), 'utf8')) as { version: string }).version
    const platform: Opening = {
      root,
      version,
      config,
      store,
      access,
      broker,
      supervisor,
      url: config.advertisedUrl,
      clickhouse: clickhouse.url,
      warehouse: config.warehouse ?? clickhouse.url,
      log,
      newAdminToken,
      get rowsDropped () { return platformRows.dropped },
      isAdminToken: token => store.isAdminToken(token),
      failing: () => failingParts({ follower, fleet, clickhouse, supervisor, jobs, observe }),
      close
    }
    const fleet = fleetOf(platform)
    const follower = new Follower(fleet, platform)
    const jobs = openJobs(platform, fleet, forward)
    const observe = openObserve(platform, { fleet, engine: clickhouse.engine })
    const costs = new Costs({ root, store, broker, supervisor, config, log, observe, fleet })
    platformRows.open(broker, () => observe.measured.kept())
    // The pipelines first: what they log while they drain is still taken.
    closers.push(() => platformRows.close(), () => observe.close(), () => costs.close(), () => fleet.close(), () => Promise.all([jobs.close(STOP_MS_MAX), supervisor.close(STOP_MS_MAX)]))
    fleet.open()
    await fleet.known(KNOWN_MS_MAX)
    await checkPeers(fleet, platform)
    await supervisor.start(files)
    jobs.open()
    observe.open()
    costs.open()
    follower.open()
    closers.push(() => follower.close(), keepTrimmed({ broker, supervisor, fleet, log }))
    const opened = Object.assign(platform, { fleet, jobs, observe, costs, peers: peersOf(fleet), engine: clickhouse.engine })
    const whole = Object.assign(opened, { watch: openWatch(opened) })
    closers.push(() => whole.watch.close(), keepServerUsers(whole))
    return whole
  } catch (error) {
    await close()
    throw error
  }
}

/** The one that was made, at the first start without one. */
function keepAdminToken (store: Store, { adminToken }: PlatformConfig): string | undefined {
  if (adminToken === undefined) return store.makeAdminToken()
  store.setAdminToken(adminToken)
  return undefined
}

interface Watchable {
  readonly follower: Follower
  readonly fleet: Fleet
  readonly clickhouse: { readonly engine: EmbeddedClickHouse | undefined }
  readonly supervisor: Supervisor
  readonly jobs: Jobs
  readonly observe: Observe
}

function failingParts ({ follower, fleet, clickhouse: { engine }, supervisor, jobs, observe }: Watchable): ReturnType<Platform['failing']> {
  return [
    ...follower.trouble === '' ? [] : [{ name: 'files', reasons: [follower.trouble] }],
    ...fleet.trouble === '' ? [] : [{ name: 'broker', reasons: [fleet.trouble] }],
    ...engine === undefined || engine.state.state === 'up' ? [] : [{ name: 'clickhouse', reasons: [`It is ${engine.state.state}: ${engine.state.reason}`] }],
    ...supervisor.status().filter(({ healthy }) => !healthy).map(({ id, reasons }) => ({ name: id, reasons })),
    ...failingTasks(jobs),
    ...observe.failing()
  ]
}

/** `engine`: where it is our own. */
async function openClickHouse (config: PlatformConfig, log: Logger): Promise<Pick<EmbeddedClickHouse, 'url' | 'close'> & { readonly engine: EmbeddedClickHouse | undefined }> {
  if (config.clickhouse !== 'embedded') return { url: config.clickhouse, close: async () => {}, engine: undefined }
  const engine = await startEmbedded({ folder: join(config.dataFolder, 'clickhouse'), memoryBytesMax: config.clickhouseMemoryGigabytes * 2 ** 30, log })
  return { url: engine.url, close: () => engine.close(), engine }
}

/** Where neither topics nor tables are on this disk, none is kept free for them. */
function reserveBytesOf ({ kafka, clickhouse, diskReserveGigabytes }: PlatformConfig): number {
  return kafka !== undefined && clickhouse !== 'embedded' ? 0 : diskReserveGigabytes * 2 ** 30
}

/** Retention, from time to time, on the control side; returns what ends it. */
function keepTrimmed ({ broker, supervisor, fleet, log }: Pick<Platform, 'broker' | 'supervisor' | 'fleet' | 'log'>): () => void {
  const trimming = setInterval(() => {
    if (fleet.isControl) trimAll(broker, supervisor, log).catch((error: unknown) => log.warn({ reason: describe(error) }, 'Retention did not run'))
  }, TRIM_MS)
  return () => clearInterval(trimming)
}

/** Applies retention to all topics; an output that is configured keeps what it has not taken. */
async function trimAll (broker: Broker, supervisor: Supervisor, log: Logger): Promise<void> {
  const now = Date.now()
  const existing = new Set(await broker.topics())
  const topics = [platformTopic, runtimesTopic, ...supervisor.schemas.values()].flatMap(topic => [topic, rejectedTopic(topic.name)])
  const pipelines = [...supervisor.files.pipelines.values()]
  for (const topic of topics) {
    if (!existing.has(topic.name)) continue
    const configured = pipelines.filter(pipeline => pipeline.topic === topic.name).flatMap(pipeline => pipeline.outputs.map(output => groupOf(pipeline.id, output.name)))
    try {
      // The outputs of a file that cannot be read are not known: then every group that ever read the topic counts.
      const groups = supervisor.files.problems.length === 0 ? configured : (await broker.inspect(topic.name))?.groups.map(({ group }) => group) ?? []
      await broker.trim(topic, { now, groups })
    } catch (error) {
      log.error({ topic: topic.name, reason: describe(error) }, 'Retention did not run for a topic')
    }
  }
}

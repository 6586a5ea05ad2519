// What is known of the platform at one moment. Each fact is asked for with a bound on its time; one that cannot be had is
// a fault of its own, never a sign that all is well.

import { statfs } from 'node:fs/promises'
import { connectClickHouse } from '../clickhouse/client.ts'
import { lags } from '../control/lag.ts'
import { reserveOf } from '../disk-reserve.ts'
import { describe } from '../errors.ts'
import { calendarsOf } from '../quality/calendars.ts'
import { latestResults } from '../quality/results.ts'
import { rejectedTopic } from '../schema.ts'
import { waitingOf } from '../warehouse/task.ts'
import type { TopicState } from '../broker/broker.ts'
import type { Lag } from '../control/lag.ts'
import type { JobStatus } from '../jobs/jobs.ts'
import type { PipelineStatus } from '../managed.ts'
import type { Pipeline } from '../pipeline.ts'
import type { Platform } from '../platform.ts'
import type { KeptResult } from '../quality/results.ts'
import type { Topic } from '../schema.ts'
import type { Waiting } from '../warehouse/handoff.ts'
import { Refusals } from './refusals.ts'
import type { CanaryState } from './canary.ts'
import type { Refused } from './refusals.ts'

/** Of one fact. */
const FACT_MS_MAX = 5000
/** The results of the quality rules change each five minutes. */
const QUALITY_MS = 60_000

/** A fact, or why it is not known. */
export type Known<T> = { readonly known: true, readonly value: T } | { readonly known: false, readonly reason: string }

/** Open or closed, for a topic whose freshness rule names a market; undefined: it has none. */
export interface MarketNow {
  readonly calendar: string
  /** Opening of the session that is held now, ms since 1970; undefined: it is closed. */
  readonly openMs: number | undefined
}

export interface Disk {
  readonly freeBytes: number
  readonly totalBytes: number
  /** Below that inputs wait. */
  readonly reserveBytes: number
}

/** What the database says of itself. */
export interface Engine {
  /** Its clock minus ours. */
  readonly clockMs: number
  /** Times that it found no room, since it was started; 0 for a server's. */
  readonly outOfSpace: number
  /** Times that it could not read what it has stored, lately; 0 where it can now. */
  readonly unreadable: number
}

export interface Facts {
  /** ms since 1970. */
  readonly now: number
  readonly pipelines: readonly PipelineStatus[]
  /** As in the files. */
  readonly definitions: readonly Pipeline[]
  readonly schemas: ReadonlyMap<string, Topic>
  readonly broken: ReadonlyArray<{ readonly file: string, readonly message: string }>
  readonly engine: Known<Engine>
  /** Undefined: it is the same server as the streaming database. */
  readonly warehouse: Known<Engine> | undefined
  readonly topics: Known<ReadonlyMap<string, TopicState>>
  readonly lags: readonly Lag[]
  readonly disk: Known<Disk>
  readonly waiting: readonly Waiting[]
  readonly jobs: readonly JobStatus[]
  readonly canary: CanaryState
  readonly quality: readonly KeptResult[]
  /** By topic. */
  readonly markets: ReadonlyMap<string, MarketNow>
  /** Topics of which rows were refused lately, more than a few. */
  readonly refused: readonly Refused[]
  /** Runtimes that have gone silent, and what is wrong with the connection between them. */
  readonly runtimes: readonly string[]
  /** What other parts of the control side report: alerts, backups, tests. */
  readonly notes: readonly Note[]
}

/** A fault that a part of the control side tells itself. */
export interface Note {
  readonly part: string
  readonly severity: 'error' | 'warning' | 'notice'
  readonly cause: string
  readonly remedy: string
}

type Asked = Pick<Platform, 'broker' | 'supervisor' | 'clickhouse' | 'warehouse' | 'config' | 'store' | 'jobs' | 'fleet' | 'root' | 'engine'>

/** Collects them; kept between looks are only those that change seldom. */
export class FactFinder {
  readonly #platform: Asked
  readonly #refusals = new Refusals()
  #calendars: ReturnType<typeof calendarsOf>
  #quality: { readonly at: number, readonly results: readonly KeptResult[] } = { at: -Infinity, results: [] }

  constructor (platform: Asked) {
    this.#platform = platform
    this.#calendars = calendarsOf(platform.root)
  }

  /** Calendars are read again. */
  forget (): void {
    this.#calendars = calendarsOf(this.#platform.root)
  }

  async find (canary: CanaryState, notes: readonly Note[]): Promise<Facts> {
    const { supervisor, clickhouse, warehouse, config, store, jobs, broker, fleet, engine: own } = this.#platform
    const [engine, other, topics, disk] = await Promise.all([
      own === undefined || own.state.state === 'up' ? known(() => askEngine(clickhouse, config.clickhouse === 'embedded')) : { known: false as const, reason: `it is ${own.state.state}: ${own.state.reason}` },
      warehouse === clickhouse ? undefined : known(() => askEngine(warehouse, false)),
      known(async () => new Map((await Promise.all((await broker.topics()).map(name => broker.inspect(name)))).filter(state => state !== undefined).map(state => [state.name, state]))),
      known(() => diskOf(config.dataFolder, supervisor.limits.diskReserveBytes))
    ])
    const behind = topics.known ? await known(() => lags(this.#platform)) : undefined
    const quality = (other ?? engine).known ? await this.#qualityOf(warehouse) : []
    const members = await known(() => fleet.members())
    return {
      now: Date.now(),
      pipelines: supervisor.status(),
      definitions: [...supervisor.files.pipelines.values()],
      schemas: supervisor.schemas,
      broken: supervisor.files.problems.map(({ file, message }) => ({ file, message })),
      engine,
      warehouse: other,
      topics,
      lags: behind?.known === true ? behind.value : [],
      disk,
      waiting: orNone(() => waitingOf(store).all),
      jobs: jobs.list(),
      canary,
      quality,
      markets: await this.#marketsNow(supervisor.schemas),
      refused: topics.known ? await this.#refused(topics.value) : [],
      runtimes: [...fleet.trouble === '' ? [] : [fleet.trouble], ...members.known ? members.value.filter(({ silentMs }) => silentMs > SILENT_MS_MAX).map(({ runtime, silentMs }) => `The runtime ${runtime} was not heard of for ${Math.round(silentMs / 1000)} s`) : []],
      notes
    }
  }

  async #qualityOf (url: string | undefined): Promise<readonly KeptResult[]> {
    if (url === undefined || performance.now() - this.#quality.at < QUALITY_MS) return this.#quality.results
    const found = await known(() => withClient(url, client => latestResults(client)))
    this.#quality = { at: performance.now(), results: found.known ? found.value : this.#quality.results }
    return this.#quality.results
  }

  /** With the reason of the newest one each, of REASONS_MAX topics. */
  async #refused (topics: ReadonlyMap<string, TopicState>): Promise<Refused[]> {
    const found = this.#refusals.take(topics, performance.now())
    return Promise.all(found.map(async (one, i) => {
      const last = i < REASONS_MAX ? await known(() => this.#platform.broker.tail(rejectedTopic(one.topic), 1)) : undefined
      const batch = last?.known === true ? last.value.at(-1) : undefined
      return { ...one, reason: batch === undefined ? '' : String(batch.row(batch.length - 1)['reason'] ?? '') }
    }))
  }

  async #marketsNow (schemas: ReadonlyMap<string, Topic>): Promise<Map<string, MarketNow>> {
    const markets = new Map<string, MarketNow>()
    for (const { name, quality = [] } of schemas.values()) {
      const calendar = quality.find(({ metric, during }) => metric === 'freshness' && during !== '')?.during
      if (calendar === undefined) continue
      try {
        markets.set(name, { calendar, openMs: (await this.#calendars(calendar)).sessionAt(Date.now())?.openMs })
      } catch { /* A calendar that cannot be read fails the job `quality`, which says so. */ }
    }
    return markets
  }
}

/** The state that cannot be read is told by whoever keeps the record. */
function orNone<T> (ask: () => readonly T[]): readonly T[] {
  try {
    return ask()
  } catch {
    return []
  }
}

const SILENT_MS_MAX = 10_000
const LATELY_SECONDS = 600
const MERGES_MIN = 10
const REASONS_MAX = 20

/** Never rejects. What comes late is left to itself. */
export async function known<T> (ask: () => Promise<T>, msMax = FACT_MS_MAX): Promise<Known<T>> {
  const { promise: over, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error(`no answer within ${msMax / 1000} s`)), msMax)
  try {
    return { known: true, value: await Promise.race([ask(), over]) }
  } catch (error) {
    return { known: false, reason: describe(error) }
  } finally {
    clearTimeout(timer)
  }
}

/** Errors only of an engine of our own: a server's are those of everybody, and want a right to be read. */
async function askEngine (url: string | undefined, isOwn: boolean): Promise<Engine> {
  if (url === undefined) throw new Error('there is no ClickHouse')
  return withClient(url, async client => {
    const began = Date.now()
    const [row] = await client.rows<{ ms: string }>('SELECT toUnixTimestamp64Milli(now64(3)) AS ms')
    const clockMs = Number(row?.ms) - (began + Date.now()) / 2
    if (!isOwn) return { clockMs, outOfSpace: 0, unreadable: 0 }
    const errors = await client.rows<{ name: string, value: string, lately: boolean }>(`SELECT name, toString(value) AS value, last_error_time > now() - ${LATELY_SECONDS} AS lately FROM system.errors WHERE name IN ('NOT_ENOUGH_SPACE', 'CORRUPTED_DATA', 'CANNOT_READ_ALL_DATA')`)
    const count = (name: string, isMeant: (one: { lately: boolean }) => boolean = () => true): number => Number(errors.find(one => one.name === name && isMeant(one))?.value ?? 0)
    // A query over a file that somebody gave may be unable to read it, too; a merge tries again and again.
    const merges = count('CANNOT_READ_ALL_DATA', ({ lately }) => Boolean(lately))
    return { clockMs, outOfSpace: count('NOT_ENOUGH_SPACE'), unreadable: count('CORRUPTED_DATA', ({ lately }) => Boolean(lately)) + (merges >= MERGES_MIN ? merges : 0) }
  })
}

async function withClient<T> (url: string, ask: (client: Awaited<ReturnType<typeof connectClickHouse>>) => Promise<T>): Promise<T> {
  const client = await connectClickHouse(url, { statementSeconds: 10, signal: AbortSignal.timeout(2 * FACT_MS_MAX) })
  try {
    return await ask(client)
  } finally {
    await client.close()
  }
}

async function diskOf (folder: string, reserve: number): Promise<Disk> {
  const { bavail, blocks, bsize } = await statfs(folder)
  return { freeBytes: bavail * bsize, totalBytes: blocks * bsize, reserveBytes: reserveOf(blocks * bsize, reserve) }
}

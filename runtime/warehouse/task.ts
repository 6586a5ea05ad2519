// The handoff as a job of the platform, and what it knows about days that wait.

import { describe, PlatformError } from '../errors.ts'
import { manual } from '../jobs/schedule.ts'
import type { Task, TaskContext } from '../jobs/task.ts'
import type { Json } from '../plugin.ts'
import type { Topic } from '../schema.ts'
import { ensureBoundary } from './boundary.ts'
import type { DayName } from './boundary.ts'
import { alignCopies } from './copies.ts'
import { withDataset } from './dataset-lock.ts'
import { datasetsOf } from './datasets.ts'
import type { Dataset } from './datasets.ts'
import { handOver } from './handoff.ts'
import type { Handoff, Waiting } from './handoff.ts'
import type { LakeSources } from './lake-evidence.ts'
import { openLanes } from './lanes.ts'
import { SeenFlips } from './seen-flips.ts'
import { ensureViews } from './views.ts'
import { describeTable } from '../clickhouse/migrate.ts'

const EVERY_MS = 15 * 60_000
/** Longer than any query that the platform lets through: a reader that pinned the boundary of before still finds its rows. */
const GRACE_MS = 15 * 60_000
const TIMEOUT_MS = 6 * 3_600_000
/** Days whose reason for waiting is remembered. */
const WAITING_MAX = 1000

export interface HandoffParts extends LakeSources {
  readonly root: string
  /** Addresses; undefined: there is no ClickHouse. */
  readonly clickhouse: string | undefined
  readonly warehouse: string | undefined
  readonly realtimeDays: number
  schemas (): ReadonlyMap<string, Topic>
}

/** Days that wait for their handoff, by name; the newest run says so. */
export class WaitingDays {
  /** Until when what flips have made superfluous stays. */
  readonly flips = new SeenFlips()
  readonly #days = new Map<string, Waiting>()

  get all (): Waiting[] {
    return [...this.#days.values()]
  }

  /** Without a reason it waits no more. */
  set (name: DayName, reason: string | undefined): void {
    const key = JSON.stringify([name.dataset, name.topic, name.day])
    const since = this.#days.get(key)?.since ?? Date.now()
    this.#days.delete(key)
    if (reason === undefined) return
    this.#days.set(key, { ...name, reason, since })
    for (const [oldest] of this.#days) if (this.#days.size > WAITING_MAX) this.#days.delete(oldest)
  }
}

const known = new WeakMap<object, WaitingDays>()

/** Those of one platform, told by its store. */
export function waitingOf (store: object): WaitingDays {
  const days = known.get(store) ?? new WaitingDays()
  known.set(store, days)
  return days
}

/**
 * Params: `dataset`, `topic`, `day` (such as `2024-01-02`) choose what is handed over, and `grace_seconds` when the rows
 * of before are removed: only where nobody reads.
 */
export function handoffTask (parts: HandoffParts, waiting: WaitingDays): Task {
  return {
    id: 'handoff',
    description: 'Hands days that are older than the realtime period over to the warehouse',
    schedule: { ...manual, when: { kind: 'every', ms: EVERY_MS }, retries: 0, timeoutMs: TIMEOUT_MS },
    run: context => run(parts, waiting, context)
  }
}

async function run (parts: HandoffParts, waiting: WaitingDays, { run, params, signal, log, progress }: TaskContext): Promise<void> {
  const { clickhouse, warehouse } = parts
  if (clickhouse === undefined || warehouse === undefined) return
  const only = readParams(params)
  const datasets = [...datasetsOf(parts.pipelines(), parts.schemas()).values()].filter(({ name }) => (only.dataset ?? name) === name)
  if (only.dataset !== undefined && datasets.length === 0) throw new PlatformError('NOT_FOUND', `no output streaming-database stores a dataset ${only.dataset}`)
  const lanes = await openLanes({ clickhouse, warehouse, signal })
  try {
    for (const server of lanes.servers) await ensureBoundary(server)
    await alignCopies(lanes, signal)
    const handoff: Handoff = {
      ...parts,
      run: run.id,
      lanes,
      log,
      signal,
      today: run.to,
      graceMs: only.graceMs,
      seen: waiting.flips,
      now: Date.now,
      only,
      onRows: rows => progress({ rows }),
      onWaiting: (day, reason) => waiting.set(day, reason)
    }
    const failed: unknown[] = []
    for (const [i, dataset] of datasets.entries()) {
      progress({ share: i / datasets.length })
      failed.push(...await withDataset(dataset.name, () => one(handoff, dataset), signal))
    }
    if (failed.length > 0) throw failed.length === 1 ? failed[0] : new PlatformError('HANDOFF_UNVERIFIED', `${failed.length} days could not be handed over: ${failed.slice(0, 3).map(describe).join('; ')}`, { cause: failed[0], remedy: 'GET /v1/boundary lists all that wait, with the reason.' })
  } finally {
    await lanes.close()
  }
}

async function one (handoff: Handoff, dataset: Dataset): Promise<unknown[]> {
  const { lanes: { streaming, warehouse } } = handoff
  // A pipeline that has never run has no table.
  if (await describeTable(streaming, dataset.table) === undefined) return []
  if (streaming !== warehouse) await ensureViews(warehouse, { dataset: dataset.name, schema: dataset.schema, streaming: 'elsewhere', warehouse: true })
  return handOver(handoff, dataset)
}

interface Params {
  readonly dataset: string | undefined
  readonly topic: string | undefined
  readonly day: string | undefined
  readonly graceMs: number
}

function readParams (params: Readonly<Record<string, Json>>): Params {
  const known = ['dataset', 'topic', 'day', 'grace_seconds']
  const unknown = Object.keys(params).find(name => !known.includes(name))
  if (unknown !== undefined) throw invalid(`there is no parameter ${JSON.stringify(unknown)}`, `Use ${known.join(', ')}.`)
  const text = (name: string): string | undefined => {
    const value = params[name]
    if (value !== undefined && typeof value !== 'string') throw invalid(`${name} is not a text`, 'Write it as JSON text.')
    return value
  }
  const day = text('day')
  if (day !== undefined && (!/^\d{4}-\d\d-\d\d$/.test(day) || Number.isNaN(Date.parse(day)))) throw invalid(`${day} is no day`, 'Write it as 2024-01-02.')
  const grace = params['grace_seconds'] ?? GRACE_MS / 1000
  if (typeof grace !== 'number' || !(grace >= 0)) throw invalid('grace_seconds is no number from 0 on', 'Leave it out for 15 minutes.')
  return { dataset: text('dataset'), topic: text('topic'), day, graceMs: grace * 1000 }
}

function invalid (message: string, remedy: string): PlatformError {
  return new PlatformError('REQUEST_INVALID', message, { remedy })
}

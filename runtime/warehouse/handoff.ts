// The job `handoff`: days that have become older than the realtime period go from the streaming database to the warehouse.
//
//   for each table, one at a time, and each of its days that is over:
//     clean up what earlier flips have left ▶ lake ▶ quality ▶ new version (version.ts)
//
// A day that cannot go waits and says why; the others go on. Nothing is lost by waiting: its rows stay where they are.

import { readFlips } from './boundary.ts'
import type { DayName, Flip, Offsets } from './boundary.ts'
import { cleanUp, missingIn, oldRows } from './cleaning.ts'
import type { OldRows } from './cleaning.ts'
import type { Dataset, Feed } from './datasets.ts'
import { below, dayOfRow, higher, ofDay } from './day-rows.ts'
import { askLake } from './lake-evidence.ts'
import type { LakeSources } from './lake-evidence.ts'
import type { Lanes } from './lanes.ts'
import type { Missing } from './missing.ts'
import { joined, spansOf } from './spans.ts'
import type { SeenFlips } from './seen-flips.ts'
import { makeVersion } from './version.ts'
import { warehouseTable } from './views.ts'
import { checkDay, worst } from '../quality/check-day.ts'
import { keepResults } from '../quality/results.ts'
import { spanOfDay } from '../quality/windows.ts'
import { PlatformError, describe } from '../errors.ts'
import type { Json, Logger } from '../plugin.ts'

/** Days are taken so many at most in one run; the next run goes on. */
const DAYS_MAX = 1000
export const DAY_MS = 86_400_000

/** A day that is not handed over yet, and why. */
export interface Waiting extends DayName {
  readonly reason: string
  /** ms since 1970. */
  readonly since: number
}

export interface Handoff extends LakeSources {
  readonly root: string
  /** Id of the job's run. */
  readonly run: string
  readonly lanes: Lanes
  readonly log: Logger
  readonly signal: AbortSignal
  /** Days before that of `today` that stay, where the schema does not say otherwise. */
  readonly realtimeDays: number
  /** ms since 1970: which days are over is told by it. */
  readonly today: number
  /** After this process has seen a flip, until the rows of before are removed. */
  readonly graceMs: number
  /** Outlives a run. */
  readonly seen: SeenFlips
  readonly now: () => number
  readonly only: { readonly topic?: string | undefined, readonly day?: string | undefined }
  onRows (rows: number): void
  onWaiting (day: DayName, reason: string | undefined): void
}

/** Hands over all days of a dataset that are due. Returns what failed; a day that only waits has not. The caller has the dataset's lock. */
export async function handOver (handoff: Handoff, dataset: Dataset): Promise<unknown[]> {
  const { lanes, signal, only, log } = handoff
  const flips = new Map<string, Flip>()
  for (const flip of await readFlips(lanes.warehouse, { dataset: dataset.name })) flips.set(keyOf(flip), flip)
  const days = new Map<string, OldRows[]>()
  for (const rows of await oldRows({ lanes, dataset, signal }, cutoffDay(handoff, dataset), dayOfRow(dataset.schema))) {
    days.set(keyOf(rows), [...days.get(keyOf(rows)) ?? [], rows])
  }
  const due = new Map<string, DayName>()
  for (const { topic, day } of [...flips.values()].filter(({ cleanedAt }) => cleanedAt === undefined)) due.set(keyOf({ topic, day }), { dataset: dataset.name, topic, day })
  for (const [{ topic, day }] of [...days.values()] as Array<[OldRows]>) due.set(keyOf({ topic, day }), { dataset: dataset.name, topic, day })

  const failed: unknown[] = []
  const chosen = [...due.values()].filter(({ topic, day }) => (only.topic ?? topic) === topic && (only.day ?? day) === day)
  for (const name of chosen.sort((a, b) => a.day < b.day ? -1 : 1).slice(0, DAYS_MAX)) {
    signal.throwIfAborted()
    try {
      await handOverDay(handoff, dataset, name, { current: flips.get(keyOf(name)), rows: days.get(keyOf(name)) ?? [] })
      handoff.onWaiting(name, undefined)
    } catch (error) {
      signal.throwIfAborted()
      handoff.onWaiting(name, describe(error))
      const waits = error instanceof PlatformError && error.code === 'HANDOFF_WAITING'
      log[waits ? 'warn' : 'error']({ ...name, reason: describe(error) }, waits ? 'A day waits for its handoff' : 'A day cannot be handed over')
      if (!waits) failed.push(error)
      // Another process has the warehouse now.
      if (error instanceof PlatformError && error.code === 'BROKER_FENCED') break
    }
  }
  return failed
}

function keyOf ({ topic, day }: Pick<DayName, 'topic' | 'day'>): string {
  return `${day} ${topic}`
}

/** Days before it are over. */
function cutoffDay ({ today, realtimeDays }: Handoff, { schema }: Dataset): string {
  return new Date(today - (schema.realtimeDays ?? realtimeDays) * DAY_MS).toISOString().slice(0, 10)
}

/** What is known of a day. */
interface Known {
  readonly current: Flip | undefined
  /** In the streaming database, by partition. */
  readonly rows: readonly OldRows[]
}

async function handOverDay (handoff: Handoff, dataset: Dataset, name: DayName, { current, rows }: Known): Promise<void> {
  const { lanes, signal, now, graceMs, seen, log } = handoff
  let missing: Missing = { rows: 0, conditions: [] }
  if (current !== undefined && current.cleanedAt === undefined) {
    // Rows that were delivered again below the boundary are seen by nobody before the next version: they do not wait.
    const waits = seen.ageMs(current) < graceMs
    missing = await (waits ? missingIn : cleanUp)({ lanes, dataset, signal }, current)
    if (waits && missing.rows === 0) return
    if (missing.rows === 0) {
      seen.forget(current)
      log.info({ ...name, version: current.version }, 'Cleaned up after a handoff')
    }
  } else if (current !== undefined) {
    // What is below the boundary of a day that was cleaned up has been delivered again.
    missing = await cleanUp({ lanes, dataset, signal }, current)
  }
  if (rows.length === 0) return
  const feed = feedOf(dataset, name)
  const offsets = higher(current?.offsets ?? new Map(), await committedOffsets(handoff, feed))
  const late = current === undefined ? '1' : `NOT ${below(current.offsets)}`
  const day = ofDay(dataset.schema, name)
  const spans = await spansOf(lanes.streaming, { table: dataset.table, where: `${day} AND ${below(offsets)} AND ${late}`, signal })
  const fresh = spans.reduce((sum, { rows }) => sum + rows, 0)
  if (fresh + missing.rows === 0) return
  const lake = await askLake(handoff, {
    ...name,
    schema: dataset.schema,
    feed,
    offsets,
    rows: fresh + missing.rows + (current?.rows ?? 0),
    // Rows have come since the day was found: what is counted is what the lake has to have come up to.
    spans: joined([...rows, ...spans]),
    comparedBefore: current === undefined || (current.lake as { readonly compared?: boolean } | undefined)?.compared === true
  })
  // A first version is checked before it is made, because that costs less.
  const early = current === undefined ? await checkQuality(handoff, dataset, { where: `${day} AND ${below(offsets)}`, name, lane: 'streaming' }) : undefined
  const flip = await makeVersion({
    lanes,
    dataset,
    now,
    signal,
    onCopied: handoff.onRows,
    check: async where => early ?? checkQuality(handoff, dataset, { where, name, lane: 'warehouse' })
  }, { ...name, offsets, current, sources: [...fresh > 0 ? [late] : [], ...missing.conditions], lake, revision: feed.revision })
  seen.ageMs(flip)
  log.info({ ...name, version: flip.version, rows: flip.rows, hash: flip.hash }, 'Handed a day over to the warehouse')
}

function feedOf ({ feeds, direct }: Dataset, { topic, dataset }: DayName): Feed {
  const feed = feeds.get(topic)
  if (feed === undefined) throw new PlatformError('HANDOFF_WAITING', `no output stores the topic ${topic} in ${dataset} any more, so it is not known which of its rows are complete`, { remedy: 'Bring its pipeline back; it may be disabled.' })
  if (direct.has(topic)) throw new PlatformError('HANDOFF_WAITING', `the topic ${topic} is loaded into the warehouse directly, too: its rows would be there twice`, { remedy: 'Take one of the two outputs away.' })
  return feed
}

/** Below these offsets the output has stored everything, whatever it is doing now. */
async function committedOffsets ({ broker }: Handoff, { topic, group }: Feed): Promise<Offsets> {
  const state = await broker.inspect(topic)
  return new Map((state?.groups ?? []).filter(committed => committed.group === group).map(({ partition, offset }) => [partition, offset]))
}

interface DayToCheck {
  readonly where: string
  readonly name: DayName
  readonly lane: 'streaming' | 'warehouse'
}

async function checkQuality ({ lanes, root, run, now, signal }: Handoff, { name: dataset, schema, table }: Dataset, { where, name, lane }: DayToCheck): Promise<Json> {
  const results = await checkDay(lanes[lane], schema, { table: lane === 'streaming' ? table : warehouseTable(dataset), day: name.day, where, root, signal })
  // Under the name of the streaming table for either lane, so that a later result of the rule takes the place of this one.
  await keepResults(lanes.warehouse, results, { dataset: `${table.database}.${table.table}`, scope: 'day', span: spanOfDay(name.day), at: now(), run })
  if (worst(results) === 'error') {
    const broken = results.filter(({ level }) => level === 'error').map(({ message }) => message)
    throw new PlatformError('HANDOFF_UNVERIFIED', `${name.day} of ${name.topic} does not meet its quality rules: ${broken.join('; ')}`, { remedy: 'Correct the rows or the rule; the next run tries again.' })
  }
  return results.map(({ rule, level, value }) => ({ rule, level, value: value ?? null }))
}

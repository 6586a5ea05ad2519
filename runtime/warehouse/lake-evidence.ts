// What the lake says about a day before it is handed over: that it has every raw row from which the day's rows were made.
//
//   lake        |──────────── files, by offsets ────────────|
//   day's rows       |── least ─────── most ──|
//
// Raw rows are more than stored ones only where a transform took rows out or where rows were rejected.

import { ruleOf } from '../lake/event-time.ts'
import { lakesOf, openLake } from '../lake/lakes.ts'
import { openLakeTable } from '../lake/table.ts'
import { PlatformError } from '../errors.ts'
import { cell } from '../batch.ts'
import { rejectedTopic } from '../schema.ts'
import type { Batch } from '../batch.ts'
import type { Broker } from '../broker/broker.ts'
import type { LakeFile, Snapshot } from '../lake/manifest.ts'
import type { Pipeline } from '../pipeline.ts'
import type { Json } from '../plugin.ts'
import type { Topic } from '../schema.ts'
import type { DayName, Offsets } from './boundary.ts'
import type { Feed } from './datasets.ts'

/** Rejected rows are read in such pieces. */
const readLimits = { rows: 4096, bytes: 8 * 2 ** 20 }

export interface LakeQuestion extends DayName {
  /** The topic as its schema is now. */
  readonly schema: Topic
  readonly feed: Feed
  /** Rows below them are handed over. */
  readonly offsets: Offsets
  /** Rows of the day that are handed over, and by partition the least and greatest offset of those of the streaming database. */
  readonly rows: number
  readonly spans: ReadonlyMap<number, { readonly least: number, readonly most: number }>
  /** Whether all rows of the version before were compared with the lake; true where there is none. */
  readonly comparedBefore: boolean
}

export interface LakeSources {
  readonly broker: Broker
  readonly dataFolder: string
  pipelines (): Iterable<Pipeline>
}

/**
 * What goes into the certificate; undefined: no lake holds the topic. Throws HANDOFF_WAITING where the lake has not come
 * so far, and HANDOFF_UNVERIFIED where it has fewer rows, or more than rejected rows explain.
 */
export async function askLake (sources: LakeSources, question: LakeQuestion): Promise<Json | undefined> {
  const [lake] = lakesOf(sources.pipelines(), question.topic)
  if (lake === undefined) return undefined
  const objects = await openLake(lake.config, { dataFolder: sources.dataFolder, owner: 'handoff.' })
  let snapshot: Snapshot
  try {
    snapshot = await openLakeTable(objects, question.topic).read()
  } finally {
    objects.close()
  }
  checkReach(snapshot, question)
  const complete = question.comparedBefore && [...question.spans].every(([partition, { least }]) => (firstOf(snapshot, partition) ?? Infinity) <= least)
  const told = snapshot.files.filter(file => file.from < (question.offsets.get(file.partition) ?? 0))
  const known = told.every(file => file.unread !== true && file.rule === ruleOf(question.schema))
  const evidence = { seq: snapshot.seq, pipeline: lake.pipeline, rows: known ? rowsOf(told, question.day) : null }
  // A lake that began later, or counted by another rule, has nothing to say about this day.
  if (!complete || !known) return { ...evidence, compared: false }
  await compare(sources, question, told)
  return { ...evidence, compared: true }
}

function firstOf ({ files }: Snapshot, partition: number): number | undefined {
  return files.find(file => file.partition === partition)?.from
}

/** The lake must have come as far as the rows that are handed over. */
function checkReach ({ files }: Snapshot, { topic, day, offsets, spans }: LakeQuestion): void {
  for (const [partition, { most }] of spans) {
    const end = Math.max(0, ...files.filter(file => file.partition === partition).map(({ to }) => to))
    const needed = Math.min(offsets.get(partition) ?? 0, most + 1)
    if (end >= needed) continue
    throw new PlatformError('HANDOFF_WAITING', `the lake is at offset ${end} of partition ${partition} of ${topic}, and ${day} goes up to ${needed}`, { remedy: 'Wait for the output lake, or look why it does not go on.' })
  }
}

function rowsOf (files: readonly LakeFile[], day: string): number {
  return files.reduce((sum, { days }) => sum + (days[day] ?? 0), 0)
}

/** Throws where the difference between raw rows and stored ones has no reason. */
async function compare ({ broker }: LakeSources, { topic, day, feed, offsets, rows }: LakeQuestion, files: readonly LakeFile[]): Promise<void> {
  const raw = rowsOf(files, day)
  if (raw < rows) {
    throw new PlatformError('HANDOFF_UNVERIFIED', `the lake has ${raw} rows of ${topic} on ${day}, and ${rows} are stored`, { remedy: 'Look into the manifest of the lake: rows that are not in it cannot be mapped again.' })
  }
  if (raw === rows || feed.filters) return
  // A file across the boundary is counted whole, with rows that are not handed over yet.
  const beyond = files.reduce((sum, { partition, to }) => sum + Math.max(0, to - (offsets.get(partition) ?? 0)), 0)
  const rejected = await rejectedBelow(broker, feed, offsets)
  // Retention may have taken the reasons of rows that were rejected long ago.
  if (rejected.since > Math.min(...files.map(({ ingest }) => ingest.from)) || raw - rows <= beyond + rejected.rows) return
  throw new PlatformError('HANDOFF_UNVERIFIED', `the lake has ${raw} rows of ${topic} on ${day}, ${rows} are stored, and ${rejected.rows} were rejected`, {
    remedy: `Compare the day with npx twolane parity ${topic} ${day}.`
  })
}

/** Rows that this output goes without, and since when rejected rows are kept, ms since 1970; -Infinity: since ever. */
async function rejectedBelow (broker: Broker, { topic, pipeline, step }: Feed, offsets: Offsets): Promise<{ readonly rows: number, readonly since: number }> {
  const rejected = rejectedTopic(topic)
  const state = await broker.inspect(rejected.name)
  if (state === undefined) return { rows: 0, since: -Infinity }
  const outputs = new Set([step, step.replace(/^outputs\./, '')])
  const reader = await broker.reader(rejected)
  let rows = 0
  let since = -Infinity
  try {
    for (const { partition, first, next } of state.partitions) {
      for (let offset = first; offset < next;) {
        const found = await reader.read(partition, offset, { ...readLimits, to: next })
        if (found.next === offset) break
        if (offset === first && first > 0) since = found.batches[0]?.position.time ?? since
        offset = found.next
        for (const batch of found.batches) rows += refusedIn(batch, { pipeline, outputs, offsets })
      }
    }
  } finally {
    await reader.close()
  }
  return { rows, since }
}

function refusedIn (batch: Batch, { pipeline, outputs, offsets }: { readonly pipeline: string, readonly outputs: ReadonlySet<string>, readonly offsets: Offsets }): number {
  let found = 0
  for (let i = 0; i < batch.length; i++) {
    const value = (name: string): unknown => {
      const column = batch.columns[name]
      return column === undefined ? null : cell(column, i)
    }
    const offset = Number(value('offset'))
    if (value('pipeline') === pipeline && outputs.has(String(value('output'))) && offset >= 0 && offset < (offsets.get(Number(value('partition'))) ?? 0)) found++
  }
  return found
}

// The job that keeps a lake well: small files become large ones, what nobody needs is removed, and files that nobody
// has looked at are. Each step ends with one commit to the manifest, so that a reader sees each row once at every
// moment, and a run that is killed anywhere is simply run again.

import { setImmediate } from 'node:timers/promises'
import { PlatformError, describe } from '../errors.ts'
import { storageError } from '../durable.ts'
import { manual } from '../jobs/schedule.ts'
import { removeUnlisted } from './clean.ts'
import { EventTimes } from './event-time.ts'
import { lakesOf, openLake } from './lakes.ts'
import { leftoverPrefix, removeLeftovers } from './leftovers.ts'
import { measure } from './measure.ts'
import { TARGET_BYTES, TARGET_ROWS, mergeFiles, mergesOf } from './merge.ts'
import { openLakeTable } from './table.ts'
import { takeOver } from './takeover.ts'
import type { Task, TaskContext } from '../jobs/task.ts'
import type { Pipeline } from '../pipeline.ts'
import type { Objects } from '../objects/objects.ts'
import type { Topic } from '../schema.ts'
import type { Lake } from './lakes.ts'

const user = 'compaction'
const minuteMs = 60_000
const minAgeMinutesDefault = 60

export interface CompactionSources {
  readonly pipelines: () => Iterable<Pipeline>
  readonly schemas: () => ReadonlyMap<string, Topic>
  readonly dataFolder: string
}

export interface CompactionOptions {
  /** Files whose newest row came after that are left as they are, ms since 1970. */
  readonly before: number
  /** As the clock says, ms since 1970; tests own it. */
  readonly now?: () => number
  readonly targetRows?: number
  readonly targetBytes?: number
}

/** Params: `topic`, all of them where it is left out, and `min_age_minutes`, 60 where it is left out. */
export function lakeCompaction (sources: CompactionSources): Task {
  return {
    id: 'compaction',
    description: 'Merges small files of the lake, and removes those that were replaced a day ago',
    schedule: { ...manual, when: { kind: 'cron', expression: '20 3 * * *', timeZone: 'UTC' }, catchUp: 'once' },
    async run (context) {
      const { topic, minAgeMs } = paramsOf(context.params)
      const lakes = lakesOf(sources.pipelines(), topic)
      if (topic !== undefined && lakes.length === 0) throw new PlatformError('NOT_FOUND', `No pipeline keeps a lake of the topic ${topic}`)
      const failures: string[] = []
      for (const [i, lake] of lakes.entries()) {
        context.signal.throwIfAborted()
        context.progress({ share: i / lakes.length })
        try {
          await compactLake(lake, sources, { before: context.run.to - minAgeMs }, context)
        } catch (error) {
          context.signal.throwIfAborted()
          // The lakes of other topics are not held up by it.
          context.log.error({ topic: lake.topic, reason: describe(error) }, 'A lake was not compacted')
          failures.push(`${lake.topic}: ${describe(error)}`)
        }
      }
      if (failures.length > 0) throw new PlatformError('PLUGIN_FAILED', failures.join('; '))
      context.progress({ share: 1 })
    }
  }
}

/** One topic of one lake. Repeatable; ends soon after the signal. */
export async function compactLake (lake: Lake, { dataFolder, schemas }: Pick<CompactionSources, 'dataFolder' | 'schemas'>, options: CompactionOptions, context: Pick<TaskContext, 'signal' | 'log' | 'progress'>): Promise<void> {
  const objects = await openLake(lake.config, { dataFolder, owner: leftoverPrefix(user, lake.config.folder) })
  try {
    await objects.check()
    await removeLeftovers(objects, user, lake.config.folder, context.log).catch((error: unknown) => { throw storageError(error, objects.scratch) })
    await compactTopic(objects, { name: lake.topic, schema: schemas().get(lake.topic) }, options, context)
  } finally {
    objects.close()
  }
}

async function compactTopic (objects: Objects, { name, schema }: { readonly name: string, readonly schema: Topic | undefined }, options: CompactionOptions, { signal, log, progress }: Pick<TaskContext, 'signal' | 'log' | 'progress'>): Promise<void> {
  const now = options.now ?? Date.now
  const table = openLakeTable(objects, name, now)
  await takeOver(objects, table)
  if (schema !== undefined) {
    const events = new EventTimes(schema)
    for (const file of (await table.read()).files.filter(({ unread, rule }) => unread === true || rule !== events.rule)) {
      await measure(objects, table, file, { schema, events, signal })
      progress({ rows: file.rows, bytes: file.bytes })
    }
  }
  const { files } = await table.read()
  const merges = mergesOf(files, { before: options.before, targetRows: options.targetRows ?? TARGET_ROWS, targetBytes: options.targetBytes ?? TARGET_BYTES })
  for (const merge of merges) {
    const file = await mergeFiles(objects, table, merge, { signal, now })
    progress({ rows: file.rows, bytes: file.bytes })
    log.info({ topic: name, file: file.name, filesMerged: merge.length, rows: file.rows, bytes: file.bytes }, 'Merged files of the lake')
    await setImmediate()
  }
  const removed = await removeUnlisted(objects, table, { now, signal })
  if (removed > 0) log.info({ topic: name, files: removed }, 'Removed files that readers have not gone by for a day')
}

function paramsOf (params: TaskContext['params']): { readonly topic: string | undefined, readonly minAgeMs: number } {
  const { topic, min_age_minutes: minutes = minAgeMinutesDefault, ...rest } = params
  const wrong = (message: string): PlatformError => new PlatformError('REQUEST_INVALID', message, { remedy: 'A compaction takes topic, and min_age_minutes from 0 on.' })
  const [unknown] = Object.keys(rest)
  if (unknown !== undefined) throw wrong(`A compaction has no parameter ${unknown}`)
  if (topic !== undefined && typeof topic !== 'string') throw wrong('topic is no text')
  const minAge = Number(minutes)
  if (minutes === '' || !(minAge >= 0)) throw wrong(`min_age_minutes is no number: ${JSON.stringify(minutes)}`)
  return { topic, minAgeMs: minAge * minuteMs }
}

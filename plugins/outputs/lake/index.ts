// The data lake: the rows of a topic as its sources gave them, as Parquet files.
//
//   <folder>/<topic>/date=2024-01-02/<topic>-<partition>-<from>-<to>-<hash>.parquet
//                                             offsets [from, to), 20 digits each, and what begins sha256 of its bytes
//
//   <folder>/<topic>/_manifest/000000000001.json                                which files count (runtime/lake)
//
// A file is written aside, as a local file; it shows up complete, when all of its bytes are durable (runtime/objects).
// A flush ends with a commit to the manifest, by which readers go: all of its files count from then on, or none. A range
// that is written again is found there by its offsets and left: that is the whole of the exactness.

import { resolve } from 'node:path'
import { storageError } from '../../../runtime/durable.ts'
import { defineOutput } from '../../../runtime/plugin.ts'
import { PlatformError } from '../../../runtime/errors.ts'
import { inStore } from '../../../runtime/objects/open.ts'
import { EventTimes } from '../../../runtime/lake/event-time.ts'
import { lakeOptions, openLake } from '../../../runtime/lake/lakes.ts'
import { openLakeTable } from '../../../runtime/lake/table.ts'
import { leftoverPrefix, removeLeftovers } from '../../../runtime/lake/leftovers.ts'
import { takeOver } from '../../../runtime/lake/takeover.ts'
import { EXTRA } from '../../../runtime/schema.ts'
import { positionColumns } from '../../../runtime/arrow.ts'
import { PartitionFiles } from './files.ts'
import type { Context, Sink } from '../../../runtime/plugin.ts'
import type { LakeConfig } from '../../../runtime/lake/lakes.ts'
import type { LakeTable } from '../../../runtime/lake/table.ts'
import type { Objects } from '../../../runtime/objects/objects.ts'

export default defineOutput({
  description: 'Keeps the raw rows of a topic as Parquet files with zstd, one folder a day, in a folder or an S3 bucket',
  options: lakeOptions,
  shorthand: 'folder',
  guarantee: 'idempotent',
  raw: true,
  // A flush is a file. Small files make a lake slow, so a flush is large.
  flush: { rows: 250_000, ms: 30_000, bytes: 64 * 2 ** 20 },
  target: ({ folder, endpoint }, { topic, dataFolder }) => JSON.stringify(inStore(folder)
    ? [endpoint, folder.split('/').filter(part => part !== ''), topic]
    : [resolve(dataFolder, folder), topic]),

  async open (config, context) {
    checkNames(context)
    if (context.topic.fields.some(field => field.name === 'date')) {
      context.log.warn({ topic: context.topic.name }, 'The topic has a field "date": readers that take the date from the name of a folder hide it')
    }
    const objects = await place(config, context)
    const table = openLakeTable(objects, context.topic.name)
    try {
      await objects.check()
      const files = await takeOver(objects, table)
      if (files > 0) context.log.info({ files }, 'Made the manifest of a lake that had none')
      await removeLeftovers(objects, userOf(context), config.folder, context.log).catch((error: unknown) => { throw storageError(error, objects.scratch) })
    } catch (error) {
      objects.close()
      throw error
    }
    return openSink(objects, table, context)
  },

  async probe (config, context) {
    const objects = await place(config, context)
    try {
      await objects.check()
    } finally {
      objects.close()
    }
  }
})

function place (config: LakeConfig, context: Context): Promise<Objects> {
  return openLake(config, { dataFolder: context.dataFolder, owner: leftoverPrefix(userOf(context), config.folder) })
}

function userOf ({ pipeline, step }: Context): string {
  return `${pipeline}.${step}`
}

function checkNames ({ topic }: Context): void {
  const taken = topic.fields.find(field => (positionColumns as readonly string[]).includes(field.name))
  if (taken === undefined) return
  throw new PlatformError('CONFIG_INVALID', `The field ${taken.name} has the name of a column that the lake adds`, {
    where: `schemas/${topic.name}.yaml`, remedy: `Rename it: ${positionColumns.join(', ')} say where a row stands in its topic.`
  })
}

function openSink (objects: Objects, table: LakeTable, context: Context): Sink {
  const events = new EventTimes(context.topic)
  const names = context.topic.fields.map(field => field.name)
  if (!names.includes(EXTRA)) names.push(EXTRA)
  const partitions = new Map<number, PartitionFiles>()
  let failure: PlatformError | undefined

  /** After a failure only `close` is of use: a later flush must not pass over rows that were lost on the way. */
  async function attempt<T> (task: () => Promise<T>): Promise<T> {
    if (failure !== undefined) throw failure
    try {
      return await task()
    } catch (error) {
      throw failure = storageError(error, objects.scratch)
    }
  }

  return {
    write: batch => attempt(async () => {
      if (batch.length === 0) return
      const { partition } = batch.position
      let files = partitions.get(partition)
      if (files === undefined) partitions.set(partition, files = new PartitionFiles({ objects, table, events, names, partition, context }))
      await files.write(batch)
    }),
    flush: range => attempt(async () => {
      await partitions.get(range.partition)?.flush(range)
    }),
    async close () {
      await Promise.all([...partitions.values()].map(files => files.discard()))
      partitions.clear()
      objects.close()
    }
  }
}

// The data lake: the rows of a topic as its sources gave them, as Parquet files.
//
//   <folder>/<topic>/date=2024-01-02/<topic>-<partition>-<from>-<to>.parquet    offsets [from, to), 20 digits each
//   <folder>/_tmp/…                                                             files being written
//
// A file's name is made of the offsets it covers and its day is the ingest time's, so a range that is written again
// makes the same files and replaces what is there: that is the whole of the exactness. A file shows up complete, by a
// rename, after its bytes are on the disk.

import { resolve } from 'node:path'
import { makeFolder, storageError } from '../../../runtime/durable.ts'
import { defineOutput } from '../../../runtime/plugin.ts'
import { PlatformError } from '../../../runtime/errors.ts'
import { EXTRA } from '../../../runtime/schema.ts'
import { positionColumns } from '../../../runtime/arrow.ts'
import { PartitionFiles } from './files.ts'
import { removeLeftovers } from './leftovers.ts'
import type { Context, Sink } from '../../../runtime/plugin.ts'

const options = {
  folder: {
    type: 'string', default: null, description: 'Folder of the lake, absolute or below the data folder; `lake` in the data folder where it is left out.', examples: ['/srv/lake']
  }
} as const

export default defineOutput({
  description: 'Keeps the raw rows of a topic as Parquet files with zstd, one folder a day',
  options,
  shorthand: 'folder',
  guarantee: 'idempotent',
  raw: true,
  // A flush is a file. Small files make a lake slow, so a flush is large.
  flush: { rows: 250_000, ms: 30_000, bytes: 64 * 2 ** 20 },
  target: ({ folder }, { topic, dataFolder }) => JSON.stringify([resolve(dataFolder, folder ?? 'lake'), topic]),

  async open ({ folder }, context) {
    const root = resolve(context.dataFolder, folder ?? 'lake')
    checkNames(context)
    if (context.topic.fields.some(field => field.name === 'date')) {
      context.log.warn({ topic: context.topic.name }, 'The topic has a field "date": readers that take the date from the name of a folder hide it')
    }
    try {
      await makeFolder(resolve(root, '_tmp'))
      await removeLeftovers(resolve(root, '_tmp'), context)
    } catch (error) {
      throw storageError(error, root)
    }
    return openSink(root, context)
  },

  async probe ({ folder }, context) {
    const root = resolve(context.dataFolder, folder ?? 'lake')
    await makeFolder(resolve(root, '_tmp')).catch(error => { throw storageError(error, root) })
  }
})

function checkNames ({ topic }: Context): void {
  const taken = topic.fields.find(field => (positionColumns as readonly string[]).includes(field.name))
  if (taken === undefined) return
  throw new PlatformError('CONFIG_INVALID', `The field ${taken.name} has the name of a column that the lake adds`, {
    where: `schemas/${topic.name}.yaml`, remedy: `Rename it: ${positionColumns.join(', ')} say where a row stands in its topic.`
  })
}

function openSink (root: string, context: Context): Sink {
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
      throw failure = storageError(error, root)
    }
  }

  return {
    write: batch => attempt(async () => {
      if (batch.length === 0) return
      const { partition } = batch.position
      let files = partitions.get(partition)
      if (files === undefined) partitions.set(partition, files = new PartitionFiles({ root, names, partition, context }))
      await files.write(batch)
    }),
    flush: range => attempt(async () => {
      await partitions.get(range.partition)?.flush(range)
    }),
    async close () {
      for (const files of partitions.values()) await files.discard()
      partitions.clear()
    }
  }
}

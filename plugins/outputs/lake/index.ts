// The data lake: the rows of a topic as its sources gave them, as Parquet files.
//
//   <folder>/<topic>/date=2024-01-02/<topic>-<partition>-<from>-<to>.parquet    offsets [from, to), 20 digits each
//
// A file's name is made of the offsets it covers and its day is the ingest time's, so a range that is written again
// makes the same files and replaces what is there: that is the whole of the exactness. A file is written aside, as a
// local file; it shows up complete, when all of its bytes are durable (runtime/objects).

import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { storageError } from '../../../runtime/durable.ts'
import { defineOutput } from '../../../runtime/plugin.ts'
import { PlatformError } from '../../../runtime/errors.ts'
import { inStore, openObjects } from '../../../runtime/objects/open.ts'
import { EXTRA } from '../../../runtime/schema.ts'
import { positionColumns } from '../../../runtime/arrow.ts'
import { PartitionFiles } from './files.ts'
import { leftoverPrefix, removeLeftovers } from './leftovers.ts'
import type { Config, Context, Sink } from '../../../runtime/plugin.ts'
import type { Objects } from '../../../runtime/objects/objects.ts'

const options = {
  folder: {
    type: 'string',
    default: 'lake',
    description: 'Where the lake is: a folder, absolute or below the data folder, or `s3://bucket/prefix` in an S3-compatible store.',
    examples: ['/srv/lake', 's3://our-lake/raw']
  },
  endpoint: { type: 'string', default: null, description: 'Address of a store other than AWS.', examples: ['https://minio.internal:9000'] },
  region: { type: 'string', default: null, description: 'Region of the bucket; as the AWS environment says where it is left out, and `us-east-1` with an endpoint.' },
  path_style: { type: 'boolean', default: null, description: 'Puts the bucket into the path instead of the host name; on with an endpoint, off without one.' },
  access_key: { type: 'string', default: null, description: 'Access key; the usual AWS chain (environment, profile, role) where it is left out.', writeOnly: true },
  secret_key: { type: 'string', default: null, description: 'Secret of the access key.', writeOnly: true },
  timeout_seconds: { type: 'number', default: 60, description: 'Time that the store may take for one request, in seconds; a part of a file has 8 MiB.', minimum: 0.1 }
} as const

type LakeConfig = Config<typeof options>

export default defineOutput({
  description: 'Keeps the raw rows of a topic as Parquet files with zstd, one folder a day, in a folder or an S3 bucket',
  options,
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
    try {
      await objects.check()
      await removeLeftovers(objects, context, hostOf(config)).catch((error: unknown) => { throw storageError(error, objects.scratch) })
    } catch (error) {
      objects.close()
      throw error
    }
    return openSink(objects, context)
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
  const { folder, endpoint, region, path_style: pathStyle, access_key: accessKey, secret_key: secretKey, timeout_seconds: seconds } = config
  return openObjects({
    address: folder,
    dataFolder: context.dataFolder,
    owner: leftoverPrefix(context, hostOf(config)),
    store: { endpoint, region, pathStyle, accessKey, secretKey, requestMs: seconds * 1000 }
  })
}

/** A folder may be on a disk that several machines share. What goes to a store is written in the data folder, which is one platform's own. */
function hostOf ({ folder }: LakeConfig): string {
  return inStore(folder) ? 'store' : hostname()
}

function checkNames ({ topic }: Context): void {
  const taken = topic.fields.find(field => (positionColumns as readonly string[]).includes(field.name))
  if (taken === undefined) return
  throw new PlatformError('CONFIG_INVALID', `The field ${taken.name} has the name of a column that the lake adds`, {
    where: `schemas/${topic.name}.yaml`, remedy: `Rename it: ${positionColumns.join(', ')} say where a row stands in its topic.`
  })
}

function openSink (objects: Objects, context: Context): Sink {
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
      if (files === undefined) partitions.set(partition, files = new PartitionFiles({ objects, names, partition, context }))
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

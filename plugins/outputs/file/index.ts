// Rows as lines of a file: NDJSON or CSV, as the transforms left them.

import { dirname, extname, resolve } from 'node:path'
import { makeFolder, storageError } from '../../../runtime/durable.ts'
import { defineOutput } from '../../../runtime/plugin.ts'
import { formatOf } from './format.ts'
import { RowFile } from './row-file.ts'
import type { Context, Sink } from '../../../runtime/plugin.ts'

const options = {
  path: {
    type: 'string', description: 'The file, absolute or below the data folder. A topic of several partitions makes one file each: `out-0.ndjson`, `out-1.ndjson`.', examples: ['out.ndjson']
  },
  format: {
    type: 'string', enum: ['ndjson', 'csv'], default: null, description: 'A JSON object a line, or CSV with a header; by the end of the path where it is left out (`.csv` is CSV, all else NDJSON).'
  },
  columns: {
    type: 'array', items: { type: 'string' }, default: null, description: 'The fields to write, in this order; all fields where it is left out.', examples: [['symbol', 'price']]
  },
  rotate_megabytes: {
    type: 'number', minimum: 0.001, default: null, description: 'A file that has reached so many megabytes (2^20 bytes) is renamed to end with the offset of its end, such as `out-00000000000000250000.ndjson`, and a new one is begun; never where it is left out.'
  }
} as const

export default defineOutput({
  description: 'Appends rows to a file as NDJSON or CSV',
  options,
  shorthand: 'path',
  guarantee: 'exactly once',
  target: ({ path }, { dataFolder }) => resolve(dataFolder, path),

  async open ({ path, format, columns, rotate_megabytes: rotateMegabytes }, context) {
    const full = resolve(context.dataFolder, path)
    await makeFolder(dirname(full)).catch(error => { throw storageError(error, full) })
    const settings = { format: formatOf(format ?? (extname(full) === '.csv' ? 'csv' : 'ndjson'), columns), rotateBytes: rotateMegabytes === null ? Infinity : rotateMegabytes * 2 ** 20 }
    return openSink(partition => new RowFile(partitionPath(full, partition, context), settings, context))
  },

  async probe ({ path }, context) {
    const full = resolve(context.dataFolder, path)
    await makeFolder(dirname(full)).catch(error => { throw storageError(error, full) })
  }
})

/** Each partition has a file of its own: one writer a file, and the order of its rows is theirs. */
function partitionPath (path: string, partition: number, { topic }: Context): string {
  if (topic.partitions === 1 && partition === 0) return path
  const end = extname(path)
  return `${path.slice(0, path.length - end.length)}-${partition}${end}`
}

function openSink (fileOf: (partition: number) => RowFile): Sink {
  const files = new Map<number, RowFile>()
  const open = (partition: number): RowFile => {
    let file = files.get(partition)
    if (file === undefined) files.set(partition, file = fileOf(partition))
    return file
  }
  return {
    async write (batch) {
      if (batch.length > 0) await open(batch.position.partition).write(batch)
    },
    async flush (range) {
      await files.get(range.partition)?.flush(range)
    },
    landed: range => open(range.partition).landed(range),
    async close () {
      for (const file of files.values()) await file.close()
      files.clear()
    }
  }
}

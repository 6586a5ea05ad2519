// Rows out of one file, read once or followed while it grows.

import { access, constants } from 'node:fs/promises'
import { dirname, extname, resolve } from 'node:path'
import { PlatformError } from '../../../runtime/errors.ts'
import { defineInput, RowBatch } from '../../../runtime/plugin.ts'
import { Csv } from '../../../runtime/formats/csv.ts'
import { Lines } from '../../../runtime/formats/lines.ts'
import { ndjson } from '../../../runtime/formats/ndjson.ts'
import { Tail } from './tail.ts'
import type { Chunk, Config, Context, Json } from '../../../runtime/plugin.ts'
import type { Format } from '../../../runtime/formats/format.ts'
import type { Place } from './tail.ts'

interface Checkpoint extends Place {
  /** Number of the line at `offset`. */
  readonly line: number
  /** The format's state at `offset`. */
  readonly format: Json
}

const options = {
  path: { type: 'string', description: 'The file; a relative path begins at the folder of the project.', examples: ['/data/quotes.ndjson'] },
  format: { type: 'string', description: 'ndjson: one JSON object a line; csv; auto: by the ending of the path.', enum: ['auto', 'ndjson', 'csv'], default: 'auto' },
  follow: { type: 'boolean', description: 'Wait for the file and for more lines, also when the file is rotated (renamed, or cut off); false: end with the file.', default: false },
  header: { type: 'array', description: 'CSV: the names of the columns; without it the first line has them.', items: { type: 'string' }, minItems: 1, default: null },
  skip_lines: { type: 'integer', description: 'Lines to pass over at the beginning of the file.', default: 0, minimum: 0 },
  delimiter: { type: 'string', description: 'CSV: what stands between two values; by default a comma, or a tab where the path ends with .tsv.', default: null, pattern: '^[^\\r\\n]+$' },
  quote: { type: 'string', description: 'CSV: what stands around values that hold delimiters or line ends; empty: nothing is quoted.', default: '"', pattern: '^[^\\r\\n]?$' },
  batch_rows: { type: 'integer', description: 'Rows of one batch at most.', default: 5000, minimum: 1, maximum: 100_000 },
  line_bytes_max: { type: 'integer', description: 'Bytes of a line at most; a longer one is rejected.', default: 16 * 2 ** 20, minimum: 16, maximum: 256 * 2 ** 20 },
  poll_ms: { type: 'integer', description: 'How often a followed file is looked at, in milliseconds.', default: 250, minimum: 10, maximum: 60_000 }
} as const

type FileConfig = Config<typeof options>

export default defineInput({
  description: 'Rows of a CSV or NDJSON file, read once or followed while it grows',
  options,
  shorthand: 'path',

  async * read (given, context) {
    const config = placed(given, context)
    const { path, follow, poll_ms: pollMs, line_bytes_max: lineBytesMax } = config
    makeFormat(config, null) // A wrong configuration is told before the file is waited for.
    const tail = new Tail({ path, follow, pollMs, windowBytesMax: lineBytesMax + 2 ** 21 }, context)
    let saved = context.checkpoint as Checkpoint | undefined
    try {
      while (await tail.open(saved)) {
        yield * readOne(tail, tail.offset === 0 ? undefined : saved, config, context)
        if (!follow || context.signal.aborted) return
        // The path leads to another file, or to the same one from its beginning.
        saved = undefined
      }
    } finally {
      await tail.close()
    }
  },

  async probe (given, context) {
    const config = placed(given, context)
    makeFormat(config, null)
    // A followed file may come later; its folder has to be there.
    const path = config.follow ? dirname(config.path) : config.path
    try {
      await access(path, constants.R_OK)
    } catch (error) {
      throw new PlatformError('SOURCE_UNAVAILABLE', `${path} cannot be read: ${(error as Error).message}.`, { where: 'input.file.path', remedy: 'Check the path and who may read it.', cause: error })
    }
  }
})

/** A relative path begins at the project's folder. */
function placed (config: FileConfig, { root }: Context): FileConfig {
  return { ...config, path: resolve(root, config.path) }
}

/** One file from where the tail stands to its end. */
async function * readOne (tail: Tail, saved: Checkpoint | undefined, config: FileConfig, context: Context): AsyncGenerator<Chunk, void, void> {
  const { path, line_bytes_max: lineBytesMax, batch_rows: rowsMax, skip_lines: skipLines } = config
  const { topic, signal, metrics } = context
  const format = makeFormat(config, saved?.format ?? null)
  const lines = new Lines(tail, { path, lineBytesMax, line: saved?.line ?? 1, skipLines }, context)
  while (await tail.more() === 'grown') {
    while (!signal.aborted) {
      const region = lines.next()
      const parsed = region && format.parse(region, { topic, rowsMax, lineBytesMax, refuse: (text, reason, after) => lines.refuse(text, reason, after) })
      if (region !== undefined && parsed !== undefined) lines.take(region.text, parsed.chars, parsed.lines)
      const refused = lines.takeRefused()
      if (refused > 0) metrics.count('rows_malformed', refused)
      // An empty batch carries the checkpoint past rows that were refused.
      const batch = parsed?.batch ?? new RowBatch(topic, 0, {})
      if ((batch.length > 0 || refused > 0) && !lines.skipping) yield { batch, checkpoint: { ...tail.place(), line: lines.line, format: format.state } }
      if (parsed === undefined || parsed.chars === 0) break
    }
  }
}

function makeFormat ({ path, format, header, delimiter, quote }: FileConfig, state: Json): Format {
  const kind = format === 'auto' ? formatOf[extname(path).toLowerCase()] : format
  if (kind === undefined) throw new PlatformError('CONFIG_INVALID', `The ending of ${path} does not say what it holds.`, { where: 'input.file.format', remedy: 'Set format: ndjson or format: csv.' })
  if (kind === 'ndjson') return ndjson
  const separator = delimiter ?? (path.toLowerCase().endsWith('.tsv') ? '\t' : ',')
  if (separator === quote) throw new PlatformError('CONFIG_INVALID', 'delimiter and quote are the same.', { where: 'input.file.delimiter', remedy: 'Set quote: "" where nothing is quoted.' })
  return new Csv({ delimiter: separator, quote, names: header ?? undefined }, state)
}

const formatOf: Readonly<Record<string, 'ndjson' | 'csv' | undefined>> = {
  '.ndjson': 'ndjson', '.jsonl': 'ndjson', '.json': 'ndjson', '.log': 'ndjson', '.csv': 'csv', '.tsv': 'csv'
}

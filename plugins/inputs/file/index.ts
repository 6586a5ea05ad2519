// Rows out of files: of all that a path or glob names, each one taken once (runtime/intake), or of one file of lines that
// is read once or followed while it grows (tail.ts).

import { access, constants } from 'node:fs/promises'
import { dirname, extname, resolve } from 'node:path'
import { PlatformError } from '../../../runtime/errors.ts'
import { defineInput, RowBatch } from '../../../runtime/plugin.ts'
import { Csv } from '../../../runtime/formats/csv.ts'
import { Lines } from '../../../runtime/formats/lines.ts'
import { ndjson } from '../../../runtime/formats/ndjson.ts'
import { FolderShelf } from '../../../runtime/intake/folder.ts'
import { isGlob } from '../../../runtime/intake/glob.ts'
import { takeOptions, takeSettings, textOptions } from '../../../runtime/intake/settings.ts'
import { takeFiles } from '../../../runtime/intake/take.ts'
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
  path: { type: 'string', description: 'The file, or a glob for many: * ? [a-z] {a,b}, and ** for folders in folders. A relative path begins at the folder of the project.', examples: ['/data/quotes.ndjson', 'exports/**/*.csv.gz'] },
  format: { type: 'string', description: 'ndjson: one JSON object a line; json: one document with an array of objects; csv; parquet; auto: by the ending of the name.', enum: ['auto', 'ndjson', 'csv', 'json', 'parquet'], default: 'auto' },
  follow: { type: 'boolean', description: 'Wait for the file and for more lines, also when the file is rotated (renamed, or cut off), or, of a glob, for more files; false: end when all is read. A run of a job always ends.', default: false },
  ...textOptions,
  ...takeOptions,
  poll_ms: { type: 'integer', description: 'How often what is followed is looked at, in milliseconds.', default: 250, minimum: 10, maximum: 60_000 }
} as const

type FileConfig = Config<typeof options>

export default defineInput({
  description: 'Rows of CSV, NDJSON, JSON and Parquet files, each taken once, or of one that is followed while it grows',
  options,
  shorthand: 'path',
  bounded: true,

  async * read (given, context) {
    if (takesMany(given, context)) {
      yield * takeFiles(new FolderShelf(given.path, context.root, 'input.file.path'), takeSettings(given, 'input.file'), context)
      return
    }
    const config = placed(given, context)
    const { path, follow, poll_ms: pollMs, line_bytes_max: lineBytesMax } = config
    makeFormat(config, null) // A wrong configuration is told before the file is waited for.
    const tail = new Tail({ path, follow, pollMs, windowBytesMax: lineBytesMax + 2 ** 21 }, context)
    let saved = placeOf(context)
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
    if (takesMany(given, context)) {
      takeSettings(given, 'input.file')
      const { done } = await new FolderShelf(given.path, context.root, 'input.file.path').list().next()
      if (done === true) context.log.warn({ path: given.path }, 'No file matches yet')
      return
    }
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

/** One file of lines is followed by its bytes; everything else is taken file by file. */
function takesMany ({ path, format }: FileConfig, { run }: Context): boolean {
  return run !== undefined || isGlob(path) || format === 'json' || format === 'parquet' || /\.(?:gz|gzip|zst|zstd|parquet|pq)$/i.test(path)
}

function placeOf ({ checkpoint }: Context): Checkpoint | undefined {
  const saved = checkpoint as Checkpoint | { readonly files: Json } | undefined
  if (saved === undefined || !('files' in saved)) return saved
  throw new PlatformError('CONFIG_INVALID', 'The pipeline has taken whole files so far, and what it knows of them is no place in a file that is followed.', {
    where: 'input.file', remedy: 'Give the pipeline another name; the file is then read from its beginning.'
  })
}

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
  const kind = format === 'auto' || format === 'json' || format === 'parquet' ? formatOf[extname(path).toLowerCase()] : format
  if (kind === undefined) throw new PlatformError('CONFIG_INVALID', `The ending of ${path} does not say what it holds.`, { where: 'input.file.format', remedy: 'Set format: ndjson or format: csv.' })
  if (kind === 'ndjson') return ndjson
  const separator = delimiter ?? (path.toLowerCase().endsWith('.tsv') ? '\t' : ',')
  if (separator === quote) throw new PlatformError('CONFIG_INVALID', 'delimiter and quote are the same.', { where: 'input.file.delimiter', remedy: 'Set quote: "" where nothing is quoted.' })
  return new Csv({ delimiter: separator, quote, names: header ?? undefined }, state)
}

const formatOf: Readonly<Record<string, 'ndjson' | 'csv' | undefined>> = {
  '.ndjson': 'ndjson', '.jsonl': 'ndjson', '.json': 'ndjson', '.log': 'ndjson', '.csv': 'csv', '.tsv': 'csv'
}

// The options that inputs of files share.

import { PlatformError } from '../errors.ts'
import { pointerPath } from '../formats/json-array.ts'
import type { Config } from '../plugin.ts'
import type { Compression } from '../formats/decode.ts'
import type { FormatName } from './rows.ts'

/** How text is split into rows. */
export const textOptions = {
  header: { type: 'array', description: 'CSV: the names of the columns; without it the first line has them.', items: { type: 'string' }, minItems: 1, default: null },
  skip_lines: { type: 'integer', description: 'Lines to pass over at the beginning of a file.', default: 0, minimum: 0 },
  delimiter: { type: 'string', description: 'CSV: what stands between two values; by default a comma, or a tab where the name ends with .tsv.', default: null, pattern: '^[^\\r\\n]+$' },
  quote: { type: 'string', description: 'CSV: what stands around values that hold delimiters or line ends; empty: nothing is quoted.', default: '"', pattern: '^[^\\r\\n]?$' },
  batch_rows: { type: 'integer', description: 'Rows of one batch at most.', default: 5000, minimum: 1, maximum: 100_000 },
  line_bytes_max: { type: 'integer', description: 'Bytes of a line, or of a row of a JSON document, at most; a longer one is rejected.', default: 16 * 2 ** 20, minimum: 16, maximum: 256 * 2 ** 20 }
} as const

/** What is taken, and when. */
export const takeOptions = {
  compression: { type: 'string', description: 'Of files that are taken once: auto goes by their first bytes.', enum: ['auto', 'none', 'gzip', 'zstd'], default: 'auto' },
  rows_at: { type: 'string', description: 'JSON: a JSON pointer to the array of rows; without it the document is the array.', default: null, examples: ['/data/rows'] },
  changed: { type: 'string', description: 'A file that has changed since it was taken. again: it is gone on with where the part that was taken is still the same, and else taken as a whole; ignore: nothing more is taken of it; error: the run fails.', enum: ['again', 'ignore', 'error'], default: 'again' },
  bad_file: { type: 'string', description: 'A file that cannot be read. stop: the run fails, and the next one goes on there; skip: it is rejected with the reason, and the next file is taken.', enum: ['stop', 'skip'], default: 'stop' },
  verify: { type: 'boolean', description: 'Read a compressed file to its end before the first row is taken, so that nothing of a damaged one is; it is then read twice, also where it is an object of S3.', default: true },
  file_field: { type: 'string', description: 'Name of a field that each row gets with the name of its file.', default: null, examples: ['source_file'] },
  files_max: { type: 'integer', description: 'Files that may match at a time; as many are remembered.', default: 200_000, minimum: 1, maximum: 2_000_000 },
  settle_seconds: { type: 'number', description: 'A file that was written to within this time is left for later, in seconds; for sources that do not write under another name first.', default: 0, minimum: 0 }
} as const

type TakeConfig = Config<typeof textOptions & typeof takeOptions> & { readonly format: 'auto' | FormatName, readonly follow: boolean, readonly poll_ms: number }

export interface TakeSettings {
  readonly format: 'auto' | FormatName
  readonly compression: 'auto' | Compression
  readonly rowsAt: string | undefined
  readonly header: readonly string[] | undefined
  readonly skipLines: number
  readonly delimiter: string | undefined
  readonly quote: string
  readonly batchRows: number
  readonly lineBytesMax: number
  readonly changed: 'again' | 'ignore' | 'error'
  readonly badFile: 'stop' | 'skip'
  readonly verify: boolean
  readonly fileField: string | undefined
  readonly filesMax: number
  readonly settleMs: number
  /** Look for more files after `pollMs`, again and again. */
  readonly follow: boolean
  readonly pollMs: number
  /** The input in the YAML, such as `input.file`. */
  readonly where: string
}

/** Throws CONFIG_INVALID for options that do not fit together. */
export function takeSettings (config: TakeConfig, where: string): TakeSettings {
  const rowsAt = config.rows_at ?? undefined
  try {
    pointerPath(rowsAt ?? '')
  } catch (error) {
    throw new PlatformError('CONFIG_INVALID', `${rowsAt} does not name an array: ${(error as Error).message}.`, { where: `${where}.rows_at` })
  }
  if (config.delimiter === config.quote) throw new PlatformError('CONFIG_INVALID', 'delimiter and quote are the same.', { where: `${where}.delimiter`, remedy: 'Set quote: "" where nothing is quoted.' })
  return {
    format: config.format,
    compression: config.compression,
    rowsAt,
    header: config.header ?? undefined,
    skipLines: config.skip_lines,
    delimiter: config.delimiter ?? undefined,
    quote: config.quote,
    batchRows: config.batch_rows,
    lineBytesMax: config.line_bytes_max,
    changed: config.changed,
    badFile: config.bad_file,
    verify: config.verify,
    fileField: config.file_field ?? undefined,
    filesMax: config.files_max,
    settleMs: config.settle_seconds * 1000,
    follow: config.follow,
    pollMs: config.poll_ms,
    where
  }
}

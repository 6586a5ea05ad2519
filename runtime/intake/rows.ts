// One file to batches of rows, from its beginning or from a place in it.

import { extname } from 'node:path'
import { PlatformError } from '../errors.ts'
import { Csv } from '../formats/csv.ts'
import { compressionOf, decode } from '../formats/decode.ts'
import { Feed } from '../formats/feed.ts'
import { JsonRows, pointerPath } from '../formats/json-array.ts'
import { Lines } from '../formats/lines.ts'
import { ndjson } from '../formats/ndjson.ts'
import { ParquetFile } from '../formats/parquet.ts'
import { RowBatch } from '../plugin.ts'
import type { Batch, Context } from '../plugin.ts'
import type { Bytes, Compression } from '../formats/decode.ts'
import type { Format } from '../formats/format.ts'
import type { Mark } from '../formats/feed.ts'
import type { Place } from './ledger.ts'
import type { TakeSettings } from './settings.ts'
import type { OpenFile } from './shelf.ts'

export type FormatName = 'csv' | 'ndjson' | 'json' | 'parquet'

/** What a file is. */
export interface Kind {
  readonly format: FormatName
  readonly compression: Compression
}

/** Rows, and how far the file was taken with them. Without rows, all that was read was rejected. */
export interface Piece {
  readonly batch: Batch
  readonly place: Place
}

/** Where to go on. */
export interface Resume extends Place {
  /** False: it is in the middle of a line, whose first part was taken for a whole one. */
  readonly complete: boolean
}

export const beginning: Place = { at: 0, crc: 0, line: 1 }

const endings: Readonly<Record<string, FormatName | undefined>> = {
  '.csv': 'csv', '.tsv': 'csv', '.ndjson': 'ndjson', '.jsonl': 'ndjson', '.log': 'ndjson', '.json': 'json', '.parquet': 'parquet', '.pq': 'parquet'
}

/** By the settings, else by the content where that is sure, else by the ending of the name. Throws FILE_REFUSED where nothing says it. */
export async function kindOf (file: OpenFile, settings: TakeSettings): Promise<Kind> {
  const head = await file.read(0, Math.min(8, file.entry.bytes))
  const compression = settings.compression === 'auto' ? compressionOf(head) : settings.compression
  if (settings.format !== 'auto') return { format: settings.format, compression }
  if (head.toString('latin1', 0, 4) === 'PAR1') return { format: 'parquet', compression: 'none' }
  const format = endings[extname(plainName(file.entry.name))]
  if (format === undefined) throw new PlatformError('FILE_REFUSED', `The ending of ${file.entry.name} does not say what it holds.`, { remedy: 'Set format: csv, ndjson, json or parquet, or write a glob that leaves the file out.' })
  // Many a .json has a JSON object a line.
  if (format === 'json' && settings.rowsAt === undefined && await firstCharacter(bytesOf(file), compression) !== '[') return { format: 'ndjson', compression }
  return { format, compression }
}

/**
 * Reads a compressed file to its end, with its checksums, and drops what comes out. false: the signal ended it. Throws
 * FILE_REFUSED where the file is damaged.
 */
export async function verify (file: OpenFile, { compression }: Kind, signal: AbortSignal): Promise<boolean> {
  const content = decode(bytesOf(file), compression)
  try {
    while (!signal.aborted) if ((await content.next()).done === true) return true
    return false
  } finally {
    await content.return()
  }
}

/**
 * Whether a file still begins with what was taken of it, and where to go on. It reads all of that. undefined: it does
 * not; of Parquet that is not known.
 */
export async function sameBeginning (file: OpenFile, { compression, format }: Kind, { at, crc }: Mark): Promise<Resume | undefined> {
  if (format === 'parquet') return undefined
  const feed = new Feed(decode(bytesOf(file), compression))
  try {
    const passed = await feed.pass(at)
    if (passed === undefined || feed.mark.crc !== crc) return undefined
    return { at, crc, line: passed.lines + (passed.complete ? 1 : 2), complete: passed.complete }
  } finally {
    await feed.close()
  }
}

/** Throws FILE_REFUSED where the file is damaged; what was given before holds. */
export function rowsOf (file: OpenFile, kind: Kind, from: Resume | undefined, settings: TakeSettings, context: Context): AsyncGenerator<Piece, void, void> {
  switch (kind.format) {
    case 'parquet': return parquetRows(file, from, settings, context)
    case 'json': return documentRows(file, kind, from, settings, context)
    default: return lineRows(file, kind, from, settings, context)
  }
}

async function * parquetRows (file: OpenFile, from: Place = beginning, { batchRows }: TakeSettings, { topic, reject }: Context): AsyncGenerator<Piece, void, void> {
  const { name } = file.entry
  const parquet = await ParquetFile.open(bytesOf(file))
  let at = from.at
  const refuse = (row: Readonly<Record<string, unknown>>, reason: string, number: number): void => reject({ ...row, file: name, row: number }, reason)
  for await (const { batch, rows } of parquet.read(at, { topic, rowsMax: batchRows, refuse })) {
    at += rows
    yield { batch, place: { at, crc: 0, line: at + 1 } }
  }
}

async function * documentRows (file: OpenFile, { compression }: Kind, from: Place | undefined, { batchRows, lineBytesMax, rowsAt }: TakeSettings, { topic, reject }: Context): AsyncGenerator<Piece, void, void> {
  const { name } = file.entry
  const feed = new Feed(decode(bytesOf(file), compression))
  const refuse = (text: string, reason: string, row: number): void => reject({ file: name, row, text }, reason)
  const rows = new JsonRows(feed, { name, path: pointerPath(rowsAt ?? ''), topic, rowsMax: batchRows, rowBytesMax: lineBytesMax, refuse })
  try {
    await rows.begin()
    if (from !== undefined && from.at > 0) {
      await rows.passTo(from.at)
      if (rows.mark.at !== from.at || rows.mark.crc !== from.crc) throw otherContent(name, from)
    }
    for (let parsed = await rows.parse(); parsed !== undefined; parsed = await rows.parse()) yield { batch: parsed.batch, place: { ...rows.mark, line: rows.rows + 1 } }
    await rows.end()
  } finally {
    await feed.close()
  }
}

async function * lineRows (file: OpenFile, kind: Kind, from: Resume | undefined, settings: TakeSettings, context: Context): AsyncGenerator<Piece, void, void> {
  const { lineBytesMax, skipLines } = settings
  const { name } = file.entry
  const format = await formatOf(file, kind, from, settings)
  const feed = await feedAt(file, kind, from)
  const lines = new Lines(feed, { path: name, lineBytesMax, line: from?.line ?? 1, skipLines }, context)
  try {
    if (from?.complete === false) await passRest(feed, lines, lineBytesMax)
    for (let ended = false; !ended;) {
      ended = !await feed.more()
      // A writer is in the middle of the last line: it is taken when it is complete.
      if (ended && settings.changed === 'again' && feed.window.length > 0 && await file.changed()) return
      yield * wholeLines({ feed, lines, format }, settings, context)
      if (context.signal.aborted) return
    }
    // What holds no rows at the end, such as empty lines, is taken, too.
    yield { batch: new RowBatch(context.topic, 0, {}), place: { ...feed.mark, line: lines.line } }
  } finally {
    await feed.close()
  }
}

/** The rows that are whole in the window. */
function * wholeLines ({ feed, lines, format }: { readonly feed: Feed, readonly lines: Lines, readonly format: Format }, { batchRows: rowsMax, lineBytesMax }: TakeSettings, { topic, signal }: Context): Generator<Piece, void, void> {
  while (!signal.aborted) {
    const region = lines.next()
    const parsed = region && format.parse(region, { topic, rowsMax, lineBytesMax, refuse: (text, reason, after) => lines.refuse(text, reason, after) })
    if (region !== undefined && parsed !== undefined) lines.take(region.text, parsed.chars, parsed.lines)
    const refused = lines.takeRefused()
    const batch = parsed?.batch ?? new RowBatch(topic, 0, {})
    if ((batch.length > 0 || refused > 0) && !lines.skipping) yield { batch, place: { ...feed.mark, line: lines.line } }
    if (parsed === undefined || parsed.chars === 0) return
  }
}

async function feedAt (file: OpenFile, { compression }: Kind, from: Place = beginning): Promise<Feed> {
  const bytes = bytesOf(file)
  if (compression === 'none') {
    if (from.at > bytes.length) throw otherContent(bytes.name, from)
    return new Feed(decode(bytes, 'none', from.at), from)
  }
  const feed = new Feed(decode(bytes, compression))
  try {
    if (await feed.pass(from.at) !== undefined && feed.mark.crc === from.crc) return feed
    throw otherContent(bytes.name, from)
  } catch (error) {
    await feed.close()
    throw error
  }
}

async function formatOf (file: OpenFile, kind: Kind, from: Place | undefined, { header, delimiter, quote, lineBytesMax, skipLines }: TakeSettings): Promise<Format> {
  if (kind.format === 'ndjson') return ndjson
  const separator = delimiter ?? (plainName(file.entry.name).endsWith('.tsv') ? '\t' : ',')
  const csv = new Csv({ delimiter: separator, quote, names: header }, null)
  if (from === undefined || from.at === 0 || header !== undefined) return csv
  // In the middle of a file the names are still those of its first line.
  const feed = new Feed(decode(bytesOf(file), kind.compression))
  const ignored = { signal: new AbortController().signal, reject () {} } as unknown as Context
  const lines = new Lines(feed, { path: file.entry.name, lineBytesMax, line: 1, skipLines }, ignored)
  try {
    for (;;) {
      const region = lines.next()
      if (region !== undefined) csv.parse(region, { topic: { name: '' } as never, rowsMax: 0, lineBytesMax, refuse () {} })
      if (csv.state !== null || !await feed.more()) return csv
    }
  } finally {
    await feed.close()
  }
}

/** The rest of a line, behind a first part that was taken for a whole one. Only the line end may be missing. */
async function passRest (feed: Feed, lines: Lines, bytesMax: number): Promise<void> {
  while (!feed.window.includes(10) && feed.window.length <= bytesMax && await feed.more());
  const at = feed.window.indexOf(10)
  const rest = feed.window.subarray(0, at === -1 ? feed.window.length : at + 1)
  const text = rest.toString().trimEnd()
  if (text !== '') lines.refuse(text, 'The line goes on behind a part of it that was taken for a whole line before.', -1)
  feed.take(rest.length)
}

async function firstCharacter (bytes: Bytes, compression: Compression): Promise<string> {
  const feed = new Feed(decode(bytes, compression))
  try {
    while (await feed.more()) {
      const text = feed.window.toString('latin1', 0, 1000).replace(/^\xef\xbb\xbf/, '').trimStart()
      if (text !== '') return text.charAt(0)
      feed.take(feed.window.length)
    }
    return ''
  } finally {
    await feed.close()
  }
}

/** Without the ending that says how it is compressed, in small letters. */
function plainName (name: string): string {
  return name.toLowerCase().replace(/\.(?:gz|gzip|zst|zstd)$/, '')
}

function bytesOf (file: OpenFile): Bytes {
  return { name: file.entry.name, length: file.entry.bytes, chunkBytes: file.chunkBytes, read: (from, to) => file.read(from, to) }
}

function otherContent (name: string, { at }: Mark): PlatformError {
  return new PlatformError('FILE_REFUSED', `${name} does not begin with what was taken of it before, ${at} bytes, though its size and time say that it is the same.`, { remedy: 'Give it another name; it is then taken from its beginning.' })
}

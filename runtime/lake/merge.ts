// Small files of one partition and day to one large file with the same rows in the same order.

import { PlatformError } from '../errors.ts'
import { joinSpans } from './event-time.ts'
import { openLocal } from './local-file.ts'
import { ParquetReader } from './parquet-reader.ts'
import { ParquetWriter } from './parquet.ts'
import type { Objects } from '../objects/objects.ts'
import type { LakeFile } from './manifest.ts'
import type { LakeTable } from './table.ts'

export const TARGET_ROWS = 2_000_000
export const TARGET_BYTES = 256 * 2 ** 20
/** A row group holds as many rows or bytes at most; one is in memory at a time. */
const GROUP_ROWS_MAX = 65_536
const GROUP_BYTES_MAX = 16 * 2 ** 20

interface Targets {
  readonly before: number
  readonly targetRows: number
  readonly targetBytes: number
}

/** Neighbours that together make a file of about the target size: two at least, without a gap, of one folder and one schema. */
export function mergesOf (files: readonly LakeFile[], { before, targetRows, targetBytes }: Targets): LakeFile[][] {
  const merges: LakeFile[][] = []
  let merge: LakeFile[] = []
  let [rows, bytes] = [0, 0]
  const end = (): void => {
    if (merge.length > 1) merges.push(merge)
    merge = []
    rows = bytes = 0
  }
  for (const file of files) {
    const last = merge.at(-1)
    const fits = file.ingest.to < before && file.unread !== true && file.rows < targetRows / 2 && file.bytes < targetBytes / 2
    if (!fits || (last !== undefined && !follows(last, file)) || rows + file.rows > targetRows || bytes + file.bytes > targetBytes) end()
    if (!fits) continue
    merge.push(file)
    rows += file.rows
    bytes += file.bytes
  }
  end()
  return merges
}

function follows (one: LakeFile, two: LakeFile): boolean {
  return one.partition === two.partition && one.to === two.from && folderOf(one) === folderOf(two) && one.schema === two.schema && one.rule === two.rule
}

function folderOf ({ name }: LakeFile): string {
  return name.slice(0, name.lastIndexOf('/') + 1)
}

/** Swaps the files for one. Throws LAKE_DAMAGED before anything changes where one of them is not what was written. */
export async function mergeFiles (objects: Objects, table: LakeTable, files: readonly LakeFile[], { signal, now }: { readonly signal: AbortSignal, readonly now: () => number }): Promise<LakeFile> {
  const [first, last] = [files[0] as LakeFile, files.at(-1) as LakeFile]
  const labels = { topic: table.topic, partition: String(first.partition), schema: first.schema, files: String(files.length) }
  const writer = new ParquetWriter(objects.scratchFile(), { rowsMax: GROUP_ROWS_MAX, bytesMax: GROUP_BYTES_MAX }, labels)
  try {
    let columns: string | undefined
    for (const file of files) columns = await appendFile(objects, writer, file, { columns, signal })
    const written = await writer.finish()
    // A name of its own, so that a file is never another one than it was.
    const name = `${folderOf(first)}${table.topic}-${first.partition}-${digits(first.from)}-${digits(last.to)}-${now().toString(36)}.parquet`
    const merged: LakeFile = {
      name,
      rows: files.reduce((sum, { rows }) => sum + rows, 0),
      ...written,
      partition: first.partition,
      from: first.from,
      to: last.to,
      ingest: { from: Math.min(...files.map(({ ingest }) => ingest.from)), to: Math.max(...files.map(({ ingest }) => ingest.to)) },
      ...joinSpans(files),
      schema: first.schema,
      ...(first.rule !== undefined && { rule: first.rule })
    }
    await objects.put(name, writer.path)
    signal.throwIfAborted()
    await table.commit({ add: [merged], remove: files.map(file => file.name) })
    return merged
  } catch (error) {
    await writer.discard()
    await objects.discard(writer.path)
    throw error
  }
}

/** Resolves to the names of the file's columns. */
async function appendFile (objects: Objects, writer: ParquetWriter, file: LakeFile, { columns, signal }: { readonly columns: string | undefined, readonly signal: AbortSignal }): Promise<string> {
  const local = await openLocal(objects, file, signal)
  let reader: ParquetReader | undefined
  try {
    reader = await ParquetReader.open(local.handle, local.bytes)
    const own = JSON.stringify(reader.names)
    const rows = reader.groups.reduce((sum, group) => sum + group, 0)
    if (rows !== file.rows || (columns !== undefined && own !== columns)) throw odd(objects, file, rows)
    for (let group = 0; group < reader.groups.length; group++) {
      signal.throwIfAborted()
      for (const records of await reader.records(group)) await writer.append(records)
    }
    return own
  } finally {
    reader?.close()
    await local.close()
  }
}

function odd ({ address }: Objects, { name, rows }: LakeFile, found: number): PlatformError {
  return new PlatformError('LAKE_DAMAGED', found === rows ? 'The file has other columns than those before it' : `The file has ${found} rows, and the manifest says ${rows}`, {
    where: `${address}/${name}`, remedy: 'It was left as it is. Compare it with a copy.'
  })
}

function digits (offset: number): string {
  return String(offset).padStart(20, '0')
}

// A lake that was written before it had a manifest: its files are listed once, by their names and footers, and make the
// first commit. Nobody looks at their rows here, which could take hours; the compaction does.

import { parquetMetadata } from 'hyparquet'
import { PlatformError } from '../errors.ts'
import type { ObjectEntry, Objects } from '../objects/objects.ts'
import type { LakeFile } from './manifest.ts'
import type { LakeTable } from './table.ts'

/** A footer that is longer is read a second time. */
const FOOTER_BYTES = 256 * 1024
/** A store answers many requests as fast as one. */
const FOOTERS_AT_ONCE = 16
const DAY_MS = 86_400_000

/** Commits the files of a topic where there has never been a commit. Resolves to how many there were. Throws LAKE_DAMAGED where a file has no footer, LAKE_CONFLICT where two hold the same offsets. */
export async function takeOver (objects: Objects, table: LakeTable): Promise<number> {
  if ((await table.read()).seq > 0) return 0
  const entries: ObjectEntry[] = []
  for await (const entry of objects.list(`${table.topic}/date=`)) entries.push(entry)
  const files: LakeFile[] = []
  const lane = async (): Promise<void> => {
    for (let entry = entries.pop(); entry !== undefined; entry = entries.pop()) {
      const file = await fileOf(objects, table.topic, entry)
      if (file !== undefined) files.push(file)
    }
  }
  await Promise.all(Array.from({ length: FOOTERS_AT_ONCE }, lane))
  if (files.length > 0) await table.commit({ add: files })
  return files.length
}

async function fileOf (objects: Objects, topic: string, { name, bytes }: ObjectEntry): Promise<LakeFile | undefined> {
  const [, date, last] = /^.*\/date=(\d{4}-\d{2}-\d{2})\/([^/]+)\.parquet$/.exec(name) ?? []
  const [, partition, from, to] = new RegExp(`^${topic.replaceAll('.', '\\.')}-(\\d+)-(\\d{20})-(\\d{20})(?:-[0-9a-f]{12})?$`).exec(last ?? '') ?? []
  if (date === undefined || partition === undefined) return undefined
  const { rows, schema } = await footerOf(objects, name, bytes)
  if (rows === 0) return undefined
  const day = Date.parse(date)
  return {
    name,
    rows,
    bytes,
    sha256: '',
    partition: Number(partition),
    from: Number(from),
    to: Number(to),
    // A file's date is the day on which its rows came.
    ingest: { from: day, to: day + DAY_MS - 1 },
    event: undefined,
    days: {},
    schema,
    unread: true
  }
}

async function footerOf (objects: Objects, name: string, bytes: number): Promise<{ readonly rows: number, readonly schema: string }> {
  try {
    let tail = await objects.read(name, { from: Math.max(0, bytes - FOOTER_BYTES), to: bytes }) ?? new Uint8Array(0)
    const length = new DataView(tail.buffer, tail.byteOffset).getUint32(tail.length - 8, true) + 8
    if (length > tail.length && length <= bytes) tail = await objects.read(name, { from: bytes - length, to: bytes }) ?? tail
    const { num_rows: rows, key_value_metadata: labels = [] } = parquetMetadata(new Uint8Array(tail).buffer)
    const own = labels.find(({ key }) => key === 'twolane')?.value
    return { rows: Number(rows), schema: own === undefined ? '' : (JSON.parse(own) as { schema?: string }).schema ?? '' }
  } catch (error) {
    if (error instanceof PlatformError) throw error
    throw new PlatformError('LAKE_DAMAGED', 'The file has no footer that can be read', { where: `${objects.address}/${name}`, cause: error, remedy: 'Bring it back from a copy, or move it away; then this lake gets its manifest.' })
  }
}

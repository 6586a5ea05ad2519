// How much disk and store every part takes now.

import { opendir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe } from '../errors.ts'
import { lakesOf, openLake } from '../lake/lakes.ts'
import { openLakeTable } from '../lake/table.ts'
import { OBSERVE_DATABASE } from '../observe/tables.ts'
import type { Platform } from '../platform.ts'

export type MeasuredParts = Pick<Platform, 'broker' | 'supervisor' | 'config' | 'log' | 'observe'>

export interface Place {
  /** What kind of place: `topic`, `streaming`, `warehouse`, `lake`, `observe` or `files`. */
  readonly place: string
  /** Dataset, topic or folder. */
  readonly name: string
  readonly bytes: number
  /** In an object store, and not on the disk. */
  readonly inStore: boolean
}

/** Of one dataset: what a day of it takes in either database, on average over its full days. */
export interface DayBytes {
  readonly dataset: string
  readonly streaming: number
  readonly warehouse: number
}

/** Files of one folder that are looked at. */
const FILES_MAX = 200_000
/** Folders of the data folder that are measured as what they hold, elsewhere. */
const measuredElsewhere = new Set(['topics', 'clickhouse', 'lake'])

/** What cannot be measured now, such as tables of a database that is down, is left out. */
export async function measurePlaces (parts: MeasuredParts): Promise<Place[]> {
  const found = await Promise.all([topics(parts), tables(parts), lakes(parts), files(parts)].map(place => place.catch((error: unknown) => {
    parts.log.info({ reason: describe(error) }, 'A part could not be measured for its costs')
    return [] as Place[]
  })))
  return found.flat().filter(({ bytes }) => bytes > 0)
}

/** Of the streaming database's datasets; a day that goes on does not count. */
export async function measureDays ({ observe }: Pick<Platform, 'observe'>): Promise<DayBytes[]> {
  const streaming = await observe.reader.rows<{ dataset: string, bytes: number, rows: number }>(
    `SELECT table AS dataset, avg(day_bytes) AS bytes, avg(day_rows) AS rows FROM (SELECT table, partition, toFloat64(sum(bytes_on_disk)) AS day_bytes, toFloat64(sum(rows)) AS day_rows
     FROM system.parts WHERE active AND database = 'streaming' AND NOT startsWith(table, '_') AND partition != toString(today()) GROUP BY table, partition) GROUP BY dataset ORDER BY dataset`, {})
  const warehouse = await observe.reader.rows<{ dataset: string, bytes: number }>(
    "SELECT table AS dataset, toFloat64(sum(bytes_on_disk)) / sum(rows) AS bytes FROM system.parts WHERE active AND database = 'warehouse' AND NOT startsWith(table, '_') GROUP BY table HAVING sum(rows) > 0", {})
  return streaming.map(({ dataset, bytes, rows }) => ({ dataset, streaming: bytes, warehouse: rows * (warehouse.find(one => one.dataset === dataset)?.bytes ?? 0) }))
}

async function topics ({ broker }: MeasuredParts): Promise<Place[]> {
  const states = await Promise.all((await broker.topics()).map(name => broker.inspect(name)))
  return states.flatMap(state => state === undefined ? [] : [{ place: state.name.startsWith('_') ? 'observe' : 'topic', name: state.name, bytes: state.bytes, inStore: false }])
}

async function tables ({ observe }: MeasuredParts): Promise<Place[]> {
  const rows = await observe.reader.rows<{ database: string, table: string, bytes: string }>("SELECT database, table, sum(bytes_on_disk) AS bytes FROM system.parts WHERE active AND database NOT IN ('system', 'INFORMATION_SCHEMA', 'information_schema') GROUP BY database, table", {})
  return rows.map(({ database, table, bytes }) => ({ place: database === OBSERVE_DATABASE ? 'observe' : database, name: table, bytes: Number(bytes), inStore: false }))
}

async function lakes ({ supervisor, config }: MeasuredParts): Promise<Place[]> {
  const found: Place[] = []
  for (const { topic, config: lake } of lakesOf(supervisor.files.pipelines.values())) {
    const objects = await openLake(lake, { dataFolder: config.dataFolder, owner: `cost.${process.pid}.` })
    try {
      const { files } = await openLakeTable(objects, topic).read()
      found.push({ place: 'lake', name: topic, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0), inStore: objects.address.startsWith('s3://') })
    } finally {
      objects.close()
    }
  }
  return found
}

/** What else is in the data folder: exports, backups, revisions, state. */
async function files ({ config: { dataFolder } }: MeasuredParts): Promise<Place[]> {
  const found: Place[] = []
  let loose = 0
  for await (const entry of await opendir(dataFolder)) {
    if (measuredElsewhere.has(entry.name)) continue
    if (entry.isDirectory()) found.push({ place: 'files', name: entry.name, bytes: await bytesBelow(join(dataFolder, entry.name)), inStore: false })
    else if (entry.isFile()) loose += await sizeOf(join(dataFolder, entry.name))
  }
  return [...found, { place: 'files', name: 'state', bytes: loose, inStore: false }]
}

async function bytesBelow (folder: string): Promise<number> {
  let [bytes, seen] = [0, 0]
  for await (const entry of await opendir(folder, { recursive: true })) {
    if (++seen > FILES_MAX) break
    if (entry.isFile()) bytes += await sizeOf(join(entry.parentPath, entry.name))
  }
  return bytes
}

/** A file that has gone meanwhile takes nothing. */
async function sizeOf (path: string): Promise<number> {
  return stat(path).then(({ size }) => size, () => 0)
}

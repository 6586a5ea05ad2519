// The datasets that somebody may read, with the columns that the engine has now and the grant allows.

import { askRows, EngineRefusal } from '../clickhouse/ask.ts'
import { columnsOf, timeColumn } from '../clickhouse/ddl.ts'
import { PlatformError } from '../errors.ts'
import { nearest } from '../problems.ts'
import { datasetsOf } from '../warehouse/datasets.ts'
import { warehouseTable } from '../warehouse/views.ts'
import { groupOf } from '../run.ts'
import type { DatasetGrant, Principal } from '../access/principal.ts'
import type { Platform } from '../platform.ts'
import type { Dataset } from '../warehouse/datasets.ts'
import { isText } from './column.ts'
import type { Column } from './column.ts'

/** How long columns count as known: a new one is there that much later. */
const COLUMNS_MS = 2000
const DATASETS_MAX = 1000

/** Where the rows of a dataset are read from. */
export type Place =
  /** One view over both lanes. */
  | 'one'
  /** `realtime` here, `history` on the server of the warehouse. */
  | 'two'
  /** `realtime` here; the warehouse has nothing of it yet. */
  | 'realtime'
  /** `history` only, on the server of the warehouse. */
  | 'history'
  /** One view over the warehouse, into which all rows are loaded directly. */
  | 'loaded'
  /** Nothing was ever stored. */
  | 'none'

export interface Readable {
  readonly name: string
  readonly dataset: Dataset
  readonly place: Place
  readonly grant: DatasetGrant
  /** Those that are granted: all that requests can name. */
  readonly columns: ReadonlyMap<string, Column>
  /** All columns: for the row filter of the grant, and for the order. */
  readonly all: ReadonlyMap<string, Column>
  /** Says when a row happened. */
  readonly time: Column
  /** Name an instrument together; never the event time. */
  readonly key: readonly Column[]
  /** The one of them that `symbols` means; undefined: none is granted. */
  readonly symbol: Column | undefined
}

/** The datasets that a principal may read anything of, by name. */
export function grantedDatasets (platform: Pick<Platform, 'supervisor'>, principal: Principal): Dataset[] {
  return [...allDatasets(platform).values()].filter(({ name }) => principal.grant(name) !== undefined).sort((a, b) => a.name < b.name ? -1 : 1)
}

/** Those that have a streaming lane, and those that are loaded into the warehouse only, such as by jobs. */
function allDatasets ({ supervisor: { files, schemas } }: Pick<Platform, 'supervisor'>): Map<string, Dataset> {
  const found = datasetsOf(files.pipelines.values(), schemas)
  for (const { topic, id, revision, outputs, transforms } of files.pipelines.values()) {
    for (const { plugin, name: step, config } of outputs) {
      if (plugin !== 'warehouse' || config['url'] !== null) continue
      const schema = schemas.get(String(config['schema'] ?? topic))
      const name = String(config['table'] ?? schema?.name)
      const before = found.get(name)
      if (schema === undefined || (before !== undefined && before.table.database !== warehouseTable(name).database)) continue
      const feed = { topic, pipeline: id, step, revision, group: groupOf(id, step), filters: transforms.some(({ plugin }) => plugin !== 'mapping') }
      found.set(name, { name, schema, table: warehouseTable(name), feeds: new Map([...before?.feeds ?? [], [topic, feed]]), direct: new Set([...before?.direct ?? [], topic]) })
    }
  }
  return found
}

/** Throws NOT_FOUND, in the same words for a dataset that is not granted and for one that is not there. */
export async function findDataset (platform: Platform, principal: Principal, name: string, signal: AbortSignal): Promise<Readable> {
  const grant = principal.grant(name)
  const dataset = allDatasets(platform).get(name)
  if (grant === undefined || dataset === undefined) {
    const guess = nearest(name, grantedDatasets(platform, principal).map(({ name }) => name))
    throw new PlatformError('NOT_FOUND', `There is no dataset ${JSON.stringify(name)}`, { remedy: `${guess === undefined ? '' : `Did you mean ${guess}? `}GET /v1/datasets lists those that you may read; GET /v1/access/explain says why one is not among them.` })
  }
  return readable(dataset, grant, await liveColumns(platform, dataset, signal))
}

function readable (dataset: Dataset, grant: DatasetGrant, { place, types }: Live): Readable {
  const { schema } = dataset
  const described = new Map(columnsOf(schema).map(({ name, comment }) => [name, comment]))
  const fields = new Map(schema.fields.map(field => [field.name, field]))
  const all = new Map([...types].map(([name, type]): [string, Column] => {
    const field = fields.get(name)
    return [name, { name, type, unit: field?.unit ?? '', description: field?.description ?? described.get(name) ?? '' }]
  }))
  const granted = grant.columns === undefined ? undefined : new Set(grant.columns)
  const columns = new Map([...all].filter(([name]) => granted?.has(name) ?? true))
  const time = all.get(timeColumn(schema))
  if (time === undefined) throw new PlatformError('ENGINE_UNAVAILABLE', `The table of ${dataset.name} has no column ${timeColumn(schema)} yet`, { remedy: 'Start its pipeline again, so that the table follows the schema.' })
  const key = schema.key.filter(name => name !== time.name).flatMap(name => all.get(name) ?? [])
  const named = key.filter(({ name }) => columns.has(name))
  return { name: dataset.name, dataset, place, grant, columns, all, time, key, symbol: named.find(({ type }) => isText(type)) ?? named[0] }
}

interface Live {
  readonly place: Place
  readonly types: ReadonlyMap<string, string>
}

const known = new WeakMap<object, Map<string, { readonly at: number, readonly live: Live }>>()

/** The columns of the views as they are; of the schema, where nothing was stored yet. */
async function liveColumns (platform: Platform, dataset: Dataset, signal: AbortSignal): Promise<Live> {
  const cache = known.get(platform.store) ?? new Map<string, { at: number, live: Live }>()
  known.set(platform.store, cache)
  const hit = cache.get(dataset.name)
  if (hit !== undefined && performance.now() - hit.at < COLUMNS_MS) return hit.live
  const live = await readColumns(platform, dataset, signal)
  cache.delete(dataset.name)
  if (live.place !== 'none') cache.set(dataset.name, { at: performance.now(), live })
  for (const [oldest] of cache) if (cache.size > DATASETS_MAX) cache.delete(oldest)
  return live
}

async function readColumns ({ clickhouse, warehouse }: Platform, { name, schema }: Dataset, signal: AbortSignal): Promise<Live> {
  if (clickhouse === undefined) throw new PlatformError('ENGINE_UNAVAILABLE', 'There is no ClickHouse')
  const sql = 'SELECT database, name, type FROM system.columns WHERE database IN (\'data\', \'realtime\', \'history\') AND table = {name:String} ORDER BY position'
  const read = async (address: string): Promise<Array<{ database: string, name: string, type: string }>> => {
    try {
      return await askRows(address, { sql, params: { name }, settings: { max_execution_time: '10' }, signal })
    } catch (error) {
      if (!(error instanceof EngineRefusal)) throw error
      throw new PlatformError('ENGINE_UNAVAILABLE', 'ClickHouse does not say which columns there are', { cause: error, remedy: 'Try again in a moment.' })
    }
  }
  const [here, there] = await Promise.all([read(clickhouse), warehouse === undefined || warehouse === clickhouse ? [] : read(warehouse)])
  const of = (rows: typeof here, database: string): Map<string, string> => new Map(rows.filter(row => row.database === database).map(row => [row.name, row.type]))
  const [data, realtime, history] = [of(here, 'data'), of(here, 'realtime'), of(there, 'history')]
  if (warehouse === clickhouse && data.size > 0) return { place: realtime.size > 0 ? 'one' : 'loaded', types: data }
  if (realtime.size > 0 && history.size > 0) return { place: 'two', types: new Map([...realtime].filter(([column, type]) => history.get(column) === type)) }
  if (realtime.size > 0) return { place: 'realtime', types: realtime }
  if (history.size > 0) return { place: 'history', types: history }
  return { place: 'none', types: new Map(columnsOf(schema).map(({ name, type }) => [name, type])) }
}

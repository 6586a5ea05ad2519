// Whether rows can be read from the table of the streaming database itself. The views cost the engine more to plan than
// such an answer costs to read: they look the boundary up, which who asks knows already (pin.ts).

import { askText, EngineRefusal } from '../clickhouse/ask.ts'
import { quoteTable } from '../clickhouse/sql.ts'
import { warehouseTable } from '../warehouse/views.ts'
import type { Platform } from '../platform.ts'
import type { Readable } from './catalog.ts'
import type { Pin } from './pin.ts'
import type { Spec } from './spec.ts'

/** The engine's code of a table, and of a database, that is not there. */
const UNKNOWN = new Set([60, 81])

const known = new WeakMap<object, Map<string, Promise<boolean>>>()

/**
 * Whether all rows of days behind the boundary, and no others, are those of the streaming database's table: none replaces
 * another, and none was ever loaded into the warehouse directly.
 */
export async function recentRowsAreOfTable (platform: Pick<Platform, 'warehouse' | 'supervisor'>, readable: Readable, { seq }: Pin): Promise<boolean> {
  const { name, place, dataset } = readable
  if (seq === undefined || !['one', 'two', 'realtime'].includes(place) || (dataset.schema.unique ?? []).length > 0 || dataset.direct.size > 0) return false
  const { files } = platform.supervisor
  // Only a change of the pipelines can let rows be loaded.
  const cache = known.get(files) ?? new Map<string, Promise<boolean>>()
  known.set(files, cache)
  const loaded = cache.get(name) ?? wasLoaded(platform, name)
  cache.set(name, loaded)
  return !await loaded.catch(() => {
    cache.delete(name)
    return true
  })
}

/** Whether a range of event times lies behind the boundary. */
export function isBehind ({ range, time }: Pick<Spec, 'range' | 'time'>, readable: Readable, { boundary }: Pin): boolean {
  return boundary === undefined || (time.name === readable.time.name && range.start !== undefined && range.start >= boundary)
}

/** Shared by all who ask at once, so it obeys nobody's signal but its own. */
async function wasLoaded ({ warehouse }: Pick<Platform, 'warehouse'>, dataset: string): Promise<boolean> {
  if (warehouse === undefined) return false
  try {
    const sql = `SELECT count() FROM (SELECT 1 FROM ${quoteTable(warehouseTable(dataset))} WHERE _version = 0 LIMIT 1) FORMAT TabSeparated`
    return (await askText(warehouse, { sql, settings: { max_execution_time: '10' }, signal: AbortSignal.timeout(15_000) })).trim() !== '0'
  } catch (error) {
    if (error instanceof EngineRefusal && UNKNOWN.has(error.code)) return false
    throw error
  }
}

import { askText } from '../clickhouse/ask.ts'
import { quoteTable } from '../clickhouse/sql.ts'
import { boundaryTable } from '../warehouse/boundary.ts'
import type { Platform } from '../platform.ts'

const SECONDS_MAX = '10'

/**
 * The newest boundary between warehouse and streaming database, of the warehouse or, where that does not answer, of the
 * copy: all statements of one answer are pinned to it (`pinComment`). undefined: there is none, because nothing was
 * ever stored, or no server that answers.
 */
export async function boundaryOf ({ warehouse, clickhouse }: Pick<Platform, 'warehouse' | 'clickhouse'>, signal: AbortSignal): Promise<number | undefined> {
  for (const address of new Set([warehouse, clickhouse])) {
    if (address === undefined) continue
    try {
      const sql = `SELECT max(seq) FROM ${quoteTable(boundaryTable)} FORMAT TabSeparated`
      return Number(await askText(address, { sql, settings: { max_execution_time: SECONDS_MAX }, signal }))
    } catch {
      // The statement itself tells what is wrong with the server.
    }
  }
  return undefined
}

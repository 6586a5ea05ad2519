// The two databases, on one server or on two.

import { connectClickHouse } from '../clickhouse/client.ts'
import type { ClickHouse } from '../clickhouse/client.ts'

/** Of one statement of the handoff; a day of many rows is copied by one. */
const STATEMENT_SECONDS = 1800

export interface Lanes {
  readonly streaming: ClickHouse
  /** The same connection where one server has both. It has the authority about the boundary. */
  readonly warehouse: ClickHouse
  /** Of the one server, or of both, that of the warehouse last. */
  readonly servers: readonly ClickHouse[]
  close (): Promise<void>
}

/** Connects to both; one address is one connection. */
export async function openLanes ({ clickhouse, warehouse, signal }: { readonly clickhouse: string, readonly warehouse: string, readonly signal?: AbortSignal }): Promise<Lanes> {
  const options = { statementSeconds: STATEMENT_SECONDS, ...(signal !== undefined && { signal }) }
  const streaming = await connectClickHouse(clickhouse, options)
  if (warehouse === clickhouse) return { streaming, warehouse: streaming, servers: [streaming], close: () => streaming.close() }
  try {
    const other = await connectClickHouse(warehouse, options)
    return {
      streaming,
      warehouse: other,
      servers: [streaming, other],
      async close () {
        await streaming.close()
        await other.close()
      }
    }
  } catch (error) {
    await streaming.close()
    throw error
  }
}

/** What one statement over very many rows may use, so that the rows of a stream and the queries of users have room beside it. */
export const boundedSettings = {
  max_threads: 2,
  max_memory_usage: String(768 * 2 ** 20),
  max_block_size: '16384',
  preferred_block_size_bytes: String(8 * 2 ** 20),
  max_bytes_before_external_group_by: String(256 * 2 ** 20)
} as const

/** Likewise of an INSERT … SELECT: it writes parts of so many rows or bytes. */
export const copySettings = {
  ...boundedSettings,
  max_threads: 1,
  max_insert_block_size: '262144',
  min_insert_block_size_rows: '262144',
  min_insert_block_size_bytes: String(96 * 2 ** 20)
} as const

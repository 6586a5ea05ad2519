// One connection that reads what is kept, for all who ask. It is made when the first one asks, and anew after a failure.

import { engineCode } from '../clickhouse/answers.ts'
import { connectClickHouse } from '../clickhouse/client.ts'
import { PlatformError } from '../errors.ts'
import type { ClickHouse } from '../clickhouse/client.ts'

/** Time that one look may take. */
const LOOK_SECONDS = 20
/** No such database or table: nothing was stored so far. */
const missing = new Set([60, 81])

export class StoreReader {
  readonly #url: string | undefined
  #client: Promise<ClickHouse> | undefined

  constructor (url: string | undefined) {
    this.#url = url
  }

  /** Rows of a query; none where its tables are not there yet. Throws ENGINE_UNAVAILABLE where there is no ClickHouse, and what the client throws. */
  async rows<T> (sql: string, params: Record<string, unknown>, signal?: AbortSignal): Promise<T[]> {
    const client = await this.#connect()
    try {
      return await client.rows<T>(sql, { query_params: params, ...(signal !== undefined && { signal }) })
    } catch (error) {
      if (missing.has(engineCode(error) ?? 0)) return []
      throw error
    }
  }

  async close (): Promise<void> {
    const client = await this.#client?.catch(() => undefined)
    this.#client = undefined
    await client?.close()
  }

  async #connect (): Promise<ClickHouse> {
    if (this.#url === undefined) throw new PlatformError('ENGINE_UNAVAILABLE', 'There is no ClickHouse, so logs and metrics are not kept')
    const connecting = this.#client ??= connectClickHouse(this.#url, { statementSeconds: LOOK_SECONDS })
    try {
      return await connecting
    } catch (error) {
      if (this.#client === connecting) this.#client = undefined
      throw error
    }
  }
}

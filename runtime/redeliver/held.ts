import { connectClickHouse } from '../clickhouse/client.ts'
import { quoteTable } from '../clickhouse/sql.ts'
import type { ClickHouse } from '../clickhouse/client.ts'
import type { Range } from '../plugin.ts'

/** Where the warehouse has what was handed over of a table of the streaming database. */
const DATABASE = 'warehouse'

/**
 * The offsets that the warehouse holds of rows that once were in a table of the streaming database. Any version counts:
 * a row that was handed over may be gone from the streaming database, and is not to be delivered there again.
 */
export class WarehouseRows {
  readonly #address: string
  readonly #table: string
  #client: ClickHouse | undefined

  constructor (address: string, table: string) {
    this.#address = address
    this.#table = table
  }

  async offsets (topic: string, { partition, from, to }: Range): Promise<number[]> {
    this.#client ??= await connectClickHouse(this.#address)
    const [exists] = await this.#client.rows('SELECT 1 FROM system.tables WHERE database = {database:String} AND name = {table:String}', { query_params: { database: DATABASE, table: this.#table } })
    if (exists === undefined) return []
    const rows = await this.#client.rows<{ _offset: string }>(
      `SELECT DISTINCT _offset FROM ${quoteTable({ database: DATABASE, table: this.#table })} WHERE _topic = {topic:String} AND _partition = {partition:UInt16} AND _offset >= {from:Int64} AND _offset < {to:Int64}`,
      { query_params: { topic, partition, from, to } })
    return rows.map(({ _offset }) => Number(_offset))
  }

  async close (): Promise<void> {
    await this.#client?.close()
  }
}

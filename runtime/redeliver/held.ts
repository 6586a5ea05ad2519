import { connectClickHouse } from '../clickhouse/client.ts'
import { describeTable } from '../clickhouse/migrate.ts'
import { quoteTable } from '../clickhouse/sql.ts'
import { datasetName, warehouseTable } from '../warehouse/views.ts'
import type { ClickHouse } from '../clickhouse/client.ts'
import type { TableName } from '../clickhouse/sql.ts'
import type { Range } from '../plugin.ts'

/**
 * The offsets that the warehouse holds of rows that once were in a table of the streaming database. Any version counts:
 * a row that was handed over may be gone from the streaming database, and is not to be delivered there again.
 */
export class WarehouseRows {
  readonly #address: string
  readonly #table: TableName
  #client: ClickHouse | undefined

  /** `table`: of the streaming database. */
  constructor (address: string, table: TableName) {
    this.#address = address
    this.#table = warehouseTable(datasetName(table))
  }

  async offsets (topic: string, { partition, from, to }: Range): Promise<number[]> {
    this.#client ??= await connectClickHouse(this.#address)
    if (await describeTable(this.#client, this.#table) === undefined) return []
    const rows = await this.#client.rows<{ _offset: string }>(
      `SELECT DISTINCT _offset FROM ${quoteTable(this.#table)} WHERE _topic = {topic:String} AND _partition = {partition:UInt16} AND _offset >= {from:Int64} AND _offset < {to:Int64}`,
      { query_params: { topic, partition, from, to } })
    return rows.map(({ _offset }) => Number(_offset))
  }

  async close (): Promise<void> {
    await this.#client?.close()
  }
}

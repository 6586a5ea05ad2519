// The rows of `_platform` on their way into ClickHouse: one insert a table and flush. After a crash `landed` says what
// of a range is there already, so that the deliver loop inserts only what is missing.

import { randomUUID } from 'node:crypto'
import { classify } from '../clickhouse/answers.ts'
import { awaitQuiet } from '../clickhouse/quiet.ts'
import { quoteTable } from '../clickhouse/sql.ts'
import { storedRows } from './rows.ts'
import { logsTable, metricsTable } from './tables.ts'
import type { Batch, Row } from '../batch.ts'
import type { ClickHouse } from '../clickhouse/client.ts'
import type { TableName } from '../clickhouse/sql.ts'
import type { Range, Sink } from '../plugin.ts'

/** Time that one statement may take. */
export const OBSERVE_STATEMENT_SECONDS = 60
/** The beginning of the name of every insert, so that a later life can wait for what an earlier one left. */
const NAME = 'twolane:observe:'

export class ObserveSink implements Sink {
  readonly #client: ClickHouse
  readonly #signal: AbortSignal
  #batches: Batch[] = []

  constructor (client: ClickHouse, signal: AbortSignal) {
    this.#client = client
    this.#signal = signal
  }

  async write (batch: Batch): Promise<void> {
    this.#batches.push(batch)
  }

  async flush (): Promise<void> {
    const { logs, metrics } = storedRows(this.#batches)
    this.#batches = []
    await this.#insert(logsTable, logs)
    await this.#insert(metricsTable, metrics)
  }

  async landed ({ from, to }: Range): Promise<Float64Array> {
    await awaitQuiet(this.#client, NAME, { seconds: OBSERVE_STATEMENT_SECONDS, signal: this.#signal })
    const of = (table: TableName): string => `SELECT _offset FROM ${quoteTable(table)} WHERE _offset >= {from:Int64} AND _offset < {to:Int64}`
    const rows = await this.#client.rows<{ _offset: string }>(`SELECT DISTINCT _offset FROM (${of(logsTable)} UNION ALL ${of(metricsTable)}) ORDER BY _offset`, { query_params: { from, to } })
    return Float64Array.from(rows, row => Number(row._offset))
  }

  async close (): Promise<void> {
    this.#batches = []
  }

  async #insert ({ database, table }: TableName, values: readonly Row[]): Promise<void> {
    if (values.length === 0) return
    try {
      await this.#client.client.insert({
        table: `${database}.${table}`,
        values,
        format: 'JSONEachRow',
        query_id: `${NAME}${randomUUID()}`,
        // After an outage one insert may hold many days. What is not known here is an error, not a loss.
        clickhouse_settings: { async_insert: 0, insert_deduplicate: 0, max_partitions_per_insert_block: '0', input_format_skip_unknown_fields: 0, date_time_input_format: 'best_effort' }
      })
    } catch (error) {
      throw classify(error, this.#client.address)
    }
  }
}

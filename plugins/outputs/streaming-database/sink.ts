import { randomUUID } from 'node:crypto'
import { encodeArrow } from '../../../runtime/arrow.ts'
import { engineCode } from '../../../runtime/clickhouse/answers.ts'
import type { ClickHouse, InsertColumn } from '../../../runtime/clickhouse/client.ts'
import { localTable, onCluster } from '../../../runtime/clickhouse/cluster.ts'
import { columnsOf, fieldsOf } from '../../../runtime/clickhouse/ddl.ts'
import type { Lane } from '../../../runtime/clickhouse/ddl.ts'
import { ensureTable } from '../../../runtime/clickhouse/migrate.ts'
import { claim } from '../../../runtime/clickhouse/owners.ts'
import type { Seat } from '../../../runtime/clickhouse/owners.ts'
import { awaitQuiet } from '../../../runtime/clickhouse/quiet.ts'
import { quoteTable } from '../../../runtime/clickhouse/sql.ts'
import type { TableName } from '../../../runtime/clickhouse/sql.ts'
import { PlatformError, describe } from '../../../runtime/errors.ts'
import type { Batch, Context, Owner, Range, Sink, Topic } from '../../../runtime/plugin.ts'
import type { Field } from '../../../runtime/schema.ts'
import { insertAround } from './bisect.ts'
import { Rows } from './rows.ts'

/** Each day of the event time is a part of the table, which the engine writes and syncs on its own. */
const daysAnInsertMax = 100
/** What an insert gets to end when the pipeline stops; its outcome is not known then, and the next start reads it back. */
const stopGraceMs = 5000
/** A flush of which the engine refuses more rows is not about rows any more. */
const refusedRowsMax = 30
const reasonCharactersMax = 500

/** The engine's answers about values; any other refusal is not the fault of a row. The names are in its ErrorCodes. */
const rowCodes = new Set([6, 27, 38, 41, 53, 69, 70, 72, 117, 131, 190, 321, 349, 407, 469, 691])
/** The table is not what it was at the start. */
const staleCodes = new Set([8, 10, 16, 60, 81])

/** Where the rows go. */
export interface TableOptions {
  readonly schema: Topic
  readonly table: TableName
  readonly lane: Lane
  /** Time that one statement may take. */
  readonly seconds: number
}

/** Rows of one topic on their way into its table. Exactly once: a flush is one insert, and `landed` reads back what an unclear one did. */
export class TableSink implements Sink {
  readonly #client: ClickHouse
  readonly #schema: Topic
  readonly #table: TableName
  readonly #lane: Lane
  readonly #seconds: number
  readonly #context: Context
  readonly #fields: readonly Field[]
  readonly #columns: readonly InsertColumn[]
  #owner: Seat | undefined
  #batches: Batch[] = []

  constructor (client: ClickHouse, { schema, table, lane, seconds }: TableOptions, context: Context) {
    this.#client = client
    this.#schema = schema
    this.#table = table
    this.#lane = lane
    this.#seconds = seconds
    this.#context = context
    this.#fields = fieldsOf(schema)
    // Without the version of the warehouse: rows that are loaded directly have its default.
    this.#columns = columnsOf(schema)
  }

  async own ({ partition, epoch }: Owner): Promise<void> {
    const { pipeline, step, topic } = this.#context
    const seat = { table: this.#table, writer: `${pipeline}:${step}`, topic: topic.name, partition, epoch }
    await claim(this.#client, seat)
    this.#owner = seat
  }

  async write (batch: Batch): Promise<void> {
    const { name } = this.#schema
    if (batch.topic.name !== name) {
      throw new PlatformError('CONFIG_INVALID', `the mapping makes rows of ${batch.topic.name}, and the table is for ${name}`, { remedy: `Set the option \`schema: ${batch.topic.name}\`.` })
    }
    if (Object.values(batch.columns).some(({ type }) => type === undefined)) {
      throw new PlatformError('CONFIG_INVALID', `the rows of ${name} have no types yet`, { remedy: `Add the mapping to the pipeline: \`transforms: [mapping: ${name}]\`.` })
    }
    this.#batches.push(batch)
  }

  async flush (range: Range): Promise<void> {
    const rows = new Rows(this.#batches)
    this.#batches = []
    for (const part of rows.byDays(this.#schema.eventTime, daysAnInsertMax)) await this.#store(part, range)
  }

  async landed ({ partition, from, to }: Range): Promise<Float64Array> {
    await awaitQuiet(this.#client, this.#statementName(partition), { seconds: this.#seconds, signal: this.#context.signal })
    const { cluster } = this.#client
    // Any replica of the shard may be read, so all of them have to have what any of them has.
    if (cluster !== '') await this.#client.command(`SYSTEM SYNC REPLICA${onCluster(cluster)} ${quoteTable(localTable(this.#table, cluster))}`)
    const rows = await this.#client.rows<{ _offset: string }>(
      `SELECT _offset FROM ${quoteTable(this.#table)} WHERE _topic = {topic:String} AND _partition = {partition:UInt16} AND _offset >= {from:Int64} AND _offset < {to:Int64} ORDER BY _offset`,
      { query_params: { topic: this.#context.topic.name, partition, from, to } })
    return Float64Array.from(rows, row => Number(row._offset))
  }

  close (): Promise<void> {
    this.#batches = []
    return this.#client.close()
  }

  async #store (rows: Rows, range: Range): Promise<void> {
    try {
      await this.#insert(rows, range.partition)
    } catch (error) {
      const code = engineCode(error)
      if (code !== undefined && staleCodes.has(code)) {
        await ensureTable(this.#client, this.#schema, this.#table, this.#lane)
        await this.#insert(rows, range.partition)
      } else if (isAboutRows(error)) {
        await this.#storeAround(rows, range, error)
      } else {
        throw error
      }
    }
  }

  /** Finds the rows that the engine refuses, stores all others, and rejects those with the engine's reason. */
  async #storeAround (rows: Rows, range: Range, reason: PlatformError): Promise<void> {
    // The engine checks a block before it writes any of it. This only makes sure.
    const missing = rows.without(await this.landed(range))
    await insertAround(missing, reason, {
      refusedMax: refusedRowsMax,
      insert: part => this.#insert(part, range.partition),
      isAboutRows,
      refuse: (batch, i, why) => {
        this.#context.metrics.count('rows_refused')
        this.#context.reject(i, `ClickHouse refuses the row: ${reasonOf(why)}`, batch)
      }
    })
  }

  /** One insert of one block. What was begun is finished before the pipeline stops, unless the engine does not answer. */
  async #insert (rows: Rows, partition: number): Promise<void> {
    if (rows.length === 0) return
    const bytes = encodeArrow(rows.batches(), this.#fields, { topic: this.#context.topic.name })
    const began = performance.now()
    const { signal } = this.#context
    const abandoned = new AbortController()
    let timer: NodeJS.Timeout | undefined
    const onStop = (): void => { timer = setTimeout(() => abandoned.abort(), stopGraceMs) }
    if (signal.aborted) onStop()
    else signal.addEventListener('abort', onStop)
    try {
      await this.#client.insertArrow(this.#table, this.#columns, bytes, {
        queryId: `${this.#statementName(partition)}${randomUUID()}`, partitionsMax: daysAnInsertMax, signal: abandoned.signal, ...(this.#owner !== undefined && { owner: this.#owner })
      })
    } finally {
      signal.removeEventListener('abort', onStop)
      clearTimeout(timer)
    }
    this.#context.metrics.observe('insert_seconds', (performance.now() - began) / 1000)
  }

  /** The beginning of the name of every insert of this writer, so that a later one can find what an earlier one left. */
  #statementName (partition: number): string {
    const { pipeline, step, topic } = this.#context
    return `twolane:${pipeline}:${step}:${topic.name}:${partition}:`
  }
}

function isAboutRows (error: unknown): error is PlatformError {
  const code = engineCode(error)
  return error instanceof PlatformError && code !== undefined && rowCodes.has(code)
}

/** The engine's words in one line. */
function reasonOf ({ cause }: PlatformError): string {
  return describe(cause).replaceAll(/\s+/g, ' ').slice(0, reasonCharactersMax)
}

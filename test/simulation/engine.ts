// A stand-in for ClickHouse, behind the interface that outputs and the handoff are given: tables in memory, the platform's
// own statements, and what the real engine does to them when something fails.
//
//   a statement   is listed as running ▶ looks at what it reads ▶ writes ▶ is listed no more ▶ answers
//   INSERT        after a failure some of its rows may be there
//   DELETE        is about the rows that were there when it was asked for; what it asks, it asks when it deletes
//   restart       what was running is gone; what was answered stays

import { ClickHouseError } from '@clickhouse/client'
import { tableFromIPC } from 'apache-arrow'
import { Readable } from 'node:stream'
import { FENCED, classify } from '../../runtime/clickhouse/answers.ts'
import { columnsOf, partitionKey, sortingKey } from '../../runtime/clickhouse/ddl.ts'
import { fence } from '../../runtime/clickhouse/owners.ts'
import { quoteName, quoteTable } from '../../runtime/clickhouse/sql.ts'
import { openTables, toSqlite } from './engine-sql.ts'
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import type { ClickHouse, StatementOptions } from '../../runtime/clickhouse/client.ts'
import type { TableName } from '../../runtime/clickhouse/sql.ts'
import type { Topic } from '../../runtime/schema.ts'
import type { FaultKind, Faults } from './faults.ts'
import type { VirtualTime } from './virtual-time.ts'

type Row = Record<string, SQLInputValue>
/** In the order of the columns. */
type Values = readonly SQLInputValue[]

interface Running {
  readonly name: string
  stop (error: Error): void
}

export interface EngineParts {
  readonly name: string
  readonly time: VirtualTime
  readonly faults: Faults
  readonly random: () => number
  readonly topic: Topic
  readonly tables: Readonly<Record<'streaming' | 'warehouse', TableName>>
  /** Called after rows have come or gone. */
  onChange (): void
  /** A statement that the stand-in cannot run. */
  onUnknown (error: unknown): void
  /** A broken engine: it answers before rows are durable, and a restart takes those of the last minute. */
  readonly forgets?: boolean
  /** A price that the engine refuses. */
  readonly refuses: number
}

/** What `native` gives and `insertNative` takes. */
class NativeRows extends Readable {
  readonly rows: readonly Values[]

  constructor (rows: readonly Values[]) {
    super({ read () {} })
    this.rows = rows
  }
}

const readFaults: readonly FaultKind[] = ['restart']
const writeFaults: readonly FaultKind[] = ['restart', 'unanswered', 'partial', 'late']
/** Engine's code of a value that it cannot read. */
const cannotParse = '27'

export class Engine {
  readonly #parts: EngineParts
  readonly #database: DatabaseSync
  readonly #running = new Set<Running>()
  readonly #statements = new Map<string, StatementSync>()
  /** Of the last inserts: when, and where. */
  #fresh: Array<{ readonly at: number, readonly table: string, readonly above: number }> = []

  constructor (parts: EngineParts) {
    this.#parts = parts
    const described = (['streaming', 'warehouse'] as const).map(lane => ({
      ...parts.tables[lane], columns: columnsOf(parts.topic, lane), partitionKey: partitionKey(parts.topic, lane), sortingKey: sortingKey(parts.topic).join(', '), comment: parts.topic.description
    }))
    this.#database = openTables(described, () => parts.time.now)
  }

  /** At once, and without a fault: for who looks from outside. */
  read<T> (sql: string): T[] {
    let statement = this.#statements.get(sql)
    if (statement === undefined) this.#statements.set(sql, statement = this.#database.prepare(toSqlite(sql)))
    return statement.all() as T[]
  }

  close (): void {
    this.#database.close()
  }

  restart (): void {
    for (const { stop } of this.#running) stop(new Error('the engine has ended'))
    this.#running.clear()
    if (this.#parts.forgets !== true) return
    for (const { at, table, above } of this.#fresh) if (at > this.#parts.time.now - 60_000) this.#database.exec(`DELETE FROM ${table} WHERE rowid > ${above}`)
    this.#fresh = []
    this.#parts.onChange()
  }

  /** A connection. */
  client (): ClickHouse {
    return {
      address: `simulated://${this.#parts.name}`,
      cluster: '',
      // There is no connection to hand out.
      client: undefined as never,
      close: async () => {},
      command: (sql, options = {}) => this.#command(sql, options),
      rows: <T> (sql: string, options: StatementOptions = {}) => this.#ask(wordsOf(sql), readFaults, options, async () => this.#select(sql, options) as T[]),
      insertArrow: (table, columns, bytes, { owner, ...options }) => this.#ask(`INSERT ${table.table} of ${options.queryId.split(':').slice(2, 5).join(' ')}`, writeFaults, options, (part, running) => this.#write(running, part, table, columns.map(({ name }) => name), () => {
        if (owner !== undefined) this.#select(`SELECT ${fence(owner)}`)
        const rows = rowsOf(bytes)
        if (rows.some(({ price }) => price === this.#parts.refuses)) throw new ClickHouseError({ code: cannotParse, message: 'Cannot parse input', type: 'CANNOT_PARSE_INPUT' })
        return rows.map(row => columns.map(({ name }) => row[name] ?? null))
      })),
      insertSelect: (table, columns, select, options = {}) => this.#ask(`INSERT ${table.table} SELECT`, writeFaults, options, (part, running) =>
        this.#write(running, part, table, columns, () => this.#values(select, options))),
      native: (sql, options = {}) => this.#ask(wordsOf(sql), readFaults, options, async () => new NativeRows(this.#values(sql, options))),
      insertNative: (table, columns, rows, options = {}) => this.#ask(`INSERT ${table.table} NATIVE`, writeFaults, options, (part, running) =>
        this.#write(running, part, table, columns, () => (rows as NativeRows).rows))
    }
  }

  #command (sql: string, options: StatementOptions): Promise<void> {
    if (sql.startsWith('CREATE')) return this.#ask('CREATE', readFaults, options, async () => {})
    if (sql.startsWith('KILL')) return this.#ask('KILL', readFaults, options, async () => this.#kill(String(options.query_params?.['name'])))
    const insert = /^INSERT INTO `(\w+)`\.`(\w+)`(?: \(([^)]*)\))? (SELECT [^]*)$/.exec(sql)
    if (insert !== null) {
      const [, database = '', table = '', columns = '', select = ''] = insert
      const names = columns === '' ? this.#database.prepare(`SELECT * FROM \`${database}\`.\`${table}\``).columns().map(({ name }) => name) : columns.replaceAll('`', '').split(', ')
      return this.#ask(`INSERT ${table}`, writeFaults, options, (part, running) => this.#write(running, part, { database, table }, names, () => this.#values(select, options)))
    }
    const [, table = '', where = ''] = /^ALTER TABLE (\S+) DELETE WHERE ([^]*)$/.exec(sql) ?? []
    if (table === '') this.#parts.onUnknown(new Error(`the stand-in does not know the statement ${sql}`))
    return this.#ask(`DELETE ${table}`, writeFaults, options, async (part, running) => {
      const [{ last } = { last: 0 }] = this.read<{ last: number }>(`SELECT max(rowid) AS last FROM ${table}`)
      await running.pause()
      this.#database.exec(toSqlite(`DELETE FROM ${table} WHERE rowid <= ${last ?? 0} AND ${where}${part === undefined ? '' : ' AND rowid % 2 = 0'}`, options.query_params))
      this.#parts.onChange()
    })
  }

  /** Looks at what it reads, and writes a moment later. */
  async #write (running: Pause, part: 'partial' | undefined, table: TableName, columns: readonly string[], read: () => readonly Values[]): Promise<void> {
    const rows = read()
    await running.pause()
    const name = quoteTable(table)
    const [{ last } = { last: 0 }] = this.read<{ last: number }>(`SELECT max(rowid) AS last FROM ${name}`)
    this.#fresh.push({ at: this.#parts.time.now, table: name, above: last ?? 0 })
    const insert = this.#database.prepare(`INSERT INTO ${name} (${columns.map(quoteName).join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`)
    const lands = part === undefined ? rows : rows.slice(0, Math.ceil(this.#parts.random() * rows.length))
    for (const values of lands) insert.run(...values)
    // The others say who may write, and are read by no user.
    if (lands.length > 0 && (table.table === '_boundary' || !table.table.startsWith('_'))) this.#parts.onChange()
  }

  /** Names that begin so; who is told to end does so, or writes nevertheless. */
  #kill (name: string): void {
    for (const running of this.#running) if (running.name.startsWith(name) && this.#parts.random() < 0.7) running.stop(new Error('the query was cancelled'))
  }

  #select (sql: string, { query_params: params }: StatementOptions = {}): Row[] {
    if (!sql.includes('system.processes')) return (this.#database.prepare(toSqlite(sql, params)).all() as Row[]).map(withLists)
    return [...this.#running].filter(running => running.name.startsWith(String(params?.['name']))).map(({ name }) => ({ query_id: name }))
  }

  #values (sql: string, { query_params: params }: StatementOptions): Values[] {
    const statement = this.#database.prepare(toSqlite(sql, params))
    statement.setReturnArrays(true)
    return statement.all() as unknown as Values[]
  }

  #ask<T> (what: string, may: readonly FaultKind[], { queryId = '', signal }: StatementOptions, work: (part: 'partial' | undefined, running: Pause) => Promise<T>): Promise<T> {
    const { faults, time, random, name } = this.#parts
    const error = (): Error => classify(new Error('socket hang up'), name)
    return faults.call(`${name}: ${what}`, { may, error, signal }, async part => {
      const { promise: stopped, reject } = Promise.withResolvers<never>()
      stopped.catch(() => { /* told to whoever asked */ })
      const running: Running = { name: queryId, stop: why => { this.#running.delete(running); reject(why) } }
      this.#running.add(running)
      const pause = (): Promise<void> => Promise.race([time.sleep(random() < 0.1 ? random() * 5000 : random() * 20), stopped])
      try {
        return await work(part, { pause })
      } catch (failure) {
        const { message, code } = failure as Error & { readonly code?: string }
        if (code === 'ERR_SQLITE_ERROR') this.#parts.onUnknown(new Error(`${what}: ${message}`))
        throw classify(message.includes(FENCED) ? new ClickHouseError({ code: '395', message, type: 'FUNCTION_THROW_IF_VALUE_IS_NON_ZERO' }) : failure, name)
      } finally {
        this.#running.delete(running)
      }
    }, () => this.restart())
  }
}

interface Pause {
  /** Of the statement, in the engine. Throws when it is told to end. */
  pause (): Promise<void>
}

/** SQLite has no arrays: those of a flip are kept as JSON. */
function withLists (row: Row): Row {
  return 'ends' in row ? { ...row, ...Object.fromEntries(['partitions', 'ends', 'columns'].map(name => [name, JSON.parse(String(row[name])) as SQLInputValue])) } : row
}

function wordsOf (sql: string): string {
  const table = /(?:FROM|INTO) ([^\s()]+)/.exec(sql)?.[1] ?? ''
  return `${sql.trim().split(' ', 1)[0]} ${table.replaceAll('`', '')}`
}

function rowsOf (bytes: Uint8Array): Row[] {
  const table = tableFromIPC(bytes)
  const names = table.schema.fields.map(({ name }) => name)
  const columns = names.map(name => table.getChild(name))
  return Array.from({ length: table.numRows }, (_, i) => Object.fromEntries(names.map((name, c) => {
    const value: unknown = columns[c]?.get(i)
    return [name, typeof value === 'bigint' ? Number(value) : value as SQLInputValue]
  })))
}

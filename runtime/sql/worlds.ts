// The databases of views that exist, at most WORLDS_MAX: made when somebody asks first, dropped when others need the room.

import { ask, askRows, EngineRefusal } from '../clickhouse/ask.ts'
import { quoteName } from '../clickhouse/sql.ts'
import { readFunctions } from './functions.ts'
import { lanes } from './rewrite.ts'
import { systemTables, worldOf, WORLD_PREFIX } from './world.ts'
import type { Principal } from '../access/principal.ts'
import type { Functions } from './functions.ts'
import type { LaneName } from './rewrite.ts'
import type { Catalog, World } from './world.ts'

/** Databases of this process that are kept. */
const WORLDS_MAX = 64
/** How long what the engine has is taken for known. */
const CATALOG_MS = 2000
/** Left by a runtime that ended, on an engine that others use, too. */
const STALE_DAYS = 2
const SECONDS_MAX = '20'
const unknownDatabase = 81
const unknownTable = 60

export class Worlds {
  readonly #clickhouse: string
  /** Whether no other runtime makes such databases on this engine. */
  readonly #alone: boolean
  /** By database, the one that was used last at the end. */
  readonly #made = new Map<string, Promise<void>>()
  #catalog: { readonly at: number, readonly read: Promise<Catalog> } | undefined
  #functions: Promise<Functions> | undefined
  #swept: Promise<void> | undefined

  constructor (clickhouse: string, alone: boolean) {
    this.#clickhouse = clickhouse
    this.#alone = alone
  }

  async catalog (): Promise<Catalog> {
    if (this.#catalog === undefined || performance.now() - this.#catalog.at > CATALOG_MS) {
      const read = this.#readCatalog()
      this.#catalog = { at: performance.now(), read }
      read.catch(() => { this.#catalog = undefined })
    }
    return this.#catalog.read
  }

  async functions (): Promise<Functions> {
    this.#functions ??= readFunctions(this.#clickhouse, AbortSignal.timeout(Number(SECONDS_MAX) * 1000))
    this.#functions.catch(() => { this.#functions = undefined })
    return this.#functions
  }

  /** The world of a principal, which is there when this resolves. Throws EngineRefusal and ENGINE_UNAVAILABLE. */
  async open (principal: Principal, lane: LaneName): Promise<World> {
    const world = worldOf(principal, await this.catalog(), lane)
    const { database } = world
    const making = this.#made.get(database) ?? this.#make(world)
    this.#made.delete(database)
    this.#made.set(database, making)
    making.catch(() => { this.#made.delete(database) })
    await making
    return world
  }

  /** Makes the world anew next time where the engine does not know it any more; tells whether that was so. */
  lost (world: World, error: unknown): boolean {
    if (!(error instanceof EngineRefusal) || (error.code !== unknownDatabase && error.code !== unknownTable) || !error.message.includes(world.database)) return false
    this.#catalog = undefined
    return this.#made.delete(world.database)
  }

  async #make ({ database, statements }: World): Promise<void> {
    this.#swept ??= this.#sweep()
    this.#swept.catch(() => { this.#swept = undefined })
    await this.#swept
    const oldest = this.#made.size < WORLDS_MAX ? undefined : this.#made.keys().next().value
    if (oldest !== undefined) {
      this.#made.delete(oldest)
      await this.#run(`DROP DATABASE IF EXISTS ${quoteName(oldest)}`)
    }
    await this.#run(`CREATE DATABASE IF NOT EXISTS ${quoteName(database)}`)
    for (const statement of statements) await this.#run(statement)
  }

  /** Databases of a process before this one. */
  async #sweep (): Promise<void> {
    const age = this.#alone ? '' : ` AND name IN (SELECT database FROM system.tables GROUP BY database HAVING max(metadata_modification_time) < now() - INTERVAL ${STALE_DAYS} DAY)`
    const found = await this.#rows<{ name: string }>(`SELECT name FROM system.databases WHERE startsWith(name, '${WORLD_PREFIX}')${age}`)
    for (const { name } of found) await this.#run(`DROP DATABASE IF EXISTS ${quoteName(name)}`)
  }

  async #readCatalog (): Promise<Catalog> {
    const shown = lanes.map(lane => `'${lane}'`).join(', ')
    const columns = await this.#rows<{ database: string, table: string, name: string, type: string }>(`
      SELECT database, table, name, type FROM system.columns
      WHERE database IN (${shown}) OR (database = 'system' AND table IN (${systemTables.map(table => `'${table}'`).join(', ')}))
      ORDER BY database, table, position`)
    const [datasets, system] = [new Map<string, Map<string, string>>(), new Map<string, Map<string, string>>()]
    for (const { database, table, name, type } of columns) {
      const [of, key] = database === 'system' ? [system, table] : [datasets, `${database}.${table}`]
      of.set(key, (of.get(key) ?? new Map<string, string>()).set(name, type))
    }
    const databases = await this.#rows<{ name: string }>('SELECT name FROM system.databases')
    return { datasets, system, databases: new Set(databases.map(({ name }) => name)) }
  }

  #rows<T> (sql: string): Promise<T[]> {
    return askRows<T>(this.#clickhouse, { sql, settings: { max_execution_time: SECONDS_MAX }, signal: AbortSignal.timeout(Number(SECONDS_MAX) * 1000) })
  }

  async #run (sql: string): Promise<void> {
    const { body } = await ask(this.#clickhouse, { sql, settings: { max_execution_time: SECONDS_MAX }, signal: AbortSignal.timeout(Number(SECONDS_MAX) * 1000) })
    await body.resume().toArray()
  }
}

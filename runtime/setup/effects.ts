// What a change of files would do to what runs, and to the tables.

import { connectClickHouse } from '../clickhouse/client.ts'
import { createTable } from '../clickhouse/ddl.ts'
import { describeTable, planMigration } from '../clickhouse/migrate.ts'
import { describe, PlatformError } from '../errors.ts'
import { datasetsOf } from '../warehouse/datasets.ts'
import { warehouseTable } from '../warehouse/views.ts'
import type { ClickHouse } from '../clickhouse/client.ts'
import type { Lane } from '../clickhouse/ddl.ts'
import type { TableName } from '../clickhouse/sql.ts'
import type { Files } from '../files.ts'
import type { Pipeline } from '../pipeline.ts'
import type { Platform } from '../platform.ts'
import type { Dataset } from '../warehouse/datasets.ts'
import type { Topic } from '../schema.ts'
import type { FileChange } from './change-set.ts'

/** How long the databases may take to say what tables there are. */
const TABLES_MS_MAX = 10_000

export interface TableEffect {
  /** With its database. */
  readonly table: string
  readonly change: 'made' | 'altered' | 'refused'
  /** SQL that an output would run. */
  readonly statements: readonly string[]
  /** Why the table cannot follow the schema; else empty. */
  readonly reason: string
}

export interface SchemaEffect {
  readonly topic: string
  readonly change: 'added' | 'changed' | 'removed'
  readonly fields: { readonly added: readonly string[], readonly removed: readonly string[], readonly changed: readonly string[] }
}

export interface Effects {
  /** Ids of pipelines; a job is not started, but scheduled. */
  readonly start: readonly string[]
  readonly stop: readonly string[]
  readonly restart: readonly string[]
  readonly tables: readonly TableEffect[]
  readonly schemas: readonly SchemaEffect[]
  /** What else whoever applies it should know: a sentence each. */
  readonly notes: readonly string[]
}

export const noEffects: Effects = { start: [], stop: [], restart: [], tables: [], schemas: [], notes: [] }

/** Pipelines that a change of files reaches: those whose file it is, and those that use a schema that changes. */
export function reached (changes: readonly FileChange[], ...files: ReadonlyArray<Pick<Files, 'pipelines'>>): string[] {
  const ids = new Set(changes.filter(({ kind }) => kind === 'pipeline').map(({ path }) => nameOf(path)))
  const topics = new Set(changes.filter(({ kind }) => kind === 'schema').map(({ path }) => nameOf(path)))
  for (const { pipelines } of files) {
    for (const pipeline of pipelines.values()) if (schemasOf(pipeline).some(topic => topics.has(topic))) ids.add(pipeline.id)
  }
  return [...ids].sort()
}

/** `files`: the project as it would be. Never throws for a database that does not answer. */
export async function effectsOf (platform: Platform, changes: readonly FileChange[], files: Files, ids: readonly string[]): Promise<Effects> {
  const { supervisor } = platform
  const plan = await supervisor.plan(files)
  const own = plan.changes.filter(({ pipeline }) => ids.includes(pipeline))
  const of = (kind: 'added' | 'changed' | 'removed'): string[] => own.filter(({ change }) => change === kind).map(({ pipeline }) => pipeline)
  const schemas = changes.filter(({ kind }) => kind === 'schema').map(change => schemaEffect(change, supervisor.schemas.get(nameOf(change.path)), files.schemas.get(nameOf(change.path))))
  const notes = changes.filter(({ kind }) => kind === 'config').map(({ path }) => `${path} counts after the next start of the platform, unless its README says otherwise.`)
  const touched = ids.flatMap(id => files.pipelines.get(id) ?? [])
  const { tables, note } = await tableEffects(platform, datasetsOf(touched.filter(({ enabled }) => enabled), files.schemas))
  const removed = of('removed').map(id => `The topic of ${id} and the rows that it has written stay; a teardown removes them.`)
  return { start: of('added'), stop: of('removed'), restart: of('changed'), tables, schemas, notes: [...notes, ...removed, ...note === '' ? [] : [note]] }
}

/** Topics whose schemas a pipeline uses. */
export function schemasOf ({ topic, transforms, outputs }: Pipeline): string[] {
  const named = [...transforms, ...outputs].map(({ config }) => config['schema']).filter(schema => typeof schema === 'string')
  return [...new Set([topic, ...named])]
}

/** `schemas/quotes.yaml` is `quotes`. */
export function nameOf (path: string): string {
  return path.slice(path.lastIndexOf('/') + 1).replace(/(?:\.test)?\.(?:yaml|sql)$/, '')
}

function schemaEffect ({ path, before, after }: FileChange, old: Topic | undefined, next: Topic | undefined): SchemaEffect {
  const was = new Map(old?.fields.map(field => [field.name, JSON.stringify(field)]))
  const is = new Map(next?.fields.map(field => [field.name, JSON.stringify(field)]))
  return {
    topic: nameOf(path),
    change: before === undefined ? 'added' : after === undefined ? 'removed' : 'changed',
    fields: {
      added: [...is.keys()].filter(name => !was.has(name)),
      removed: [...was.keys()].filter(name => !is.has(name)),
      changed: [...is].filter(([name, text]) => was.has(name) && was.get(name) !== text).map(([name]) => name)
    }
  }
}

async function tableEffects (platform: Platform, datasets: ReadonlyMap<string, Dataset>): Promise<{ readonly tables: TableEffect[], readonly note: string }> {
  const { clickhouse, warehouse } = platform
  const signal = AbortSignal.timeout(TABLES_MS_MAX)
  const tables: TableEffect[] = []
  const look = async (url: string, lane: Lane, tableOf: (dataset: Dataset) => TableName): Promise<void> => {
    const client = await connectClickHouse(url, { signal })
    try {
      for (const dataset of datasets.values()) tables.push(...await tableEffect(client, dataset.schema, tableOf(dataset), lane))
    } finally {
      await client.close()
    }
  }
  if (datasets.size === 0 || clickhouse === undefined) return { tables, note: '' }
  try {
    await look(clickhouse, 'streaming', ({ table }) => table)
    await look(warehouse ?? clickhouse, 'warehouse', ({ name }) => warehouseTable(name))
    return { tables, note: '' }
  } catch (error) {
    return { tables, note: `The tables could not be compared with the schemas: ${describe(error)}` }
  }
}

async function tableEffect (client: ClickHouse, topic: Topic, table: TableName, lane: Lane): Promise<TableEffect[]> {
  const name = `${table.database}.${table.table}`
  const state = await describeTable(client, table)
  // The warehouse's table is made when there are rows for it.
  if (state === undefined) return lane === 'warehouse' ? [] : [{ table: name, change: 'made', statements: [createTable(topic, table, client.cluster, lane)], reason: '' }]
  try {
    const statements = planMigration(topic, table, state, client.cluster, lane)
    return statements.length === 0 ? [] : [{ table: name, change: 'altered', statements, reason: '' }]
  } catch (error) {
    if (!(error instanceof PlatformError) || error.code !== 'SCHEMA_BREAKING') throw error
    return [{ table: name, change: 'refused', statements: [], reason: error.toString() }]
  }
}

// Taking parts of the platform away for good. What goes and what stays is listed first; the name is asked for; and nothing
// goes that somebody still reads. The order is the one in which a crash leaves nothing that points at what is gone: first
// who writes, then who reads, then the rows, then the description of the rows.

import { connectClickHouse } from '../clickhouse/client.ts'
import { describeTable } from '../clickhouse/migrate.ts'
import { localTable, onCluster } from '../clickhouse/cluster.ts'
import { quoteTable } from '../clickhouse/sql.ts'
import { PlatformError } from '../errors.ts'
import { rejectedTopic } from '../schema.ts'
import { boundaryTable } from '../warehouse/boundary.ts'
import { datasetName, warehouseTable } from '../warehouse/views.ts'
import { applyChange } from './apply.ts'
import { changeSet, planHash } from './change-set.ts'
import { readText } from './project-files.ts'
import { readersOfDataset, readersOfTopic } from './readers.ts'
import type { Principal } from '../access/principal.ts'
import type { ClickHouse } from '../clickhouse/client.ts'
import type { TableName } from '../clickhouse/sql.ts'
import type { Platform } from '../platform.ts'
import type { Topic } from '../schema.ts'

export type TeardownKind = 'pipeline' | 'topic' | 'dataset'

export interface TeardownPart {
  readonly what: string
  /** Bytes, or rows, in words; empty: it has no size. */
  readonly size: string
  /** It goes only where the rows are to go, too. */
  readonly rows: boolean
}

export interface Teardown {
  readonly kind: TeardownKind
  /** What whoever goes on has to write. */
  readonly name: string
  readonly goes: readonly TeardownPart[]
  /** A sentence each. */
  readonly stays: readonly string[]
  /** Who still reads it: while there are any, it is refused. */
  readonly readers: readonly string[]
}

/** After every row that there can be. */
const END_OF_TIME = 8.64e15
const STATEMENT_MS_MAX = 120_000

/** What would go. Throws NOT_FOUND. */
export async function planTeardown (platform: Platform, kind: TeardownKind, name: string): Promise<Teardown> {
  switch (kind) {
    case 'pipeline': return pipelineTeardown(platform, name)
    case 'topic': return topicTeardown(platform, name)
    case 'dataset': return datasetTeardown(platform, name)
  }
}

/** Throws STILL_READ, and what the change of the files throws. Safe to be repeated after it was broken off. */
export async function tearDown (platform: Platform, principal: Principal, { kind, name, rows }: { readonly kind: TeardownKind, readonly name: string, readonly rows: boolean }): Promise<Teardown> {
  const teardown = await planTeardown(platform, kind, name)
  if (teardown.readers.length > 0) {
    throw new PlatformError('STILL_READ', `${kind} ${name} is still read: ${teardown.readers.join('; ')}`, { remedy: 'Take these away first.' })
  }
  const schema = platform.supervisor.schemas.get(name)
  switch (kind) {
    case 'pipeline':
      await removeFiles(platform, principal, [`pipelines/${name}.yaml`, `pipelines/${name}.test.yaml`])
      break
    case 'topic':
      if (rows) await emptyTopics(platform, schema ?? bareTopic(name))
      await removeFiles(platform, principal, [`schemas/${name}.yaml`])
      break
    case 'dataset':
      if (!rows) throw new PlatformError('REQUEST_INVALID', 'A dataset is its rows: without them nothing of it goes', { remedy: 'Send rows: true.' })
      await dropDataset(platform, name)
  }
  return teardown
}

async function pipelineTeardown (platform: Platform, id: string): Promise<Teardown> {
  const { root, supervisor } = platform
  const files = await present(root, [`pipelines/${id}.yaml`, `pipelines/${id}.test.yaml`])
  if (files.length === 0) throw new PlatformError('NOT_FOUND', `There is no pipeline "${id}"`)
  const pipeline = supervisor.files.pipelines.get(id)
  const stays = pipeline === undefined ? [] : [`The topic ${pipeline.topic} with its rows.`, ...pipeline.outputs.map(({ plugin, name }) => `What ${name} has written to its destination (${plugin}).`)]
  const others = pipeline?.input === undefined ? [] : [...supervisor.files.pipelines.values()].filter(({ id: other, topic, input }) => other !== id && topic === pipeline.topic && input === undefined)
  return { kind: 'pipeline', name: id, goes: files.map(file => ({ what: file, size: '', rows: false })), stays: [...stays, ...others.map(({ id: other }) => `The pipeline ${other}, which gets no new rows in ${pipeline?.topic} any more.`)], readers: [] }
}

async function topicTeardown (platform: Platform, name: string): Promise<Teardown> {
  const { broker, root } = platform
  const files = await present(root, [`schemas/${name}.yaml`])
  const states = (await Promise.all([name, `${name}.rejected`].map(topic => broker.inspect(topic)))).filter(state => state !== undefined)
  if (files.length === 0 && states.length === 0) throw new PlatformError('NOT_FOUND', `There is no topic "${name}"`)
  return {
    kind: 'topic',
    name,
    goes: [
      ...files.map(file => ({ what: file, size: '', rows: false })),
      ...states.map(state => ({ what: `rows of the topic ${state.name}`, size: `${state.bytes} bytes, ${state.partitions.reduce((sum, { first, next }) => sum + next - first, 0)} rows`, rows: true }))
    ],
    stays: ['Offsets of the topic, so that none is used twice.', 'Tables and lake files that hold rows of the topic; the dataset is torn down on its own.'],
    readers: await readersOfTopic(platform, name)
  }
}

async function datasetTeardown (platform: Platform, name: string): Promise<Teardown> {
  const readers = await readersOfDataset(platform, name)
  const goes = await onServers(platform, async (client, lane) => {
    const found: TeardownPart[] = []
    for (const table of lane === 'streaming' ? [streamingTable(name)] : [warehouseTable(name)]) {
      if (await describeTable(client, table) === undefined) continue
      const [count] = await client.rows<{ n: string, bytes: string }>('SELECT sum(rows) AS n, sum(bytes_on_disk) AS bytes FROM system.parts WHERE active AND database = {database:String} AND table = {table:String}', { query_params: { ...table } })
      found.push({ what: `table ${table.database}.${table.table}`, size: `${count?.n ?? 0} rows, ${count?.bytes ?? 0} bytes`, rows: true })
    }
    for (const view of viewsOf(name)) if ((await describeTable(client, view))?.engine === 'View') found.push({ what: `view ${view.database}.${view.table}`, size: '', rows: false })
    return found
  })
  const unique = [...new Map(goes.flat().map(part => [part.what, part])).values()]
  if (unique.length === 0) throw new PlatformError('NOT_FOUND', `There is no dataset "${name}"`)
  return { kind: 'dataset', name, goes: unique, stays: ['The topic and its schema.', 'Files in lakes.', 'The record of what was handed over, without the days of this dataset.'], readers }
}

/** The tables first: a view without its table is an error that says so, and the next attempt removes it. */
async function dropDataset (platform: Platform, name: string): Promise<void> {
  await onServers(platform, async (client, lane) => {
    const signal = AbortSignal.timeout(STATEMENT_MS_MAX)
    const table = lane === 'streaming' ? streamingTable(name) : warehouseTable(name)
    for (const one of client.cluster === '' ? [table] : [table, localTable(table, client.cluster)]) {
      const state = await describeTable(client, one)
      if (state !== undefined && state.engine !== 'View') await client.command(`DROP TABLE IF EXISTS ${quoteTable(one)}${onCluster(client.cluster)} SYNC`, { signal })
    }
    for (const view of viewsOf(name)) if ((await describeTable(client, view))?.engine === 'View') await client.command(`DROP VIEW IF EXISTS ${quoteTable(view)}${onCluster(client.cluster)} SYNC`, { signal })
    // The boundary of a dataset of the same name begins anew with its rows.
    if (await describeTable(client, boundaryTable) !== undefined) await client.command(`ALTER TABLE ${quoteTable(boundaryTable)}${onCluster(client.cluster)} DELETE WHERE dataset = {name:String}`, { query_params: { name }, settings: { mutations_sync: '1' }, signal })
  })
}

async function onServers<T> ({ clickhouse, warehouse }: Platform, work: (client: ClickHouse, lane: 'streaming' | 'warehouse') => Promise<T>): Promise<T[]> {
  if (clickhouse === undefined) return []
  const done: T[] = []
  for (const lane of ['streaming', 'warehouse'] as const) {
    const client = await connectClickHouse(lane === 'streaming' ? clickhouse : warehouse ?? clickhouse, { signal: AbortSignal.timeout(STATEMENT_MS_MAX) })
    try {
      done.push(await work(client, lane))
    } finally {
      await client.close()
    }
  }
  return done
}

/** Datasets of other databases have these in their names. */
function streamingTable (dataset: string): TableName {
  const table = { database: 'streaming', table: dataset }
  return datasetName(table) === dataset ? table : { database: dataset.split('_')[0] ?? '', table: dataset.slice(dataset.indexOf('_') + 1) }
}

function viewsOf (dataset: string): TableName[] {
  return ['data', 'realtime', 'history'].map(database => ({ database, table: dataset }))
}

async function emptyTopics ({ broker }: Platform, topic: Topic): Promise<void> {
  const existing = new Set(await broker.topics())
  for (const one of [topic, rejectedTopic(topic.name)]) {
    if (existing.has(one.name)) await broker.trim({ ...one, retention: { ms: 0, bytes: Number.MAX_SAFE_INTEGER, beyondOutputs: true } }, { now: END_OF_TIME, groups: [] })
  }
}

async function removeFiles (platform: Platform, principal: Principal, paths: readonly string[]): Promise<void> {
  const files = (await present(platform.root, paths)).map(path => ({ path, text: null }))
  if (files.length === 0) return
  const plan = planHash(await changeSet(platform.root, { files }))
  const { receipt } = await applyChange(platform, principal, { files, plan })
  if (receipt.outcome !== 'applied' && receipt.outcome !== 'unchanged') throw new PlatformError('CONFIG_INVALID', receipt.reason, { remedy: 'Nothing was removed.' })
}

async function present (root: string, paths: readonly string[]): Promise<string[]> {
  const texts = await Promise.all(paths.map(path => readText(root, path)))
  return paths.filter((_, i) => texts[i] !== undefined)
}

function bareTopic (name: string): Topic {
  return { name, description: '', owner: '', fields: [], key: [], eventTime: '', partitions: 1, retention: { ms: 0, bytes: 0, beyondOutputs: true }, hash: '' }
}

// One day of a topic, from the lake through the mapping of now, against what the lane holds: the job `parity`.
//
//   lake ─▶ transforms ─▶ scratch table ─┐
//                                        ├─▶ rows, keys, sums, hashes ─▶ the positions that differ
//   history.<dataset> + realtime.… ──────┘   at one boundary

import { describeTable, ensureTable } from '../clickhouse/migrate.ts'
import { columnsOf } from '../clickhouse/ddl.ts'
import { onCluster } from '../clickhouse/cluster.ts'
import { quoteName, quoteTable } from '../clickhouse/sql.ts'
import { PlatformError } from '../errors.ts'
import { AttemptFailed } from '../jobs/pipeline-run.ts'
import { manual } from '../jobs/schedule.ts'
import { lakesOf, openLake } from '../lake/lakes.ts'
import { openLakeTable } from '../lake/table.ts'
import { runSide } from '../side-thread.ts'
import { boundaryTable, newestSeq, pinComment } from '../warehouse/boundary.ts'
import { ofDay } from '../warehouse/day-rows.ts'
import { openLanes } from '../warehouse/lanes.ts'
import { compare } from './compare.ts'
import { Side } from './sides.ts'
import { subjectsOf } from './subject.ts'
import type { ClickHouse } from '../clickhouse/client.ts'
import type { TableName } from '../clickhouse/sql.ts'
import type { Task, TaskContext } from '../jobs/task.ts'
import type { Lake } from '../lake/lakes.ts'
import type { LakeFile } from '../lake/manifest.ts'
import type { Platform } from '../platform.ts'
import type { Json } from '../plugin.ts'
import type { Lanes } from '../warehouse/lanes.ts'
import type { Comparison } from './compare.ts'
import type { Part } from './sides.ts'
import type { Subject } from './subject.ts'
import type { FillRequest, Filled } from './worker.ts'

export const PARITY = 'parity'
/** Holds the scratch tables; what a killed run has left goes at the next one. */
const SCRATCH = 'twolane_parity'
const FILL_MS_MAX = 6 * 3_600_000
const NUMERIC = /^(?:Nullable\()?(?:U?Int\d+|Float\d+|Decimal\()/

type Parts = Pick<Platform, 'broker' | 'supervisor' | 'config' | 'root' | 'clickhouse' | 'warehouse'>

/** Checks what is asked for. Throws REQUEST_INVALID or NOT_FOUND. */
export function parityParams ({ topic, day, ...others }: Readonly<Record<string, Json>>, { files, schemas }: Platform['supervisor']): { readonly topic: string, readonly day: string } {
  const [unknown] = Object.keys(others)
  if (unknown !== undefined) throw new PlatformError('REQUEST_INVALID', `There is no ${JSON.stringify(unknown)}`, { remedy: 'Give topic and day.' })
  if (typeof topic !== 'string' || !schemas.has(topic)) throw new PlatformError('NOT_FOUND', `There is no topic ${JSON.stringify(topic ?? '')}`)
  if (typeof day !== 'string' || !/^\d{4}-\d\d-\d\d$/.test(day) || Number.isNaN(Date.parse(day))) throw new PlatformError('REQUEST_INVALID', `${JSON.stringify(day ?? '')} is no day`, { remedy: 'Write it as 2024-01-02; it is the UTC day of the event time.' })
  if (lakesOf(files.pipelines.values(), topic).length === 0) throw new PlatformError('NOT_FOUND', `No pipeline keeps a lake of ${topic}`, { remedy: 'Add `- lake: {}` to the outputs of its pipeline.' })
  if (subjectsOf(topic, files.pipelines, schemas).length === 0) throw new PlatformError('NOT_FOUND', `No output stores ${topic} in the streaming database or the warehouse of the platform`)
  return { topic, day }
}

/** Params: `topic` and `day`. A run fails where the sides differ; its log has each check and the first positions. */
export function parityTask (parts: Parts): Task {
  return {
    id: PARITY,
    description: 'Compares a day in the lake with what the databases hold of it',
    schedule: { ...manual, retries: 0 },
    needs: ['topic', 'day'],
    async run (context) {
      const { topic, day } = parityParams(context.params, parts.supervisor)
      const { files, schemas } = parts.supervisor
      const { clickhouse, warehouse } = parts
      if (clickhouse === undefined || warehouse === undefined) throw new PlatformError('ENGINE_MISSING', 'There is no ClickHouse')
      const lanes = await openLanes({ clickhouse, warehouse, signal: context.signal })
      try {
        let differ = ''
        for (const subject of subjectsOf(topic, files.pipelines, schemas)) differ ||= await compareOne(parts, lanes, { subject, day, context })
        if (differ !== '') throw new AttemptFailed(differ, { lasting: true })
      } finally {
        await lanes.close()
      }
    }
  }
}

interface One { readonly subject: Subject, readonly day: string, readonly context: TaskContext }

/** Empty where both sides are the same; else what differs first. */
async function compareOne (parts: Parts, lanes: Lanes, { subject, day, context }: One): Promise<string> {
  const { dataset, pipeline, schema, streaming } = subject
  const { log, signal } = context
  const [lake] = lakesOf(parts.supervisor.files.pipelines.values(), pipeline.topic) as [Lake]
  const window = await windowOf(parts, subject, lake)
  const client = streaming === undefined ? lanes.warehouse : lanes.streaming
  const scratch: TableName = { database: SCRATCH, table: `${dataset}_${context.run.id}` }
  await dropScratch(client)
  try {
    await ensureTable(client, schema, scratch)
    const filled = await fill(parts, { subject, day, scratch, lake, window }, context)
    log.info({ dataset, rows: filled.rows, refused: filled.refused }, 'Rows of the lake, and how many of them the transforms refuse now')
    const where = `${ofDay(schema, { topic: pipeline.topic, day })} AND (${window.sql})`
    const lane = await laneParts(lanes, subject, where)
    const outside = await countOutside(lane, { schema, topic: pipeline.topic, day, window: window.sql })
    if (outside > 0) log.warn({ dataset, rows: outside }, 'Rows of the day that are not compared: the lake does not hold them, or the output is still at work on them')
    const columns = columnsOf(schema).map(({ name, type }) => [name, type] as const)
    const comparison = await compare(new Side([{ client, table: scratch, where: '1' }], columns, signal), new Side(lane, columns, signal), {
      key: schema.key,
      numbers: columnsOf(schema).filter(({ name, type }) => !name.startsWith('_') && NUMERIC.test(type)).map(({ name }) => name),
      columns: columns.map(([name]) => name)
    })
    return tell(comparison, { topic: pipeline.topic, dataset, context })
  } finally {
    await dropScratch(client)
  }
}

/** One line of the run's log each; resolves to what differs first. */
function tell ({ checks, differences }: Comparison, { topic, dataset, context: { log } }: { readonly topic: string, readonly dataset: string, readonly context: TaskContext }): string {
  for (const check of checks) log.info({ dataset, ...check }, 'Compared')
  for (const difference of differences) log.error({ dataset, topic, ...difference }, 'Differs')
  const [first] = differences
  if (first !== undefined) {
    const values = first.column === undefined ? '' : `: ${first.column} is ${first.lake ?? 'null'} by the lake and ${first.lane ?? 'null'} in the lane`
    return `${dataset} differs from the lake, first at ${topic}/${first.partition} offset ${first.offset}: the row is ${{ missing: 'missing in the lane', extra: 'only in the lane', changed: 'another one' }[first.kind]}${values}`
  }
  const differing = checks.find(({ same }) => !same)
  return differing === undefined ? '' : `${dataset} differs from the lake: ${differing.what} is ${differing.lake} by the lake and ${differing.lane} in the lane`
}

interface Window {
  readonly files: readonly LakeFile[]
  readonly from: ReadonlyMap<number, number>
  readonly to: ReadonlyMap<number, number>
  /** SQL: the offsets that both sides have to hold. */
  readonly sql: string
}

/** From where the lake begins to where lake and output have come. */
async function windowOf ({ broker, config }: Parts, { pipeline: { topic, id }, group }: Subject, { config: lake }: Lake): Promise<Window> {
  const objects = await openLake(lake, { dataFolder: config.dataFolder, owner: `parity-${id}-` })
  try {
    const { files } = await openLakeTable(objects, topic).read()
    const groups = (await broker.inspect(topic))?.groups.filter(one => one.group === group) ?? []
    const from = new Map<number, number>()
    const to = new Map<number, number>()
    for (const file of files) {
      const committed = groups.find(({ partition }) => partition === file.partition)?.offset ?? 0
      from.set(file.partition, Math.min(file.from, from.get(file.partition) ?? Infinity))
      to.set(file.partition, Math.min(committed, Math.max(file.to, to.get(file.partition) ?? 0)))
    }
    const sql = [...from].map(([partition, first]) => `(_partition = ${partition} AND _offset >= ${first} AND _offset < ${to.get(partition) ?? 0})`).join(' OR ')
    return { files, from, to, sql: sql === '' ? '0' : sql }
  } finally {
    objects.close()
  }
}

interface Filling { readonly subject: Subject, readonly day: string, readonly scratch: TableName, readonly lake: Lake, readonly window: Window }

async function fill (parts: Parts, { subject: { pipeline, schema, streaming }, day, scratch, lake, window: { files, from, to } }: Filling, { log, signal, progress }: TaskContext): Promise<Filled> {
  const address = (streaming === undefined ? parts.warehouse : parts.clickhouse) as string
  let before = 0
  return runSide<FillRequest, Filled>({
    module: new URL('./worker.ts', import.meta.url),
    request: { address, scratch, schema: schema.name, lake: lake.config, files, day, from, to },
    pipelines: [pipeline],
    platform: parts,
    log,
    signal,
    msMax: FILL_MS_MAX,
    progress (done) {
      const { rows } = done as { rows: number }
      progress({ rows: rows - before })
      before = rows
    }
  })
}

/** Where the lane has the rows, at one boundary. */
async function laneParts ({ streaming, warehouse }: Lanes, { dataset, streaming: table }: Subject, where: string): Promise<Part[]> {
  const seq = await describeTable(warehouse, boundaryTable) === undefined ? undefined : await newestSeq(warehouse)
  const pinned = { where, ...(seq !== undefined && { seq }) }
  const [realtime, history] = [{ database: 'realtime', table: dataset }, { database: 'history', table: dataset }]
  const parts: Part[] = []
  if (table !== undefined) parts.push({ client: streaming, table: await describeTable(streaming, realtime) === undefined ? table : realtime, ...pinned })
  if (await describeTable(warehouse, history) !== undefined) parts.push({ client: warehouse, table: history, ...pinned })
  return parts
}

async function countOutside (parts: readonly Part[], { schema, topic, day, window }: { readonly schema: Subject['schema'], readonly topic: string, readonly day: string, readonly window: string }): Promise<number> {
  let rows = 0
  for (const { client, table, seq } of parts) {
    const [found] = await client.rows<{ n: string }>(`SELECT count() AS n FROM ${quoteTable(table)} WHERE ${ofDay(schema, { topic, day })} AND NOT (${window})`, seq === undefined ? {} : { settings: { log_comment: pinComment(seq) } })
    rows += Number(found?.n ?? 0)
  }
  return rows
}

/** One comparison runs at a time, so whatever is there is of this one, or of one that was killed. */
async function dropScratch (client: ClickHouse): Promise<void> {
  await client.command(`DROP DATABASE IF EXISTS ${quoteName(SCRATCH)}${onCluster(client.cluster)}`)
}

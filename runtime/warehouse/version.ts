// One new version of a topic's day in the warehouse: what the version before holds, and the rows of the streaming
// database below the new offsets that it does not.
//
//   begin ▶ align the copy of the boundary ▶ remove what failed before ▶ check the version before ▶ copy ▶ compare ▶ flip ▶ read back
//
// Every step can be killed: rows of a version that no flip names are seen by nobody, and go before the next build.

import { PlatformError } from '../errors.ts'
import { ensureTable, describeTable } from '../clickhouse/migrate.ts'
import { localTable, onCluster } from '../clickhouse/cluster.ts'
import { quoteName, quoteTable } from '../clickhouse/sql.ts'
import type { ClickHouse } from '../clickhouse/client.ts'
import type { TableName } from '../clickhouse/sql.ts'
import type { Json } from '../plugin.ts'
import { boundaryTable, flipColumns, flipValues, readFlips } from './boundary.ts'
import type { DayName, Flip, Offsets } from './boundary.ts'
import { beginBuild } from './builds.ts'
import type { Build } from './builds.ts'
import type { Dataset } from './datasets.ts'
import { below, ofDay, ofVersion } from './day-rows.ts'
import { addDigests, digestOf, hashOf, noRows } from './digest.ts'
import type { Columns, Digest } from './digest.ts'
import { alignBehind } from './copies.ts'
import { checkOnce, checkVersion, unverified } from './certified.ts'
import { copySettings } from './lanes.ts'
import type { Lanes } from './lanes.ts'
import { deleteRows } from './removal.ts'
import { warehouseTable } from './views.ts'

/** What a version is made of. */
export interface VersionPlan extends DayName {
  readonly offsets: Offsets
  /** The one before. */
  readonly current: Flip | undefined
  /** Conditions on the streaming table that select, each some of them, the rows which the version before does not hold. */
  readonly sources: readonly string[]
  readonly lake: Json | undefined
  readonly revision: string
}

export interface VersionWork {
  readonly lanes: Lanes
  readonly dataset: Dataset
  /** Called with the condition that selects the new version's rows in the warehouse; what it throws stops the flip. Its results go into the certificate. */
  check (where: string): Promise<Json>
  /** Rows that were copied since the last call. */
  onCopied (rows: number): void
  readonly now: () => number
  readonly signal: AbortSignal
}

/** Builds a version and makes it the current one. Throws HANDOFF_UNVERIFIED where both sides differ: nothing has changed for readers then. */
export async function makeVersion (work: VersionWork, plan: VersionPlan): Promise<Flip> {
  const { lanes, dataset, signal } = work
  const columns = await agreeOnColumns(lanes, dataset)
  const build = await beginBuild(lanes, plan, signal)
  await alignBehind(lanes, build, signal)
  await removeFailed(work, plan, build)
  const before = await checkCurrent(work, plan, columns)
  const wanted = await copyRows(work, plan, columns, build, before)
  const where = `${ofDay(dataset.schema, plan)} AND ${ofVersion(build.number)}`
  const found = await digestOf(lanes.warehouse, { table: warehouseTable(dataset.name), where, columns, signal })
  if (found.rows !== wanted.rows || hashOf(found) !== hashOf(wanted)) {
    await deleteRows(lanes.warehouse, { table: warehouseTable(dataset.name), where, signal })
    throw unverified(plan, `version ${build.number} has ${found.rows} rows with hash ${hashOf(found)}, and what it was made from ${wanted.rows} rows with hash ${hashOf(wanted)}`)
  }
  await checkOnce(lanes.warehouse, plan, { table: warehouseTable(dataset.name), where, signal })
  const quality = await work.check(where)
  const flip: Flip = {
    seq: build.number,
    version: build.number,
    dataset: plan.dataset,
    topic: plan.topic,
    day: plan.day,
    offsets: plan.offsets,
    rows: found.rows,
    hash: hashOf(found),
    sourceRows: wanted.rows,
    sourceHash: hashOf(wanted),
    columns,
    lake: plan.lake,
    quality,
    revision: plan.revision,
    at: work.now(),
    cleanedAt: undefined
  }
  // The copy first: a reader that pins the warehouse's boundary finds it in the streaming database, too.
  for (const server of lanes.servers) await writeFlip(server, flip, build, signal)
  return flip
}

/** Makes the warehouse's table fit for all columns of the streaming one, also those that the schema has no more. Returns these. */
async function agreeOnColumns ({ streaming, warehouse }: Lanes, { name, schema, table }: Dataset): Promise<Columns> {
  const target = warehouseTable(name)
  await ensureTable(warehouse, schema, target, 'warehouse')
  const [from, to] = [await describeTable(streaming, table), await describeTable(warehouse, target)]
  const missing = from?.columns.filter(column => to?.columns.every(other => other.name !== column.name)) ?? []
  if (missing.length > 0) {
    const local = localTable(target, warehouse.cluster)
    await warehouse.command(`ALTER TABLE ${quoteTable(local)}${onCluster(warehouse.cluster)} ${missing.map(column => `ADD COLUMN IF NOT EXISTS ${quoteName(column.name)} ${column.type}`).join(', ')}`)
  }
  const differs = from?.columns.find(column => to?.columns.some(other => other.name === column.name && other.type !== column.type))
  if (from === undefined || differs !== undefined) {
    throw new PlatformError('DESTINATION_UNAVAILABLE', `column ${differs?.name} of ${name} is ${differs?.type} in the streaming database and has another type in the warehouse`, {
      remedy: 'Start the pipeline again, so that its table follows the schema.'
    })
  }
  return from.columns.map(({ name, type }) => [name, type] as const)
}

/** Rows of versions of the day that no flip names: their builds have failed, and nothing of them can land any more. */
async function removeFailed ({ lanes: { warehouse }, dataset, signal }: VersionWork, plan: VersionPlan, { number }: Build): Promise<void> {
  const named = (await readFlips(warehouse, plan)).map(({ version }) => version)
  // Only those below: who was paused here may wake up while a newer build is at work.
  await deleteRows(warehouse, { table: warehouseTable(dataset.name), where: `${ofDay(dataset.schema, plan)} AND _version < ${number} AND _version NOT IN (${[0, ...named].join(', ')})`, signal })
}

/** What the version before holds, with the columns of now. Throws where it is not what its certificate says. */
async function checkCurrent ({ lanes: { warehouse }, dataset, signal }: VersionWork, plan: VersionPlan, columns: Columns): Promise<Digest> {
  const { current } = plan
  if (current === undefined) return noRows
  const certified = await checkVersion(warehouse, dataset, current, signal)
  if (JSON.stringify(columns) === JSON.stringify(current.columns)) return certified
  return digestOf(warehouse, { table: warehouseTable(dataset.name), where: `${ofDay(dataset.schema, plan)} AND ${ofVersion(current.version)}`, columns, signal })
}

/** Copies the rows of the version before, which are known, and those of the sources. Returns what has to be there then. */
async function copyRows ({ lanes, dataset, onCopied, signal }: VersionWork, plan: VersionPlan, columns: Columns, build: Build, before: Digest): Promise<Digest> {
  const { streaming, warehouse } = lanes
  const target = warehouseTable(dataset.name)
  const day = ofDay(dataset.schema, plan)
  const copy = { warehouse, target, columns, build, signal }
  if (plan.current !== undefined) await copyInto(copy, { client: warehouse, table: target, where: `${day} AND ${ofVersion(plan.current.version)}` })
  onCopied(before.rows)
  let wanted = before
  for (const source of plan.sources) {
    const where = `${day} AND ${below(plan.offsets)} AND ${source}`
    const rows = await digestOf(streaming, { table: dataset.table, where, columns, signal })
    await copyInto(copy, { client: streaming, table: dataset.table, where })
    wanted = addDigests(wanted, rows)
    onCopied(rows.rows)
  }
  return wanted
}

interface Copy {
  readonly warehouse: ClickHouse
  readonly target: TableName
  readonly columns: Columns
  readonly build: Build
  readonly signal: AbortSignal
}

async function copyInto ({ warehouse, target, columns, build, signal }: Copy, { client, table, where }: { readonly client: ClickHouse, readonly table: TableName, readonly where: string }): Promise<void> {
  const names = columns.map(([name]) => name)
  // In the rows of the version before, the condition is about their own number, which an alias would hide.
  const number = `toUInt32(${build.number})${client === warehouse ? '' : ' AS _version'}`
  const select = `SELECT ${names.map(quoteName).join(', ')}, ${number} FROM ${quoteTable(table)} WHERE ${where} AND ${build.fence}`
  const options = { queryId: build.statementName(), settings: copySettings, signal }
  if (client === warehouse) return warehouse.insertSelect(target, [...names, '_version'], select, options)
  const rows = await client.native(select, { ...options, queryId: build.statementName() })
  await warehouse.insertNative(target, [...names, '_version'], rows, options)
}

/** The one row that changes what readers see, durable when it resolves. */
async function writeFlip (server: ClickHouse, flip: Flip, build: Build, signal: AbortSignal): Promise<void> {
  await server.insertSelect(boundaryTable, flipColumns, `SELECT ${flipValues(flip)} WHERE ${build.fence}`, { queryId: build.statementName(), signal })
  const found = (await readFlips(server, flip)).find(({ seq }) => seq === flip.seq)
  if (found === undefined) throw new PlatformError('DESTINATION_UNAVAILABLE', `the flip ${flip.seq} of ${flip.day} was answered and is not there`)
}

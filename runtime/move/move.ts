// An embedded installation to Kafka, and where it is asked for to a ClickHouse server and an S3-compatible store.
//
//   look ▶ refuse what cannot be moved ▶ topics ▶ tables ▶ lake ▶ mark
//
// Everything is read back and compared before the mark. Nothing of the installation is changed until then, and nothing
// but the mark is added: a move that ended half-way can be run again, and the platform can be started as before.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Importer } from '../broker/kafka/import.ts'
import { connectClickHouse } from '../clickhouse/client.ts'
import { startEmbedded } from '../clickhouse/embedded.ts'
import { PlatformError } from '../errors.ts'
import { readFiles } from '../files.ts'
import { lockFolder } from '../lock.ts'
import { openObjects } from '../objects/open.ts'
import { runtimesTopic } from '../fleet.ts'
import { groupOf } from '../run.ts'
import { findLakes, moveLake } from './lake.ts'
import { finish, note, takeUp } from './marks.ts'
import { checkSettled, openSource } from './source.ts'
import { moveBoundary } from './boundary.ts'
import { checkTargetTables, findTables, moveTable, textOf } from './tables.ts'
import { checkTarget, moveTopic } from './topics.ts'
import type { KafkaConfig } from '../broker/kafka/options.ts'
import type { ClickHouse } from '../clickhouse/client.ts'
import type { PlatformConfig } from '../config.ts'
import type { Files } from '../files.ts'
import type { SourceLake } from './lake.ts'
import type { Moved, Moving } from './marks.ts'
import type { Progress, Verified } from './report.ts'
import type { Source } from './source.ts'
import type { SourceTables } from './tables.ts'

/** A statement over all rows of a table may take so long. */
const STATEMENT_SECONDS = 3600

export interface MoveOptions {
  readonly root: string
  /** With the target's broker and ClickHouse. */
  readonly config: PlatformConfig & { readonly kafka: KafkaConfig }
  /** The broker, as the configuration names it. */
  readonly broker: string
  /** Whether the tables go to the ClickHouse of the configuration. */
  readonly tables: boolean
  /** Undefined: the lake stays. */
  readonly lake: { readonly address: string, readonly endpoint: string | null, readonly region: string | null } | undefined
  /** An earlier move from the data folder: its topics are not there any more. */
  readonly moved: Moved | undefined
  readonly progress: Progress
}

/** What there is to move. */
export interface Found {
  readonly source: Source
  readonly files: Files
  readonly tables: SourceTables | undefined
  readonly lakes: readonly SourceLake[]
}

export interface Opened {
  readonly found: Found
  /** Moves it. Resolves to what was found at the target. */
  move (): Promise<Verified[]>
  close (): Promise<void>
}

/** Takes the installation, which must not run, and looks at what it holds. */
export async function openMove (options: MoveOptions): Promise<Opened> {
  const { root, config: { dataFolder, clickhouseMemoryGigabytes }, tables: withTables } = options
  if (!existsSync(join(dataFolder, 'topics'))) throw new PlatformError('MOVE_REFUSED', 'There is no embedded broker to move', { where: dataFolder, remedy: 'Name the data folder of the installation with TWOLANE_DATA.' })
  const closers: Array<() => unknown> = []
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).reverse()) await closer()
  }
  try {
    const lock = lockFolder(dataFolder)
    closers.push(() => lock.release())
    const files = await readFiles(root)
    if (files.problems.length > 0) throw new PlatformError('MOVE_REFUSED', `The project has problems: ${files.problems.map(({ file }) => file).join(', ')}`, { remedy: 'Correct what npx twolane lint says: what a file describes is moved by it.' })
    const source = options.moved === undefined ? openSource(join(dataFolder, 'topics'), files.schemas) : noTopics
    closers.push(() => source.close())
    const configured = new Set([...files.pipelines.values()].flatMap(({ id, outputs }) => outputs.map(({ name }) => groupOf(id, name))))
    checkSettled(source.topics, configured)
    const lakes = await findLakes(files.pipelines.values(), dataFolder)
    let engine: ClickHouse | undefined
    if (withTables) {
      const folder = join(dataFolder, 'clickhouse')
      if (!existsSync(folder)) throw new PlatformError('MOVE_REFUSED', 'There is no embedded ClickHouse to move', { where: dataFolder, remedy: 'Leave out --clickhouse.' })
      const embedded = await startEmbedded({ folder, memoryBytesMax: clickhouseMemoryGigabytes * 2 ** 30, log: { info () {}, warn () {}, error () {} } })
      closers.push(() => embedded.close())
      const client = engine = await connectClickHouse(embedded.url, { statementSeconds: STATEMENT_SECONDS })
      closers.push(() => client.close())
    }
    const tables = engine === undefined ? undefined : await findTables(engine, files.pipelines.values(), files.schemas)
    const found = { source, files, tables, lakes }
    return { found, move: () => moveAll({ ...options, found, engine, configured }), close }
  } catch (error) {
    await close()
    throw error
  }
}

/** Rows that outputs have on their way do no harm then: what of them is in a table moves with it, and the read-back finds it. */
const noTopics: Source = { topics: [], unknown: [], close () {} }

interface Move extends MoveOptions {
  readonly found: Found
  readonly configured: ReadonlySet<string>
  /** The embedded one, where its tables are moved. */
  readonly engine: ClickHouse | undefined
}

async function moveAll (move: Move): Promise<Verified[]> {
  const { config: { kafka, dataFolder, clickhouse }, found: { source: { topics } } } = move
  const moving = await takeUp(dataFolder)
  const importer = new Importer(kafka)
  const target = move.engine === undefined ? undefined : await connectClickHouse(clickhouse, { statementSeconds: STATEMENT_SECONDS })
  try {
    if (move.moved === undefined) await checkUnused(importer)
    await checkTarget(topics, { importer, id: moving.id })
    if (target !== undefined) await checkTargetTables(target, move.found.tables?.tables ?? [], begunAt(moving, target))
    const verified: Verified[] = []
    for (const topic of topics) verified.push(...await moveTopic(topic, { importer, id: moving.id, configured: move.configured, progress: move.progress }))
    if (target !== undefined) verified.push(...await moveTables(move, target, moving))
    if (move.lake !== undefined) verified.push(...await moveLakes(move, move.lake))
    await finish(dataFolder, { time: Date.now(), broker: move.broker, prefix: kafka.prefix, clickhouse: target?.address ?? move.moved?.clickhouse ?? null, lake: move.lake?.address ?? move.moved?.lake ?? null })
    return verified
  } finally {
    await target?.close()
    await importer.close()
  }
}

/** Runtimes tell each other on Kafka only that they are there. */
async function checkUnused (importer: Importer): Promise<void> {
  const { used } = await importer.look(runtimesTopic.name)
  if (used) throw new PlatformError('MOVE_REFUSED', 'A platform runs on this Kafka, or has run', { remedy: 'Delete its topics, or choose other names with TWOLANE_KAFKA_PREFIX.' })
}

function begunAt ({ tables }: Moving, { address }: ClickHouse): Set<string> {
  return new Set(tables.filter(table => table.startsWith(`${address} `)).map(table => table.slice(address.length + 1)))
}

async function moveTables ({ engine, config: { dataFolder }, found: { tables }, progress }: Move, target: ClickHouse, moving: Moving): Promise<Verified[]> {
  const verified: Verified[] = []
  // Durable before the first row: rows that are found in them later are this move's.
  const begun = [...begunAt(moving, target), ...(tables?.tables ?? []).map(({ name }) => textOf(name))]
  await note(dataFolder, { ...moving, tables: [...new Set(begun)].map(table => `${target.address} ${table}`) })
  for (const table of tables?.tables ?? []) {
    progress.say(`Copying and comparing the table ${textOf(table.name)}`)
    verified.push(await moveTable(engine as ClickHouse, target, table, progress))
  }
  if (engine !== undefined) verified.push(...await moveBoundary(engine, target))
  return verified
}

async function moveLakes ({ found: { lakes }, config: { dataFolder }, progress }: Move, { address, endpoint, region }: NonNullable<MoveOptions['lake']>): Promise<Verified[]> {
  const target = await openObjects({ address, dataFolder, owner: `move.${process.pid}.`, store: { endpoint, region, pathStyle: null, accessKey: null, secretKey: null, requestMs: 60_000 } })
  try {
    const verified: Verified[] = []
    for (const lake of lakes) {
      progress.say(`Copying and comparing the lake ${lake.folder}`)
      verified.push(await moveLake(lake, target, progress))
    }
    return verified
  } finally {
    target.close()
  }
}

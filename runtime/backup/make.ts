// One backup, consistent although everything goes on meanwhile. The order is the whole of it:
//
//   handoff and redelivery wait ▶ control.db ▶ all topics at one moment ▶ manifests of the lakes ▶ tables, cut at what the topics
//   say was stored ▶ files of the lakes ▶ small files ▶ the backup's own manifest
//
// control.db is older than the topics, so a run that it takes for unfinished is tried again, and goes on at the checkpoint
// that its topic holds. A topic is older than what is stored of it, and tables and lakes are cut to it. So after a restore
// each input goes on at its checkpoint, each output at its commit, and no row is lost or there twice.

import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { connectClickHouse } from '../clickhouse/client.ts'
import { PlatformError } from '../errors.ts'
import { platformTopic } from '../platform-topic.ts'
import { runtimesTopic } from '../fleet.ts'
import { withDataset } from '../warehouse/dataset-lock.ts'
import { datasetsOf } from '../warehouse/datasets.ts'
import { backUpFiles } from './bundle.ts'
import { backUpLake, listLakes } from './lakes.ts'
import { backUpTables } from './tables.ts'
import { backUpTopic, copyOf, pin } from './topics.ts'
import type { Broker } from '../broker/broker.ts'
import type { Pipeline } from '../pipeline.ts'
import type { Topic } from '../schema.ts'
import type { ListedLake } from './lakes.ts'
import type { BackedTable, BackedTopic, Backup, Blob } from './manifest.ts'
import type { BackupPlace } from './place.ts'

/** A statement over all rows of a table may take so long. */
const STATEMENT_SECONDS = 3600
/** Tries to find topics and lakes at one moment. */
const TRIES_MAX = 5
/** Rows that tell of the platform: they are no data, and it makes them anew. */
const ownTopics = new Set([platformTopic.name, runtimesTopic.name])

export interface BackupParts {
  readonly root: string
  readonly dataFolder: string
  readonly version: string
  readonly embeddedBroker: boolean
  readonly broker: Pick<Broker, 'topics'>
  readonly clickhouse: string | undefined
  readonly warehouse: string | undefined
  readonly pipelines: readonly Pipeline[]
  readonly schemas: ReadonlyMap<string, Topic>
}

export interface Making {
  readonly signal: AbortSignal
  /** Rows of tables that were copied. */
  onRows (rows: number): void
  say (what: string): void
}

/** Makes a backup and resolves to it when it is there as a whole. */
export async function makeBackup (parts: BackupParts, place: BackupPlace, making: Making): Promise<Backup> {
  await place.check()
  const names = [...datasetsOf(parts.pipelines, parts.schemas).keys()].sort()
  return inTurn(names, () => make(parts, place, making), making.signal)
}

/** Nobody changes rows of closed days meanwhile. Names are taken in their order, so that two never wait for each other. */
function inTurn<T> ([name, ...rest]: readonly string[], work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  return name === undefined ? work() : withDataset(name, () => inTurn(rest, work, signal), signal)
}

async function make (parts: BackupParts, place: BackupPlace, making: Making): Promise<Backup> {
  const { root, dataFolder, embeddedBroker, version } = parts
  const began = Date.now()
  const [newest] = await place.ids()
  const before = newest === undefined ? undefined : await place.read(newest).catch(() => undefined)
  making.say('Copying control.db')
  const control = await copyControl(dataFolder, place)
  const { topics, lakes: listed } = await copyTopics(parts, place, making)
  const { tables, leftOut } = await copyTables(parts, place, { topics, before: before?.tables ?? [] }, making)
  const lakes = []
  for (const lake of listed) {
    making.say(`Copying the lake of ${lake.lake.topic}`)
    lakes.push(await backUpLake(lake, place, making.signal))
  }
  const files = await backUpFiles(root, dataFolder, place)
  const backup: Backup = {
    format: 1,
    id: `${new Date(began).toISOString().replace(/[-:]|\.\d+/g, '')}-${randomBytes(2).toString('hex')}`,
    at: new Date(began).toISOString(),
    ms: Date.now() - began,
    version,
    broker: embeddedBroker ? 'embedded' : 'kafka',
    control,
    files: files.files,
    topics,
    tables,
    lakes,
    leftOut: [...leftOut, ...files.leftOut, ...embeddedBroker ? [] : ['topics: Kafka keeps them']]
  }
  making.signal.throwIfAborted()
  await place.write(backup)
  return backup
}

async function copyControl (dataFolder: string, place: BackupPlace): Promise<Blob> {
  const copy = await place.scratchFile()
  await copyOf(join(dataFolder, 'control.db'), copy)
  return place.storeFile(copy, { compressed: true, remove: true })
}

async function copyTopics ({ dataFolder, embeddedBroker, broker, pipelines }: BackupParts, place: BackupPlace, { signal, say }: Making): Promise<{ readonly topics: readonly BackedTopic[], readonly lakes: readonly ListedLake[] }> {
  const pathOf = (topic: string): string => join(dataFolder, 'topics', `${topic}.db`)
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const names = (embeddedBroker ? await broker.topics() : []).filter(topic => !ownTopics.has(topic) && existsSync(pathOf(topic)))
    const pinned = pin(names.map(pathOf))
    const topics: BackedTopic[] = []
    try {
      for (const topic of names) {
        signal.throwIfAborted()
        say(`Copying the topic ${topic}`)
        topics.push(await backUpTopic(pathOf(topic), topic, pinned, place))
      }
    } finally {
      pinned.close()
    }
    const lakes = await listLakes(pipelines, topics, dataFolder)
    if (lakes !== undefined) return { topics, lakes }
  }
  throw new PlatformError('BACKUP_REFUSED', 'The lakes were compacted all the while, so that no moment was found for the topics and the lakes', { remedy: 'Make the backup when the job compaction does not run.' })
}

interface Ground { readonly topics: readonly BackedTopic[], readonly before: readonly BackedTable[] }

async function copyTables ({ clickhouse, warehouse, pipelines, schemas }: BackupParts, place: BackupPlace, { topics, before }: Ground, { signal, onRows, say }: Making): Promise<{ readonly tables: readonly BackedTable[], readonly leftOut: readonly string[] }> {
  const tables: BackedTable[] = []
  const leftOut: string[] = []
  for (const [server, url] of [['streaming', clickhouse], ['warehouse', warehouse === clickhouse ? undefined : warehouse]] as const) {
    if (url === undefined) continue
    const client = await connectClickHouse(url, { statementSeconds: STATEMENT_SECONDS, signal })
    try {
      if (client.cluster !== '') {
        leftOut.push(`tables of the cluster ${client.cluster}: it keeps copies, and ClickHouse's BACKUP ON CLUSTER makes more`)
        continue
      }
      say(`Copying the tables of the ${server} database`)
      const copied = await backUpTables(client, { server, pipelines, schemas, topics, before, place, signal, onRows })
      tables.push(...copied.tables)
      leftOut.push(...copied.others.map(other => `table ${other}: the platform has not made it of a topic`))
    } finally {
      await client.close()
    }
  }
  return { tables, leftOut }
}

// What a move leaves in the data folder:
//
//   moving.json   while it is not done: its id, and which tables it has begun to fill
//   moved.json    when all is verified: where the rows are now

import { existsSync, readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { writeDurably } from '../durable.ts'
import { PlatformError } from '../errors.ts'
import type { PlatformConfig } from '../config.ts'

export interface Moving {
  /** Of the move, over all its attempts. */
  readonly id: string
  /** Tables of the target that held no rows when the move began to fill them, with the address of the target. */
  readonly tables: readonly string[]
}

export interface Moved {
  /** ms since 1970. */
  readonly time: number
  readonly broker: string
  /** Of the names there. */
  readonly prefix: string
  /** Without user and password; null: the tables are where they were. */
  readonly clickhouse: string | null
  readonly lake: string | null
}

const movingFile = (dataFolder: string): string => join(dataFolder, 'moving.json')
const movedFile = (dataFolder: string): string => join(dataFolder, 'moved.json')

/** The move that is under way, or a new one. */
export async function takeUp (dataFolder: string): Promise<Moving> {
  const known = read<Moving>(movingFile(dataFolder))
  if (known !== undefined) return known
  const moving = { id: randomUUID(), tables: [] }
  await note(dataFolder, moving)
  return moving
}

export async function note (dataFolder: string, moving: Moving): Promise<void> {
  await writeDurably(movingFile(dataFolder), JSON.stringify(moving))
}

/** Durable when it resolves: from then on the embedded broker does not start on the data folder. */
export async function finish (dataFolder: string, moved: Moved): Promise<void> {
  await writeDurably(movedFile(dataFolder), `${JSON.stringify(moved, undefined, 2)}\n`)
  await rm(movingFile(dataFolder), { force: true })
}

/** Undefined: all is where it began. */
export function readMoved (dataFolder: string): Moved | undefined {
  return read<Moved>(movedFile(dataFolder))
}

/** Throws where the configuration names what the data folder has been moved away from: rows would go to two places. */
export function checkMoved ({ dataFolder, kafka, clickhouse }: Pick<PlatformConfig, 'dataFolder' | 'kafka' | 'clickhouse'>): void {
  const moved = readMoved(dataFolder)
  if (moved === undefined) return
  const back = `To go back to what was here on ${new Date(moved.time).toISOString()}, without the rows that came since, remove ${movedFile(dataFolder)}.`
  if (kafka === undefined) {
    throw new PlatformError('CONFIG_INVALID', `The topics of this data folder were moved to ${moved.broker}`, { where: dataFolder, remedy: `To go on there, set TWOLANE_BROKER=${moved.broker}. ${back}` })
  }
  if (kafka.prefix !== moved.prefix) {
    throw new PlatformError('CONFIG_INVALID', `The topics of this data folder were moved to names that begin with ${JSON.stringify(moved.prefix)}, and kafka_prefix is ${JSON.stringify(kafka.prefix)}`, { where: dataFolder, remedy: `Set TWOLANE_KAFKA_PREFIX=${moved.prefix}. ${back}` })
  }
  if (clickhouse === 'embedded' && moved.clickhouse !== null) {
    throw new PlatformError('CONFIG_INVALID', `The tables of this data folder were moved to ${moved.clickhouse}`, { where: dataFolder, remedy: `To go on there, set TWOLANE_CLICKHOUSE to its address, with user and password. ${back}` })
  }
}

function read<T> (file: string): T | undefined {
  if (!existsSync(file)) return undefined
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as T
  } catch (cause) {
    throw new PlatformError('CONFIG_INVALID', 'The mark of a move cannot be read', { where: file, remedy: 'Remove the file: an unfinished move begins anew, and a finished one is not known any more.', cause })
  }
}

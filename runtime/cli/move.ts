// `twolane move`: takes an embedded installation along to Kafka, a ClickHouse server and an S3-compatible store.

import { parseArgs } from 'node:util'
import { readConfig } from '../config.ts'
import { inStore } from '../objects/open.ts'
import { readMoved } from '../move/marks.ts'
import { openMove } from '../move/move.ts'
import { progressTo } from '../move/report.ts'
import { textOf } from '../move/tables.ts'
import { count, size, table } from './table.ts'
import { UsageError } from './terminal.ts'
import type { Moved } from '../move/marks.ts'
import type { Found, MoveOptions } from '../move/move.ts'
import type { Terminal } from './terminal.ts'

const options = {
  to: { type: 'string' },
  clickhouse: { type: 'string' },
  lake: { type: 'string' },
  'lake-endpoint': { type: 'string' },
  'lake-region': { type: 'string' },
  'dry-run': { type: 'boolean', default: false }
} as const

/** Resolves to 0 when all is at the target and was compared. */
export async function run (args: readonly string[], { root, env, print }: Terminal): Promise<number> {
  const { values } = parseArgs({ args: [...args], options })
  const wanted = checked(values)
  const { to, clickhouse, lake } = wanted
  const config = await readConfig({ root, env: { ...env, TWOLANE_BROKER: to, ...(clickhouse !== undefined && { TWOLANE_CLICKHOUSE: clickhouse }) } })
  if (config.kafka === undefined) throw new UsageError(brokerWanted)
  const moved = readMoved(config.dataFolder)
  if (moved !== undefined && !leaves(moved, wanted)) return tellMoved(moved, { to, print })

  const opened = await openMove({ root, config: { ...config, kafka: config.kafka }, broker: to, tables: clickhouse !== undefined, lake, moved, progress: progressTo(print) })
  try {
    for (const line of contents(opened.found, lake !== undefined)) print(line)
    if (values['dry-run']) return 0
    const verified = await opened.move()
    for (const line of table(['what', 'rows', 'hash', 'ok'], verified.map(({ what, rows, hash }) => [what, count(rows), hash, 'yes']), ['rows'])) print(line)
  } finally {
    await opened.close()
  }
  for (const line of advice(wanted, config.kafka.prefix)) print(line)
  return 0
}

interface Wanted { readonly to: string, readonly clickhouse: string | undefined, readonly lake: MoveOptions['lake'] }

const brokerWanted = '--to is the broker to move to: kafka://host:port[,host:port]'

function checked ({ to = '', clickhouse, lake, 'lake-endpoint': endpoint, 'lake-region': region }: { readonly to?: string, readonly clickhouse?: string, readonly lake?: string, readonly 'lake-endpoint'?: string, readonly 'lake-region'?: string }): Wanted {
  if (!to.startsWith('kafka://')) throw new UsageError(brokerWanted)
  if (clickhouse !== undefined && !/^https?:/.test(clickhouse)) throw new UsageError('--clickhouse is the address of a server: http(s)://user:password@host:8123')
  if (lake !== undefined && !inStore(lake)) throw new UsageError('--lake is a place in a store: s3://bucket/prefix')
  return { to, clickhouse, lake: lake === undefined ? undefined : { address: lake, endpoint: endpoint ?? null, region: region ?? null } }
}

/** Tables and lake may follow the topics later. */
function leaves (moved: Moved, { to, clickhouse, lake }: Wanted): boolean {
  return moved.broker === to && ((clickhouse !== undefined && moved.clickhouse === null) || (lake !== undefined && moved.lake === null))
}

function contents ({ source, tables, lakes }: Found, withLake: boolean): string[] {
  const rows = [
    ...source.topics.map(({ topic, rows, bytes }) => [`topic ${topic.name}`, count(rows), size(bytes)]),
    ...tables?.tables.map(({ name, rows, bytes }) => [`table ${textOf(name)}`, count(rows), size(bytes)]) ?? [],
    ...withLake ? lakes.map(({ folder, files, bytes }) => [`lake ${folder}`, `${count(files.length)} files`, size(bytes)]) : []
  ]
  const behind = source.topics.filter(({ topic, partitions, groups }) => topic.key.length > 0 && partitions.length > 1 && groups.some(({ partition, offset }) => offset < (partitions[partition]?.next ?? 0)))
  return [
    ...table(['to be moved', 'rows', 'size'], rows, ['rows', 'size']),
    ...source.unknown.map(name => `The topic ${name} stays: there is no schema for it.`),
    ...tables?.others.map(name => `The table ${name} stays: the platform has not made it.`) ?? [],
    ...tables === undefined ? ['The tables stay where they are: there is no --clickhouse.'] : [],
    ...withLake || lakes.length === 0 ? [] : ['The lake stays where it is: there is no --lake.'],
    ...behind.map(({ topic }) => `Outputs have rows of ${topic.name} to take that were there before the move. Rows of one key may be in another partition afterwards, so those that come later may overtake them; where that matters, let the outputs catch up first.`)
  ]
}

function advice ({ to, clickhouse, lake }: Wanted, prefix: string): string[] {
  return [
    '',
    'All is there, and was compared. From now on start the platform with',
    `  TWOLANE_BROKER=${to}`,
    ...prefix === '' ? [] : [`  TWOLANE_KAFKA_PREFIX=${prefix}`],
    ...clickhouse === undefined ? [] : [`  TWOLANE_CLICKHOUSE=${clickhouse.replace(/\/\/([^/@]*):[^/@]*@/, '//$1:<password>@')}`],
    ...lake === undefined ? [] : [`and in the pipelines that have a lake: folder: ${lake.address}${lake.endpoint === null ? '' : `, endpoint: ${lake.endpoint}`}`],
    'The data folder stays in use: it holds what is paused, the receipts, kept revisions and the admin token.',
    'To go back to what was here, without the rows that come from now on, remove moved.json in it.'
  ]
}

function tellMoved (moved: Moved, { to, print }: { readonly to: string, readonly print: Terminal['print'] }): number {
  print(`This installation was moved to ${moved.broker} on ${new Date(moved.time).toISOString()}.`)
  print(moved.broker === to ? 'There is nothing left to do.' : 'To move it again from here, without the rows that came since, remove moved.json in the data folder.')
  return moved.broker === to ? 0 : 1
}

// `twolane lake`: what the lakes of the project hold, and which files count. It needs no running platform.

import { parseArgs } from 'node:util'
import { readConfig } from '../config.ts'
import { PlatformError } from '../errors.ts'
import { lakesOf, openLake } from '../lake/lakes.ts'
import { openLakeTable } from '../lake/table.ts'
import { readPipelines } from '../pipeline.ts'
import { count, moment, size, table } from './table.ts'
import { UsageError } from './terminal.ts'
import type { Lake } from '../lake/lakes.ts'
import type { LakeState } from '../lake/table.ts'
import type { Terminal } from './terminal.ts'

interface Held extends LakeState {
  readonly address: string
  readonly pipeline: string
}

/** With a topic: its files, one a line. Without one: a line for each topic of each lake. */
export async function run (args: readonly string[], { root, env, print }: Terminal): Promise<number> {
  const { values: { json }, positionals } = parseArgs({ args: [...args], allowPositionals: true, options: { json: { type: 'boolean', default: false } } })
  const [topic, ...more] = positionals
  if (more.length > 0) throw new UsageError('One topic at a time')
  const { dataFolder } = await readConfig({ root, env })
  const { pipelines } = await readPipelines(root, env)
  const lakes = lakesOf(pipelines.values(), topic)
  if (lakes.length === 0) throw new PlatformError('NOT_FOUND', topic === undefined ? 'No pipeline keeps a lake' : `No pipeline keeps a lake of the topic ${topic}`)
  const held: Held[] = []
  for (const lake of lakes) held.push(await look(lake, dataFolder))
  if (json) print(JSON.stringify(held.map(({ removed: _, ...shown }) => shown)))
  else if (topic !== undefined) for (const { address, files } of held) for (const { name } of files) print(`${address}/${name}`)
  else for (const line of summary(held)) print(line)
  return 0
}

async function look (lake: Lake, dataFolder: string): Promise<Held> {
  const objects = await openLake(lake.config, { dataFolder, owner: `cli.${process.pid}.` })
  try {
    return { address: objects.address, pipeline: lake.pipeline, ...await openLakeTable(objects, lake.topic).read() }
  } finally {
    objects.close()
  }
}

function summary (held: readonly Held[]): string[] {
  return table(['topic', 'files', 'rows', 'size', 'last row came', 'lake'], held.map(({ topic, files, address }) => [
    topic,
    count(files.length),
    count(files.reduce((sum, { rows }) => sum + rows, 0)),
    size(files.reduce((sum, { bytes }) => sum + bytes, 0)),
    files.length === 0 ? '' : moment(files.reduce((most, { ingest }) => Math.max(most, ingest.to), 0)),
    address
  ]), ['files', 'rows', 'size'])
}

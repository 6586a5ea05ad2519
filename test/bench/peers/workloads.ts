// Who does what: for each workload the platform first, then the others.

import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { noOwnKafka, startKafka } from '../../kafka/server.ts'
import { bentoEnv, bentoFile, bentoKafka } from './bento.ts'
import { committed, consoleConsumer, fileStreamSink, fillTopic } from './kafka-peers.ts'
import { run } from './process.ts'
import { RowSum, digestOf } from './work.ts'
import type { Installed } from './installs.ts'
import type { Program } from './process.ts'
import type { RuntimeSettings } from './runtime.ts'
import type { Digest } from './work.ts'

export interface Ground {
  readonly folder: string
  readonly rows: number
  readonly csv: string
  readonly ndjson: string
  readonly bento: Installed
  readonly kafkaTools: Installed
}

export interface Contestant {
  readonly name: string
  /** `folder`: of this round; what is written goes there. */
  program (folder: string, round: number): Promise<Program> | Program
  /** Throws where the rows that came out are not those that went in. */
  check (folder: string): Promise<void>
}

const out = 'out.ndjson'

/** A file ▶ casts ▶ a file. */
export function fileWork ({ rows, bento }: Ground, from: string, expected: Digest): Contestant[] {
  const script = (name: string) => (folder: string): Program => node(name, from, join(folder, out))
  const check = (cast: boolean) => (folder: string): Promise<void> => same([join(folder, out)], expected, { cast })
  const path = bento.path
  return [
    ownPipeline('Twolane: file ▶ topic ▶ mapping ▶ file', rows, `input: { file: { path: ${from} } }\ntopic: quotes\ntransforms: [mapping: quotes]\noutputs:\n  - file: { path: ../${out} }\n`, check(true)),
    ...path === undefined
      ? []
      : [{
          name: 'Bento 1.10',
          program: (folder: string) => {
            writeFileSync(join(folder, 'bento.yaml'), bentoFile(from, join(folder, out)))
            return { command: path, args: ['-c', join(folder, 'bento.yaml')], env: bentoEnv }
          },
          check: check(true)
        }],
    { name: 'Node streams, by hand', program: script('node-streams.ts'), check: check(true) },
    { name: 'a bare loop, no topic', program: script('bare-loop.ts'), check: check(true) }
  ]
}

export interface KafkaWork {
  readonly contestants: ReadonlyArray<readonly [workload: string, Contestant[]]>
  /** Why there is nothing to compare. */
  readonly missing?: string
  close (): Promise<void>
}

/** Kafka ▶ casts ▶ nothing, and Kafka ▶ a file: a topic of one partition that Kafka's own producer has filled. */
export async function kafkaWork (ground: Ground, expected: Digest): Promise<KafkaWork> {
  const { folder, rows, bento, kafkaTools: { path: classPath } } = ground
  const why = noOwnKafka()
  const nothing = { contestants: [], close: async () => {} }
  if (why !== false) return { ...nothing, missing: why }
  if (classPath === undefined) return { ...nothing, missing: 'without the console producer no topic is filled' }
  const kafka = await startKafka({ folder: join(folder, 'kafka'), own: true, tuned: true })
  const { brokers } = kafka
  const topic = 'quotes'
  await run(fillTopic(classPath, brokers, topic, ground.ndjson))
  const counted = async (): Promise<void> => {}
  const check = (folder: string): Promise<void> => same([join(folder, out)], expected, { cast: false })
  const reading = (folder: string) => ({ brokers, topic, rows, to: join(folder, out) })
  const casting: Contestant[] = [
    ownPipeline('Twolane: Kafka ▶ mapping ▶ drop', rows, 'topic: quotes\ntransforms: [mapping: quotes]\noutputs:\n  - drop: {}\n', counted, brokers),
    ...bento.path === undefined ? [] : [bentoDrop(bento.path, { brokers, topic, rows })],
    { name: 'kafkajs, by hand', program: (_, round) => node('kafka-loop.ts', brokers, topic, `loop-${round}`, String(rows)), check: counted }
  ]
  const writing: Contestant[] = [
    ownPipeline('Twolane: Kafka ▶ file', rows, `topic: quotes\noutputs:\n  - file: { path: ../${out} }\n`, check, brokers),
    { name: 'Kafka Connect 4.1, FileStreamSink', program: folder => fileStreamSink(classPath, folder, reading(folder), statSync(ground.ndjson).size), check },
    { name: 'Kafka console consumer 4.1', program: folder => consoleConsumer(classPath, reading(folder)), check }
  ]
  return { contestants: [['Kafka ▶ cast ▶ drop', casting], ['Kafka ▶ NDJSON', writing]], close: () => kafka.kill() }
}

function bentoDrop (path: string, { brokers, topic, rows }: { readonly brokers: string, readonly topic: string, readonly rows: number }): Contestant {
  return {
    name: 'Bento 1.10',
    program: (folder, round) => {
      const group = `bento-${round}`
      writeFileSync(join(folder, 'bento.yaml'), bentoKafka(brokers, topic, group))
      return { command: path, args: ['-c', join(folder, 'bento.yaml')], env: bentoEnv, done: () => committed(brokers, topic, group, rows) }
    },
    check: async () => {}
  }
}

/** A file ▶ Parquet, zstd, the rows as the source gave them. */
export function parquetWork ({ rows, ndjson }: Ground, expected: Digest): Contestant[] {
  return [
    ownPipeline('Twolane: file ▶ topic ▶ lake', rows, `input: { file: { path: ${ndjson} } }\ntopic: quotes\noutputs:\n  - lake: { folder: ../lake }\n`, folder => sameParquet(join(folder, 'lake'), expected)),
    { name: 'DuckDB, read_json ▶ COPY', program: folder => node('duckdb.ts', ndjson, join(folder, 'out.parquet')), check: folder => sameParquet(folder, expected) }
  ]
}

/** The whole runtime with one pipeline. What it writes beside its data folder is looked at. */
function ownPipeline (name: string, rows: number, pipeline: string, check: Contestant['check'], brokers?: string): Contestant {
  return {
    name,
    program: (folder, round) => {
      const project = join(folder, 'project')
      mkdirSync(project)
      // In Kafka the groups of earlier rounds and workloads are still there.
      const id = `${name.toLowerCase().replaceAll(/[^a-z]+/g, '-')}-${round}`
      const settings: RuntimeSettings = { folder: project, id, pipeline: pipeline.replaceAll('../', `${folder}/`), rows, ...brokers !== undefined && { brokers } }
      return node('runtime.ts', JSON.stringify(settings))
    },
    check
  }
}

function node (script: string, ...args: readonly string[]): Program {
  return { command: process.execPath, args: [join(import.meta.dirname, script), ...args] }
}

async function same (files: readonly string[], expected: Digest, options: { readonly cast: boolean }): Promise<void> {
  tell(await digestOf(files, options), expected)
}

async function sameParquet (folder: string, expected: Digest): Promise<void> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile() && entry.name.endsWith('.parquet')).map(({ parentPath, name }) => join(parentPath, name))
  const connection = await (await DuckDBInstance.create(':memory:')).connect()
  const sum = new RowSum(false)
  for (const file of files) {
    const reader = await connection.streamAndReadAll(`SELECT * FROM read_parquet('${file}', hive_partitioning = false)`)
    for (const row of reader.getRowObjects()) sum.add(row as Record<string, string>)
  }
  connection.closeSync()
  tell(sum.digest, expected)
}

function tell (found: Digest, expected: Digest): void {
  if (found.rows !== expected.rows || found.hash !== expected.hash) throw new Error(`wrote ${found.rows} rows (${found.hash}), and not the ${expected.rows} that were expected (${expected.hash})`)
}

// A platform under load, with all that it stands on: a feed, a webhook, a broker, an engine, and a disk that can be full.

import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { startEmbedded } from '../../runtime/clickhouse/embedded.ts'
import { endTogether } from '../child.ts'
import { startKafka } from '../kafka/server.ts'
import { Network } from '../s3/network.ts'
import { makeProject, startPlatform } from '../system/project.ts'
import { Feed } from './feed.ts'
import { schema } from './rows.ts'
import { Webhook } from './webhook.ts'
import type { EmbeddedClickHouse } from '../../runtime/clickhouse/embedded.ts'
import type { KafkaServer } from '../kafka/server.ts'
import type { Project, RunningPlatform } from '../system/project.ts'

/**
 * - `embedded`: topics and engine are the platform's own.
 * - `kafka`: the topics are in a real Kafka.
 * - `server`: the engine is a process of its own behind a network that loses requests and answers.
 */
export type WorldKind = 'embedded' | 'kafka' | 'server'
export const worldKinds: readonly WorldKind[] = ['embedded', 'kafka', 'server']

export interface WorldOptions {
  readonly kind: WorldKind
  /** An empty folder for everything. */
  readonly folder: string
  readonly rowsPerSecond: number
  /** The platform's clock can be set; needs libfaketime. */
  readonly clock: boolean
  /** The data folder is a small disk of its own; needs root. */
  readonly disk: boolean
}

const DISK_MEGABYTES = 1024
const PREFIX = 'chaos.'
const FAKETIME = '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1'
const ASK_MS_MAX = 10_000

export function canSetClock (): boolean {
  return spawnSync('test', ['-e', FAKETIME]).status === 0
}

/** Tries it: root alone does not say so where the system forbids it. */
export function canMount (folder: string): boolean {
  mkdirSync(folder, { recursive: true })
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder]).status !== 0) return false
  spawnSync('umount', [folder])
  return true
}

export function pipeline ({ feed, webhook, note }: { readonly feed: string, readonly webhook: string, readonly note: string }): string {
  return `
description: Rows of the run
input:
  feed: ${feed}
topic: trades
transforms:
  - trouble: '${note}'
  - mapping: trades
outputs:
  - streaming-database: {}
    flush: { rows: 5000, ms: 200, megabytes: 8 }
  - lake: {}
    flush: { rows: 10000, ms: 500, megabytes: 8 }
  - file: { path: out.ndjson }
    flush: { rows: 2000, ms: 200, megabytes: 8 }
  - http: { url: '${webhook}', timeout_ms: 3000 }
    flush: { rows: 2000, ms: 200, megabytes: 8 }
`
}

export class World {
  readonly options: WorldOptions
  readonly feed: Feed
  readonly webhook = new Webhook()
  readonly project: Project
  readonly kafka: KafkaServer | undefined
  readonly engine: EmbeddedClickHouse | undefined
  readonly network: Network | undefined
  /** What must not happen, as it was seen. */
  readonly violations: string[] = []
  platform: RunningPlatform | undefined
  #expected = false
  #feedUrl = ''
  #webhookUrl = ''
  #clickhouse = ''
  /** Seconds by which the platform's clock is off. */
  #clockSeconds = 0
  #notes = 0

  private constructor (options: WorldOptions, kafka: KafkaServer | undefined, engine: EmbeddedClickHouse | undefined) {
    this.options = options
    this.kafka = kafka
    this.engine = engine
    this.network = engine === undefined ? undefined : new Network(engine.url)
    this.feed = new Feed(join(options.folder, 'ledger'), options.rowsPerSecond)
    this.project = makeProject(join(options.folder, 'project'), { 'schemas/trades.yaml': schema })
    const own = join(import.meta.dirname, 'plugins')
    symlinkSync(join(own, 'inputs', 'feed'), join(this.project.folder, 'plugins', 'inputs', 'feed'))
    symlinkSync(join(own, 'transforms', 'trouble'), join(this.project.folder, 'plugins', 'transforms', 'trouble'))
  }

  static async open (options: WorldOptions): Promise<World> {
    const { kind, folder } = options
    for (const name of ['kafka', 'engine', 'project']) mkdirSync(join(folder, name), { recursive: true })
    const kafka = kind === 'kafka' ? await startKafka({ folder: join(folder, 'kafka'), own: true }) : undefined
    const engine = kind === 'server' ? await startEmbedded({ folder: join(folder, 'engine'), log: { info () {}, warn () {}, error () {} } }) : undefined
    const world = new World(options, kafka, engine)
    await world.#begin()
    return world
  }

  get kafkaConfig (): { readonly brokers: readonly string[], readonly prefix: string } | undefined {
    return this.kafka === undefined ? undefined : { brokers: [this.kafka.brokers], prefix: PREFIX }
  }

  /** Of the engine's process, wherever it is. */
  get enginePid (): number | undefined {
    if (this.engine !== undefined) return this.engine.pid
    const parent = this.platform?.process.pid
    if (parent === undefined) return undefined
    const children = textOf(`/proc/${parent}/task/${parent}/children`).split(' ').filter(pid => pid !== '')
    return children.map(Number).find(pid => textOf(`/proc/${pid}/cmdline`).includes('clickhouse/server.ts'))
  }

  /** A platform that ends otherwise than by `kill`, `stop` or `expectEnd` is a violation. */
  async start (): Promise<void> {
    const env = {
      TWOLANE_LOG_LEVEL: 'error',
      ...(this.kafka !== undefined && { TWOLANE_BROKER: `kafka://${this.kafka.brokers}`, TWOLANE_KAFKA_PREFIX: PREFIX, TWOLANE_KAFKA_SESSION_SECONDS: '6' }),
      ...(this.#clickhouse !== '' && { TWOLANE_CLICKHOUSE: this.#clickhouse }),
      ...(this.options.clock && { LD_PRELOAD: FAKETIME, FAKETIME_TIMESTAMP_FILE: this.#clockFile, FAKETIME_CACHE_DURATION: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1' })
    }
    this.#expected = false
    const platform = await startPlatform(this.project, env)
    endTogether(platform.process)
    this.platform = platform
    platform.process.once('exit', (code, signal) => {
      if (!this.#expected && this.platform === platform) this.violations.push(`The platform ended by itself with ${String(code ?? signal)}: ${platform.output().slice(-2000)}`)
    })
  }

  async kill (): Promise<void> {
    this.#expected = true
    await this.platform?.kill()
  }

  /** SIGTERM. It has to end in order. */
  async stop (): Promise<void> {
    this.#expected = true
    const { platform } = this
    if (platform === undefined) return
    const { promise: ended, resolve } = Promise.withResolvers<number | null>()
    if (platform.process.exitCode !== null) resolve(platform.process.exitCode)
    platform.process.once('exit', resolve)
    platform.process.kill('SIGTERM')
    const code = await ended
    if (code !== 0) this.violations.push(`SIGTERM ended the platform with ${code}: ${platform.output().slice(-2000)}`)
  }

  /** Throws when there is no answer in time. */
  async api<T> (method: string, path: string, body?: unknown): Promise<{ readonly status: number, readonly body: T }> {
    const { platform } = this
    if (platform === undefined) throw new Error('There is no platform')
    const json = body === undefined ? undefined : { type: typeof body === 'string' ? 'text/plain' : 'application/json', text: typeof body === 'string' ? body : JSON.stringify(body) }
    const { promise: late, reject } = Promise.withResolvers<never>()
    const timer = setTimeout(() => reject(new Error(`No answer to ${method} ${path} within ${ASK_MS_MAX / 1000} s`)), ASK_MS_MAX)
    return Promise.race([platform.api<T>(method, path, json), late]).finally(() => clearTimeout(timer))
  }

  /** Rows of a query. Throws when there is no answer in time. */
  async query<T> (sql: string): Promise<T[]> {
    const { status, body } = await this.api<string | T>('POST', '/v1/query?format=JSONEachRow', sql)
    if (status !== 200) throw new Error(JSON.stringify(body))
    return typeof body === 'string' ? body.trim().split('\n').filter(line => line !== '').map(line => JSON.parse(line) as T) : [body]
  }

  /** Another good version of the pipeline, on the disk only. */
  writePipeline (): void {
    this.project.write('pipelines/trades.yaml', pipeline({ feed: this.#feedUrl, webhook: this.#webhookUrl, note: String(++this.#notes) }))
  }

  /** Moves the platform's clock from where it should be. */
  setClock (seconds: number): void {
    this.#clockSeconds = seconds
    this.project.write('clock', `${seconds < 0 ? '' : '+'}${seconds}\n`)
  }

  get clockSeconds (): number {
    return this.#clockSeconds
  }

  async close (): Promise<void> {
    const { enginePid } = this
    this.#expected = true
    if (this.platform?.process.exitCode === null) this.platform.process.kill('SIGCONT')
    if (enginePid !== undefined) process.kill(enginePid, 'SIGCONT')
    this.webhook.recover()
    await this.platform?.kill()
    await Promise.all([this.feed.close(), this.webhook.close(), this.network?.close()])
    await this.engine?.close()
    await this.kafka?.kill()
    if (this.options.disk) spawnSync('umount', ['-l', this.project.data])
  }

  get #clockFile (): string {
    return join(this.project.folder, 'clock')
  }

  async #begin (): Promise<void> {
    if (this.options.disk) {
      mkdirSync(this.project.data, { recursive: true })
      const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MEGABYTES}m`, 'tmpfs', this.project.data], { encoding: 'utf8' })
      if (status !== 0) throw new Error(`The small disk could not be mounted: ${stderr}`)
    }
    this.setClock(0)
    this.#feedUrl = await this.feed.listen()
    this.#webhookUrl = await this.webhook.listen()
    if (this.network !== undefined && this.engine !== undefined) {
      const url = new URL(this.engine.url)
      url.port = new URL(await this.network.listen()).port
      this.#clickhouse = url.href.replace(/\/$/, '')
    }
    this.writePipeline()
    await this.start()
  }
}

function textOf (file: string): string {
  try {
    return readFileSync(file, 'latin1')
  } catch {
    // The process is gone.
    return ''
  }
}

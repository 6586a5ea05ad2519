// A real Apache Kafka on loopback: one node that is broker and controller (KRaft). A test file starts at most one.
//
//   const skip = noKafka()
//   await t.test('a claim', { skip }, async t => { const kafka = await startKafka({ folder: t.testdir() }) … })
//
// With KAFKA_BROKERS set, that Kafka is used where a test asks for nothing special. Whatever happens to the test's
// process, the Kafka ends with it.

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import { endTogether, freePort } from '../child.ts'
import { WAIT_MS_MAX } from '../waiting.ts'
import { kafkaClassPath, whyNoKafka } from './distribution.ts'
import { kafkaProperties, scramArguments } from './properties.ts'
import type { ChildProcess } from 'node:child_process'
import type { Listener, User } from './properties.ts'

const java = ['-Xmx512m', '-XX:+UseSerialGC', '-Xshare:auto']
/** It is up sooner, and slower from then on. */
const brief = [...java, '-XX:TieredStopAtLevel=1']

export interface KafkaOptions {
  /** Where it keeps all. */
  readonly folder: string
  /** A Kafka of one's own even where KAFKA_BROKERS is set: it is killed, paused, or has other settings. */
  readonly own?: boolean
  /** Settings of server.properties beside the usual ones. */
  readonly properties?: Readonly<Record<string, string>>
  /** Beside the plain one. */
  readonly listeners?: readonly Listener[]
  /** May log in at listeners with `sasl`. */
  readonly users?: readonly User[]
  /** For what takes long: it starts slower and is faster then. */
  readonly tuned?: boolean
}

export type KafkaChanges = Pick<KafkaOptions, 'listeners' | 'users'>

export interface KafkaServer {
  /** `host:port` of the plain listener; of KAFKA_BROKERS also several with commas. */
  readonly brokers: string
  /** `host:port` of a listener of the options. */
  address (listener: string): string
  /** The process; undefined: it is not ours. */
  readonly pid: number | undefined
  /** After `kill` or `stop`: again, on the same data and ports, with other `listeners` and `users` of the same names where given. Resolves when it answers. */
  start (changes?: KafkaChanges): Promise<void>
  /** SIGKILL; nothing where it is not ours. */
  kill (): Promise<void>
  /** SIGTERM, and it ends in order; nothing where it is not ours. */
  stop (): Promise<void>
  /** SIGSTOP: connections stay open, and nothing answers. */
  pause (): void
  resume (): void
}

/** For `skip` of a test: why there is no Kafka, or false. */
export function noKafka (): string | false {
  if (process.env['KAFKA_BROKERS']) return false
  const why = whyNoKafka()
  return why === false ? false : `needs Apache Kafka: set KAFKA_BROKERS=host:port, or ${why}`
}

/** For `skip` of a test that needs a Kafka of its own. */
export function noOwnKafka (): string | false {
  const why = whyNoKafka()
  return why === false ? false : `needs an Apache Kafka of its own: ${why}`
}

export async function startKafka (options: KafkaOptions): Promise<KafkaServer> {
  const given = process.env['KAFKA_BROKERS']
  const special = options.own === true || options.properties !== undefined || options.listeners !== undefined
  if (given && !special) return foreign(given)
  const names = ['plain', 'controller', ...(options.listeners ?? []).map(({ name }) => name)]
  const ports = new Map<string, number>()
  for (const name of names) ports.set(name, await freePort([...ports.values()]))
  const classPath = await kafkaClassPath()
  mkdirSync(options.folder, { recursive: true })
  const file = join(options.folder, 'server.properties')
  const configure = (changes: KafkaChanges): void => writeFileSync(file, kafkaProperties({ ...options, ...changes, ports }))
  configure({})
  format(classPath, file, options.users ?? [])
  const server = new OwnKafka([...options.tuned === true ? java : brief, '-cp', classPath, 'kafka.Kafka', file], ports, configure)
  await server.start()
  return server
}

function format (classPath: string, file: string, users: readonly User[]): void {
  const args = [...brief, '-cp', classPath, 'kafka.tools.StorageTool', 'format', '--ignore-formatted', '-t', 'dHdvbGFuZS10ZXN0cy0wMQ', '-c', file, ...scramArguments(users)]
  const { status, stdout, stderr } = spawnSync('java', args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`Apache Kafka's storage could not be formatted: ${stdout}${stderr}`)
}

class OwnKafka implements KafkaServer {
  readonly brokers: string
  readonly #command: readonly string[]
  readonly #ports: ReadonlyMap<string, number>
  readonly #configure: (changes: KafkaChanges) => void
  #process: ChildProcess | undefined

  constructor (command: readonly string[], ports: ReadonlyMap<string, number>, configure: (changes: KafkaChanges) => void) {
    this.#command = command
    this.#configure = configure
    this.#ports = ports
    this.brokers = this.address('plain')
  }

  get pid (): number | undefined {
    return this.#process?.pid
  }

  address (listener: string): string {
    const port = this.#ports.get(listener)
    if (port === undefined) throw new Error(`There is no listener ${listener}`)
    return `127.0.0.1:${port}`
  }

  async start (changes?: KafkaChanges): Promise<void> {
    if (changes !== undefined) this.#configure(changes)
    const child = spawn('java', this.#command, { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#process = child
    endTogether(child)
    let printed = ''
    const read = (text: Buffer): void => { printed = (printed + String(text)).slice(-10_000) }
    child.stdout.on('data', read)
    child.stderr.on('data', read)
    await up(this.brokers, () => {
      if (child.exitCode !== null || child.signalCode !== null) throw new Error(`Apache Kafka ended with ${child.exitCode ?? child.signalCode}: ${printed}`)
    })
  }

  kill (): Promise<void> {
    return this.#end('SIGKILL')
  }

  stop (): Promise<void> {
    return this.#end('SIGTERM')
  }

  pause (): void {
    this.#process?.kill('SIGSTOP')
  }

  resume (): void {
    this.#process?.kill('SIGCONT')
  }

  async #end (signal: NodeJS.Signals): Promise<void> {
    const child = this.#process
    this.#process = undefined
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill(signal)
    await ended
  }
}

function foreign (brokers: string): KafkaServer {
  const refuse = (): never => { throw new Error('The Kafka of KAFKA_BROKERS is not ours to change: ask for { own: true }') }
  const leave = async (): Promise<void> => {}
  return { brokers, pid: undefined, address: refuse, start: refuse, pause: refuse, resume: refuse, kill: leave, stop: leave }
}

/** Resolves when the broker leads what it holds and answers clients. */
async function up (brokers: string, check: () => void): Promise<void> {
  const [host, port] = brokers.split(':') as [string, string]
  const end = performance.now() + WAIT_MS_MAX
  const client = new Kafka({ brokers: [brokers], logLevel: logLevel.NOTHING, retry: { retries: 0 }, connectionTimeout: 1000, requestTimeout: 5000 })
  while (true) {
    check()
    if (performance.now() > end) throw new Error(`Apache Kafka does not answer after ${WAIT_MS_MAX / 1000} s`)
    if (await accepts(host, Number(port)) && await leads(client)) return
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

function accepts (host: string, port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const socket = connect(port, host, () => resolve(true)).on('error', () => resolve(false))
  return promise.finally(() => socket.destroy())
}

async function leads (client: Kafka): Promise<boolean> {
  const admin = client.admin()
  try {
    await admin.connect()
    const { brokers } = await admin.describeCluster()
    const { topics } = await admin.fetchTopicMetadata()
    return brokers.length > 0 && topics.every(({ partitions }) => partitions.every(({ leader }) => leader >= 0))
  } catch {
    // It is not up yet.
    return false
  } finally {
    await admin.disconnect()
  }
}

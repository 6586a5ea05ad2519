import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { isIPv6 } from 'node:net'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PlatformError } from '../errors.ts'
import { EngineEnds } from './ends.ts'
import { loopback, startOptions } from './start-options.ts'
import { watchChild } from './watchdog.ts'
import type { EndKind } from './ends.ts'
import type { Order, StartReport } from './server.ts'

/** What is logged to: pino's shape, as far as it is used. */
export interface EmbeddedLog {
  info (fields: object, message: string): void
  warn (fields: object, message: string): void
  error (fields: object, message: string): void
}

/** How the engine's process is doing; `reason` says why it is not up. */
export type EmbeddedState =
  | { readonly state: 'up', readonly pid: number, readonly restarts: number }
  | { readonly state: 'down' | 'restarting', readonly reason: string, readonly restarts: number }

export interface EmbeddedOptions {
  /** The data folder; made if it is not there. One process a folder. */
  readonly folder: string
  /** The default, 0, lets the system choose once; it stays the same over restarts. */
  readonly port?: number
  /** @default 127.0.0.1: nobody but this machine */
  readonly host?: string
  /** @default `default` */
  readonly user?: string
  /** `null` lets anybody who reaches the port in. The default is a random password. */
  readonly password?: string | null
  /** Of the whole engine; the default is 40 % of the machine's memory. */
  readonly memoryBytesMax?: number
  /** Of a read, unless the query sets max_execution_time itself; 60 by default. */
  readonly readSecondsMax?: number
  /** Of reads that run at the same time; more wait, and in the end get code 202. 6 by default. */
  readonly readsMax?: number
  /** Of an INSERT's body once decompressed; 512 MiB by default. */
  readonly bodyBytesMax?: number
  /** More engine arguments, in `clickhouse local` form, such as `--config-file=/etc/engine.xml`. */
  readonly engineArgs?: readonly string[]
  /** How often it is asked whether it still answers (watchdog.ts); 5 s by default. */
  readonly askMs?: number
  readonly signal?: AbortSignal
  readonly onState?: (state: EmbeddedState) => void
  readonly log: EmbeddedLog
}

export interface EmbeddedClickHouse {
  /** `http://user:password@host:port`; valid until `close`, also over restarts of the engine. */
  readonly url: string
  /** Of the engine's process now; undefined while there is none. */
  readonly pid: number | undefined
  readonly version: string
  readonly state: EmbeddedState
  /** How often and why its process ended. */
  readonly ends: EngineEnds
  /** Ends the engine's process, which is started again at once. What was under way is finished by those who asked for it. */
  restart (): void
  /** Waits for running queries, closes the engine and ends its process, by force after 8 seconds. */
  close (): Promise<void>
}

const entry = fileURLToPath(new URL('server.ts', import.meta.url))
const closeMs = 8000
const startMs = 60_000
const firstDelayMs = 200
const lastDelayMs = 5000
/** An engine that stayed up this long has earned a short delay again. */
const stableMs = 30_000
/** A process that was killed together with its parent may hold the folder for another moment. */
const lockTries = 4
const lockDelayMs = 500

/**
 * Starts ClickHouse in a process of its own and keeps it running: when it dies it is started again, on the same
 * address. Rejects when the first start fails: the folder is in use, chdb is missing, the port is taken.
 */
export async function startEmbedded (options: EmbeddedOptions): Promise<EmbeddedClickHouse> {
  options.signal?.throwIfAborted()
  await mkdir(options.folder, { recursive: true })
  const embedded = new Embedded(options)
  await embedded.start()
  return embedded
}

class Embedded implements EmbeddedClickHouse {
  readonly #options: EmbeddedOptions
  readonly #folder: string
  readonly #password: string | null
  #port: number
  #child: ChildProcess | undefined
  /** Why the process that runs now is being ended; undefined: it is not, or by itself. */
  #ending: { readonly kind: EndKind, readonly reason: string } | undefined
  readonly ends = new EngineEnds()
  #state: EmbeddedState = { state: 'down', reason: 'not started', restarts: 0 }
  #version = ''
  #closing: Promise<void> | undefined
  #retry: NodeJS.Timeout | undefined
  #delayMs = firstDelayMs

  constructor (options: EmbeddedOptions) {
    this.#options = options
    this.#folder = resolve(options.folder)
    this.#password = options.password === undefined ? randomBytes(24).toString('base64url') : options.password
    this.#port = options.port ?? 0
    options.signal?.addEventListener('abort', this.#onAbort, { once: true })
  }

  readonly #onAbort = () => { void this.close() }

  get url (): string {
    const { host = loopback, user = 'default' } = this.#options
    const credentials = this.#password === null ? '' : `${encodeURIComponent(user)}:${encodeURIComponent(this.#password)}@`
    return `http://${credentials}${isIPv6(host) ? `[${host}]` : host}:${this.#port}`
  }

  get pid (): number | undefined {
    return this.#state.state === 'up' ? this.#state.pid : undefined
  }

  get version (): string {
    return this.#version
  }

  get state (): EmbeddedState {
    return this.#state
  }

  async start (): Promise<void> {
    for (let tries = 1; ; tries++) {
      const { child, report } = await this.#launch()
      if (report.type === 'up') {
        this.#up(child, report)
        return
      }
      if (report.reason !== 'in-use' || tries === lockTries) {
        this.#options.signal?.removeEventListener('abort', this.#onAbort)
        throw startError(report, this.#folder, this.#port, this.#options.host)
      }
      await new Promise(resolve => setTimeout(resolve, lockDelayMs))
    }
  }

  restart (): void {
    if (this.#closing === undefined) this.#end('asked', 'it was restarted on purpose')
  }

  /** SIGKILL ends a process that is stopped, too; the engine is safe against it. */
  #end (kind: EndKind, reason: string): void {
    this.#ending = { kind, reason }
    this.#child?.kill('SIGKILL')
  }

  close (): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** Forks and waits for the first word; a child that has failed is gone when this resolves. */
  async #launch (): Promise<{ child: ChildProcess, report: StartReport }> {
    this.#ending = undefined
    // Nothing of this process's environment: SQL can read it. The engine's calls each take a thread of the pool.
    const child = fork(entry, { env: { UV_THREADPOOL_SIZE: '32' }, execArgv: [], serialization: 'json', stdio: ['ignore', 'pipe', 'pipe', 'ipc'] })
    this.#child = child
    let spoken = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (text: Buffer) => {
        spoken = (spoken + text.toString()).slice(-2000)
        this.#options.log.warn({ text: text.toString().slice(0, 2000) }, 'The ClickHouse engine says')
      })
    }
    const exited = new Promise<StartReport>(resolve => {
      child.once('error', error => { resolve({ type: 'failed', reason: 'other', message: error.message }) })
      child.once('close', (code, signal) => { resolve({ type: 'failed', reason: 'other', message: `the process ended (${signal ?? `exit code ${code}`})` }) })
    })
    const said = new Promise<StartReport>(resolve => { child.once('message', message => { resolve(message as StartReport) }) })
    const timer = setTimeout(() => { child.kill('SIGKILL') }, startMs)
    send(child, { type: 'start', options: startOptions(this.#options, this.#folder, this.#port, this.#password) })
    const report = await Promise.race([said, exited])
    clearTimeout(timer)
    if (report.type === 'failed' && child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL')
    }
    if (report.type === 'failed') {
      await exited
      // Why a folder cannot be opened the engine says only there.
      return { child, report: { ...report, reason: /Cannot lock file/.test(spoken) ? 'in-use' : report.reason, message: `${report.message} ${spoken}`.trim() } }
    }
    return { child, report }
  }

  #up (child: ChildProcess, { port, version }: Extract<StartReport, { type: 'up' }>): void {
    const upAt = Date.now()
    this.#port = port
    this.#version = version
    const pid = child.pid ?? 0
    if (child.exitCode !== null || child.signalCode !== null) {
      this.#died(child, upAt)
      return
    }
    child.once('exit', () => { this.#died(child, upAt) })
    if (this.#closing !== undefined) return
    watchChild(child, {
      askMs: this.#options.askMs,
      onHung: silentMs => {
        if (this.#closing !== undefined) return
        this.#options.log.error({ pid, silentMs }, 'Embedded ClickHouse does not answer, ending its process')
        this.#end('hung', `it did not answer for ${Math.round(silentMs / 1000)} s and was ended`)
      }
    })
    this.#change({ state: 'up', pid, restarts: this.ends.all })
    this.#options.log.info({ pid, port, version, folder: this.#folder }, 'Embedded ClickHouse is up')
  }

  #died (child: ChildProcess, upAt: number): void {
    if (this.#closing !== undefined) return
    if (Date.now() - upAt > stableMs) this.#delayMs = firstDelayMs
    const { kind = 'died', reason = `the process ended (${child.signalCode ?? `exit code ${child.exitCode}`})` } = this.#ending ?? {}
    this.#ending = undefined
    this.#later(kind, reason)
  }

  #later (kind: EndKind, reason: string): void {
    const delayMs = this.#delayMs
    this.#delayMs = Math.min(lastDelayMs, delayMs * 2)
    this.ends.add({ at: Date.now(), kind, reason })
    this.#change({ state: 'restarting', reason, restarts: this.ends.all })
    this.#options.log.error({ reason, retryDelayMs: delayMs, restarts: this.ends.all }, 'Embedded ClickHouse is down, starting it again')
    this.#retry = setTimeout(() => { void this.#again() }, delayMs)
  }

  async #again (): Promise<void> {
    const { child, report } = await this.#launch()
    if (this.#closing !== undefined) return
    if (report.type === 'up') this.#up(child, report)
    else this.#later('died', startError(report, this.#folder, this.#port, this.#options.host).toString())
  }

  async #close (): Promise<void> {
    clearTimeout(this.#retry)
    this.#options.signal?.removeEventListener('abort', this.#onAbort)
    const child = this.#child
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      const exited = new Promise(resolve => { child.once('exit', resolve) })
      const timer = setTimeout(() => { child.kill('SIGKILL') }, closeMs)
      send(child, { type: 'close' })
      await exited
      clearTimeout(timer)
    }
    this.#change({ state: 'down', reason: 'closed', restarts: this.ends.all })
    this.#options.log.info({ folder: this.#folder }, 'Embedded ClickHouse is closed')
  }

  #change (state: EmbeddedState): void {
    this.#state = state
    this.#options.onState?.(state)
  }
}

function send (child: ChildProcess, order: Order): void {
  // A child that is gone cannot be told; its exit is noticed elsewhere.
  child.send(order, () => {})
}

function startError ({ reason, message }: Extract<StartReport, { type: 'failed' }>, folder: string, port: number, host = loopback): PlatformError {
  switch (reason) {
    case 'missing': return new PlatformError('ENGINE_MISSING', `The embedded ClickHouse engine cannot be loaded: ${message}`, { remedy: 'Install it with `npm install chdb`, or set TWOLANE_CLICKHOUSE to the URL of a ClickHouse server.' })
    case 'in-use': return new PlatformError('DATA_FOLDER_IN_USE', `Another process has the ClickHouse folder ${folder} open: ${message}`, { remedy: 'Stop the other process, or choose another data folder.' })
    case 'port': return new PlatformError('ENGINE_UNAVAILABLE', `Port ${port} of ${host} is taken, or cannot be listened on: ${message}`, { remedy: 'Free the port, or choose another one.' })
    case 'other': return new PlatformError('ENGINE_UNAVAILABLE', `The embedded ClickHouse engine does not start: ${message}`, { remedy: `See whether the folder ${folder} is readable and has free space.` })
  }
}

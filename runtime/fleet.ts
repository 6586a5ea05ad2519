// All processes that share the work of the pipelines over one broker: a fleet of runtimes. Each one says every second
// or two how it is, in the topic `_runtimes`, and follows what the others say: no connection between them is needed
// but the broker. One of them is the control side, which a lease decides: it tells the others what to do, takes their
// answers, and shows all. On the embedded broker there is one runtime, which is the control side.

import { randomUUID } from 'node:crypto'
import { fromRows } from './batch.ts'
import { Backoff, pause } from './backoff.ts'
import { describe, PlatformError } from './errors.ts'
import { inTime } from './in-time.ts'
import { field, plainCast } from './schema.ts'
import type { Broker, Producer } from './broker/broker.ts'
import type { PipelineStatus } from './managed.ts'
import type { Json, Logger } from './plugin.ts'
import type { Topic } from './schema.ts'

export const runtimesTopic: Topic = {
  name: '_runtimes',
  description: 'What the runtimes of one platform tell each other',
  owner: 'platform',
  fields: [
    field('time', { kind: 'timestamp', unit: 'ms' }, { required: true, mandatory: true, description: 'When it was said', cast: { ...plainCast, unit: 'ms' } }),
    field('runtime', { kind: 'string' }, { required: true, description: 'Who says it' }),
    field('kind', { kind: 'enum', values: ['status', 'command', 'answer', 'left'] }, { required: true, description: 'What it is' }),
    field('body', { kind: 'json' }, { required: true, description: 'What is said' })
  ],
  key: [],
  eventTime: 'time',
  partitions: 1,
  retention: { ms: 3_600_000, bytes: 64 * 2 ** 20, beyondOutputs: true },
  hash: 'runtimes-2'
}

/** What a runtime says of itself. */
export interface RuntimeStatus {
  readonly runtime: string
  readonly role: 'any' | 'worker'
  /** Whether it holds the control side. */
  readonly control: boolean
  /** Where its admin endpoint is. */
  readonly url: string
  readonly version: string
  /** Of the files that it runs. */
  readonly digest: string
  /** Without a password; `embedded`. */
  readonly clickhouse: string
  /** Which database of that name it is, so that two servers are told apart; empty: not known. */
  readonly database: string
  /** When it started, ms since 1970. */
  readonly since: number
  readonly pipelines: readonly MeasuredStatus[]
  /** Parts of it that are not healthy. */
  readonly failing: ReadonlyArray<{ readonly name: string, readonly reasons: readonly string[] }>
}

export type MeasuredStatus = Omit<PipelineStatus, 'steps'> & { readonly steps: ReadonlyArray<PipelineStatus['steps'][number] & { readonly rows_per_second: number }> }

export interface Member extends RuntimeStatus {
  /** ms since it was last heard of. */
  readonly silentMs: number
}

export interface Command {
  readonly verb: 'check' | 'reload' | 'revert' | 'pause' | 'resume' | 'restart'
  readonly pipeline?: string
}

export interface Answer {
  readonly runtime: string
  /** Null where it failed. */
  readonly result: Json
  /** Why it failed; empty: it did not. */
  readonly error: string
}

export interface FleetOptions {
  readonly broker: Broker
  /** Whether other processes can be on the broker. */
  readonly shared: boolean
  readonly name: string
  readonly role: 'any' | 'worker'
  readonly log: Logger
  /** How this runtime is now. */
  status (): Promise<Omit<RuntimeStatus, 'runtime' | 'role' | 'control' | 'since'>>
  /** Does what another one commands. */
  execute (command: Command): Promise<Json>
}

const STATUS_MS = 1000
/** A runtime that is not heard of for so long is gone. */
const SILENT_MS_MAX = 10_000
/** How long a command may take anywhere: a reload prepares, swaps, and may roll back. Shorter than an HTTP request may be idle. */
const ANSWER_MS_MAX = 90_000
/** Who commands has given up a runtime that hears a command later. */
const COMMAND_MS_MAX = SILENT_MS_MAX
const LOOK_MS = 500
const LEAVE_MS_MAX = 1000
/** Said before this runtime began to listen, and enough to know all others by. */
const ROWS_BEFORE = 500

type Said = { readonly kind: 'status', readonly body: RuntimeStatus }
  | { readonly kind: 'command', readonly body: Command & { readonly id: string, readonly to: readonly Life[] } }
  | { readonly kind: 'answer', readonly body: { readonly id: string } & Answer }
  | { readonly kind: 'left', readonly body: Life }

/** One life of a runtime: what was said to an earlier one of the same name is not for it. */
interface Life { readonly runtime: string, readonly since: number }

export class Fleet {
  readonly #options: FleetOptions
  readonly #stop = new AbortController()
  readonly #heard = new Map<string, { readonly status: RuntimeStatus, readonly at: number }>()
  readonly #waiting = new Map<string, (answer: Answer) => void>()
  readonly #since = Date.now()
  /** Of the last row that was heard: it is read again when the broker is reached again. */
  #heardTo = -1
  #lastControl: { readonly status: RuntimeStatus, readonly at: number } | undefined
  readonly #heardItself = Promise.withResolvers<void>()
  /**
   * `performance.now()` against the broker's clock, ms: the least that was seen between the two, since what is heard was
   * said before. So the clocks of the machines do not matter.
   */
  #skew = Infinity
  #producer: Promise<Producer> | undefined
  #loops: Array<Promise<void>> = []
  #control: boolean
  /** Why the broker cannot be reached; empty: it can. */
  #trouble = ''

  constructor (options: FleetOptions) {
    this.#options = options
    this.#control = !options.shared
  }

  get isControl (): boolean {
    return this.#control
  }

  get trouble (): string {
    return this.#trouble
  }

  /** What the control side said last, also when it is gone. */
  get lastControl (): RuntimeStatus | undefined {
    return this.#lastControl?.status
  }

  /** Begins to listen and to speak. On a broker that is out of reach it tries on. */
  open (): void {
    if (!this.#options.shared) return
    this.#loops = [this.#again('follow', () => this.#follow()), this.#again('speak', () => this.#speak())]
    if (this.#options.role === 'any') this.#loops.push(this.#again('lead', () => this.#lead()))
  }

  /** Resolves when it knows who is there, or after `ms`. */
  async known (ms: number): Promise<void> {
    if (!this.#options.shared) return
    await inTime(this.#heardItself.promise, ms, () => 'late')
  }

  /** This one and all others that are alive, by name. */
  async members (): Promise<Member[]> {
    const own = await this.#own()
    const now = this.#brokerNow()
    const others = [...this.#heard.values()].map(({ status, at }) => ({ ...status, silentMs: Math.max(0, now - at) }))
      .filter(({ runtime, silentMs }) => runtime !== own.runtime && silentMs < SILENT_MS_MAX)
    return [{ ...own, silentMs: 0 }, ...others].sort((a, b) => a.runtime < b.runtime ? -1 : 1)
  }

  /** Has all other runtimes do it, or those in `only`; an answer from each. */
  async command (command: Command, only?: readonly string[]): Promise<Answer[]> {
    const to = (await this.members()).filter(({ runtime }) => runtime !== this.#options.name && only?.includes(runtime) !== false)
    if (to.length === 0) return []
    const others = to.map(({ runtime }) => runtime)
    const id = randomUUID()
    const answers = new Map<string, Answer>()
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#waiting.set(id, answer => {
      answers.set(answer.runtime, answer)
      if (others.every(runtime => answers.has(runtime))) resolve()
    })
    const until = performance.now() + ANSWER_MS_MAX
    // One that falls silent meanwhile is not waited for.
    const looking = setInterval(() => {
      const now = this.#brokerNow()
      const alive = others.filter(runtime => !answers.has(runtime) && now - (this.#heard.get(runtime)?.at ?? 0) < SILENT_MS_MAX)
      if (alive.length === 0 || performance.now() > until) resolve()
    }, LOOK_MS)
    try {
      await this.#say({ kind: 'command', body: { ...command, id, to: to.map(({ runtime, since }) => ({ runtime, since })) } })
      await promise
    } finally {
      clearInterval(looking)
      this.#waiting.delete(id)
    }
    const silent = `it did not answer: it was silent for ${SILENT_MS_MAX / 1000} s, or took more than ${ANSWER_MS_MAX / 1000} s`
    return others.map(runtime => answers.get(runtime) ?? { runtime, result: null, error: silent })
  }

  async close (): Promise<void> {
    this.#stop.abort()
    await Promise.all(this.#loops)
    await inTime(this.#leave(), LEAVE_MS_MAX, () => 'late')
  }

  /** So that nobody waits for it until it counts as silent. */
  async #leave (): Promise<void> {
    if (this.#producer === undefined || this.#trouble !== '') return
    await this.#say({ kind: 'left', body: this.#life }).catch(() => {})
    await this.#producer?.then(producer => producer.close(), () => {})
  }

  async #follow (): Promise<void> {
    const { broker } = this.#options
    for await (const batch of broker.follow(runtimesTopic, { rows: ROWS_BEFORE, signal: this.#stop.signal })) {
      this.#trouble = ''
      const { time } = batch.position
      this.#skew = Math.min(this.#skew, performance.now() - time)
      for (let i = 0; i < batch.length; i++) {
        const offset = batch.offsetAt(i)
        if (offset <= this.#heardTo) continue
        this.#heardTo = offset
        this.#hear(batch.row(i) as unknown as Said, time)
      }
    }
  }

  #hear ({ kind, body }: Said, at: number): void {
    if (kind === 'status') {
      this.#heard.set(body.runtime, { status: body, at })
      if (body.control && at >= (this.#lastControl?.at ?? 0)) this.#lastControl = { status: body, at }
      if (body.runtime === this.#options.name) this.#heardItself.resolve()
    } else if (kind === 'left') {
      if (this.#heard.get(body.runtime)?.status.since === body.since) this.#heard.delete(body.runtime)
    } else if (kind === 'answer') {
      const { id, ...answer } = body
      this.#waiting.get(id)?.(answer)
    } else {
      const { runtime, since } = this.#life
      if (!body.to.some(life => life.runtime === runtime && life.since === since)) return
      // After a pause of this process: whoever commanded has gone on without it.
      if (this.#brokerNow() - at > COMMAND_MS_MAX) return
      void this.#obey(body.id, body)
    }
  }

  #brokerNow (): number {
    return performance.now() - this.#skew
  }

  async #obey (id: string, command: Command): Promise<void> {
    const { name: runtime, execute, log } = this.#options
    log.info({ verb: command.verb, pipeline: command.pipeline }, 'The control side commands')
    const answer = await execute(command).then(
      result => ({ runtime, result, error: '' }),
      (error: unknown) => ({ runtime, result: null, error: describe(error) }))
    await this.#say({ kind: 'answer', body: { id, ...answer } }).catch((error: unknown) => log.error({ reason: describe(error) }, 'The control side could not be answered'))
  }

  async #speak (): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.#say({ kind: 'status', body: await this.#own() })
      await pause(STATUS_MS, this.#stop.signal)
    }
  }

  /** Holds the seat of the control side whenever it is free. */
  async #lead (): Promise<void> {
    const lease = await this.#options.broker.lease('control')
    for await (const lost of lease.held(this.#stop.signal)) {
      this.#control = true
      this.#options.log.info({}, 'This runtime is the control side now')
      lost.addEventListener('abort', () => { this.#control = false })
      if (lost.aborted) this.#control = false
    }
    this.#control = false
  }

  async #say (said: Said): Promise<void> {
    const { broker, name } = this.#options
    this.#producer ??= broker.producer(runtimesTopic, name)
    try {
      const producer = await this.#producer
      await producer.append([fromRows(runtimesTopic, [{ time: Date.now(), runtime: name, kind: said.kind, body: said.body }])])
      this.#trouble = ''
    } catch (error) {
      this.#producer = undefined
      if (error instanceof PlatformError && error.code === 'BROKER_FENCED') {
        throw new PlatformError('CONFIG_INVALID', `Another runtime on this broker has the name ${name}`, { remedy: 'Give each one a name of its own with TWOLANE_NAME.', cause: error })
      }
      throw error
    }
  }

  get #life (): Life {
    return { runtime: this.#options.name, since: this.#since }
  }

  async #own (): Promise<RuntimeStatus> {
    const { role, status } = this.#options
    return { ...this.#life, role, control: this.#control, ...await status() }
  }

  /** Until it is closed. */
  async #again (what: string, work: () => Promise<void>): Promise<void> {
    const backoff = new Backoff()
    while (!this.#stop.signal.aborted) {
      try {
        await work()
        backoff.succeeded()
      } catch (error) {
        if (this.#stop.signal.aborted) return
        this.#trouble = describe(error)
        const retryDelayMs = backoff.nextMs()
        this.#options.log.warn({ what, retryDelayMs, reason: this.#trouble }, 'The other runtimes cannot be reached over the broker')
        await pause(retryDelayMs, this.#stop.signal)
      }
    }
  }
}

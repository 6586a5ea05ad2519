// Takes what arrives in the topic `_platform` into ClickHouse, on the control side. It is an output like any other: the
// deliver loop drives it, with an offset of its own, an intent before each insert and a read-back after an unclear one.
// Where ClickHouse is away it waits and tries again; until then the topic keeps 256 MiB.

import { Backoff, pause } from '../backoff.ts'
import { Chain } from '../chain.ts'
import { connectClickHouse } from '../clickhouse/client.ts'
import { deliver } from '../deliver.ts'
import { describe, PlatformError } from '../errors.ts'
import { inTime } from '../in-time.ts'
import { platformTopic } from '../platform-topic.ts'
import { Rejects } from '../rejects.ts'
import { rejectedTopic } from '../schema.ts'
import { keepBelow } from './cap.ts'
import { OBSERVE_STATEMENT_SECONDS, ObserveSink } from './sink.ts'
import { ensureObserveTables } from './tables.ts'
import type { Assignment, Broker, Producer } from '../broker/broker.ts'
import type { ClickHouse } from '../clickhouse/client.ts'
import type { FlushLimits, Logger } from '../plugin.ts'

/** Consumer group of the recorder. */
export const OBSERVE_GROUP = '_platform.observe'
/** An insert every few seconds: the engine makes a part of each one. */
const flush: FlushLimits = { rows: 50_000, ms: 3000, bytes: 16 * 2 ** 20 }
/** How often the size is looked at. */
const CAP_MS = 3_600_000
const CONTROL_MS = 500
const CLOSE_MS_MAX = 3000
const nobody = { enter () {}, leave () {} }

export interface RecorderOptions {
  readonly broker: Broker
  /** URL with user and password; undefined: there is none, and nothing is kept. */
  readonly clickhouse: string | undefined
  /** Of both tables together, on disk. */
  readonly bytesMax: number
  isControl (): boolean
  readonly log: Logger
  /** Tests make it shorter. */
  readonly flush?: Partial<FlushLimits>
}

/** How the recorder is. */
export interface RecorderState {
  /** `standby`: another runtime is the control side. */
  readonly state: 'recording' | 'waiting' | 'standby' | 'off'
  /** Why it waits; empty: it does not. */
  readonly reason: string
  /** Whether somebody has to do something: waiting for a database that is down helps by itself. */
  readonly needsHand: boolean
  /** When rows were stored last, ms since 1970; 0: never by this process. */
  readonly storedAt: number
  readonly rows: number
}

export class Recorder {
  readonly #options: RecorderOptions
  readonly #stop = new AbortController()
  #state: RecorderState = { state: 'standby', reason: '', needsHand: false, storedAt: 0, rows: 0 }
  #work: Promise<void> | undefined

  constructor (options: RecorderOptions) {
    this.#options = options
    if (options.clickhouse === undefined) this.#state = { ...this.#state, state: 'off', reason: 'There is no ClickHouse' }
  }

  get state (): RecorderState {
    return this.#state
  }

  open (): void {
    const { clickhouse } = this.#options
    if (clickhouse !== undefined) this.#work = this.#again(clickhouse)
  }

  /** What is in flight is stored first, where that is quick. */
  async close (): Promise<void> {
    this.#stop.abort()
    await inTime(this.#work ?? Promise.resolve(), CLOSE_MS_MAX, () => 'late')
  }

  async #again (clickhouse: string): Promise<void> {
    const { signal } = this.#stop
    const backoff = new Backoff()
    while (!signal.aborted) {
      if (!this.#options.isControl()) {
        this.#change({ state: 'standby', reason: '', needsHand: false })
        await pause(CONTROL_MS, signal)
        continue
      }
      try {
        await this.#record(clickhouse, backoff)
      } catch (error) {
        if (signal.aborted) return
        const reason = describe(error)
        const needsHand = error instanceof PlatformError && !error.retryable && error.code !== 'BROKER_FENCED'
        // Once for each reason: a database that is down would fill the log with it.
        if (reason !== this.#state.reason) this.#options.log.warn({ reason }, 'Logs and metrics are not stored, the topic _platform keeps them meanwhile')
        this.#change({ state: 'waiting', reason, needsHand })
        await pause(backoff.nextMs(), signal)
      }
    }
  }

  async #record (clickhouse: string, backoff: Backoff): Promise<void> {
    const { broker, bytesMax, log } = this.#options
    const ended = new AbortController()
    const stop = AbortSignal.any([this.#stop.signal, ended.signal])
    const client = await connectClickHouse(clickhouse, { statementSeconds: OBSERVE_STATEMENT_SECONDS, signal: this.#stop.signal })
    const timers = [
      setInterval(() => { if (!this.#options.isControl()) ended.abort() }, CONTROL_MS),
      setInterval(() => { void capped(client, bytesMax, log) }, CAP_MS)
    ]
    try {
      await ensureObserveTables(client)
      await capped(client, bytesMax, log)
      const consumer = await broker.consumer(platformTopic, OBSERVE_GROUP)
      try {
        for await (const assignment of consumer.assignments(stop)) {
          await this.#deliver(client, assignment, stop, backoff).finally(() => assignment.release())
        }
      } finally {
        await consumer.close()
      }
    } finally {
      for (const timer of timers) clearInterval(timer)
      await client.close()
    }
  }

  async #deliver (client: ClickHouse, assignment: Assignment, stop: AbortSignal, backoff: Backoff): Promise<void> {
    const { broker, log } = this.#options
    const clock = { now: Date.now }
    const rejected = lateProducer(broker, assignment.partition)
    this.#change({ state: 'recording', reason: '', needsHand: false })
    try {
      await deliver({
        assignment,
        sink: new ObserveSink(client, stop),
        guarantee: 'exactly once',
        sinkRejects: new Rejects(platformTopic.name, '', clock),
        rejected,
        openChain: async () => {
          const rejects = new Rejects(platformTopic.name, '', clock)
          return { chain: new Chain([], rejects, nobody), rejects }
        },
        flush: { ...flush, ...this.#options.flush },
        revision: '',
        log,
        onSettle: ({ phase, rows }) => {
          if (phase === 'began') return
          backoff.succeeded()
          this.#change({ state: 'recording', reason: '', needsHand: false, storedAt: Date.now(), rows: this.#state.rows + rows })
        }
      }, stop)
    } finally {
      await rejected.close()
    }
  }

  #change (change: Partial<RecorderState>): void {
    this.#state = { ...this.#state, ...change }
  }
}

async function capped (client: ClickHouse, bytesMax: number, log: Logger): Promise<void> {
  try {
    const days = await keepBelow(client, bytesMax)
    if (days.length > 0) log.warn({ days, gigabytesMax: bytesMax / 2 ** 30 }, 'Logs and metrics were over their size, the oldest are gone')
  } catch (error) {
    log.warn({ reason: describe(error) }, 'The size of logs and metrics could not be looked at')
  }
}

/** Rows of this topic are refused only where a foreign client writes to it: until then there is no topic for them. */
function lateProducer (broker: Broker, partition: number): Producer {
  let opened: Promise<Producer> | undefined
  return {
    checkpoint: undefined,
    async append (batches, options) {
      opened ??= broker.producer(rejectedTopic(platformTopic.name), `${OBSERVE_GROUP}/${partition}`)
      await (await opened).append(batches, options)
    },
    async close () {
      await (await opened)?.close()
    }
  }
}

// The topic `_platform`: where the logs and metrics of every part arrive.

import { fromRows } from './batch.ts'
import { describe } from './errors.ts'
import { inTime } from './in-time.ts'
import { Increases } from './observe/increases.ts'
import { field, plainCast } from './schema.ts'
import type { MetricObjectWithValues } from './row-rate.ts'
import type { Broker, Producer } from './broker/broker.ts'
import type { Row } from './batch.ts'
import type { Topic } from './schema.ts'

export const platformTopic: Topic = {
  name: '_platform',
  description: 'Logs and metrics of every part of the platform',
  owner: 'platform',
  fields: [
    field('time', { kind: 'timestamp', unit: 'ms' }, { required: true, mandatory: true, description: 'When it happened', cast: { ...plainCast, unit: 'ms' } }),
    field('kind', { kind: 'enum', values: ['log', 'metric'] }, { required: true, description: 'What the row is' }),
    field('level', { kind: 'string' }, { required: true, lowCardinality: true, description: 'Of a log: error, warn, info or debug' }),
    field('runtime', { kind: 'string' }, { lowCardinality: true, description: 'Name of the process' }),
    field('pipeline', { kind: 'string' }, { required: true, lowCardinality: true, description: 'Empty: the platform itself' }),
    field('step', { kind: 'string' }, { required: true, lowCardinality: true, description: 'Input, transform or output; empty: the pipeline as a whole' }),
    field('name', { kind: 'string' }, { required: true, lowCardinality: true, description: 'Of a log its message, of a metric its name' }),
    field('value', { kind: 'float64' }, { description: 'Of a metric' }),
    field('fields', { kind: 'json' }, { description: 'What else a log says; of a metric its kind, and how much it has grown since its last row' })
  ],
  key: [],
  eventTime: 'time',
  partitions: 1,
  retention: { ms: 30 * 86_400_000, bytes: 256 * 2 ** 20, beyondOutputs: true },
  hash: 'platform-2'
}

const PENDING_ROWS_MAX = 20_000
const FLUSH_MS = 1000
const CLOSE_MS_MAX = 1500
/** Measured at its multiples, so that every slot of a chart holds as many measurements as any other. */
const METRICS_MS = 10_000
const LATE_MS = 20
const levels: Readonly<Record<number, string>> = { 20: 'debug', 30: 'info', 40: 'warn', 50: 'error', 60: 'error' }

interface LogLine { readonly time: number, readonly level: number, readonly pipeline?: string, readonly step?: string, readonly msg?: string, readonly [field: string]: unknown }

/** Collects logs and metrics and appends them once a second. Never in the way: what it cannot hold is counted and dropped. */
export class PlatformTopic {
  dropped = 0
  readonly #runtime: string
  #rows: Row[] = []
  #broker: Broker | undefined
  #producer: Producer | undefined
  #flushing: Promise<void> | undefined
  /** The last failure that was told. */
  #said = ''
  readonly #timers: NodeJS.Timeout[] = []
  #measuring: NodeJS.Timeout | undefined
  readonly #increases = new Increases()
  #metrics: () => Promise<MetricObjectWithValues[]> = async () => []

  constructor (runtime: string) {
    this.#runtime = runtime
  }

  open (broker: Broker, metrics: () => Promise<MetricObjectWithValues[]>): void {
    this.#broker = broker
    this.#metrics = metrics
    this.#timers.push(setInterval(() => { void this.flush() }, FLUSH_MS))
    this.#measureNext()
  }

  /** A line of a log, as JSON. */
  log (line: string): void {
    const { time, level, pipeline = '', step = '', msg = '', ...fields } = JSON.parse(line) as LogLine
    this.#push({ time, kind: 'log', level: levels[level] ?? 'info', runtime: this.#runtime, pipeline, step, name: msg, value: null, fields })
  }

  async flush (): Promise<void> {
    if (this.#flushing !== undefined || this.#broker === undefined) return this.#flushing
    this.#flushing = this.#append(this.#broker)
    await this.#flushing
    this.#flushing = undefined
  }

  async #append (broker: Broker): Promise<void> {
    const rows = this.#rows
    if (rows.length === 0) return
    this.#rows = []
    try {
      this.#producer ??= await broker.producer(platformTopic, `platform/${this.#runtime}`)
      await this.#producer.append([fromRows(platformTopic, rows)])
      this.#said = ''
    } catch (error) {
      this.#producer = undefined
      this.#keep(rows)
      // Through the log it would come back here; and once is enough.
      const reason = describe(error)
      if (reason !== this.#said) process.stderr.write(`The topic _platform takes no rows: ${reason}\n`)
      this.#said = reason
    }
  }

  async close (): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer)
    clearTimeout(this.#measuring)
    await inTime(this.#measure(), CLOSE_MS_MAX, () => 'late')
    // A broker that does not answer holds up no stop.
    await inTime(this.#flushing ?? Promise.resolve(), CLOSE_MS_MAX, () => 'late')
    await inTime(this.flush().then(() => this.#producer?.close()), CLOSE_MS_MAX, () => 'late')
  }

  /** What could not be appended, for the next attempt; the newest rows give way. */
  #keep (rows: readonly Row[]): void {
    const all = [...rows, ...this.#rows]
    this.#rows = all.slice(0, PENDING_ROWS_MAX)
    this.dropped += all.length - this.#rows.length
  }

  #measureNext (): void {
    // A timer may be early by a little.
    this.#measuring = setTimeout(() => {
      this.#measureNext()
      void this.#measure()
    }, METRICS_MS - Date.now() % METRICS_MS + LATE_MS)
  }

  /** Where a part cannot be measured now, its next measurement holds what has grown meanwhile. */
  async #measure (): Promise<void> {
    try {
      const metrics = await this.#metrics()
      const now = Date.now()
      // What it says is of the ten seconds that have just ended.
      const time = now - now % METRICS_MS - 1
      for (const row of this.#increases.rows(metrics, now)) this.#push({ time, runtime: this.#runtime, ...row })
    } catch (error) {
      const reason = describe(error)
      if (reason !== this.#said) process.stderr.write(`Metrics are not measured: ${reason}\n`)
      this.#said = reason
    }
  }

  #push (row: Row): void {
    if (this.#rows.length < PENDING_ROWS_MAX) this.#rows.push(row)
    else this.dropped++
  }
}

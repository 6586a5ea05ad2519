import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { storeRequests } from './objects/request-count.ts'
import type { Metrics } from './plugin.ts'

const labelNames = ['pipeline', 'step'] as const
type Label = typeof labelNames[number]

/** From the topic to the destination, seconds. */
const latencyBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]

/** The metrics of one pipeline, in its worker; the main thread adds them up. */
export class PipelineMetrics {
  readonly registry = new Registry()
  readonly rows = this.#counter('twolane_rows_total', 'Rows that an input made durable in the topic, or an output in its destination')
  readonly bytes = this.#counter('twolane_bytes_total', 'Size of these rows in the topic, bytes')
  readonly batches = this.#counter('twolane_batches_total', 'Batches of these rows')
  readonly rejected = this.#counter('twolane_rejected_rows_total', 'Rows sent to the rejected topic')
  readonly failures = this.#counter('twolane_step_failures_total', 'Times that a step failed and was opened again')
  readonly lagRows = this.#gauge('twolane_lag_rows', 'Rows in the topic that an output has not committed')
  readonly lagSeconds = this.#gauge('twolane_lag_seconds', 'Age of the oldest of these rows, seconds')
  readonly latency = new Histogram<Label>({
    name: 'twolane_latency_seconds', help: 'From the topic to the destination, oldest row of each flush, seconds', labelNames, buckets: latencyBuckets, registers: [this.registry]
  })

  readonly #cpu = this.#counter('twolane_cpu_seconds_total', 'Processor time of the pipeline\'s thread')
  readonly #storeReads = this.#counter('twolane_store_reads_total', 'Requests that read from an object store')
  readonly #storeWrites = this.#counter('twolane_store_writes_total', 'Requests that write to an object store, or list it')
  readonly #plugin = new Map<string, Counter<Label> | Gauge<Label> | Histogram<Label>>()

  /** Makes the series of a step, at 0. */
  begin (pipeline: string, step: string): void {
    const counters = step.startsWith('transforms.') ? [] : [this.rows, this.bytes, this.batches, this.rejected, this.failures]
    for (const counter of counters) counter.inc({ pipeline, step }, 0)
  }

  /** What the thread has used since it began. */
  used (pipeline: string): void {
    const { user, system } = process.threadCpuUsage()
    for (const [counter, value] of [[this.#cpu, (user + system) / 1e6], [this.#storeReads, storeRequests.reads], [this.#storeWrites, storeRequests.writes]] as const) {
      counter.reset()
      counter.inc({ pipeline, step: '' }, value)
    }
  }

  /** What a plugin counts itself, as `twolane_plugin_<name>`. */
  of (pipeline: string, step: string): Metrics {
    const labels = { pipeline, step }
    return {
      count: (name, by = 1) => this.#own(name, () => this.#counter(`twolane_plugin_${name}_total`, `Counted by the plugin: ${name}`)).inc(labels, by),
      gauge: (name, value) => this.#own(name, () => this.#gauge(`twolane_plugin_${name}`, `Measured by the plugin: ${name}`)).set(labels, value),
      observe: (name, seconds) => this.#own(name, () => new Histogram<Label>({
        name: `twolane_plugin_${name}_seconds`, help: `Timed by the plugin: ${name}`, labelNames, buckets: latencyBuckets, registers: [this.registry]
      })).observe(labels, seconds)
    }
  }

  #own<M extends Counter<Label> | Gauge<Label> | Histogram<Label>> (name: string, make: () => M): M {
    let metric = this.#plugin.get(name)
    if (metric === undefined) this.#plugin.set(name, metric = make())
    return metric as M
  }

  #counter (name: string, help: string): Counter<Label> {
    return new Counter({ name, help, labelNames, registers: [this.registry] })
  }

  #gauge (name: string, help: string): Gauge<Label> {
    return new Gauge({ name, help, labelNames, registers: [this.registry] })
  }
}

// All that is measured, by the names that /metrics shows: of the pipelines' threads, of this process, of the embedded
// engine, and of each output's lag. One place for both readers: the route /metrics, and the topic `_platform`.

import { readFile } from 'node:fs/promises'
import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client'
import { lags } from '../control/lag.ts'
import { storeRequests } from '../objects/request-count.ts'
import { endKinds } from '../clickhouse/ends.ts'
import type { EmbeddedClickHouse } from '../clickhouse/embedded.ts'
import type { MetricObjectWithValues } from '../row-rate.ts'
import type { Platform } from '../platform.ts'

/** Measured here for every output, so that a pipeline whose thread is gone is not shown as it was. */
const measuredHere = new Set(['twolane_lag_rows', 'twolane_lag_seconds'])
/** Of the process's own metrics, those whose course is kept: the others are for Prometheus. */
const kept = new Set(['twolane_process_cpu_seconds_total', 'twolane_process_resident_memory_bytes', 'twolane_nodejs_heap_size_used_bytes', 'twolane_nodejs_eventloop_lag_p99_seconds'])

/** Of one process of this machine. */
export interface ProcessUse {
  readonly cpuSeconds: number
  readonly residentBytes: number
}

export type MeasuredPlatform = Pick<Platform, 'supervisor' | 'broker' | 'rowsDropped'> & {
  readonly fleet: { readonly isControl: boolean }
  readonly recorded: { readonly rows: number }
  readonly engine: Pick<EmbeddedClickHouse, 'state' | 'ends'> | undefined
}

export class Measured {
  readonly #platform: MeasuredPlatform
  readonly #process = new Registry()
  readonly #own = new Registry()
  readonly #sources: Array<() => Promise<MetricObjectWithValues[]>> = []
  readonly #healthy: Gauge
  readonly #restarts: Counter
  readonly #lagRows: Gauge
  readonly #lagSeconds: Gauge
  readonly #dropped: Gauge
  readonly #recorded: Counter
  readonly #engineCpu: Counter
  readonly #engineEnds: Counter
  readonly #storeReads: Counter
  readonly #storeWrites: Counter
  readonly #engineMemory: Gauge

  constructor (platform: MeasuredPlatform) {
    this.#platform = platform
    collectDefaultMetrics({ register: this.#process, prefix: 'twolane_' })
    const registers = [this.#own]
    this.#healthy = new Gauge({ name: 'twolane_pipeline_healthy', help: '1: the pipeline and all its steps are healthy', labelNames: ['pipeline', 'state'], registers })
    this.#restarts = new Counter({ name: 'twolane_pipeline_restarts_total', help: 'Times that the pipeline failed as a whole and was started again', labelNames: ['pipeline'], registers })
    this.#lagRows = new Gauge({ name: 'twolane_lag_rows', help: 'Rows in the topic that an output has not committed', labelNames: ['pipeline', 'step'], registers })
    this.#lagSeconds = new Gauge({ name: 'twolane_lag_seconds', help: 'Age of the oldest of these rows, seconds', labelNames: ['pipeline', 'step'], registers })
    this.#dropped = new Gauge({ name: 'twolane_platform_rows_dropped', help: 'Log and metric rows that the topic _platform did not take', registers })
    this.#recorded = new Counter({ name: 'twolane_observe_rows_total', help: 'Log and metric rows that this process stored in ClickHouse', registers })
    this.#engineCpu = new Counter({ name: 'twolane_engine_cpu_seconds_total', help: 'Processor time of the embedded ClickHouse, since it was started', registers })
    this.#engineEnds = new Counter({ name: 'twolane_engine_ends_total', help: 'Times that the process of the embedded ClickHouse ended: died by itself, hung and was ended, asked to restart', labelNames: ['kind'], registers })
    this.#storeReads = new Counter({ name: 'twolane_store_reads_total', help: 'Requests that read from an object store', labelNames: ['pipeline', 'step'], registers })
    this.#storeWrites = new Counter({ name: 'twolane_store_writes_total', help: 'Requests that write to an object store, or list it', labelNames: ['pipeline', 'step'], registers })
    this.#engineMemory = new Gauge({ name: 'twolane_engine_resident_memory_bytes', help: 'Memory of the embedded ClickHouse', registers })
  }

  /** Another part of the platform tells what it measures; few series, and never by throwing. */
  addSource (source: () => Promise<MetricObjectWithValues[]>): void {
    this.#sources.push(source)
  }

  /** All of them. */
  async all (): Promise<MetricObjectWithValues[]> {
    return [...this.#pipelines(), ...await this.#platformWide(true), ...await metricsOf(this.#process)]
  }

  /** What is kept: without what Prometheus alone asks for. The lag is measured by one runtime for all of them. */
  async kept (): Promise<MetricObjectWithValues[]> {
    return [...this.#pipelines(), ...await this.#platformWide(this.#platform.fleet.isControl), ...(await metricsOf(this.#process)).filter(({ name }) => kept.has(name))]
  }

  #pipelines (): MetricObjectWithValues[] {
    return this.#platform.supervisor.metrics().filter(({ name }) => !measuredHere.has(name))
  }

  async #platformWide (withLag: boolean): Promise<MetricObjectWithValues[]> {
    const { supervisor, rowsDropped, recorded, engine } = this.#platform
    for (const metric of [this.#healthy, this.#restarts, this.#lagRows, this.#lagSeconds, this.#recorded, this.#engineCpu, this.#engineEnds, this.#storeReads, this.#storeWrites]) metric.reset()
    for (const { id, healthy, state, restarts } of supervisor.status()) {
      this.#healthy.set({ pipeline: id, state }, healthy ? 1 : 0)
      this.#restarts.inc({ pipeline: id }, restarts)
    }
    for (const { pipeline, step, rows, seconds } of withLag ? await lags(this.#platform) : []) {
      this.#lagRows.set({ pipeline, step }, rows)
      this.#lagSeconds.set({ pipeline, step }, seconds)
    }
    this.#dropped.set(rowsDropped)
    this.#recorded.inc(recorded.rows)
    this.#storeReads.inc({ pipeline: '', step: '' }, storeRequests.reads)
    this.#storeWrites.inc({ pipeline: '', step: '' }, storeRequests.writes)
    const used = engine?.state.state === 'up' ? await processUse(engine.state.pid) : undefined
    for (const kind of engine === undefined ? [] : endKinds) this.#engineEnds.inc({ kind }, engine?.ends.counts[kind])
    this.#engineCpu.inc(used?.cpuSeconds ?? 0)
    this.#engineMemory.set(used?.residentBytes ?? 0)
    return [...await metricsOf(this.#own), ...(await Promise.all(this.#sources.map(source => source()))).flat()]
  }
}

/** Linux counts processor time in ticks of that length for every program. */
const TICKS_A_SECOND = 100
const PAGE_BYTES = 4096

/** undefined: there is no such process, or the system does not tell. */
export async function processUse (pid: number): Promise<ProcessUse | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  // The name of the program, in brackets, may hold anything.
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ').map(Number)
  if (fields === undefined) return undefined
  const [user = 0, system = 0, pages = 0] = [fields[11], fields[12], fields[21]]
  return { cpuSeconds: (user + system) / TICKS_A_SECOND, residentBytes: pages * PAGE_BYTES }
}

async function metricsOf (registry: Registry): Promise<MetricObjectWithValues[]> {
  return await registry.getMetricsAsJSON() as unknown as MetricObjectWithValues[]
}

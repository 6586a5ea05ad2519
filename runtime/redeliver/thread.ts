// Redelivery and the list of refused rows, as the control side offers them. One redelivery of a topic runs at a time.

import { setImmediate } from 'node:timers/promises'
import { PlatformError } from '../errors.ts'
import { OffsetRanges } from '../offset-ranges.ts'
import { rejectedTopic } from '../schema.ts'
import { runSide } from '../side-thread.ts'
import { withDataset } from '../warehouse/dataset-lock.ts'
import { datasetsOf } from '../warehouse/datasets.ts'
import { handledOf } from './redelivery.ts'
import { isSelected, refusedRows } from './refused.ts'
import { Groups } from './report.ts'
import type { Platform } from '../platform.ts'
import type { RedeliveryRequest } from './redelivery.ts'
import type { Selection } from './refused.ts'
import type { RefusalGroup, Report } from './report.ts'

/** How long a redelivery takes new rows; whoever wants more asks again. */
export const SLICE_MS = 20_000
/** For what a slice has begun. */
const FINISH_MS_MAX = 120_000
/** Refused rows that one list looks at. */
const LISTED_ROWS_MAX = 200_000

type Parts = Pick<Platform, 'broker' | 'supervisor' | 'config' | 'root' | 'clickhouse' | 'warehouse' | 'log'>

/** The slice of `from` of a redelivery, in a thread of its own. Throws what made it fail as a whole; REQUEST_REFUSED where one of the topic runs. */
export class Redeliveries {
  readonly #platform: Parts
  readonly #running = new Set<string>()

  constructor (platform: Parts) {
    this.#platform = platform
  }

  async run (request: Omit<RedeliveryRequest, 'msMax'>, signal: AbortSignal): Promise<Report> {
    const { topic } = request
    if (this.#running.has(topic)) throw new PlatformError('REQUEST_REFUSED', `The refused rows of ${topic} are being delivered already`, { remedy: 'Try again when that has ended.' })
    this.#running.add(topic)
    try {
      const work = (): Promise<Report> => this.#inThread({ ...request, msMax: SLICE_MS }, signal)
      return request.dryRun ? await work() : await this.#alone(topic, signal, work)
    } finally {
      this.#running.delete(topic)
    }
  }

  /** Refused rows that wait, in groups. Rows behind the first `LISTED_ROWS_MAX` are not looked at: `more` says so. */
  async list (topic: string, selection: Selection, rowsMax: number): Promise<RejectedList> {
    const { broker } = this.#platform
    // Whoever asks for the memory of a redelivery shuts it out.
    if (this.#running.has(topic)) throw new PlatformError('REQUEST_REFUSED', `The refused rows of ${topic} are being delivered just now`, { remedy: 'Try again when that has ended.' })
    const known = (await broker.topics()).includes(rejectedTopic(topic).name)
    const handled = known ? await handledOf(broker, topic) : new OffsetRanges()
    const groups = new Groups()
    const rows: RejectedList['rows'][number][] = []
    let [count, looked, more] = [0, 0, false]
    if (!known) return { count, handled: 0, groups: [], rows, more }
    const reader = await broker.reader(rejectedTopic(topic))
    try {
      for await (const window of refusedRows(reader, 0)) {
        for (const row of window.rows) {
          if (handled.has(row.at) || !isSelected(selection, row)) continue
          count++
          groups.add(row.step, row.reason, row)
          if (rows.length < rowsMax) rows.push(row)
        }
        looked += window.rows.length
        more = looked >= LISTED_ROWS_MAX
        if (more) break
        await setImmediate()
      }
    } finally {
      await reader.close()
    }
    return { count, handled: handled.size, groups: groups.list(), rows, more }
  }

  async #inThread (request: RedeliveryRequest, signal: AbortSignal): Promise<Report> {
    const platform = this.#platform
    const { pipelines } = platform.supervisor.files
    return runSide<RedeliveryRequest, Report>({
      module: new URL('./worker.ts', import.meta.url),
      request,
      pipelines: [...pipelines.values()].filter(({ topic, enabled }) => topic === request.topic && enabled),
      platform,
      log: platform.log,
      signal,
      msMax: SLICE_MS + FINISH_MS_MAX
    })
  }

  /** No day of the topic is handed over meanwhile: its rows may be put below the boundary. */
  async #alone<T> (topic: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const { files, schemas } = this.#platform.supervisor
    const datasets = [...datasetsOf(files.pipelines.values(), schemas).values()].filter(({ feeds }) => feeds.has(topic)).map(({ name }) => name)
    // Each in the same order, so that two of them cannot wait for each other.
    return datasets.sort().reduce<() => Promise<T>>((inner, name) => () => withDataset(name, inner, signal), work)()
  }
}

export interface RejectedList {
  readonly count: number
  /** Rows that were redelivered, and are not listed any more. */
  readonly handled: number
  readonly groups: readonly RefusalGroup[]
  readonly rows: ReadonlyArray<{ readonly at: number, readonly reason: string, readonly step: string, readonly partition: number, readonly offset: number, readonly time: number, readonly row: object }>
  readonly more: boolean
}

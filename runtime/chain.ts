import { fromRows } from './batch.ts'
import { describe, PlatformError } from './errors.ts'
import type { Batch, Row } from './batch.ts'
import type { Json, Mapping } from './plugin.ts'
import type { Rejects } from './rejects.ts'
import type { Watch } from './watched.ts'

/** One transform of a chain. */
export interface Link {
  readonly step: string
  readonly mapping: Mapping
}

/** The transforms of one output, in order. Refused rows keep what they held in the topic. */
export class Chain {
  readonly #links: readonly Link[]
  readonly #rejects: Rejects
  readonly #watch: Pick<Watch, 'enter' | 'leave'>
  #raw: Batch | undefined
  #current: Batch | undefined

  constructor (links: readonly Link[], rejects: Rejects, watch: Pick<Watch, 'enter' | 'leave'>) {
    this.#links = links
    this.#rejects = rejects
    this.#watch = watch
  }

  map (raw: Batch): Batch {
    this.#raw = raw
    let batch = raw
    for (const { step, mapping } of this.#links) {
      const given = batch
      this.#current = given
      batch = this.#in(step, `Mapping the rows from offset ${raw.offsetAt(0)} on`, () => mapping.map(given))
    }
    return batch
  }

  /** What a transform's `context.reject` does: row `i` of the batch it is mapping. */
  reject (step: string, i: number, reason: string): void {
    const current = this.#current
    const raw = this.#raw
    if (current === undefined || raw === undefined) return
    const offset = current.offsetAt(i)
    this.#rejects.add({ row: rowAtOffset(raw, offset), reason, step, partition: raw.position.partition, offset })
  }

  /** State of all transforms, to be committed with the offset; undefined where none keeps any. */
  snapshot (): Json | undefined {
    const states: Record<string, Json> = {}
    for (const { step, mapping } of this.#links) if (mapping.snapshot !== undefined) states[step] = this.#in(step, 'Taking its state', () => mapping.snapshot?.() ?? null)
    return Object.keys(states).length === 0 ? undefined : states
  }

  /** Calls a transform, which is named when it throws, and when the thread does not come back from it. */
  #in<T> (step: string, doing: string, work: () => T): T {
    this.#watch.enter(step)
    try {
      return work()
    } catch (cause) {
      throw new PlatformError('PLUGIN_FAILED', `${doing} failed: ${describe(cause)}`, { where: step, cause })
    } finally {
      this.#watch.leave()
    }
  }
}

/** The row of a batch that has `offset`; empty where it is not among them. */
export function rowAtOffset (batch: Batch, offset: number): Row {
  const i = batch.offsets === undefined ? offset - batch.position.offset : batch.offsets.indexOf(offset)
  return i >= 0 && i < batch.length ? batch.row(i) : {}
}

/** A typed or raw batch without the rows whose offsets are in `landed` (ascending). */
export function without (batch: Batch, landed: Float64Array): Batch {
  if (landed.length === 0) return batch
  const there = new Set(landed)
  const missing: number[] = []
  for (let i = 0; i < batch.length; i++) if (!there.has(batch.offsetAt(i))) missing.push(i)
  return missing.length === 0 ? fromRows(batch.topic, []) : batch.select(Int32Array.from(missing))
}

// One output of one pipeline that takes refused rows again, beside the pipeline itself.
//
//   raw rows ─▶ transforms as they are now ─▶ without what the output holds ─▶ write, flush, look again ─▶ remembered
//
// The sink goes by a step's name of its own, so that it neither shuts the pipeline's sink out nor waits for it. Only what
// the pipeline's own loop has passed is touched: below its committed offset nobody but a redelivery writes.

import { without } from '../chain.ts'
import { PlatformError } from '../errors.ts'
import { Rejects } from '../rejects.ts'
import { makeContext, openChain, rejectFromOutput, topicNamed } from '../steps.ts'
import { call } from '../watched.ts'
import { rawRows } from './raw-rows.ts'
import type { Batch } from '../batch.ts'
import type { Reader } from '../broker/broker.ts'
import type { OutputStep } from '../pipeline.ts'
import type { OutputPlugin, Range, Sink, TransformPlugin } from '../plugin.ts'
import type { LoadedStep, Surroundings } from '../steps.ts'
import type { RefusedRow } from './refused.ts'
import type { Tally } from './report.ts'
import type { WarehouseRows } from './held.ts'

/** Offsets that one flush may span: the output tells which of them it holds. */
const SPAN_MAX = 200_000

export interface LaneParts {
  readonly around: Surroundings
  readonly step: OutputStep
  readonly plugin: OutputPlugin
  readonly transforms: ReadonlyArray<LoadedStep<TransformPlugin>>
  /** Of the pipeline's topic. */
  readonly reader: Reader
  /** undefined: nothing of it is handed over. */
  readonly handedOver: WarehouseRows | undefined
  readonly signal: AbortSignal
  readonly dryRun: boolean
}

export class Lane {
  readonly #parts: LaneParts
  readonly #rejects: Rejects
  /** By partition: each has an owner of its own. */
  readonly #sinks = new Map<number, Promise<Sink>>()

  constructor (parts: LaneParts) {
    this.#parts = parts
    const { pipeline, clock } = parts.around
    this.#rejects = new Rejects(pipeline.topic, pipeline.id, clock, parts.step.name)
  }

  /** Delivers what passes, and calls `onDone` with the refusals that are done with once that is durable. Rows of any partitions, in any order. */
  async deliver (rows: readonly RefusedRow[], tally: Tally, onDone: (at: readonly number[]) => Promise<void>): Promise<void> {
    for (const portion of portions(rows)) {
      if (this.#parts.signal.aborted) return
      await this.#portion(portion, tally, onDone)
    }
  }

  async #portion (rows: readonly RefusedRow[], tally: Tally, onDone: (at: readonly number[]) => Promise<void>): Promise<void> {
    const { around, transforms, step, reader, signal, dryRun } = this.#parts
    const topic = topicNamed(around.schemas, around.pipeline.topic)
    const places = new Map<number, number[]>()
    for (const { at, offset } of rows) places.set(offset, [...places.get(offset) ?? [], at])
    const { batches, gone } = await rawRows(reader, topic, rows)
    for (const { why } of gone) tally.keep(why)
    // What a transform has seen of other rows is not known here: each portion begins without a state.
    const { chain, rejects } = await openChain(around, transforms, { signal, output: step.name })
    const mapped = batches.map(batch => chain.map(batch))
    const refused = this.#tell(rejects, places, tally)
    const out = new Set(mapped.flatMap(offsetsOf))
    const filtered = batches.flatMap(offsetsOf).filter(offset => !out.has(offset) && !refused.has(offset))
    tally.count('filtered', filtered.length)
    const done = [...filtered]
    if (out.size > 0) {
      if (dryRun) tally.count('delivered', out.size)
      else done.push(...await this.#store(mapped.filter(({ length }) => length > 0), places, tally))
    }
    if (!dryRun && done.length > 0) await onDone(done.flatMap(offset => places.get(offset) ?? []))
  }

  /** Offsets that the output holds afterwards. */
  async #store (mapped: readonly Batch[], places: ReadonlyMap<number, readonly number[]>, tally: Tally): Promise<number[]> {
    const offsets = mapped.flatMap(offsetsOf)
    const range: Range = { partition: mapped[0]?.position.partition ?? 0, from: Math.min(...offsets), to: Math.max(...offsets) + 1 }
    const sink = await this.#sink(range.partition)
    const held = await this.#held(sink, range)
    const missing = mapped.map(batch => without(batch, held)).filter(({ length }) => length > 0)
    const sent = missing.flatMap(offsetsOf)
    tally.count('present', offsets.length - sent.length)
    if (sent.length === 0) return offsets
    for (const batch of missing) await sink.write(batch)
    await sink.flush(range)
    const refused = this.#tell(this.#rejects, places, tally)
    const stored = sent.filter(offset => !refused.has(offset))
    if (sink.landed !== undefined) {
      const landed = new Set(await sink.landed(range))
      const absent = stored.filter(offset => !landed.has(offset)).length
      if (absent > 0) throw new PlatformError('DESTINATION_UNAVAILABLE', `${absent} of ${stored.length} rows are not in the destination although it said so`, { where: this.#parts.step.name })
    }
    tally.count('delivered', stored.length)
    return offsets.filter(offset => !refused.has(offset))
  }

  async #held (sink: Sink, range: Range): Promise<Float64Array> {
    const landed = await sink.landed?.(range) ?? []
    const handedOver = await this.#parts.handedOver?.offsets(this.#parts.around.pipeline.topic, range) ?? []
    return Float64Array.from([...landed, ...handedOver])
  }

  #sink (partition: number): Promise<Sink> {
    let sink = this.#sinks.get(partition)
    if (sink === undefined) this.#sinks.set(partition, sink = this.#open(partition))
    return sink
  }

  async #open (partition: number): Promise<Sink> {
    const { around, step, plugin, signal } = this.#parts
    const name = `${step.name}~late`
    const topic = topicNamed(around.schemas, around.pipeline.topic)
    const context = makeContext(around, { step: name, topic, signal, checkpoint: undefined, reject: rejectFromOutput(this.#rejects, step.name) })
    const sink = await call({ step: step.name, watch: around.watch, work: () => plugin.open(step.config, context), limit: { to: 'open', msMax: around.limits.openMsMax } })
    // What an earlier redelivery still sends is waited for by `landed`, and what it would send later is refused.
    await sink.own?.({ partition, epoch: around.clock.now() })
    return sink
  }

  /** Counts what was refused; returns the offsets. */
  #tell (rejects: Rejects, places: ReadonlyMap<number, readonly number[]>, tally: Tally): Set<number> {
    const offsets = new Set<number>()
    for (const batch of rejects.take()) {
      for (const { step, reason, partition, offset } of batch.rows() as Iterable<{ step: string, reason: string, partition: number, offset: number }>) {
        offsets.add(offset)
        tally.refuse(step, reason, { at: places.get(offset)?.[0] ?? -1, partition, offset })
      }
    }
    return offsets
  }

  async close (): Promise<void> {
    for (const sink of await Promise.allSettled(this.#sinks.values())) if (sink.status === 'fulfilled') await sink.value.close()
    await this.#parts.handedOver?.close()
  }
}

function offsetsOf (batch: Batch): number[] {
  return Array.from({ length: batch.length }, (_, i) => batch.offsetAt(i))
}

/** By partition, by ascending offset, and so that one flush does not span too much. */
function portions (rows: readonly RefusedRow[]): RefusedRow[][] {
  const found: RefusedRow[][] = []
  let portion: RefusedRow[] = []
  for (const row of rows.toSorted((a, b) => a.partition - b.partition || a.offset - b.offset)) {
    const [first] = portion
    if (first !== undefined && (first.partition !== row.partition || row.offset - first.offset >= SPAN_MAX)) {
      found.push(portion)
      portion = []
    }
    portion.push(row)
  }
  return portion.length === 0 ? found : [...found, portion]
}

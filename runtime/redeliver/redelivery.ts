// Refused rows, delivered again by the pipelines as they are now. One call works for a while and says where it has come
// to; whoever wants all of them asks again from there.
//
// What is done with is remembered beside the rejected topic itself, as the checkpoint of a producer without rows: it
// moves with the topic, and only one redelivery at a time can write it. Rows that are appended to the topic are
// remembered in the same write. Both make a repeated redelivery, also after a crash, double nothing.

import { PlatformError, describe } from '../errors.ts'
import { OffsetRanges } from '../offset-ranges.ts'
import { groupOf } from '../run.ts'
import { loadOutput, loadTransforms, topicNamed } from '../steps.ts'
import { rejectedTopic } from '../schema.ts'
import { Arrivals } from './arrivals.ts'
import { WarehouseRows } from './held.ts'
import { Lane } from './lane.ts'
import { isSelected, refusedRows } from './refused.ts'
import { Tally } from './report.ts'
import type { Broker, Producer, Reader, TopicState } from '../broker/broker.ts'
import type { Surroundings } from '../steps.ts'
import type { RefusedRow, Selection } from './refused.ts'
import type { Report } from './report.ts'

export interface RedeliveryRequest extends Selection {
  readonly topic: string
  /** Where to begin, in the rejected topic. */
  readonly from: number
  /** Nothing is written. */
  readonly dryRun: boolean
  /** Also to outputs that cannot tell what they hold: a row may come there twice. */
  readonly atLeastOnce: boolean
  /** After which no new rows are taken. */
  readonly msMax: number
}

/** Name of the writers of a redelivery; no pipeline's id has a capital. */
const PRODUCER = 'Redelivery'
/** What is done with is saved as a whole, in one record. */
const RANGES_MAX = 50_000

/** Refusals of a topic that are done with. */
export async function handledOf (broker: Broker, topic: string): Promise<OffsetRanges> {
  const producer = await broker.producer(rejectedTopic(topic), PRODUCER)
  await producer.close()
  return OffsetRanges.of(producer.checkpoint)
}

/** `arounds`: of all pipelines of the topic that are enabled, with schemas as they are now. */
export async function redeliver (request: RedeliveryRequest, arounds: readonly Surroundings[], broker: Broker, signal: AbortSignal): Promise<Report> {
  const redelivery = new Redelivery(request, arounds, broker, signal)
  try {
    await redelivery.open()
    return await redelivery.run()
  } finally {
    await redelivery.close()
  }
}

class Redelivery {
  readonly #request: RedeliveryRequest
  readonly #arounds: readonly Surroundings[]
  readonly #broker: Broker
  readonly #signal: AbortSignal
  readonly #tally = new Tally()
  readonly #arrivals: Arrivals
  /** A text: why the output takes none of these rows. */
  readonly #lanes = new Map<string, Lane | string>()
  readonly #readers: Reader[] = []
  #handled = new OffsetRanges()
  #appended = new OffsetRanges()
  #memory: Producer | undefined
  #topic: Producer | undefined
  #state: TopicState | undefined

  constructor (request: RedeliveryRequest, arounds: readonly Surroundings[], broker: Broker, signal: AbortSignal) {
    this.#request = request
    this.#arounds = arounds
    this.#broker = broker
    this.#signal = signal
    this.#arrivals = new Arrivals(arounds, signal)
  }

  async open (): Promise<void> {
    const { topic } = this.#request
    const [around] = this.#arounds
    if (around === undefined) throw new PlatformError('NOT_FOUND', `No enabled pipeline has the topic ${topic}`, { remedy: 'Enable one: its transforms and outputs are what the rows go through.' })
    this.#memory = await this.#broker.producer(rejectedTopic(topic), PRODUCER)
    this.#handled = OffsetRanges.of(this.#memory.checkpoint)
    this.#topic = await this.#broker.producer(topicNamed(around.schemas, topic), PRODUCER)
    this.#appended = OffsetRanges.of(this.#topic.checkpoint)
    // Those whose append was not remembered beside the rejected topic any more.
    this.#handled.addAll(this.#appended)
    this.#state = await this.#broker.inspect(topic)
  }

  async run (): Promise<Report> {
    const { from, msMax } = this.#request
    const until = performance.now() + msMax
    const reader = await this.#reader(true)
    const { first } = await reader.bounds(0)
    this.#handled.dropBelow(first)
    this.#appended.dropBelow(first)
    for await (const { rows, next } of refusedRows(reader, from)) {
      await this.#window(rows.filter(row => !this.#handled.has(row.at) && isSelected(this.#request, row)))
      if (performance.now() >= until || this.#signal.aborted) return this.#tally.report(next)
    }
    return this.#tally.report(null)
  }

  async #window (rows: readonly RefusedRow[]): Promise<void> {
    this.#tally.count('rows', rows.length)
    const foreign = rows.filter(({ step }) => step === 'topic')
    if (foreign.length > 0) this.#tally.keep('another client has written the record, and it is no row of the topic', foreign.length)
    const own = rows.filter(({ step }) => step !== 'topic')
    await this.#append(own.filter(({ offset }) => offset < 0))
    const byLane = Map.groupBy(own.filter(({ offset }) => offset >= 0), ({ pipeline, output }) => JSON.stringify([pipeline, output]))
    for (const refused of byLane.values()) await this.#deliver(refused)
  }

  async #deliver (refused: readonly RefusedRow[]): Promise<void> {
    const [first] = refused
    if (first === undefined) return
    const lane = await this.#lane(first)
    if (typeof lane === 'string') return this.#tally.keep(lane, refused.length)
    const passed = refused.filter(row => row.offset < this.#committed(row))
    if (passed.length < refused.length) this.#tally.keep(`${first.output} of ${first.pipeline} has not passed the row yet: it is still at work on it`, refused.length - passed.length)
    try {
      await lane.deliver(passed, this.#tally, async at => {
        await this.#remember(at)
      })
    } catch (error) {
      if (error instanceof PlatformError && ['BROKER_FENCED', 'REQUEST_REFUSED'].includes(error.code)) throw error
      // The others go on. What it has stored is found there by the next redelivery.
      this.#lanes.set(keyOf(first), `${first.output} of ${first.pipeline}: ${describe(error)}`)
      await lane.close().catch(() => {}) // It has failed already.
      this.#tally.keep(`${first.output} of ${first.pipeline} failed: ${describe(error)}`)
    }
  }

  #committed ({ pipeline, output, partition }: RefusedRow): number {
    return this.#state?.groups.find(group => group.group === groupOf(pipeline, output) && group.partition === partition)?.offset ?? 0
  }

  async #append (rows: readonly RefusedRow[]): Promise<void> {
    const { batches, at } = await this.#arrivals.take(rows, this.#tally)
    if (at.length === 0) return
    this.#tally.count('appended', at.length)
    if (this.#request.dryRun) return
    addAll(this.#appended, at)
    // Rows and what is remembered of them, in one write.
    await this.#topic?.append(batches, { checkpoint: this.#appended.toJson() })
    await this.#remember(at)
  }

  async #remember (at: readonly number[]): Promise<void> {
    addAll(this.#handled, at)
    await this.#memory?.append([], { checkpoint: this.#handled.toJson() })
  }

  async #lane (row: RefusedRow): Promise<Lane | string> {
    const key = keyOf(row)
    let lane = this.#lanes.get(key)
    if (lane === undefined) this.#lanes.set(key, lane = await this.#open(row))
    return lane
  }

  async #open ({ pipeline, output }: RefusedRow): Promise<Lane | string> {
    const around = this.#arounds.find(around => around.pipeline.id === pipeline)
    if (around === undefined) return `the pipeline ${pipeline} does not run on this topic any more`
    const step = around.pipeline.outputs.find(({ name }) => name === output)
    if (step === undefined) return `the pipeline ${pipeline} has no ${output} any more`
    const plugin = await loadOutput(around, step)
    const name = `${output} of ${pipeline}`
    if (plugin.raw === true) return `${name} takes the rows as the topic has them, and has refused one of its own`
    if (plugin.late !== true) return `${name} takes no rows of earlier offsets: correct the pipeline and deliver the topic under another name`
    if (plugin.guarantee !== 'exactly once' && !this.#request.atLeastOnce) return `${name} cannot tell what it holds: a row may come there twice (--at-least-once allows it)`
    const { database, table, schema, url } = step.config as { database?: string, table?: string | null, schema?: string | null, url?: string | null }
    const streaming = step.plugin === 'streaming-database' && url === null && database !== undefined && around.warehouse !== undefined
    return new Lane({
      around,
      step,
      plugin,
      transforms: await loadTransforms(around),
      reader: await this.#reader(false),
      handedOver: streaming ? new WarehouseRows(around.warehouse, { database, table: table ?? schema ?? around.pipeline.topic }) : undefined,
      signal: this.#signal,
      dryRun: this.#request.dryRun
    })
  }

  async #reader (rejected: boolean): Promise<Reader> {
    const { topic } = this.#request
    const reader = await this.#broker.reader(rejected ? rejectedTopic(topic) : topicNamed((this.#arounds[0] as Surroundings).schemas, topic))
    this.#readers.push(reader)
    return reader
  }

  async close (): Promise<void> {
    for (const lane of this.#lanes.values()) if (typeof lane !== 'string') await lane.close()
    for (const reader of this.#readers) await reader.close()
    await this.#memory?.close()
    await this.#topic?.close()
  }
}

/** Throws REQUEST_REFUSED when they are too scattered to be remembered. */
function addAll (set: OffsetRanges, offsets: readonly number[]): void {
  for (const offset of offsets) set.add(offset)
  if (set.ranges <= RANGES_MAX) return
  throw new PlatformError('REQUEST_REFUSED', `The rows that are done with lie in more than ${RANGES_MAX} places and cannot be remembered`, { remedy: 'Redeliver without --reason and --step, so that neighbours are done with together.' })
}

function keyOf ({ pipeline, output }: RefusedRow): string {
  return JSON.stringify([pipeline, output])
}

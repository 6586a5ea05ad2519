// A destination, a topic and a deliver loop between them that can crash at any step: what the tests of the loop use.
//
// A step is a call that changes something durable: begin, write, flush, append of rejects, commit. A crash comes before
// the step, in the middle of it (a flush of which half the rows land), or behind it (the answer is lost); from then on
// nothing works, as in a process that is gone.

import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { fromRows } from '../../runtime/batch.ts'
import { openEmbedded } from '../../runtime/broker/embedded.ts'
import { Chain } from '../../runtime/chain.ts'
import { deliver } from '../../runtime/deliver.ts'
import { Rejects } from '../../runtime/rejects.ts'
import { rejectedTopic } from '../../runtime/schema.ts'
import { fakeContext, fakeTopic } from '../conform/context.ts'
import type { Test } from 'tap'
import type { Batch } from '../../runtime/batch.ts'
import type { Assignment, Producer } from '../../runtime/broker/broker.ts'
import type { Delivery, OpenChain, Settlement } from '../../runtime/deliver.ts'
import type { Guarantee, Json, Mapping, Range, Sink } from '../../runtime/plugin.ts'
import type { FakeContext } from '../conform/context.ts'

export const topic = fakeTopic('rows', ['n', 'text'])
export const clock = { now: () => 0 }

export interface Landed { readonly offset: number, readonly values: Readonly<Record<string, unknown>> }

/** Outlives all crashes. */
export class Destination {
  readonly guarantee: Guarantee
  /** By range for an idempotent one, one after the other for all others. */
  readonly ranges = new Map<string, Landed[]>()
  readonly flushed: Range[] = []

  constructor (guarantee: Guarantee) {
    this.guarantee = guarantee
  }

  get landed (): Landed[] {
    return [...this.ranges.values()].flat()
  }

  get offsets (): number[] {
    return this.landed.map(({ offset }) => offset).sort((a, b) => a - b)
  }

  land (range: Range, rows: readonly Landed[]): void {
    const key = `${range.from}-${range.to}`
    if (this.guarantee === 'idempotent') this.ranges.set(key, [...rows])
    else this.ranges.set(key, [...this.ranges.get(key) ?? [], ...rows])
  }
}

/** Crashes at the step with that number, counted from 1; 0: never. */
export class Fault {
  readonly #at: number
  steps = 0
  crashed = false
  /** What every step did, for a test that wants to know. */
  readonly log: string[] = []

  constructor (at = 0) {
    this.#at = at
  }

  /** Calls `effect`, unless the crash comes first; `half` is what a crash in the middle leaves behind. */
  async step<T> (name: string, effect: () => Promise<T>, half?: () => void): Promise<T> {
    this.#maybeCrash()
    if (half !== undefined && this.steps + 1 === this.#at) half()
    if (half !== undefined) this.#maybeCrash()
    const result = await effect()
    this.log.push(name)
    this.#maybeCrash()
    return result
  }

  #maybeCrash (): void {
    this.steps++
    if (this.steps === this.#at) this.crashed = true
    if (this.crashed) throw new Error('crash')
  }
}

export interface Life {
  readonly folder: string
  readonly destination: Destination
  readonly fault?: Fault
  readonly revision?: string
  /** The transform. */
  readonly mapping?: (context: MappingContext) => Mapping
  /** Which rows the destination refuses. */
  readonly refuses?: (offset: number) => boolean
  readonly flush?: Partial<Delivery['flush']>
  readonly context?: FakeContext
  /** Changes parts of the delivery. */
  readonly with?: (delivery: Delivery) => Partial<Delivery>
  readonly onSettle?: (event: Settlement) => void
}

export interface MappingContext {
  readonly state: Json | undefined
  readonly revision: string
  reject (i: number, reason: string): void
}

/** One life of the deliver loop: until the signal, or until the fault ends it. */
export async function live (life: Life, signal: AbortSignal): Promise<void> {
  const { folder, destination, fault = new Fault(), context = fakeContext({ topic }), flush = {} } = life
  const broker = openEmbedded({ folder })
  try {
    const consumer = await broker.consumer(topic, 'group')
    const assignments = consumer.assignments(signal)
    const assignment = (await assignments.next()).value as Assignment
    const sinkRejects = new Rejects(topic.name, 'test', clock)
    const delivery: Delivery = {
      assignment: faultyAssignment(assignment, fault),
      sink: sinkOf(life, fault, sinkRejects),
      guarantee: destination.guarantee,
      sinkRejects,
      rejected: faultyProducer(await broker.producer(rejectedTopic(topic.name), 'group/0'), fault),
      openChain: async (state, revision) => chainOf(life.mapping, state, revision),
      flush: { rows: 20, ms: 5, bytes: Infinity, ...flush },
      revision: life.revision ?? 'r1',
      log: context.log,
      ...(life.onSettle !== undefined && { onSettle: life.onSettle })
    }
    await deliver({ ...delivery, ...life.with?.(delivery) }, signal)
  } finally {
    await broker.close()
  }
}

/** Lives until all rows below `to` are committed, or until the fault. */
export async function liveUntil (to: number, life: Life): Promise<void> {
  const stop = new AbortController()
  if (await committedIn(life.folder) >= to) return
  const onSettle = (event: Settlement): void => {
    life.onSettle?.(event)
    if (event.phase === 'done' && event.range.to >= to) stop.abort()
  }
  await live({ ...life, onSettle }, stop.signal)
}

export async function committedIn (folder: string): Promise<number> {
  const broker = openEmbedded({ folder })
  const state = await broker.inspect(topic.name)
  await broker.close()
  return state?.groups.find(({ group }) => group === 'group')?.offset ?? 0
}

/** A folder for many small topics: in memory where there is such a place, as these crashes are not those of a machine. */
export function memoryFolder (t: Test): string {
  if (!existsSync('/dev/shm')) return t.testdir()
  const folder = mkdtempSync('/dev/shm/twolane-')
  t.teardown(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))
  return folder
}

/** Rows numbered by their offset. */
export async function fill (folder: string, from: number, to: number, batchRows = 7): Promise<void> {
  const broker = openEmbedded({ folder })
  const producer = await broker.producer(topic, 'writer')
  for (let n = from; n < to; n += batchRows) {
    await producer.append([fromRows(topic, Array.from({ length: Math.min(to, n + batchRows) - n }, (_, i) => ({ n: n + i, text: `row ${n + i}` })))])
  }
  await broker.close()
}

/** Offsets of the rejected rows, by the step that rejected them. */
export async function rejectedIn (folder: string): Promise<Array<{ readonly offset: number, readonly step: string }>> {
  const broker = openEmbedded({ folder })
  const batches = await broker.tail(rejectedTopic(topic.name), 1_000_000)
  await broker.close()
  return batches.flatMap(batch => [...batch.rows()] as unknown as Array<{ readonly offset: number, readonly step: string }>).map(({ offset, step }) => ({ offset, step }))
}

export function chainOf (mapping: Life['mapping'], state: Json | undefined, revision: string): OpenChain {
  const rejects = new Rejects(topic.name, 'test', clock)
  const watch = { enter () {}, leave () {} }
  if (mapping === undefined) return { rejects, chain: new Chain([], rejects, watch) }
  const links: ConstructorParameters<typeof Chain>[0] = []
  const chain = new Chain(links, rejects, watch)
  const own = (state as Readonly<Record<string, Json>> | undefined)?.['transforms.test']
  ;(links as Array<typeof links[number]>).push({ step: 'transforms.test', mapping: mapping({ state: own, revision, reject: (i, reason) => chain.reject('transforms.test', i, reason) }) })
  return { chain, rejects }
}

function faultyAssignment (assignment: Assignment, fault: Fault): Assignment {
  return {
    partition: assignment.partition,
    epoch: assignment.epoch,
    signal: assignment.signal,
    committed: assignment.committed,
    read: (offset, limits) => assignment.read(offset, limits),
    wait: (offset, ms, signal) => assignment.wait(offset, ms, signal),
    bounds: () => assignment.bounds(),
    release: () => assignment.release(),
    begin: intent => fault.step('begin', () => assignment.begin(intent)),
    commit: (offset, state) => fault.step('commit', () => assignment.commit(offset, state))
  }
}

function faultyProducer (producer: Producer, fault: Fault): Producer {
  return {
    checkpoint: producer.checkpoint,
    append: (batches, options) => fault.step('reject', () => producer.append(batches, options)),
    close: () => producer.close()
  }
}

/** Rows are in memory until the flush; an output that is at least once lets them land as they are written. */
function sinkOf ({ destination, refuses = () => false }: Life, fault: Fault, sinkRejects: Rejects): Sink {
  let written: Landed[] = []
  const early = destination.guarantee === 'at least once'
  const take = (batch: Batch): Landed[] => Array.from({ length: batch.length }, (_, i) => ({ offset: batch.offsetAt(i), values: batch.row(i) })).filter(row => {
    if (refuses(row.offset)) sinkRejects.add({ row: row.values, reason: 'refused', step: 'outputs.test', partition: 0, offset: row.offset })
    return !refuses(row.offset)
  })
  return {
    async write (batch) {
      await fault.step('write', async () => {
        const rows = take(batch)
        if (early) destination.land({ partition: 0, from: batch.offsetAt(0), to: batch.offsetAt(batch.length - 1) + 1 }, rows)
        else written.push(...rows)
      })
    },
    async flush (range) {
      const rows = written
      written = []
      // What is idempotent is atomic: a file that is renamed.
      const half = (): void => { if (destination.guarantee === 'exactly once') destination.land(range, rows.filter((_, i) => i % 2 === 0)) }
      await fault.step('flush', async () => {
        if (!early) destination.land(range, rows)
        destination.flushed.push(range)
      }, half)
    },
    async landed ({ from, to }) {
      return Float64Array.from(destination.offsets.filter(offset => offset >= from && offset < to))
    },
    async close () {}
  }
}

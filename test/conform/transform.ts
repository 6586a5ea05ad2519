// What every transform has to hold. A plugin's test gives a subject: configurations and the batches to run them on.

import { Batch } from '../../runtime/batch.ts'
import { decodeFrame, FrameWriter } from '../../runtime/broker/frame.ts'
import { describe, PlatformError } from '../../runtime/errors.ts'
import { configure } from './configure.ts'
import { fakeContext } from './context.ts'
import type { Test } from 'tap'
import type { Json, Mapping, Options, Row, Topic, TransformPlugin } from '../../runtime/plugin.ts'
import type { FakeContext } from './context.ts'

export type Given = Readonly<Record<string, Json>>

export interface TransformSubject<O extends Options = Options> {
  readonly plugin: TransformPlugin<O>
  readonly topic: Topic
  /** As a pipeline file gives it. */
  readonly config: Given
  /** Batches that follow each other in one partition, several rows each; made anew by every call. */
  batches (): Batch[]
  /** A batch and the indexes of those of its rows that are bad; where the transform refuses rows. */
  readonly bad?: () => { readonly batch: Batch, readonly indexes: readonly number[] }
  /** A configuration that cannot be right, and what the error has to say: when it opens or with its first batch. */
  readonly broken?: { readonly config: Given, readonly says: RegExp }
  /** Of the state's JSON after many batches. @default 65536 */
  readonly stateBytesMax?: number
  /** Topics that `topicNamed` finds besides `topic`. */
  readonly topics?: readonly Topic[]
}

interface Opened {
  readonly mapping: Mapping
  readonly context: FakeContext
}

/** A row with its offset: all that counts of an output. */
type Placed = readonly [offset: number, row: Row]

export async function conformTransform<O extends Options> (t: Test, subject: TransformSubject<O>): Promise<void> {
  for (const [claim, check] of Object.entries(claims)) await t.test(claim, t => check(t, subject as unknown as TransformSubject))
}

const claims: Record<string, (t: Test, subject: TransformSubject) => Promise<void>> = {
  'what it declares is complete': async (t, { plugin }) => {
    t.match(plugin.description, /\S/)
    for (const [name, option] of Object.entries(plugin.options)) t.match(option.description, /\S/, `${name} is described`)
  },

  'the same batches from the same state give the same rows': async (t, subject) => {
    const first = await open(subject)
    const second = await open(subject)
    t.strictSame(run(first, subject.batches()), run(second, subject.batches()))
    t.strictSame(first.context.rejected, second.context.rejected)
    t.strictSame(first.mapping.snapshot?.(), second.mapping.snapshot?.())
  },

  'a start from a saved state gives the rows that going on would have given': async (t, subject) => {
    const wanted = run(await open(subject), subject.batches())
    let state: Json | undefined
    const found: Placed[][] = []
    for (const batch of subject.batches()) {
      const opened = await open(subject, state)
      found.push(...run(opened, [batch]))
      // As stored: a state has to survive JSON.
      const saved = opened.mapping.snapshot?.()
      state = saved === undefined ? undefined : JSON.parse(JSON.stringify(saved)) as Json
    }
    t.strictSame(found, wanted)
  },

  'a batch that is mapped again from the state before it gives the same rows': async (t, subject) => {
    const [first, second] = subject.batches()
    if (first === undefined || second === undefined) return
    const opened = await open(subject)
    run(opened, [first])
    const state = opened.mapping.snapshot?.()
    const wanted = run(opened, [second])
    t.strictSame(run(await open(subject, state), [second]), wanted)
  },

  'a batch is not changed by mapping it': async (t, subject) => {
    const { mapping } = await open(subject)
    for (const batch of subject.batches()) {
      const { length, position, offsets } = batch
      const copy = structuredClone(batch.columns)
      mapping.map(batch)
      t.strictSame(structuredClone(batch.columns), copy)
      t.strictSame([batch.length, batch.position, batch.offsets], [length, position, offsets])
    }
  },

  'rows keep their offsets and their order, and none is added': async (t, subject) => {
    const { mapping } = await open(subject)
    for (const batch of subject.batches()) {
      const mapped = mapping.map(batch)
      const before = new Set(offsetsOf(batch))
      const after = offsetsOf(mapped)
      t.ok(after.every((offset, i) => before.has(offset) && (i === 0 || offset > (after[i - 1] as number))))
      t.equal(mapped.position.partition, batch.position.partition)
      t.equal(mapped.position.time, batch.position.time)
      for (const [name, column] of Object.entries(mapped.columns)) {
        const rows = 'values' in column && column.kind === 'values' ? column.values.length : undefined
        if (rows !== undefined) t.equal(rows, mapped.length, `${name} is as long as its batch`)
      }
    }
  },

  'rows whose neighbours were taken out before keep their offsets': async (t, subject) => {
    const { mapping } = await open(subject)
    for (const batch of subject.batches()) {
      const odd = batch.select(Int32Array.from(Array.from({ length: batch.length }, (_, i) => i).filter(i => i % 2 === 1)))
      const before = new Set(offsetsOf(odd))
      t.ok(offsetsOf(mapping.map(odd)).every(offset => before.has(offset)))
    }
  },

  'an empty batch gives an empty batch': async (t, subject) => {
    const opened = await open(subject)
    const state = opened.mapping.snapshot?.()
    for (const batch of subject.batches()) {
      t.equal(opened.mapping.map(batch.select(new Int32Array(0))).length, 0)
      t.equal(opened.mapping.map(new Batch(subject.topic, 0, {}, { position: batch.position })).length, 0)
    }
    t.strictSame(opened.mapping.snapshot?.(), state, 'and leaves the state as it was')
    t.strictSame(opened.context.rejected, [])
  },

  'the shape that a column comes in makes no difference': async (t, subject) => {
    const raw = subject.batches().every(batch => Object.values(batch.columns).every(column => column.type === undefined))
    if (!raw) return
    t.strictSame(run(await open(subject), subject.batches().map(stored)), run(await open(subject), subject.batches()))
  },

  'a bad row is taken out with a reason, and its neighbours stay': async (t, subject) => {
    if (subject.bad === undefined) return
    const { batch, indexes } = subject.bad()
    const { mapping, context } = await open(subject)
    const mapped = mapping.map(batch)
    t.strictSame(context.rejected.map(({ row }) => row).sort(), [...indexes].sort())
    for (const { reason } of context.rejected) t.ok(reason.length > 0, reason)
    t.strictSame(offsetsOf(mapped), offsetsOf(batch).filter((_, i) => !indexes.includes(i)))
  },

  'its state does not grow without a bound': async (t, subject) => {
    const { mapping } = await open(subject)
    for (let round = 0; round < 50; round++) run({ mapping }, subject.batches())
    const bytes = JSON.stringify(mapping.snapshot?.() ?? null).length
    t.ok(bytes <= (subject.stateBytesMax ?? 65_536), `${bytes} bytes`)
  },

  'a configuration that cannot be right gives a clear error': async (t, subject) => {
    const { broken } = subject
    if (broken === undefined) return
    const error = await (async () => run(await open({ ...subject, config: broken.config }), subject.batches()))().then(() => undefined, (error: unknown) => error)
    t.ok(error instanceof PlatformError, describe(error))
    t.match(describe(error), broken.says)
  }
}

async function open ({ plugin, topic, topics = [], config }: TransformSubject, checkpoint?: Json): Promise<Opened> {
  const context = fakeContext({ topic, topics, step: 'transforms.subject', checkpoint })
  return { context, mapping: await plugin.open(configure(plugin, config), context) }
}

function run ({ mapping }: Pick<Opened, 'mapping'>, batches: readonly Batch[]): Placed[][] {
  return batches.map(batch => {
    const mapped = mapping.map(batch)
    return Array.from(mapped.rows(), (row, i) => [mapped.offsetAt(i), { ...row }])
  })
}

function offsetsOf (batch: Batch): number[] {
  return Array.from({ length: batch.length }, (_, i) => batch.offsetAt(i))
}

const writer = new FrameWriter()

/** As it comes out of a topic: texts as bytes, few values as a dictionary. */
function stored (batch: Batch): Batch {
  const { columns } = decodeFrame(Uint8Array.from(writer.encode(batch)), 'a test')
  return new Batch(batch.topic, batch.length, columns, batch)
}

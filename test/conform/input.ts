// What every input has to hold. A plugin's test gives a subject: how to make its source, feed it and break it.
//
// Every row carries its number in the field `n`, so that a gap, a double or a wrong order is seen.

import { getEventListeners } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, PlatformError } from '../../runtime/errors.ts'
import { configure } from './configure.ts'
import { fakeContext, fakeTopic, until } from './context.ts'
import type { Test } from 'tap'
import type { Chunk, InputPlugin, Json, Options, Row } from '../../runtime/plugin.ts'
import type { FakeContext } from './context.ts'

export type Given = Readonly<Record<string, Json>>

export interface Source {
  /** As a pipeline file gives it. */
  readonly config: Given
  /** Makes rows numbered [from, to). Called while `context` reads; resolves when the source has done its part. */
  produce (from: number, to: number, context: FakeContext): Promise<void> | void
  /** Puts something into the source that is no row; resolves to how many rows the input has to reject for it. */
  malformed? (context: FakeContext): Promise<number> | number
  close? (): Promise<void> | void
}

export interface InputSubject<O extends Options = Options> {
  readonly plugin: InputPlugin<O>
  source (t: Test): Promise<Source> | Source
  /** Of `n` in a row, where it is not simply a number. */
  readonly number?: (row: Row) => number
  /** False: what is sent while nobody reads, or was not durable, is lost. Such an input may leave gaps, but never repeats a row. */
  readonly replays: boolean
  /** A source of which nothing comes, and that stays silent. */
  silent (t: Test): Promise<Source> | Source
  /** A source that cannot be opened, and what the error has to say. */
  broken (t: Test): Promise<{ readonly config: Given, readonly says: RegExp, close? (): Promise<void> | void }>
}

/** What a runtime has made durable: lives on over several readings. */
interface Durable { rows: Row[], checkpoint: Json | undefined }

interface Reading {
  readonly context: FakeContext
  readonly generator: AsyncGenerator<Chunk, void, void>
}

// An input has to return within a second of its signal. The margin is for machines that are busy.
const stopMs = 30_000

export async function conformInput<O extends Options> (t: Test, subject: InputSubject<O>): Promise<void> {
  for (const [claim, check] of Object.entries(claims)) {
    await t.test(claim, async t => {
      const before = resources()
      await check(t, subject as unknown as InputSubject)
      await until(() => leftOver(before).length === 0, 'all sockets, files and timers are gone').catch(() => {})
      t.strictSame(leftOver(before), [], 'no socket, file or timer is left')
    })
  }
}

const claims: Record<string, (t: Test, subject: InputSubject) => Promise<void>> = {
  'rows arrive once, in order, with columns of one length (Benthos: can send and receive data sequentially)': async (t, subject) => {
    await withSource(t, subject, async source => {
      const durable: Durable = { rows: [], checkpoint: undefined }
      await read(t, subject, source, durable, { from: 0, to: 50 })
      t.strictSame(numbers(subject, durable).slice(0, 50), range(0, 50))
    })
  },

  'a reading goes on at the checkpoint, without a gap and without a double (Benthos: respects checkpointed offsets)': async (t, subject) => {
    await withSource(t, subject, async source => {
      const durable: Durable = { rows: [], checkpoint: undefined }
      let to = 0
      for (const rows of [1, 7, 40, 3, 200]) {
        const from = to
        to = Math.max(from, durable.rows.length) + rows
        await read(t, subject, source, durable, { from, to })
      }
      const seen = numbers(subject, durable)
      t.strictSame(seen, range(0, seen.length))
      t.ok(seen.length >= to, 'all that was made arrived')
    })
  },

  'after failed appends the rows come again from the last durable checkpoint (Benthos: at least once delivery, parallel lossy through reconnect)': async (t, subject) => {
    await withSource(t, subject, async source => {
      const durable: Durable = { rows: [], checkpoint: undefined }
      await read(t, subject, source, durable, { from: 0, to: 5 })
      const from = Math.max(5, durable.rows.length)
      // The sender of an input that replays gets no receipt for the lost rows, so it is still at work when reading starts again.
      const failures = [await failAppend(t, subject, source, durable, { from, to: from + 5 })]
      failures.push(await failAppend(t, subject, source, durable, { from: from + 5, to: from + 10 }))
      const to = from + 15
      await read(t, subject, source, durable, { from: from + 10, to, least: subject.replays ? to : durable.rows.length + 5 })
      for (const { done } of failures) await done
      const seen = numbers(subject, durable)
      if (subject.replays) t.strictSame(seen.toSorted((a, b) => a - b), range(0, seen.length), 'none lost, none doubled')
      else t.strictSame(seen, [...new Set(seen)].sort((a, b) => a - b), 'none doubled')
      t.ok(seen.includes(to - 1))
    })
  },

  'a reading that waits for its source returns when it is stopped': async (t, subject) => {
    await withSource(t, subject, async (source) => {
      const { context, generator } = open(subject, source.config)
      const draining = drain(generator)
      // Long enough for the input to open its source and to wait.
      await sleep(100)
      context.stop()
      t.ok(await within(draining), 'it returned')
      t.equal(getEventListeners(context.signal, 'abort').length, 0, 'no listener is left on the signal')
    }, subject.silent(t))
  },

  'a reading whose rows nobody takes waits, goes on, and returns when it is stopped (Benthos: can consume data without acking and resume)': async (t, subject) => {
    await withSource(t, subject, async source => {
      const durable: Durable = { rows: [], checkpoint: undefined }
      const { context, generator } = open(subject, source.config)
      const first = generator.next()
      const producing = produce(source, 0, 20, context)
      append(t, context, durable, (await first).value as Chunk)
      await sleep(50)
      context.stop()
      t.ok(await within(drain(generator, chunk => append(t, context, durable, chunk))), 'it returned')
      await (subject.replays ? read(t, subject, source, durable, { from: 20, to: 20, least: 20 }) : undefined)
      await producing
      const seen = numbers(subject, durable)
      t.strictSame(subject.replays ? seen.toSorted((a, b) => a - b) : seen, range(0, seen.length))
    })
  },

  'a reading that is given up returns': async (t, subject) => {
    await withSource(t, subject, async source => {
      const { context, generator } = open(subject, source.config)
      const first = generator.next()
      const producing = produce(source, 0, 5, context)
      await first
      t.ok(await within(generator.return()), 'it returned')
      t.equal(getEventListeners(context.signal, 'abort').length, 0, 'no listener is left on the signal')
      context.stop()
      if (subject.replays) await read(t, subject, source, { rows: [], checkpoint: undefined }, { from: 5, to: 5, least: 5 })
      await producing
    })
  },

  'a reading that begins when it is already stopped returns': async (t, subject) => {
    await withSource(t, subject, async source => {
      const { context, generator } = open(subject, source.config)
      context.stop()
      t.ok(await within(drain(generator)), 'it returned')
    })
  },

  'a source that cannot be opened gives a clear error': async (t, subject) => {
    const { config, says, close } = await subject.broken(t)
    const { generator } = open(subject, config)
    const error = await drain(generator).then(() => undefined, (error: unknown) => error)
    t.ok(error instanceof PlatformError, describe(error))
    t.match(describe(error), says)
    await close?.()
  },

  'what is no row is rejected, and its neighbours arrive': async (t, subject) => {
    await withSource(t, subject, async source => {
      if (source.malformed === undefined) return
      const durable: Durable = { rows: [], checkpoint: undefined }
      const { context, generator } = open(subject, source.config)
      const draining = drain(generator, chunk => append(t, context, durable, chunk))
      await produce(source, 0, 3, context)
      const rejected = await source.malformed(context)
      await produce(source, 3, 6, context)
      await until(() => durable.rows.length >= 6 && context.rejected.length >= rejected, 'the rows arrive')
      context.stop()
      await draining
      t.strictSame(numbers(subject, durable), range(0, 6))
      t.equal(context.rejected.length, rejected)
      for (const { reason } of context.rejected) t.ok(reason.length > 0, reason)
      if (rejected > 0) t.equal(context.counts['rows_malformed'], rejected, 'they are counted')
    })
  },

  'the input reports how it is': async (t, subject) => {
    await withSource(t, subject, async source => {
      const { context, generator } = open(subject, source.config)
      const draining = drain(generator)
      await until(() => context.healths.length > 0, 'a first report')
      context.stop()
      await draining
      for (const { ok, state, reason } of context.healths) {
        t.match(state, /^[a-z_]+$/)
        t.ok(ok || (reason ?? '').length > 0, 'what is not ok has a reason')
      }
    })
  }
}

/** Reads until `least` rows (by default `to`) are durable, then stops in the orderly way. */
async function read (t: Test, subject: InputSubject, source: Source, durable: Durable, { from, to, least = to }: { from: number, to: number, least?: number }): Promise<void> {
  const { context, generator } = open(subject, source.config, durable.checkpoint)
  const enough = (): void => { if (durable.rows.length >= least) context.stop() }
  const draining = drain(generator, chunk => {
    append(t, context, durable, chunk)
    enough()
  })
  // All may be durable already: then nothing has to come.
  if (from === to) enough()
  await Promise.all([produce(source, from, to, context), draining])
  t.equal(getEventListeners(context.signal, 'abort').length, 0, 'no listener is left on the signal')
}

/** One chunk is taken and not made durable, as when the broker's disk is full; returns the work of the source that goes on. */
async function failAppend (t: Test, subject: InputSubject, source: Source, durable: Durable, { from, to }: { from: number, to: number }): Promise<{ readonly done: Promise<void> }> {
  const { context, generator } = open(subject, source.config, durable.checkpoint)
  const first = generator.next()
  const done = produce(source, from, to, context)
  t.ok((await first).value, 'a chunk came')
  await generator.return()
  context.stop()
  return { done }
}

function open (subject: InputSubject, given: Given, checkpoint?: Json): Reading {
  // As stored: a checkpoint has to survive JSON.
  const saved = checkpoint === undefined ? undefined : JSON.parse(JSON.stringify(checkpoint)) as Json
  const context = fakeContext({ topic: fakeTopic('rows', ['n']), step: 'input', checkpoint: saved })
  return { context, generator: subject.plugin.read(configure(subject.plugin, given), context) }
}

async function drain (generator: AsyncGenerator<Chunk, void, void>, take: (chunk: Chunk) => void = () => {}): Promise<void> {
  for await (const chunk of generator) take(chunk)
}

function append (t: Test, context: FakeContext, durable: Durable, { batch, checkpoint }: Chunk): void {
  if (batch.topic !== context.topic) t.fail('the batch goes to another topic')
  const rows = [...batch.rows()]
  if (rows.length !== batch.length) t.fail('the batch has another length than it says')
  durable.rows.push(...rows)
  if (checkpoint !== undefined) durable.checkpoint = checkpoint
}

async function produce (source: Source, from: number, to: number, context: FakeContext): Promise<void> {
  if (to > from) await source.produce(from, to, context)
}

async function withSource (t: Test, subject: InputSubject, work: (source: Source) => Promise<void>, given?: Promise<Source> | Source): Promise<void> {
  const source = await (given ?? subject.source(t))
  try {
    await work(source)
  } finally {
    await source.close?.()
  }
}

function numbers (subject: InputSubject, durable: Durable): number[] {
  return durable.rows.map(subject.number ?? (row => Number(row['n'])))
}

function range (from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i)
}

async function within (work: Promise<unknown>): Promise<boolean> {
  const timer = new AbortController()
  const late = sleep(stopMs, false, { signal: timer.signal }).catch(() => false)
  const inTime = await Promise.race([work.then(() => true), late])
  timer.abort()
  return inTime
}

function resources (): Map<string, number> {
  const counts = new Map<string, number>()
  for (const name of process.getActiveResourcesInfo()) counts.set(name, (counts.get(name) ?? 0) + 1)
  return counts
}

function leftOver (before: Map<string, number>): string[] {
  return [...resources()].filter(([name, count]) => count > (before.get(name) ?? 0)).map(([name]) => name)
}

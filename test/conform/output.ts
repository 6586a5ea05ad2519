// What every output has to hold. A plugin's test gives a subject: how to make its destination, read it and break it.
//
// Every row carries its number in the field `n`, so that a lost or a doubled row is seen. The suite is the runtime's
// part of the contract (delivery.ts), interrupted at every point where an interruption differs from another.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, PlatformError } from '../../runtime/errors.ts'
import { configure } from './configure.ts'
import { fakeContext, until } from './context.ts'
import { deliverRows, fileLedger, taken } from './delivery.ts'
import { leftOver, resources } from './resources.ts'
import type { Test } from 'tap'
import type { Json, Options, OutputPlugin, Range, Services, Sink } from '../../runtime/plugin.ts'
import type { FakeContext } from './context.ts'
import type { Ledger, Orders, Phase } from './delivery.ts'
import type { RowSource } from './rows.ts'

export type Given = Readonly<Record<string, Json>>

export interface Destination {
  /** As a pipeline file gives it. */
  readonly config: Given
  /** `n` of every row it holds, in its order; one that is there twice comes twice. */
  rows (): Promise<number[]> | number[]
  /** Makes writes fail from now on; resolves to what makes it work again. */
  break? (): Promise<() => Promise<void> | void> | (() => Promise<void> | void)
  /** Makes it take calls and answer none; resolves to what lets it answer. The configuration has a time limit of at most a second. */
  hang? (): Promise<() => Promise<void> | void> | (() => Promise<void> | void)
  close? (): Promise<void> | void
}

export interface OutputSubject<O extends Options = Options> {
  readonly plugin: OutputPlugin<O>
  /** URL of the plugin's module, for the process that is killed. */
  readonly module: string
  /** URL of the module of its rows. @default rows.ts beside this file */
  readonly source?: string
  /** Every call makes an empty destination; `dataFolder` is its own. */
  destination (t: Test, dataFolder: string): Promise<Destination> | Destination
  /** A destination that cannot be opened or written to, and what the error has to say. */
  broken (t: Test): Promise<{ readonly config: Given, readonly says: RegExp }> | { readonly config: Given, readonly says: RegExp }
}

/** One destination in the hands of a test. */
interface Stage {
  readonly t: Test
  readonly subject: OutputSubject
  readonly source: RowSource
  readonly destination: Destination
  readonly dataFolder: string
  readonly services: Services
}

// Far beyond the time limit of a second that a subject's configuration has.
const settleMs = 60_000
const rowsOfPortion = 100

export async function conformOutput<O extends Options> (t: Test, subject: OutputSubject<O>): Promise<void> {
  const source = await import(subject.source ?? new URL('rows.ts', import.meta.url).href) as RowSource
  for (const [claim, check] of Object.entries(claims)) {
    await t.test(claim, async t => {
      const before = resources()
      const dataFolder = t.testdir()
      const opened = await source.services?.(dataFolder)
      const destination = await subject.destination(t, dataFolder)
      try {
        await check({ t, subject: subject as unknown as OutputSubject, source, destination, dataFolder, services: opened?.services ?? {} })
      } finally {
        await destination.close?.()
        await opened?.close()
      }
      await until(() => leftOver(before).length === 0, 'all sockets, files and timers are gone').catch(() => {})
      t.strictSame(leftOver(before), [], 'no socket, file or timer is left')
    })
  }
}

const claims: Record<string, (stage: Stage) => Promise<void>> = {
  'what it declares is complete': async ({ t, subject: { plugin } }) => {
    t.match(plugin.description, /\S/)
    for (const [name, option] of Object.entries(plugin.options)) t.match(option.description, /\S/, `${name} is described`)
  },

  'rows arrive once and in order, over many flushes (Benthos: can send many message batches)': async stage => {
    await deliver(stage, { committed: 0, intent: undefined }, 950)
    stage.t.strictSame(await stage.destination.rows(), kept(0, 950))
  },

  'it goes on where it was': async stage => {
    const ledger: Ledger = { committed: 0, intent: undefined }
    for (const to of [1, 2, 40, 250]) await deliver(stage, ledger, to)
    stage.t.strictSame(await stage.destination.rows(), kept(0, 250))
  },

  'a batch is not changed by writing it': async stage => {
    const batch = stage.source.batchOf(0, 50)
    const copy = structuredClone(batch.columns)
    const { sink } = await open(stage)
    await sink.write(batch)
    await sink.flush({ partition: 0, from: 0, to: 50 })
    await sink.close()
    stage.t.strictSame(structuredClone(batch.columns), copy)
  },

  'an empty batch is nothing, and closing twice is harmless (Benthos: can open and close)': async stage => {
    const { sink } = await open(stage)
    await sink.write(stage.source.batchOf(0, 0))
    await sink.flush({ partition: 0, from: 0, to: 1 })
    await sink.close()
    await sink.close()
    await (await open(stage)).sink.close()
    stage.t.strictSame(await stage.destination.rows(), [])
  },

  'a flush whose commit was lost is told apart': async stage => {
    await interrupted(stage, 'flushed')
  },

  'rows that were written and never flushed come again': async stage => {
    await interrupted(stage, 'written')
  },

  'rows that were never written come': async stage => {
    await interrupted(stage, 'begun')
  },

  'what has landed is told by offset': async stage => {
    const { t, subject: { plugin } } = stage
    const ledger: Ledger = { committed: 0, intent: undefined }
    await deliver(stage, ledger, 200)
    const { sink } = await open(stage)
    t.equal(sink.landed !== undefined, plugin.guarantee === 'exactly once', 'the guarantee and landed() go together')
    if (sink.landed !== undefined) {
      t.strictSame([...await sink.landed({ partition: 0, from: 100, to: 200 })], kept(100, 200), 'the last flush')
      t.strictSame([...await sink.landed({ partition: 0, from: 200, to: 300 })], [], 'what never came')
      await sink.write(stage.source.batchOf(200, 220))
      t.strictSame([...await sink.landed({ partition: 0, from: 200, to: 300 })], [], 'what was not flushed')
    }
    await sink.close()
  },

  'after a failed flush the rows come again, and none is passed over (Benthos: at least once delivery)': async stage => {
    const { t, destination } = stage
    if (destination.break === undefined) return
    const ledger: Ledger = { committed: 0, intent: undefined }
    await deliver(stage, ledger, 100)
    const { sink } = await open(stage)
    const repair = await destination.break()
    const error = await drive(stage, sink, ledger, 300).then(() => undefined, (error: unknown) => error)
    t.ok(error instanceof PlatformError && error.retryable, describe(error))
    t.equal(ledger.committed, 100)
    await sink.close()
    await repair()
    await deliver(stage, ledger, 300)
    sees(stage, await destination.rows(), kept(0, 300), 1)
  },

  'a destination that hangs is given up in time': async stage => {
    const { t, destination } = stage
    if (destination.hang === undefined) return
    const ledger: Ledger = { committed: 0, intent: undefined }
    const { sink, context } = await open(stage)
    const release = await destination.hang()
    const done = drive(stage, sink, ledger, 100).then(() => undefined, (error: unknown) => error)
    await sleep(50)
    context.stop()
    const error = await within(done)
    t.ok(error instanceof PlatformError && error.retryable, describe(error))
    t.equal(ledger.committed, 0)
    t.not(await within(sink.close()), late, 'closing returns')
    await release()
    await deliver(stage, ledger, 100)
    sees(stage, await destination.rows(), kept(0, 100), 1)
  },

  'a destination that cannot be used gives a clear error': async stage => {
    const { t, subject } = stage
    const { config, says } = await subject.broken(t)
    const error = await (async () => {
      const { sink } = await open(stage, config)
      try {
        await drive(stage, sink, { committed: 0, intent: undefined }, 100)
      } finally {
        await sink.close()
      }
    })().then(() => undefined, (error: unknown) => error)
    t.ok(error instanceof PlatformError, describe(error))
    t.match(describe(error), says)
  },

  'a process killed at any point keeps what the output promises': async stage => {
    const kills: ReadonlyArray<Phase | number> = ['begun', 'written', 'flushed', 'committed', 1, 4]
    const path = join(stage.dataFolder, 'ledger.json')
    for (const kill of kills) await runKilled(stage, path, fileLedger(path).committed + 10 * rowsOfPortion, kill)
    const ledger = fileLedger(path)
    const to = ledger.committed + 150
    await deliver(stage, ledger, to)
    stage.t.ok(to > 150, 'the killed processes did work')
    sees(stage, await stage.destination.rows(), kept(0, to), kills.length)
  }
}

/** Ends a delivery at `phase` of its second portion without a word to the output, and goes on with a new one. */
async function interrupted (stage: Stage, phase: Phase): Promise<void> {
  const { destination } = stage
  const ledger: Ledger = { committed: 0, intent: undefined }
  const { sink } = await open(stage)
  const halt = new Error('halt')
  await stage.t.rejects(drive(stage, sink, ledger, 300, (now, range) => {
    if (now === phase && range.from === rowsOfPortion) throw halt
  }), halt)
  await sink.close()
  await deliver(stage, ledger, 300)
  sees(stage, await destination.rows(), kept(0, 300), 1)
}

async function open ({ subject, source, destination, dataFolder, services }: Stage, config: Given = destination.config): Promise<{ readonly sink: Sink, readonly context: FakeContext }> {
  const context = fakeContext({ topic: source.topic, topics: source.topics ?? [], dataFolder, step: 'outputs.subject', services })
  return { context, sink: await subject.plugin.open(configure(subject.plugin, config), context) }
}

async function deliver (stage: Stage, ledger: Ledger, to: number): Promise<void> {
  const { sink } = await open(stage)
  try {
    await drive(stage, sink, ledger, to)
  } finally {
    await sink.close()
  }
}

function drive ({ subject: { plugin }, source }: Stage, sink: Sink, ledger: Ledger, to: number, at?: (phase: Phase, range: Range) => void): Promise<void> {
  return deliverRows({ plugin, source, sink, ledger, to, portionRows: rowsOfPortion, ...(at !== undefined && { at }) })
}

async function runKilled ({ t, subject, destination, dataFolder }: Stage, ledger: string, to: number, kill: Phase | number): Promise<void> {
  const orders: Orders = {
    plugin: subject.module, source: subject.source ?? new URL('rows.ts', import.meta.url).href, config: destination.config, dataFolder, ledger, to, kill
  }
  const child = spawn(process.execPath, [new URL('delivery.ts', import.meta.url).pathname, JSON.stringify(orders)], { stdio: ['ignore', 'inherit', 'inherit'] })
  const [code, signal] = await once(child, 'exit') as [number | null, string | null]
  // A fast one may end before its time.
  t.ok(signal === 'SIGKILL' || code === 0, `killed at ${kill}: ${signal ?? code}`)
}

/** What the guarantee says about `interruptions` interruptions. */
function sees ({ t, subject: { plugin } }: Stage, found: readonly number[], wanted: readonly number[], interruptions: number): void {
  if (plugin.guarantee !== 'at least once') {
    t.strictSame(found, wanted, 'every row once')
    return
  }
  t.strictSame([...new Set(found)].sort((a, b) => a - b), wanted, 'every row')
  t.ok(found.length - wanted.length <= interruptions * rowsOfPortion, `at most the range in flight is repeated: ${found.length - wanted.length} rows`)
}

function kept (from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i).filter(offset => !taken(offset))
}

const late: unique symbol = Symbol('it did not settle')

async function within<T> (work: Promise<T>): Promise<T | typeof late> {
  const timer = new AbortController()
  const timeout = sleep(settleMs, undefined, { signal: timer.signal }).then((): typeof late => late, (): typeof late => late)
  try {
    return await Promise.race([work, timeout])
  } finally {
    timer.abort()
  }
}

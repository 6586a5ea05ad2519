// What the runtime does with an output, as the contract says it and no more: intent ▶ write ▶ flush ▶ commit, and after
// an interruption the range that was in flight first. Run as a program it kills itself at a given point.

import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { without } from '../../runtime/chain.ts'
import { configure } from './configure.ts'
import { fakeContext } from './context.ts'
import type { Batch, Json, OutputPlugin, Range, Sink } from '../../runtime/plugin.ts'
import type { RowSource } from './rows.ts'

/** What the broker keeps of a group. */
export interface Ledger {
  committed: number
  intent: Range | undefined
  /** Makes what the fields hold durable. */
  save? (): void
}

export type Phase = 'begun' | 'written' | 'flushed' | 'committed'

export interface Delivery {
  readonly plugin: OutputPlugin
  readonly sink: Sink
  readonly source: RowSource
  readonly ledger: Ledger
  /** The offset to end before. */
  readonly to: number
  /** Rows of one flush. @default 100 */
  readonly portionRows?: number
  /** Rows of one write. @default 30 */
  readonly batchRows?: number
  /** Called at each point of a portion; throwing is how a test ends the delivery there. */
  readonly at?: (phase: Phase, range: Range) => void
}

/** Every seventh row is taken out, as a transform does. */
export function taken (offset: number): boolean {
  return offset % 7 === 3
}

/** Delivers rows from the committed offset on; finishes an intent first. */
export async function deliverRows (delivery: Delivery): Promise<void> {
  const { ledger, to, portionRows = 100 } = delivery
  if (ledger.intent !== undefined) await settle(delivery, ledger.intent, true)
  while (ledger.committed < to) {
    const range = { partition: 0, from: ledger.committed, to: Math.min(to, ledger.committed + portionRows) }
    ledger.intent = range
    ledger.save?.()
    await settle(delivery, range, false)
  }
}

async function settle ({ plugin, sink, source, ledger, batchRows = 30, at }: Delivery, range: Range, again: boolean): Promise<void> {
  let batches = batchesOf(source, range, batchRows)
  at?.('begun', range)
  if (again && plugin.guarantee === 'exactly once') {
    const landed = await sink.landed?.(range) ?? new Float64Array(0)
    batches = batches.map(batch => without(batch, landed)).filter(batch => batch.length > 0)
  }
  for (const batch of batches) await sink.write(batch)
  at?.('written', range)
  if (batches.length > 0) await sink.flush(range)
  at?.('flushed', range)
  ledger.committed = range.to
  ledger.intent = undefined
  ledger.save?.()
  at?.('committed', range)
}

function batchesOf (source: RowSource, range: Range, batchRows: number): Batch[] {
  const batches: Batch[] = []
  for (let from = range.from; from < range.to; from += batchRows) {
    const batch = source.batchOf(from, Math.min(range.to, from + batchRows))
    const kept = Array.from({ length: batch.length }, (_, i) => i).filter(i => !taken(batch.offsetAt(i)))
    batches.push(batch.select(Int32Array.from(kept)))
  }
  return batches
}

/** A ledger that outlives its process. */
export function fileLedger (path: string): Ledger {
  const ledger: Ledger = {
    committed: 0,
    intent: undefined,
    save () {
      writeFileSync(`${path}.tmp`, JSON.stringify(ledger))
      renameSync(`${path}.tmp`, path)
    }
  }
  try {
    Object.assign(ledger, { intent: undefined }, JSON.parse(readFileSync(path, 'utf8')))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  return ledger
}

/** What the process that is killed is told. */
export interface Orders {
  readonly plugin: string
  readonly source: string
  readonly config: Readonly<Record<string, Json>>
  readonly dataFolder: string
  readonly ledger: string
  readonly to: number
  /** The point of its life at which it kills itself: a phase of the first portion it settles, or so many ms after its sink has opened. */
  readonly kill?: Phase | number
}

async function run (orders: Orders): Promise<void> {
  const { default: plugin } = await import(orders.plugin) as { default: OutputPlugin }
  const source = await import(orders.source) as RowSource
  const opened = await source.services?.(orders.dataFolder)
  const context = fakeContext({ topic: source.topic, topics: source.topics ?? [], dataFolder: orders.dataFolder, step: 'outputs.subject', ...(opened !== undefined && { services: opened.services }) })
  const sink = await plugin.open(configure(plugin, orders.config), context)
  const die = (): void => { process.kill(process.pid, 'SIGKILL') }
  if (typeof orders.kill === 'number') setTimeout(die, orders.kill)
  await deliverRows({ plugin, sink, source, ledger: fileLedger(orders.ledger), to: orders.to, at: phase => { if (phase === orders.kill) die() } })
  await sink.close()
  await opened?.close()
  process.exit(0)
}

if (import.meta.main) await run(JSON.parse(process.argv[2] as string) as Orders)

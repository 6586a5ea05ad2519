// Runs the connector against the simulator, and compares what came with what the simulator sent.

import { readSchemas } from '../../../../runtime/schema-file.ts'
import plugin from '../../../../plugins/inputs/interactive-brokers/index.ts'
import { names } from '../../../../plugins/inputs/interactive-brokers/fields.ts'
import { startSimulator } from '../../../../plugins/inputs/interactive-brokers/simulator/simulator.ts'
import { configure } from '../../../conform/configure.ts'
import { fakeContext, until } from '../../../conform/context.ts'
import type { Test } from 'tap'
import type { Chunk, Json, Row, Topic } from '../../../../runtime/plugin.ts'
import type { SentFrame, Simulator, SimulatorOptions } from '../../../../plugins/inputs/interactive-brokers/simulator/simulator.ts'
import type { FakeContext } from '../../../conform/context.ts'

export const apple = 265598
export const ibm = 8314
export const topics = await readSchemas(new URL('../../../../schemas', import.meta.url).pathname)
const quotes = topics.get('quotes') as Topic

type Given = Readonly<Record<string, Json>>

/** Everything that takes minutes takes a part of a second. */
const quick: Given = {
  instruments: ['AAPL', 'IBM'],
  requests_per_second: 50,
  penalty_minutes: 0.01,
  stale_seconds: 5,
  silence_seconds: 5,
  tickle_seconds: 0.1,
  retry_seconds: 0.02,
  retry_seconds_max: 0.1,
  session_seconds: 0.05,
  session_seconds_max: 0.2
}

/** A gateway with a fast market. */
export async function simulate (t: Test, options: SimulatorOptions = {}): Promise<Simulator> {
  const simulator = await startSimulator({ speed: 50, requestsPerSecond: 0, penaltyMs: 300, preflightMs: 0, bridgeMs: 20, historyMs: 0, heartbeatMs: 100, ...options })
  t.teardown(() => simulator.close())
  return simulator
}

export interface Run {
  readonly context: FakeContext
  readonly quotes: Row[]
  readonly gaps: Row[]
  readonly bars: Row[]
  /** The last checkpoint, as JSON gives it back. */
  checkpoint (): Json | undefined
  state (): string
  /** Stops in the orderly way; rejects with what `read` threw. */
  stop (): Promise<void>
  /** What `read` threw. */
  failure (): Promise<unknown>
  /** How many rows came since this was called. */
  more (rows: number, conid?: number): Promise<void>
}

export interface RunOptions {
  readonly checkpoint?: Json | undefined
  /** Called for each chunk before the next one is asked for. */
  readonly take?: (chunk: Chunk) => Promise<void> | void
}

/** Starts the connector in the background, as the runtime would. */
export function run (t: Test, simulator: Pick<Simulator, 'url'>, given: Given = {}, { checkpoint, take }: RunOptions = {}): Run {
  const fake = fakeContext({ topic: quotes, topics: [...topics.values()], checkpoint })
  const context: FakeContext = { ...fake, clock: { now: () => Date.now() } }
  const rows: Record<string, Row[]> = { quotes: [], gaps: [], bars: [] }
  let saved: Json | undefined
  const generator = plugin.read(configure(plugin, { ...quick, gateway: simulator.url, ...given }), context)
  const reading = (async () => {
    for await (const chunk of generator) {
      rows[chunk.batch.topic.name]?.push(...chunk.batch.rows())
      if (chunk.checkpoint !== undefined) saved = JSON.parse(JSON.stringify(chunk.checkpoint)) as Json
      await take?.(chunk)
    }
  })()
  const ended = reading.then(() => undefined, (error: unknown) => error)
  const stop = async (): Promise<void> => {
    context.stop()
    await reading
  }
  t.teardown(() => stop().catch(() => {}))
  const count = (conid?: number): number => conid === undefined ? rows['quotes']!.length : rows['quotes']!.filter(row => row['conid'] === conid).length
  return {
    context,
    quotes: rows['quotes']!,
    gaps: rows['gaps']!,
    bars: rows['bars']!,
    checkpoint: () => saved,
    state: () => context.healths.at(-1)?.state ?? '',
    stop,
    failure: () => ended,
    more (wanted, conid) {
      const before = count(conid)
      return until(() => count(conid) >= before + wanted, `${wanted} more rows`)
    }
  }
}

/** Starts it and waits until rows of all instruments come. */
export async function stream (t: Test, simulator: Simulator, given: Given = {}, options: RunOptions = {}): Promise<Run> {
  const running = run(t, simulator, given, options)
  await until(() => new Set(running.quotes.map(row => row['conid'])).size === (given['instruments'] as readonly unknown[] ?? ['AAPL', 'IBM']).length, 'rows of all instruments')
  return running
}

/** Resolves when every instrument's gap is open and closed again. */
export async function gapOver (running: Run, reason: string, symbols: readonly string[] = ['AAPL', 'IBM']): Promise<void> {
  await until(() => symbols.every(symbol => running.gaps.some(gap => gap['symbol'] === symbol && gap['state'] === 'closed' && gap['reason'] === reason)), `closed gaps: ${reason}`)
}

export interface Comparison {
  /** Frames that went out and never became a row. */
  readonly lost: SentFrame[]
  /** Rows that no frame explains: doubled or changed. */
  readonly unexplained: Row[]
}

/** Matches rows and frames one to one, by all that they carry. */
export function compare (sent: readonly SentFrame[], rows: readonly Row[]): Comparison {
  const waiting = new Map<string, Row[]>()
  for (const row of rows) {
    const key = rowKey(row)
    waiting.set(key, [...waiting.get(key) ?? [], row])
  }
  const lost = sent.filter(frame => waiting.get(frameKey(frame))?.pop() === undefined && frame.written)
  return { lost, unexplained: [...waiting.values()].flat() }
}

/** All that the simulator handed to its sockets has become a row, once. */
export function sameAsSent (t: Test, simulator: Simulator, running: Run): void {
  const { lost, unexplained } = compare(simulator.sent, running.quotes)
  t.strictSame(lost, [], 'no frame is lost')
  t.strictSame(unexplained, [], 'no row is doubled or made up')
}

function frameKey ({ conid, updated, fields }: SentFrame): string {
  return key(conid, updated, Object.entries(fields))
}

function rowKey (row: Row): string {
  const changed = new Set(row['changed'] as readonly string[])
  return key(row['conid'], row['_updated'], Object.entries(row).filter(([id]) => /^\d/.test(id) && changed.has(names[id] ?? id)))
}

function key (conid: unknown, updated: unknown, fields: ReadonlyArray<[string, unknown]>): string {
  return JSON.stringify([conid, updated, fields.filter(([id]) => id !== '6119').sort(([a], [b]) => a < b ? -1 : 1)])
}

// The second loop of the data plane: topic ▶ transforms ▶ one output ▶ commit, for one partition.
//
//   gather     read and map a portion of rows
//   settle     intent ▶ write ▶ flush ▶ rejects ▶ commit
//
// While one portion settles the next one is gathered: two portions are in memory at most. After a crash, a failure or
// any unclear answer the loop is opened again, and `recover` finishes the intent that it finds before anything else.

import { setImmediate } from 'node:timers/promises'
import { without } from './chain.ts'
import { checksum } from './checksum.ts'
import { PlatformError } from './errors.ts'
import type { Batch } from './batch.ts'
import type { Assignment, Found, Intent, Producer } from './broker/broker.ts'
import type { Chain } from './chain.ts'
import type { FlushLimits, Guarantee, Json, Logger, Range, Sink } from './plugin.ts'
import type { Rejects } from './rejects.ts'

/** Transforms in a committed state, and what they refuse. */
export interface OpenChain {
  readonly chain: Chain
  readonly rejects: Rejects
}

export interface Delivery {
  readonly assignment: Assignment
  readonly sink: Sink
  readonly guarantee: Guarantee
  /** What the sink refuses while it flushes. */
  readonly sinkRejects: Rejects
  /** Writer of the rejected topic. */
  readonly rejected: Producer
  /** Opens the transforms as `revision` had them. */
  openChain (state: Json | undefined, revision: string): Promise<OpenChain>
  readonly flush: FlushLimits
  readonly revision: string
  readonly log: Logger
  /** The destination has taken the partition, and what was in flight is finished. */
  readonly onReady?: () => void
  readonly onSettle?: (event: Settlement) => void
  /** Of a run that ends; undefined: the work goes on until the signal. */
  readonly end?: End
}

/** Where the work on a partition ends: once the rows below the offset are settled. */
export interface End {
  /** Undefined: not known yet. */
  offset (): number | undefined
  /** Aborts when it is. */
  readonly known: AbortSignal
}

export interface Settlement {
  readonly phase: 'began' | 'done'
  readonly range: Range
  readonly rows: number
  readonly bytes: number
  readonly rejected: number
  /** When the oldest row of the range was appended, ms since 1970. */
  readonly oldest: number
}

/** Rows that settle together. */
interface Portion {
  readonly range: Range
  readonly batches: readonly Batch[]
  readonly rows: number
  readonly bytes: number
  readonly rejected: readonly Batch[]
  readonly state: Json | undefined
  readonly oldest: number
}

interface Start { readonly offset: number, readonly state: Json | undefined }

/** Rows read at once: the event loop serves the destination's answers in between. */
const READ_ROWS = 16_384
/** Refused rows are held as objects: more of them end a portion. */
const REJECTS_MAX = 20_000
/** How long a read waits for rows before it looks again. */
const IDLE_MS = 1000

/** Until the signal or the end; what was gathered by then still settles. Throws when the output, the broker or a transform fails. */
export async function deliver (delivery: Delivery, signal: AbortSignal): Promise<void> {
  const { assignment, sink, revision, end } = delivery
  // Before the read-back: what an earlier owner sends behind it would be doubled.
  await sink.own?.({ partition: assignment.partition, epoch: assignment.epoch })
  const { offset: first, state } = await start(delivery)
  let offset = first
  delivery.onReady?.()
  const open = await delivery.openChain(state, revision)

  let settling: Promise<void> = Promise.resolve()
  let idle = true
  const failed = new AbortController()
  const stop = AbortSignal.any([signal, assignment.signal, failed.signal])
  const wake = end === undefined ? stop : AbortSignal.any([stop, end.known])

  try {
    while (!stop.aborted && !isReached(end, offset)) {
      const portion = await gather(delivery, { ...open, from: offset, stop, wake, idle: () => idle })
      await settling
      if (portion === undefined) continue
      offset = portion.range.to
      idle = false
      settling = settle(delivery, portion).finally(() => { idle = true })
      // It is awaited above or below; a failure only ends the gathering early.
      settling.catch(() => failed.abort())
    }
  } finally {
    // Also when the gathering failed: a write that is still on its way would land behind the back of the next attempt.
    await settling
  }
}

/** Where to go on: behind the intent that was left open, if there is one, and behind what retention has taken. */
async function start (delivery: Delivery): Promise<Start> {
  const { assignment, log } = delivery
  const { offset, state, intent, deleted } = assignment.committed
  const { first } = await assignment.bounds()
  if (deleted === true) {
    log.error({ partition: assignment.partition, from: offset }, 'The topic was deleted and made anew, going on with the new one; what this output had not taken is lost')
    await assignment.commit(offset, state)
  }
  const from = Math.max(offset, first)
  if (from > offset) log.error({ partition: assignment.partition, from: offset, to: from, rowsLost: from - offset }, 'Retention has removed rows that this output had not taken, going on behind them')
  // What is left of an unfinished range may be at the destination already.
  if (intent !== undefined && intent.to > from) return recover(delivery, { ...intent, from: Math.max(intent.from, from) })
  if (from > offset) await assignment.commit(from, state)
  return { offset: from, state }
}

/**
 * Finishes a range whose outcome is not known, under the revision that began it. An output that can tell what has
 * landed gets only what is missing; any other gets exactly the same range again.
 */
async function recover (delivery: Delivery, intent: Intent): Promise<Start> {
  const { assignment, sink, guarantee, log } = delivery
  const range: Range = { partition: assignment.partition, from: intent.from, to: intent.to }
  const { chain, rejects } = await delivery.openChain(assignment.committed.state, intent.revision)
  const portion = await map(assignment, range, chain, rejects)
  if (checksum(portion.batches) !== intent.hash) log.warn({ range, revision: intent.revision }, 'The transforms made other rows than before the interruption')

  let missing = portion.batches
  if (guarantee === 'exactly once') {
    const landed = await landedOf(sink, range)
    missing = portion.batches.map(batch => without(batch, landed)).filter(batch => batch.length > 0)
  }
  const rows = count(missing)
  log.info({ range, rows: portion.rows, rowsMissing: rows }, 'Finishing the rows that were in flight')
  const verify = async (rowsRefused: number): Promise<void> => {
    if (guarantee !== 'exactly once') return
    const landed = await landedOf(sink, range)
    const absent = count(portion.batches.map(batch => without(batch, landed))) - rowsRefused
    if (absent > 0) throw new PlatformError('DESTINATION_UNAVAILABLE', `${absent} of ${portion.rows} rows are not in the destination although it said so`)
  }
  await settle(delivery, { ...portion, batches: missing, rows }, verify)
  return { offset: range.to, state: portion.state }
}

async function landedOf (sink: Sink, range: Range): Promise<Float64Array> {
  if (sink.landed === undefined) throw new PlatformError('PLUGIN_INVALID', 'An output that promises "exactly once" has to have landed()')
  return sink.landed(range)
}

/** Reads and maps a known range. */
async function map (assignment: Assignment, range: Range, chain: Chain, rejects: Rejects): Promise<Portion> {
  const batches: Batch[] = []
  let offset = range.from
  let bytes = 0
  let oldest = Infinity
  while (offset < range.to) {
    const found = await assignment.read(offset, { rows: READ_ROWS, bytes: Infinity, to: range.to })
    if (found.next === offset) throw new PlatformError('BROKER_OFFSET_LOST', `Offset ${offset} of an unfinished range is not in the topic any more`)
    offset = found.next
    refuse(found, assignment.partition, rejects)
    for (const batch of found.batches) {
      batches.push(chain.map(batch))
      bytes += batch.bytes
      oldest = Math.min(oldest, batch.position.time)
    }
    await setImmediate()
  }
  const filled = batches.filter(batch => batch.length > 0)
  return { range, batches: filled, rows: count(filled), bytes, rejected: rejects.take(), state: chain.snapshot(), oldest }
}

interface Gathering extends OpenChain {
  readonly from: number
  readonly stop: AbortSignal
  /** Also when the end gets known. */
  readonly wake: AbortSignal
  /** No portion is settling. A busy output gets larger portions instead of more of them. */
  readonly idle: () => boolean
}

/** The next rows, until there are enough or they are old enough; undefined when there were none until the stop. */
async function gather ({ assignment, flush, end }: Delivery, { chain, rejects, from, stop, wake, idle }: Gathering): Promise<Portion | undefined> {
  const batches: Batch[] = []
  let [to, rows, bytes, oldest, since] = [from, 0, 0, Infinity, 0]

  const due = (): boolean => to > from && idle() && performance.now() - since >= flush.ms
  while (rows < flush.rows && bytes < flush.bytes && rejects.length < REJECTS_MAX && !due() && !isReached(end, to)) {
    const found = await assignment.read(to, { rows: Math.min(READ_ROWS, flush.rows - rows), bytes: flush.bytes - bytes })
    if (found.next === to) {
      if (stop.aborted) break
      await assignment.wait(to, to === from ? IDLE_MS : Math.max(1, idle() ? since + flush.ms - performance.now() : flush.ms), end?.known.aborted === true ? stop : wake)
      continue
    }
    if (to === from) since = performance.now()
    to = found.next
    refuse(found, assignment.partition, rejects)
    for (const batch of found.batches) {
      const mapped = chain.map(batch)
      if (mapped.length > 0) batches.push(mapped)
      rows += batch.length
      bytes += batch.bytes
      oldest = Math.min(oldest, batch.position.time)
    }
    await setImmediate()
    if (stop.aborted) break
  }
  if (to === from) return undefined
  return { range: { partition: assignment.partition, from, to }, batches, rows: count(batches), bytes, rejected: rejects.take(), state: chain.snapshot(), oldest }
}

function isReached (end: End | undefined, offset: number): boolean {
  const at = end?.offset()
  return at !== undefined && offset >= at
}

/** What another client of the broker has written and the topic cannot take: it goes where rows go that a transform refuses. */
function refuse ({ refused }: Found, partition: number, rejects: Rejects): void {
  for (const { row, reason, offset } of refused) rejects.add({ row, reason, step: 'topic', partition, offset })
}

/** `verify`: of a range that was begun before; its intent stands, and it looks at what is in the destination before the commit. */
async function settle (delivery: Delivery, portion: Portion, verify?: (rowsRefused: number) => Promise<void>): Promise<void> {
  const { assignment, sink, sinkRejects, rejected, revision } = delivery
  const { range, batches, rows, state } = portion
  delivery.onSettle?.({ phase: 'began', ...portion, rejected: 0 })
  // Also for a portion of which all rows were refused: its range has to be the same when it is repeated.
  const begins = verify === undefined && (rows > 0 || portion.rejected.length > 0)
  if (begins) await assignment.begin({ from: range.from, to: range.to, rows, hash: checksum(batches), revision })
  if (rows > 0) {
    for (const batch of batches) await sink.write(batch)
    await sink.flush(range)
  }
  const refusedBySink = sinkRejects.take()
  await verify?.(count(refusedBySink))
  const refused = [...portion.rejected, ...refusedBySink]
  // Invariant 5: before the commit that passes them; the sequence makes a repeated append harmless.
  if (refused.length > 0) await rejected.append(refused, { sequence: range.to })
  // Invariant 2: commit only after flush resolved.
  await assignment.commit(range.to, state)
  delivery.onSettle?.({ phase: 'done', ...portion, rejected: count(refused) })
}

function count (batches: readonly Batch[]): number {
  return batches.reduce((sum, batch) => sum + batch.length, 0)
}

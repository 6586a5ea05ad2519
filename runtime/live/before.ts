// What a subscriber gets before the live rows, and where the topics go on after it.
//
//   offsets     0 ─────────────── W ──────────▶       W: committed by the output that stores the rows
//   database    ███████████████████                   all rows below W are there
//   topic            ██████████████████████████▶      and it still holds those from W on
//
// `start` reads the rows below W from the database in the order of their event times, then the topics from W on. A
// stream that resumes reads the topics from where it was; where they do not hold that any more, or it is far behind,
// the rows in between come from the database, in the order of the offsets. Both sides tell rows by their offsets: none
// is missing and none comes twice.

import { PlatformError } from '../errors.ts'
import { offsetsText, placeOf } from './position.ts'
import { PAGE_ROWS, readPage } from './past.ts'
import type { Principal } from '../access/principal.ts'
import type { Platform } from '../platform.ts'
import type { PastRow, Range } from './past.ts'
import type { LivePosition, Mark, Offsets } from './position.ts'
import type { Before } from './subscriber.ts'
import type { Subscription } from './subscription.ts'

/** One event carries so many rows of the past. */
const PIECE_ROWS = 1000

type Piece = Before['pieces'] extends AsyncIterable<infer P> ? P : never

interface Place {
  readonly topic: string
  readonly partition: number
  /** What the topic holds. */
  readonly first: number
  readonly next: number
  /** Rows below are in the database. */
  readonly stored: number
}

interface Options {
  readonly principal: Principal
  readonly catchUpRowsMax: number
  /** Ends the reading. */
  readonly signal: AbortSignal
}

/** undefined: the stream begins now. Throws REQUEST_INVALID where the position is not of these topics. */
export async function before (platform: Platform, subscription: Subscription, options: Options): Promise<Before | undefined> {
  const { start, resume } = subscription
  if (start === undefined && resume === undefined) return undefined
  const places = await placesOf(platform, subscription)
  if (resume !== undefined && resume.mark === undefined) return onwards(platform, subscription, { places, at: resume.offsets, ...options })
  const below = resume?.offsets ?? new Map(places.map(({ topic, partition, stored }) => [placeOf(topic, partition), stored]))
  const pieces = byTime(platform, subscription, { places, below, mark: resume?.mark, ...options })
  return { pieces, from: offsetsText(below) }
}

async function placesOf ({ broker }: Platform, { feeds }: Subscription): Promise<Place[]> {
  const found = await Promise.all(feeds.map(async ({ pipeline: { topic }, group }) => {
    const state = await broker.inspect(topic)
    return (state?.partitions ?? []).map(({ partition, first, next }): Place => {
      const committed = state?.groups.find(one => one.group === group && one.partition === partition)?.offset
      return { topic, partition, first, next, stored: Math.min(next, Math.max(first, committed ?? first)) }
    })
  }))
  return found.flat()
}

type Timely = Options & { readonly places: readonly Place[], readonly below: Offsets, readonly mark: Mark | undefined }

async function * byTime (platform: Platform, subscription: Subscription, { places, below, mark, principal, signal }: Timely): AsyncGenerator<Piece, void, void> {
  const { start } = subscription
  const ranges = places.map(({ topic, partition }): Range => ({ topic, partition, from: 0, below: below.get(placeOf(topic, partition)) ?? 0 })).filter(range => range.below > 0)
  if (ranges.length === 0) return
  let after = mark
  while (true) {
    // A replay that goes on knows by its last row where it was.
    const rows = await readPage(platform, subscription, { page: { by: 'time', start: start ?? LEAST, after, below: ranges }, principal, signal })
    for (const piece of pieces(rows)) yield { ...piece, at: { offsets: below, mark: (piece.last as PastRow).mark } }
    after = rows.at(-1)?.mark
    if (rows.length < PAGE_ROWS) return
  }
}

/** 1900, in ns since 1970: times of the engine begin there. */
const LEAST = -2_208_988_800_000_000_000n

/** From a position on: from the topics where they hold it, else from the database as far as that goes. */
function onwards (platform: Platform, subscription: Subscription, { places, at, catchUpRowsMax, principal, signal }: Options & { readonly places: readonly Place[], readonly at: Offsets }): Before {
  const position = new Map<string, number>()
  const ranges: Range[] = []
  for (const { topic, partition, first, next, stored } of places) {
    const place = placeOf(topic, partition)
    const from = at.get(place) ?? first
    if (from > next) throw new PlatformError('REQUEST_INVALID', `The position is beyond the end of ${place}: the topic was made anew`, { remedy: 'Begin again, with start and without a position.' })
    const near = from >= first && next - from <= catchUpRowsMax
    position.set(place, from)
    if (!near && stored > from) ranges.push({ topic, partition, from, below: stored })
  }
  const from = new Map(position)
  for (const { topic, partition, below } of ranges) from.set(placeOf(topic, partition), below)
  return { pieces: byOffset(platform, subscription, { ranges, position, principal, signal }), from: offsetsText(from) }
}

async function * byOffset (platform: Platform, subscription: Subscription, { ranges, position, principal, signal }: { readonly ranges: readonly Range[], readonly position: Map<string, number>, readonly principal: Principal, readonly signal: AbortSignal }): AsyncGenerator<Piece, void, void> {
  for (const range of ranges) {
    const place = placeOf(range.topic, range.partition)
    for (let from = range.from, full = true; full;) {
      const rows = await readPage(platform, subscription, { page: { by: 'offset', range: { ...range, from } }, principal, signal })
      for (const piece of pieces(rows)) {
        position.set(place, (piece.last as PastRow).mark.offset + 1)
        yield { ...piece, at: { offsets: new Map(position), mark: undefined } satisfies LivePosition }
      }
      from = (rows.at(-1)?.mark.offset ?? from) + 1
      full = rows.length === PAGE_ROWS
    }
    position.set(place, range.below)
  }
}

function * pieces (rows: readonly PastRow[]): Generator<{ readonly rows: number, readonly body: Uint8Array, readonly last: PastRow | undefined }, void, void> {
  for (let i = 0; i < rows.length; i += PIECE_ROWS) {
    const some = rows.slice(i, i + PIECE_ROWS)
    yield { rows: some.length, body: Buffer.from(`[${some.map(({ text }) => text).join(',')}]`), last: some.at(-1) }
  }
}

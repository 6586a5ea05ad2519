// Rows of a topic once more, in the order in which they happened, at any speed.

import { fromRows } from '../../../runtime/batch.ts'
import { pause } from '../../../runtime/backoff.ts'
import { PlatformError } from '../../../runtime/errors.ts'
import { EventTimes } from '../../../runtime/lake/event-time.ts'
import { lakeOptions } from '../../../runtime/lake/lakes.ts'
import { OffsetRanges } from '../../../runtime/offset-ranges.ts'
import { defineInput } from '../../../runtime/plugin.ts'
import { Merge } from './merge.ts'
import { endsOf, openLakeSource, openTopic } from './streams.ts'
import { parseSpeed, VirtualClock } from './virtual-clock.ts'
import type { Chunk, Config, Context, Json, Row, Topic } from '../../../runtime/plugin.ts'
import type { Ends, Interval, Source } from './streams.ts'

/** Rows that come close to each other go together: an append each would be dear. */
const TICK_MS = 20
/** A wait is no longer, so that what is shown stays true. */
const LOOK_MS = 1000
const BATCH_BYTES_MAX = 2 ** 20

const time = String.raw`^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?Z)?$`

const options = {
  topic: { type: 'string', description: 'The topic whose rows are replayed; the pipeline\'s own topic takes them.', examples: ['quotes'] },
  source: { type: 'string', enum: ['lake', 'topic'], default: 'lake', description: 'Where they are read from: the lake, or the topic for as long as it keeps them.' },
  from: { type: 'string', default: null, pattern: time, description: 'The first event time, UTC; that of the run in a backfill, and the oldest there is otherwise.', examples: ['2024-01-02', '2024-01-02T14:30:00Z'] },
  to: { type: 'string', default: null, pattern: time, description: 'The event time before which it ends, UTC; likewise.' },
  speed: { type: 'string', default: 'max', pattern: String.raw`^(?:max|\d{1,6}(?:\.\d{1,6})?x)$`, description: 'How fast time goes: `10x` is ten times as fast as it was, `max` waits for nothing.', examples: ['10x'] },
  batch_rows: { type: 'integer', default: 1000, minimum: 1, maximum: 16_384, description: 'Rows that go together at most.' },
  ...lakeOptions
} as const

type ReplayConfig = Config<typeof options>

interface Checkpoint {
  /** The run that it counts in. */
  readonly run: string | null
  readonly ends: Ends
  /** By partition: what was given out, as OffsetRanges are saved. */
  readonly done: Readonly<Record<string, Json>>
  /** Event time of the last row, ms since 1970. */
  readonly time: number
}

export default defineInput({
  description: 'Replays the rows of a topic, from the lake or the topic itself, in the order of their event times, at a chosen speed',
  bounded: true,
  interval: ({ from, to }) => from === null && to === null,
  shorthand: 'topic',
  options,
  async * read (config, context) {
    if (context.signal.aborted) return
    const topic = context.topicNamed(config.topic)
    const run = context.run?.id ?? null
    const saved = context.checkpoint as Checkpoint | undefined
    // A run of its own begins anew.
    const before = saved?.run === run ? saved : undefined
    const interval = intervalOf(config, context)
    const source = await open(config, topic, { ends: before?.ends, interval, context })
    const done = new Map(source.streams.map(({ partition }) => [partition, OffsetRanges.of(before?.done[partition])]))
    const merge = new Merge(source.streams, { times: new EventTimes(topic), done, ...interval })
    const ends = before?.ends ?? endsOf(source.streams)
    const checkpoint = (time: number): Json => ({ run, ends, time, done: Object.fromEntries([...done].map(([partition, ranges]) => [partition, ranges.toJson()])) })
    try {
      yield * chunks(merge, config, { context, startsAt: before?.time, checkpoint })
    } finally {
      await merge.close()
      await source.close()
    }
  }
})

interface Playing {
  readonly context: Context
  /** Where the virtual clock goes on; undefined: at the first row. */
  readonly startsAt: number | undefined
  checkpoint (time: number): Json
}

async function * chunks (merge: Merge, { speed: speedText, batch_rows: batchRows }: ReplayConfig, { context, startsAt, checkpoint }: Playing): AsyncGenerator<Chunk, void, void> {
  const { signal, topic, metrics } = context
  const speed = parseSpeed(speedText)
  if (speed === undefined) throw new PlatformError('CONFIG_INVALID', `${JSON.stringify(speedText)} is no speed`, { remedy: 'Write 10x, 0.5x or max.' })
  const clock = new VirtualClock(speed, context.clock)
  if (startsAt !== undefined) clock.begin(startsAt)
  let last = startsAt ?? -Infinity
  let toldAt = -Infinity
  while (!signal.aborted) {
    if (merge.due) await merge.fill()
    const next = merge.peek()
    if (next === undefined) return
    clock.begin(next.time)
    if (performance.now() - toldAt >= LOOK_MS) {
      toldAt = performance.now()
      tell(context, clock, next.time)
    }
    const waitMs = clock.msUntil(next.time)
    if (waitMs > 0) {
      await pause(Math.min(LOOK_MS, Math.max(TICK_MS, waitMs)), signal)
      continue
    }
    const rows: Row[] = []
    let [bytes, late] = [0, 0]
    const now = clock.now()
    for (let timed = merge.peek(); timed !== undefined && timed.time <= now && rows.length < batchRows && bytes < BATCH_BYTES_MAX; timed = merge.due ? undefined : merge.peek()) {
      merge.pop()
      if (timed.time < last) late++
      last = Math.max(last, timed.time)
      rows.push(timed.row)
      bytes += timed.bytes
    }
    if (late > 0) metrics.count('rows_late', late)
    yield { batch: fromRows(topic, rows, bytes), checkpoint: checkpoint(last) }
  }
}

/** How the replay is: the virtual time, and how far the rows are behind it. */
function tell ({ health, metrics }: Context, clock: VirtualClock, nextTime: number): void {
  const now = clock.now()
  const virtual = now === Infinity ? nextTime : now
  const behindSeconds = Math.max(0, virtual - nextTime) / 1000
  metrics.gauge('virtual_time_seconds', virtual / 1000)
  metrics.gauge('behind_seconds', behindSeconds)
  health({ ok: true, state: 'replaying', reason: `It is ${shown(virtual)}${behindSeconds < 1 ? '' : `, and the rows are ${Math.round(behindSeconds)} s behind`}` })
}

function shown (ms: number): string {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : String(ms)
}

function intervalOf ({ from, to }: ReplayConfig, { run }: Context): Interval {
  const asked = run?.kind === 'backfill' ? run : undefined
  return { from: from === null ? asked?.from ?? -Infinity : Date.parse(from), to: to === null ? asked?.to ?? Infinity : Date.parse(to) }
}

async function open (config: ReplayConfig, topic: Topic, { ends, interval, context }: { readonly ends: Ends | undefined, readonly interval: Interval, readonly context: Context }): Promise<Source> {
  for (const [name, ms] of [['from', interval.from], ['to', interval.to]] as const) {
    if (Number.isNaN(ms)) throw new PlatformError('CONFIG_INVALID', `${name} is no time that there is`, { remedy: 'Write it as 2024-01-02 or 2024-01-02T14:30:00Z.' })
  }
  if (interval.from >= interval.to) throw new PlatformError('CONFIG_INVALID', 'There is no time between from and to', { remedy: 'Let `to` be later than `from`.' })
  if (topic.name === context.topic.name) {
    throw new PlatformError('CONFIG_INVALID', `The rows of ${topic.name} would be replayed into ${topic.name} itself, where they are already`, { remedy: 'Give the pipeline another topic, with a schema of its own.' })
  }
  return config.source === 'topic' ? openTopic(topic, ends, context) : openLakeSource(topic, config, { ends, interval, context })
}

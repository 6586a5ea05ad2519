// Where the rows of a replay come from: a topic as long as it has them, or its lake.

import { PlatformError } from '../../../runtime/errors.ts'
import { ruleOf } from '../../../runtime/lake/event-time.ts'
import { openLake } from '../../../runtime/lake/lakes.ts'
import { mayHold, readLake } from '../../../runtime/lake/read.ts'
import { openLakeTable } from '../../../runtime/lake/table.ts'
import type { LakeConfig } from '../../../runtime/lake/lakes.ts'
import type { LakeFile } from '../../../runtime/lake/manifest.ts'
import type { Batch, Context, Topic } from '../../../runtime/plugin.ts'
import type { Stream } from './merge.ts'

/** Read from the topic at once. */
const READ = { rows: 4096, bytes: 4 * 2 ** 20 }
/** Open at a time, at most. Where the files of a lake are more out of order, more rows are late. */
const STREAMS_MAX = 32

export interface Source {
  readonly streams: readonly Stream[]
  close (): Promise<void>
}

/** By partition: the offsets behind the last rows of the replay. What comes later is not part of it. */
export type Ends = Readonly<Record<string, number>>

export interface Interval {
  /** Event time, ms since 1970. */
  readonly from: number
  readonly to: number
}

/** `ends`: of a replay that goes on; undefined: it begins, with all that there is now. */
export async function openTopic (topic: Topic, ends: Ends | undefined, { services, signal, log }: Context): Promise<Source> {
  if (services.reader === undefined) throw new PlatformError('CONFIG_INVALID', 'There is no broker to replay from', { remedy: 'Run the pipeline under `twolane start`.' })
  const reader = await services.reader(topic)
  const streams: Stream[] = []
  for (let partition = 0; partition < reader.partitions; partition++) {
    const { first, next } = await reader.bounds(partition)
    const to = ends === undefined ? next : ends[partition] ?? first
    const rows = async function * (fromOffset: number): AsyncGenerator<Batch, void, void> {
      let at = fromOffset
      if (at < first) {
        log.warn({ topic: topic.name, partition, from: at, to: first }, 'Retention has removed rows that were to be replayed, going on behind them')
        at = first
      }
      while (at < to && !signal.aborted) {
        const found = await reader.read(partition, at, { ...READ, to })
        if (found.next === at) return
        at = found.next
        yield * found.batches
      }
    }
    if (to > first) streams.push({ partition, from: first, to, startsAt: -Infinity, rows })
  }
  return { streams, close: () => reader.close() }
}

/** Likewise, of a lake. */
export async function openLakeSource (topic: Topic, config: LakeConfig, { ends, interval, context }: { readonly ends: Ends | undefined, readonly interval: Interval, readonly context: Context }): Promise<Source> {
  const { dataFolder, signal, pipeline } = context
  const objects = await openLake(config, { dataFolder, owner: `replay-${pipeline}-` })
  try {
    const { files, seq } = await openLakeTable(objects, topic.name).read()
    if (seq === 0) throw new PlatformError('SOURCE_UNAVAILABLE', `The lake at ${objects.address} has no rows of ${topic.name}`, { remedy: 'Name the lake that an output fills, or replay from the topic: `source: topic`.' })
    const reading = { topic, signal, exactTimes: topic.eventTime === '', ...(Number.isFinite(interval.from) && { from: interval.from }), ...(Number.isFinite(interval.to) && { to: interval.to }) }
    const rule = ruleOf(topic)
    const wanted = files.filter(file => mayHold(file, reading, rule) && file.from < (ends === undefined ? Infinity : ends[file.partition] ?? 0))
    const streams = inOrder(wanted, rule).map(({ startsAt, files }): Stream => {
      const [first] = files as readonly [LakeFile, ...LakeFile[]]
      const { partition, from } = first
      const to = Math.min((files.at(-1) as LakeFile).to, ends?.[partition] ?? Infinity)
      return { partition, from, to, startsAt, rows: fromOffset => readLake(objects, { files }, { ...reading, fromOffsets: new Map([[partition, fromOffset]]), toOffsets: new Map([[partition, to]]) }) }
    })
    return { streams, close: async () => objects.close() }
  } catch (error) {
    objects.close()
    throw error
  }
}

interface Chain {
  readonly partition: number
  /** Of its first file; later ones do not begin before it. */
  readonly startsAt: number
  readonly files: readonly LakeFile[]
}

/** Files of one partition whose event times ascend are one stream. History that was loaded later is a stream of its own. */
function inOrder (files: readonly LakeFile[], rule: string): Chain[] {
  const chains: Array<Chain & { readonly files: LakeFile[] }> = []
  let latest = -Infinity
  for (const file of files) {
    const startsAt = file.unread === true || file.rule !== rule ? -Infinity : file.event?.from ?? -Infinity
    const chain = chains.at(-1)
    const follows = chain !== undefined && chain.partition === file.partition && (startsAt >= latest || startsAt === -Infinity || chains.length >= STREAMS_MAX)
    if (follows) chain.files.push(file)
    else chains.push({ partition: file.partition, startsAt, files: [file] })
    latest = follows ? Math.max(latest, startsAt) : startsAt
  }
  return chains
}

/** What a replay that begins now has to its end. */
export function endsOf (streams: readonly Stream[]): Ends {
  const ends: Record<string, number> = {}
  for (const { partition, to } of streams) ends[partition] = Math.max(ends[partition] ?? 0, to)
  return ends
}

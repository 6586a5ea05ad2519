// The raw rows of a lake once more, as their sources gave them, so that any mapping can be run over all of history.
//
// The checkpoint is the next offset of each partition: it holds whatever the compaction does to the files meanwhile.
// Rows of one partition come in the order that they have in their topic.

import { PlatformError } from '../../../runtime/errors.ts'
import { storageError } from '../../../runtime/durable.ts'
import { defineInput, RowBatch } from '../../../runtime/plugin.ts'
import { lakeOptions, openLake } from '../../../runtime/lake/lakes.ts'
import { leftoverPrefix, removeLeftovers } from '../../../runtime/lake/leftovers.ts'
import { readLake } from '../../../runtime/lake/read.ts'
import { openLakeTable } from '../../../runtime/lake/table.ts'
import { withoutExtra } from './extra.ts'
import type { Chunk, Config, Context, Json, Topic } from '../../../runtime/plugin.ts'
import type { Objects } from '../../../runtime/objects/objects.ts'
import type { LakeReading } from '../../../runtime/lake/read.ts'

/** UTC, so that a run means the same everywhere. */
const time = String.raw`^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?Z)?$`

const options = {
  topic: { type: 'string', description: 'The topic whose rows are read; the pipeline\'s own topic is another one, which takes them.', examples: ['quotes'] },
  from: { type: 'string', default: null, pattern: time, description: 'The first event time, UTC, also as a day; left out: the oldest there is, and in a backfill that of the run.', examples: ['2024-01-02', '2024-01-02T14:30:00Z'] },
  to: { type: 'string', default: null, pattern: time, description: 'The event time before which it ends, likewise.' },
  ...lakeOptions
} as const

interface Checkpoint {
  readonly topic: string
  /** The snapshot that was read. */
  readonly seq: number
  /** By partition: the offset to go on from. */
  readonly next: Readonly<Record<string, number>>
}

export default defineInput({
  description: 'Reads the raw rows of a topic back from a lake, all of them, an interval, or what is new since the last run',
  bounded: true,
  interval: () => true,
  shorthand: 'topic',
  options,

  async * read (config, context) {
    if (context.signal.aborted) return
    if (config.topic === context.topic.name) throw circle(config.topic)
    const reading = { ...intervalOf(config, context), topic: sourceTopic(config, context), signal: context.signal }
    const objects = await open(config, context)
    try {
      yield * readNew(objects, config.topic, reading, context)
    } catch (error) {
      // The end of a reading that was stopped in the middle.
      if (!context.signal.aborted) throw error
    } finally {
      objects.close()
    }
  },

  async probe (config, context) {
    const objects = await open(config, context)
    try {
      if ((await openLakeTable(objects, config.topic).read()).seq === 0) throw empty(objects, config.topic)
    } finally {
      objects.close()
    }
  }
})

async function * readNew (objects: Objects, topic: string, reading: LakeReading, context: Context): AsyncGenerator<Chunk, void, void> {
  const snapshot = await openLakeTable(objects, topic).read()
  if (snapshot.seq === 0) context.log.warn({ folder: objects.address, topic }, 'The lake holds nothing of the topic')
  const saved = context.checkpoint as Checkpoint | undefined
  // The offsets of another topic say nothing about this one.
  let next: Readonly<Record<string, number>> = saved?.topic === topic ? saved.next : {}
  const checkpoint = (): Json => ({ topic, seq: snapshot.seq, next })
  const fromOffsets = new Map(Object.entries(next).map(([partition, offset]) => [Number(partition), offset]))
  for await (const found of readLake(objects, snapshot, { ...reading, fromOffsets })) {
    for (const batch of withoutExtra(found)) {
      next = { ...next, [batch.position.partition]: batch.offsetAt(batch.length - 1) + 1 }
      yield { batch: new RowBatch(context.topic, batch.length, batch.columns, { bytes: batch.bytes }), checkpoint: checkpoint() }
    }
  }
  // Also what was not wanted has been looked at.
  const ends = { ...next }
  for (const { partition, to } of snapshot.files) ends[partition] = Math.max(ends[partition] ?? 0, to)
  if (JSON.stringify(ends) === JSON.stringify(next)) return
  next = ends
  yield { batch: new RowBatch(context.topic, 0, {}), checkpoint: checkpoint() }
}

async function open (config: Config<typeof options>, context: Context): Promise<Objects> {
  const user = `${context.pipeline}.${context.step}`
  const objects = await openLake(config, { dataFolder: context.dataFolder, owner: leftoverPrefix(user, config.folder) })
  try {
    await objects.check()
    // A lake in a store is read through copies of its files.
    await removeLeftovers(objects, user, config.folder, context.log).catch((error: unknown) => { throw storageError(error, objects.scratch) })
    return objects
  } catch (error) {
    objects.close()
    throw error
  }
}

function intervalOf ({ from, to }: Config<typeof options>, { run }: Context): Pick<LakeReading, 'from' | 'to'> {
  const backfill = run?.kind === 'backfill' ? run : undefined
  const least = Math.max(from === null ? -Infinity : Date.parse(from), backfill?.from ?? -Infinity)
  const end = Math.min(to === null ? Infinity : Date.parse(to), backfill?.to ?? Infinity)
  if (Number.isNaN(least) || Number.isNaN(end)) throw new PlatformError('CONFIG_INVALID', `${Number.isNaN(least) ? from : to} is no time`, { where: 'input.lake', remedy: 'Write it as 2024-01-02 or 2024-01-02T14:30:00Z.' })
  return { ...(least !== -Infinity && { from: least }), ...(end !== Infinity && { to: end }) }
}

/** Its schema says what the event time is; a lake whose schema is gone can be read as a whole. */
function sourceTopic (config: Config<typeof options>, context: Context): Topic {
  try {
    return context.topicNamed(config.topic)
  } catch (error) {
    const { from, to } = intervalOf(config, context)
    if (from !== undefined || to !== undefined) throw error
    return { ...context.topic, name: config.topic, eventTime: '' }
  }
}

function circle (topic: string): PlatformError {
  return new PlatformError('CONFIG_INVALID', `The rows of ${topic} would come back into ${topic}, and from there into the lake again`, {
    where: 'input.lake.topic', remedy: 'Give the pipeline another topic.'
  })
}

function empty (objects: Objects, topic: string): PlatformError {
  return new PlatformError('SOURCE_UNAVAILABLE', `The lake holds nothing of the topic ${topic}`, { where: objects.address, remedy: 'Check folder and topic; an output `lake` fills it.' })
}

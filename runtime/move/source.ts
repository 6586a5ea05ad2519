// The topics of an embedded broker, as a move finds them: rows, and what producers and groups have saved. Nothing of
// them is changed.

import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { EmbeddedAssignment } from '../broker/embedded-read.ts'
import { offsetBehind } from '../broker/epoch.ts'
import { bounds, inspect } from '../broker/retention.ts'
import { TopicFile } from '../broker/topic-file.ts'
import { PlatformError } from '../errors.ts'
import { platformTopic } from '../platform-topic.ts'
import { NOT_PRESENT, rejectedTopic } from '../schema.ts'
import type { Batch, Column } from '../batch.ts'
import type { Json } from '../plugin.ts'
import type { Topic } from '../schema.ts'

const READ_ROWS = 16_384
const READ_BYTES = 8 * 2 ** 20

export interface SourceGroup {
  readonly group: string
  readonly partition: number
  readonly offset: number
  readonly state: Json | undefined
  /** A range was begun, and what became of it is not known. */
  readonly inFlight: boolean
}

export interface SourceProducer {
  readonly name: string
  readonly checkpoint: Json | undefined
  readonly sequence: number | undefined
}

/** It holds the offsets [first, next), without a hole. */
export interface SourcePartition {
  readonly partition: number
  readonly first: number
  readonly next: number
}

export interface SourceTopic {
  /** With as many partitions as the file has, where the schema has fewer. */
  readonly topic: Topic
  readonly partitions: readonly SourcePartition[]
  readonly rows: number
  readonly bytes: number
  readonly groups: readonly SourceGroup[]
  readonly producers: readonly SourceProducer[]
  /** The first offset that was never used. */
  readonly base: number
  /** The highest one of an owner of a partition; 0: there was none. */
  readonly epoch: number
  /** All rows from an offset on, in their order. A required field that rows do not have holds that it is not present. */
  batches (partition: number, from: number): AsyncGenerator<Batch, void, void>
}

export interface Source {
  readonly topics: readonly SourceTopic[]
  /** Topics that no schema describes any more: nobody could read their rows elsewhere. */
  readonly unknown: readonly string[]
  close (): void
}

/** The topics of a folder, by name. */
export function openSource (folder: string, schemas: ReadonlyMap<string, Topic>): Source {
  const known = new Map([platformTopic, ...schemas.values()].flatMap(topic => [topic, rejectedTopic(topic.name)]).map(topic => [topic.name, topic]))
  const names = existsSync(folder) ? readdirSync(folder).filter(name => name.endsWith('.db')).map(name => name.slice(0, -'.db'.length)).sort() : []
  const files: TopicFile[] = []
  const close = (): void => { for (const file of files) file.close() }
  try {
    const topics = names.flatMap(name => {
      const topic = known.get(name)
      if (topic === undefined) return []
      const file = new TopicFile(join(folder, `${name}.db`))
      files.push(file)
      return [describeTopic(file, topic)]
    })
    return { topics, unknown: names.filter(name => !known.has(name)), close }
  } catch (error) {
    close()
    throw error
  }
}

/** Throws where outputs that are configured have rows on their way. */
export function checkSettled (topics: readonly SourceTopic[], configured: ReadonlySet<string>): void {
  const open = topics.flatMap(({ topic, groups }) => groups.filter(({ group, inFlight }) => inFlight && configured.has(group)).map(({ group, partition }) => `${group} (partition ${partition} of ${topic.name})`))
  if (open.length === 0) return
  throw new PlatformError('MOVE_REFUSED', `Rows are in flight at ${open.join(', ')}`, {
    remedy: 'Start the platform with the embedded broker, wait until npx twolane status shows no failure, and stop it with Ctrl-C; then move.'
  })
}

function describeTopic (file: TopicFile, schema: Topic): SourceTopic {
  const partitions = file.all<{ partition: number }>('select partition from partitions order by partition').map(({ partition }) => ({ partition, ...bounds(file, partition) }))
  const groups = file.all<{ name: string, partition: number, epoch: number, offset: number, state: string | null, intent: string | null }>('select * from groups order by name, partition')
  const producers = file.all<{ name: string, sequence: number | null, checkpoint: string | null }>('select name, sequence, checkpoint from producers order by name')
  const topic = { ...schema, partitions: Math.max(schema.partitions, partitions.length) }
  return {
    topic,
    partitions,
    rows: partitions.reduce((sum, { first, next }) => sum + next - first, 0),
    bytes: inspect(file, schema.name, 0).bytes,
    groups: groups.map(({ name, partition, offset, state, intent }) => ({ group: name, partition, offset, state: parsed(state), inFlight: intent !== null })),
    producers: producers.map(({ name, sequence, checkpoint }) => ({ name, checkpoint: parsed(checkpoint), sequence: sequence ?? undefined })),
    base: offsetBehind(file.file, partitions.map(({ next }) => next)),
    epoch: groups.reduce((highest, { epoch }) => Math.max(highest, epoch), 0),
    batches: (partition, from) => batches(file, topic, partition, from)
  }
}

function parsed (text: string | null): Json | undefined {
  return text === null ? undefined : JSON.parse(text) as Json
}

async function * batches (file: TopicFile, topic: Topic, partition: number, from: number): AsyncGenerator<Batch, void, void> {
  const done = new AbortController()
  const assignment = new EmbeddedAssignment(file, topic, { group: '', partition, epoch: 0, committed: { offset: from, state: undefined, intent: undefined }, signal: done.signal })
  try {
    for (let offset = from; ;) {
      const found = await assignment.read(offset, { rows: READ_ROWS, bytes: READ_BYTES })
      if (found.next === offset) return
      offset = found.next
      for (const batch of found.batches) yield completed(batch, topic)
    }
  } finally {
    done.abort()
  }
}

/** A field that the schema has required since the rows came: a record without it would be refused. */
function completed (batch: Batch, topic: Topic): Batch {
  const missing = topic.fields.filter(({ name, required }) => required && batch.columns[name] === undefined)
  if (missing.length === 0) return batch
  const absent: Column = { kind: 'dictionary', codes: new Uint8Array(batch.length), values: [NOT_PRESENT] }
  return batch.with(Object.assign(Object.create(null) as object, batch.columns, Object.fromEntries(missing.map(({ name }) => [name, absent]))))
}

// Topics of the embedded broker to Kafka: copy ▶ read back ▶ save what groups and producers had saved.
//
// Rows keep their partition and their order in it. Their offsets are new, and above all that were used before, so that no
// destination takes one row for another. Which new offset an old one has become is known from the reading back: the rows
// of both sides are counted from the first one on.

import { createHash } from 'node:crypto'
import { valuesOf } from '../broker/kafka/rows.ts'
import { PlatformError } from '../errors.ts'
import { EXTRA, field } from '../schema.ts'
import type { Batch, Column } from '../batch.ts'
import type { Importer, ImportProgress, TopicImport } from '../broker/kafka/import.ts'
import type { Topic } from '../schema.ts'
import type { Progress, Verified } from './report.ts'
import type { SourceGroup, SourceTopic } from './source.ts'

/** Of one transaction. */
const ROWS_AT_ONCE = 50_000
const BYTES_AT_ONCE = 16 * 2 ** 20

export interface TopicMove {
  readonly importer: Importer
  /** Of this move: what another one has begun is not touched. */
  readonly id: string
  /** Groups of other outputs are left: with rows in flight nobody can say where they are. */
  readonly configured: ReadonlySet<string>
  readonly progress: Progress
}

/** Throws where the target has rows that this move has not brought there. */
export async function checkTarget (topics: readonly SourceTopic[], { importer, id }: Pick<TopicMove, 'importer' | 'id'>): Promise<void> {
  for (const { topic, partitions } of topics) {
    const { used, progress } = await importer.look(topic.name)
    if (!used) continue
    if (progress?.id !== id) throw refused(`The topic ${topic.name} has, or had, rows in Kafka that this move has not brought there`)
    const torn = partitions.find(({ partition, first, next }) => {
      const there = progress.partitions[partition]
      return there === undefined || there.next < first || there.next > next
    })
    if (torn !== undefined) throw refused(`The topic ${topic.name} has changed too much since the move was begun`)
  }
}

/** Resolves to what was found when all was read back, by partition. Throws MOVE_UNVERIFIED where that is not what it has to be. */
export async function moveTopic (source: SourceTopic, { importer, id, configured, progress }: TopicMove): Promise<Verified[]> {
  const { topic, partitions, base, epoch } = source
  const begin: ImportProgress = { id, partitions: partitions.map(({ first }) => ({ from: first, next: first })) }
  const target = await importer.open(topic, { ...begin, state: { base, epoch: Math.max(epoch, Date.now()) } })
  for (const { partition } of partitions) await copy(source, target, partition, progress)
  const verified: Verified[] = []
  const groups: SourceGroup[] = []
  for (const { partition } of partitions) {
    progress.say(`Reading ${topic.name}/${partition} back`)
    const own = source.groups.filter(group => group.partition === partition && !(group.inFlight && !configured.has(group.group)))
    const { found, offsets } = await readBack(source, target, { partition, wanted: own.map(({ offset }) => offset) })
    verified.push(found)
    groups.push(...own.map((group, i) => ({ ...group, offset: offsets[i] as number })))
  }
  await target.save({ groups: groups.map(({ group, partition, offset, state }) => ({ group, partition, offset, state })), producers: source.producers })
  return verified
}

async function copy (source: SourceTopic, target: TopicImport, partition: number, progress: Progress): Promise<void> {
  const { next: from = 0 } = target.progress.partitions[partition] ?? {}
  let batches: Batch[] = []
  let [rows, bytes, next] = [0, 0, from]
  const append = async (): Promise<void> => {
    if (rows === 0) return
    await target.append(partition, batches, next)
    progress.rows(source.topic.name, rows)
    batches = []
    rows = bytes = 0
  }
  for await (const batch of source.batches(partition, from)) {
    batches.push(batch)
    rows += batch.length
    bytes += batch.bytes
    next = batch.offsetAt(batch.length - 1) + 1
    if (rows >= ROWS_AT_ONCE || bytes >= BYTES_AT_ONCE) await append()
  }
  await append()
}

interface ReadBack {
  readonly found: Verified
  /** Where each wanted offset has gone. */
  readonly offsets: readonly number[]
}

async function readBack (source: SourceTopic, target: TopicImport, { partition, wanted }: { readonly partition: number, readonly wanted: readonly number[] }): Promise<ReadBack> {
  const { topic } = source
  const { first } = source.partitions[partition] as { readonly first: number }
  const { from } = target.progress.partitions[partition] as { readonly from: number }
  const sent = new Fingerprint()
  const names = new Set<string>()
  for await (const batch of source.batches(partition, first)) {
    for (const name of Object.keys(batch.columns)) names.add(name)
    sent.add(batch)
  }

  const kept = new Fingerprint()
  const offsets: number[] = []
  let at = from
  let firstThere: number | undefined
  for await (const batch of target.rows(readable(topic, names), partition)) {
    firstThere ??= batch.offsetAt(0)
    for (const [i, offset] of wanted.entries()) if (offset >= at && offset < at + batch.length) offsets[i] = batch.offsetAt(offset - at)
    // Rows that the embedded topic has let go since an earlier attempt.
    const gone = Math.min(batch.length, Math.max(0, first - at))
    kept.add(gone === 0 ? batch : batch.select(Int32Array.from({ length: batch.length - gone }, (_, i) => gone + i)))
    at += batch.length
  }
  const end = await target.end(partition)
  for (const [i, offset] of wanted.entries()) {
    // Behind all rows; or at the first one, where retention has taken what the group had not.
    offsets[i] ??= offset >= at ? end : firstThere ?? end
  }
  const found: Verified = { what: `${topic.name}/${partition}`, rows: kept.rows, hash: kept.hash() }
  if (sent.rows !== kept.rows || sent.hash() !== found.hash) {
    throw new PlatformError('MOVE_UNVERIFIED', `The topic ${found.what} has ${kept.rows} rows with the hash ${found.hash} in Kafka, and ${sent.rows} with ${sent.hash()} here`, {
      remedy: 'Delete the topic in Kafka, let nothing else write to it, and run the move again.'
    })
  }
  return { found, offsets }
}

/** With all fields that rows have, also those that have left the schema: none goes to `extra`, and none is demanded. */
function readable (topic: Topic, names: ReadonlySet<string>): Topic {
  const known = new Map(topic.fields.map(known => [known.name, known]))
  const fields = [...new Set([...known.keys(), ...names])].filter(name => name !== EXTRA).map(name => ({ ...known.get(name) ?? field(name, { kind: 'string' }), required: false }))
  return { ...topic, fields }
}

/** Of rows in their order, whatever the batches are that they come in. Fields that are null count as absent. */
class Fingerprint {
  rows = 0
  readonly #hash = createHash('sha256')

  add (batch: Batch): void {
    if (batch.length === 0) return
    const texts = Object.keys(batch.columns).sort().map(name => {
      const valueAt = valuesOf(batch.with({ [name]: batch.columns[name] as Column }))
      const absent = JSON.stringify({ [name]: null })
      return (i: number): string => {
        const text = valueAt(i)
        return text === absent ? '' : text
      }
    })
    const lines: string[] = []
    for (let i = 0; i < batch.length; i++) {
      let line = ''
      for (const textAt of texts) line += textAt(i)
      lines.push(line)
    }
    this.rows += batch.length
    this.#hash.update(`${lines.join('\n')}\n`)
  }

  hash (): string {
    return this.#hash.copy().digest('hex').slice(0, 16)
  }
}

function refused (message: string): PlatformError {
  return new PlatformError('MOVE_REFUSED', message, { remedy: 'Delete the topics of this platform in Kafka, or choose other names with TWOLANE_KAFKA_PREFIX.' })
}

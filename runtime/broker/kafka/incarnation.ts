// Kafka counts the records of a new topic from 0, and destinations, intents and what groups have committed may know other
// rows by these offsets: of a topic that was deleted and made again, or of the one that the embedded broker had. So the
// offsets of a topic that is met while it is empty begin at a base that nothing has reached before. Which topic of a
// name it is says the id that Kafka gives it, noted beside the base.
//
// The note has one writer at a time. A new one writes a record first, from which on the one before is refused, and reads
// then: so of several that look at the same time one makes the note, and all others find it.

import { setTimeout as sleep } from 'node:timers/promises'
import { PlatformError } from '../../errors.ts'
import { topicKey, writerKey } from './state.ts'
import { topicName } from './topics.ts'
import { TransactionalWriter } from './transactions.ts'
import type { Cluster } from './cluster.ts'
import type { StateStore, TopicState } from './state.ts'

/** Offsets that a second of the base is worth: no topic gets so many rows a second for its whole life. 2^53 is reached in 2242. */
const ROWS_A_SECOND = 2 ** 20
/** Until it is looked again after another one has become the writer. */
const TAKEN_MS = 200

/** Where offsets and epochs of the topic begin that has the name now. */
export async function incarnationOf (cluster: Cluster, store: StateStore, topic: string): Promise<TopicState> {
  const id = await cluster.patiently(() => cluster.topicId(topicName(cluster.config, topic)))
  const known = await store.topic(topic)
  // A Kafka before 2.8 has no ids.
  if (id === undefined || known.id === id) return known
  const writer = await TransactionalWriter.open(cluster, `${cluster.config.prefix}twolane.topic/${topic}`)
  try {
    const written = await writer.write(await store.part(topic, writerKey(topic), {}))
    const before = await store.topic(topic, written)
    if (before.id === id) return before
    const state = { ...await stateOf(cluster, store, topic, before), id }
    await writer.write(await store.part(topic, topicKey(topic), state))
    return state
  } catch (error) {
    if (!(error instanceof PlatformError) || error.code !== 'BROKER_FENCED') throw error
    await sleep(TAKEN_MS * Math.random(), undefined, { signal: cluster.closed })
    return incarnationOf(cluster, store, topic)
  }
}

async function stateOf (cluster: Cluster, store: StateStore, topic: string, before: TopicState): Promise<TopicState> {
  const isNew = before.id === undefined
  // Rows that are there before the platform is were named by Kafka alone.
  if (isNew && (before.base > 0 || (await cluster.ends(topicName(cluster.config, topic))).some(end => end > 0))) return before
  const used = Math.max(before.base, ...(await store.groups(topic)).map(({ offset }) => offset))
  const base = Math.floor(Date.now() / 1000) * ROWS_A_SECOND
  return { base: base > used ? base : (Math.floor(used / ROWS_A_SECOND) + 1) * ROWS_A_SECOND, epoch: isNew ? Date.now() : before.epoch }
}

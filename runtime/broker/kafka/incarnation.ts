// A topic that was deleted and made again, by whomever, has offsets that were used before: destinations, intents and what
// groups have committed know other rows by them. So its offsets go on from a base that is above all of them. Which topic
// of a name it is says the id that Kafka gives it, noted beside the base.
//
// All that look at the same time come to the same result, and the writer of the note is fenced, so that a late one of
// them changes nothing.

import { EPOCH_ROWS } from '../epoch.ts'
import { topicKey } from './state.ts'
import { topicName } from './topics.ts'
import { TransactionalWriter } from './transactions.ts'
import type { Cluster } from './cluster.ts'
import type { StateStore, TopicState } from './state.ts'

/** Where offsets and epochs of the topic begin that has the name now. */
export async function incarnationOf (cluster: Cluster, store: StateStore, topic: string): Promise<TopicState> {
  const id = await cluster.patiently(() => cluster.topicId(topicName(cluster.config, topic)))
  const known = await store.topic(topic)
  // A Kafka before 2.8 has no ids.
  if (id === undefined || known.id === id) return known
  const writer = await TransactionalWriter.open(cluster, `${cluster.config.prefix}twolane.topic/${topic}`)
  const before = await store.topic(topic)
  if (before.id === id) return before
  const state: TopicState = { ...before, id, base: before.id === undefined ? before.base : await baseBehind(store, topic, before) }
  await writer.write(await store.part(topic, topicKey(topic), state))
  return state
}

async function baseBehind (store: StateStore, topic: string, { base }: TopicState): Promise<number> {
  const committed = (await store.groups(topic)).map(({ offset }) => offset)
  return (Math.floor(Math.max(base, ...committed) / EPOCH_ROWS) + 1) * EPOCH_ROWS
}

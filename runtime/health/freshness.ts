// How fresh each dataset is, against what its schema says: the age of the newest row in its topic, without the time in
// which its market was closed, and how far the outputs are behind.

import { groupOf } from '../run.ts'
import { levelOf } from '../quality/threshold.ts'
import { datasetsOf } from '../warehouse/datasets.ts'
import type { Topic } from '../schema.ts'
import type { Facts } from './facts.ts'

/** An output that is so far behind is not fresh, whatever the age of the newest row is. */
export const BEHIND_SECONDS_MAX = 60

/** `closed`: its market is; `quiet`: no row yet, and none is demanded; `unknown`: the broker does not answer. */
export type Freshness = 'fresh' | 'behind' | 'stale' | 'closed' | 'quiet' | 'unknown'

export interface DatasetHealth {
  readonly dataset: string
  readonly topic: string
  readonly title: string
  /** People without a login may see its name and state. */
  readonly public: boolean
  readonly state: Freshness
  /** Age of the newest row; undefined: there is none. */
  readonly seconds: number | undefined
  /** Newest row in the topic, ms since 1970; 0: none. */
  readonly at: number
  /** Why it is not fresh; empty: it is. */
  readonly reason: string
  /** `error` where the schema says that it is one. */
  readonly severity: 'error' | 'warning'
  /** Pipelines that bring its rows, and those that store them. */
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
}

/** All datasets of the streaming database, by name; and those that jobs load into the warehouse alone. */
export function freshnessOf (facts: Facts): DatasetHealth[] {
  const { definitions, schemas } = facts
  const found = new Map<string, { readonly schema: Topic, readonly topics: Set<string>, readonly outputs: Set<string> }>()
  for (const { name, schema, feeds } of datasetsOf(definitions, schemas).values()) found.set(name, { schema, topics: new Set(feeds.keys()), outputs: new Set([...feeds.values()].map(({ pipeline }) => pipeline)) })
  for (const { id, topic, outputs } of definitions) {
    for (const { plugin, config } of outputs) {
      const name = String(config['table'] ?? config['schema'] ?? topic)
      const schema = schemas.get(String(config['schema'] ?? topic))
      if (plugin === 'warehouse' && config['url'] === null && !found.has(name) && schema !== undefined) found.set(name, { schema, topics: new Set([topic]), outputs: new Set([id]) })
    }
  }
  return [...found].map(([dataset, { schema, topics, outputs }]) => {
    const inputs = definitions.filter(({ topic, input }) => topics.has(topic) && input !== undefined).map(({ id }) => id)
    const [topic = schema.name] = topics
    return { dataset, topic, title: schema.description, public: schema.public === true, inputs, outputs: [...outputs], ...measure(facts, { schema, topics, outputs }) }
  }).sort((a, b) => a.dataset < b.dataset ? -1 : 1)
}

function measure ({ topics: states, now, lags, definitions, markets }: Facts, { schema, topics, outputs }: { readonly schema: Topic, readonly topics: ReadonlySet<string>, readonly outputs: ReadonlySet<string> }): Pick<DatasetHealth, 'state' | 'seconds' | 'at' | 'reason' | 'severity'> {
  if (!states.known) return { state: 'unknown', seconds: undefined, at: 0, reason: 'The broker does not say what it holds', severity: 'error' }
  const at = Math.max(0, ...[...topics].flatMap(topic => states.value.get(topic)?.partitions.map(({ time }) => time) ?? []))
  const seconds = at === 0 ? undefined : Math.max(0, (now - at) / 1000)
  const rule = schema.quality?.find(({ metric }) => metric === 'freshness')
  const market = markets.get(schema.name)
  if (rule !== undefined && !(market !== undefined && market.openMs === undefined)) {
    const age = (now - Math.max(at, market?.openMs ?? 0)) / 1000
    const level = levelOf(rule, age)
    if (level !== 'ok') return { state: 'stale', seconds, at, reason: `No row came for ${Math.round(age)} s${market === undefined ? '' : ` while ${market.calendar} is open`}`, severity: level === 'error' ? 'error' : 'warning' }
  }
  const stored = definitions.filter(({ id }) => outputs.has(id)).flatMap(({ id, topic, outputs }) => outputs.filter(({ plugin }) => topics.has(topic) && (plugin === 'streaming-database' || plugin === 'warehouse')).map(({ name }) => groupOf(id, name)))
  const behind = lags.filter(({ pipeline, step }) => stored.includes(groupOf(pipeline, step))).reduce((most, { seconds }) => Math.max(most, seconds), 0)
  if (behind > BEHIND_SECONDS_MAX) return { state: 'behind', seconds, at, reason: `Rows have waited ${Math.round(behind)} s in the topic to be stored`, severity: 'warning' }
  const state = seconds === undefined ? 'quiet' : market !== undefined && market.openMs === undefined ? 'closed' : 'fresh'
  return { state, seconds, at, reason: '', severity: 'warning' }
}

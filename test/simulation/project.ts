// The project that every world runs: a source, a topic of two partitions, the mapping, and two outputs.

import { field, plainCast } from '../../runtime/schema.ts'
import { fakeTopic } from '../conform/context.ts'
import type { Pipeline } from '../../runtime/pipeline.ts'
import type { FlushLimits } from '../../runtime/plugin.ts'
import type { Topic } from '../../runtime/schema.ts'

export const PARTITIONS = 2
export const DAY = 86_400_000
/** When a world begins. */
export const BEGIN = Date.UTC(2024, 0, 10)
/** Names of the consumer groups. */
export const STREAMING_GROUP = 'quotes.streaming-database'
export const LAKE_GROUP = 'quotes.lake'
export const table = { database: 'streaming', table: 'quotes' } as const

export const topic: Topic = {
  ...fakeTopic('quotes', [
    field('n', { kind: 'int64' }, { mandatory: true }),
    field('symbol', { kind: 'string' }, { mandatory: true }),
    field('at', { kind: 'timestamp', unit: 'ms' }, { mandatory: true, cast: { ...plainCast, unit: 'ms' } }),
    field('price', { kind: 'float64' })
  ]),
  key: ['symbol'],
  eventTime: 'at',
  partitions: PARTITIONS
}

/** Where a row ends: in all destinations, or rejected by the input, the mapping or the database. */
export type RowFate = 'stored' | 'input' | 'mapping' | 'engine'

/** The price that the database refuses. */
export const REFUSED_PRICE = 666

export interface SourceRow {
  readonly n: number
  readonly symbol: string
  /** ms since 1970. */
  readonly at: number
  readonly price: string
  readonly fate: RowFate
}

/** Most rows are of days that are over, and come in any order; some are of today. */
export function sourceRows (count: number, random: () => number): SourceRow[] {
  return Array.from({ length: count }, (_, n) => {
    const chance = random()
    const fate = chance < 0.05 ? 'input' : chance < 0.1 ? 'mapping' : chance < 0.12 ? 'engine' : 'stored'
    return {
      n,
      symbol: `S${Math.floor(random() * 8)}`,
      at: BEGIN - Math.floor(random() * 4) * DAY + 3_600_000 + n,
      price: fate === 'mapping' ? 'a lot' : fate === 'engine' ? String(REFUSED_PRICE) : String(n / 4),
      fate
    }
  })
}

export interface FlushSizes { readonly streaming: FlushLimits, readonly lake: FlushLimits }

export function pipelineOf (revision: number, flush: FlushSizes): Pipeline {
  const step = { config: {}, hash: '', hidden: [] }
  return {
    id: 'quotes',
    file: 'pipelines/quotes.yaml',
    text: '',
    description: '',
    enabled: true,
    input: { ...step, name: 'input.source', plugin: 'source', rename: {} },
    topic: topic.name,
    transforms: [{ ...step, name: 'transforms.mapping', plugin: 'mapping', config: { schema: null } }],
    outputs: [
      { ...step, name: 'outputs.streaming-database', plugin: 'streaming-database', config: { ...table, url: null, schema: null }, flush: flush.streaming },
      { ...step, name: 'outputs.lake', plugin: 'lake', flush: flush.lake }
    ],
    schedule: undefined,
    heapMegabytes: 256,
    secrets: [],
    publicText: '',
    revision: `revision ${revision}`
  }
}

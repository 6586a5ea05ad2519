// A dataset in a streaming database and a warehouse, on one engine or on two, with a broker that says what is committed.
// Rows are numbered, so that a reader can tell whether each of them is there once.

import { connectClickHouse } from '../../../runtime/clickhouse/client.ts'
import type { ClickHouse } from '../../../runtime/clickhouse/client.ts'
import { ensureTable } from '../../../runtime/clickhouse/migrate.ts'
import { field } from '../../../runtime/schema.ts'
import { handoffTask, waitingOf } from '../../../runtime/warehouse/task.ts'
import { ensureViews } from '../../../runtime/warehouse/views.ts'
import { newestSeq, pinComment } from '../../../runtime/warehouse/boundary.ts'
import { fakeTopic } from '../../conform/context.ts'
import type { Broker } from '../../../runtime/broker/broker.ts'
import type { HandoffParts, WaitingDays } from '../../../runtime/warehouse/task.ts'
import type { Json } from '../../../runtime/plugin.ts'
import type { Pipeline } from '../../../runtime/pipeline.ts'
import type { Topic } from '../../../runtime/schema.ts'

export const DAY = 86_400_000

/** A topic of its own for each test, so that they share an engine. */
export function topicOf (name: string): Topic {
  return {
    ...fakeTopic(name, [
      field('symbol', { kind: 'string' }, { mandatory: true, lowCardinality: true }),
      field('at', { kind: 'timestamp', unit: 'ms' }, { mandatory: true }),
      field('price', { kind: 'decimal', precision: 18, scale: 8 }),
      field('note', { kind: 'string' }, { lowCardinality: true }),
      field('sizes', { kind: 'list', of: { kind: 'int64' } })
    ]),
    key: ['symbol'],
    eventTime: 'at'
  }
}

export interface Days {
  readonly topic: Topic
  readonly streaming: ClickHouse
  readonly warehouse: ClickHouse
  readonly waiting: WaitingDays
  /** What stands for the platform's store, of which the waiting days are. */
  readonly store: object
  /** What is committed, by partition. */
  readonly committed: Map<number, number>
  /** Puts rows of a day (counted from 2024-03-01) into the streaming database, at these offsets, and commits behind them. */
  put (day: number, from: number, to: number, options?: { readonly partition?: number, readonly commit?: boolean }): Promise<void>
  /** One run of the handoff, on the day that `today` counts from 2024-03-01. */
  run (today: number, params?: Readonly<Record<string, Json>>, options?: { readonly signal?: AbortSignal, readonly realtimeDays?: number, readonly more?: Partial<HandoffParts> }): Promise<void>
  /** Rows, and different positions, of a view; pinned as a query through the platform is. */
  read (view: 'realtime' | 'history' | 'data'): Promise<{ readonly rows: number, readonly positions: number }>
  /** Rows of realtime and history at one boundary. */
  count (): Promise<{ readonly realtime: number, readonly history: number, readonly positions: number }>
}

/** Numbers in [0, 1) that are the same for the same seed. */
export function random (seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    return state / 2 ** 31
  }
}

export const first = Date.UTC(2024, 2, 1)
export const dayName = (day: number): string => new Date(first + day * DAY).toISOString().slice(0, 10)

export async function openDays (name: string, { clickhouse, warehouse = clickhouse }: { readonly clickhouse: string, readonly warehouse?: string }): Promise<Days & { close (): Promise<void> }> {
  const topic = topicOf(name)
  const streaming = await connectClickHouse(clickhouse)
  const other = warehouse === clickhouse ? streaming : await connectClickHouse(warehouse)
  const table = { database: 'streaming', table: name }
  await ensureTable(streaming, topic, table)
  await ensureViews(streaming, { dataset: name, schema: topic, streaming: table, warehouse: warehouse === clickhouse })
  const committed = new Map<number, number>()
  const store = {}
  const waiting = waitingOf(store)
  const broker = {
    inspect: async (asked: string) => asked === name ? { name, bytes: 0, partitions: [], groups: [...committed].map(([partition, offset]) => ({ group: `${name}.streaming-database`, partition, offset, lagMs: 0 })) } : undefined
  } as unknown as Broker
  const parts: Omit<HandoffParts, 'realtimeDays'> = {
    root: '', clickhouse, warehouse, broker, dataFolder: '', pipelines: () => [pipelineOf(name)], schemas: () => new Map([[name, topic]])
  }
  const days: Days = {
    topic,
    streaming,
    warehouse: other,
    waiting,
    store,
    committed,
    async put (day, from, to, { partition = 0, commit = true } = {}) {
      const spread = Math.max(1, Math.floor(DAY / (to - from)))
      await streaming.command(`INSERT INTO streaming.\`${name}\` (symbol, at, price, note, sizes, extra, _topic, _partition, _offset, _ingest_time)
        SELECT concat('S', toString(number % 7)), fromUnixTimestamp64Milli(toInt64(${first + day * DAY}) + (number - ${from}) * ${spread}, 'UTC'), number / 7, if(number % 3 = 0, NULL, toString(number % 5)),
          if(number % 4 = 0, [NULL, number], []), NULL, '${name}', ${partition}, number, fromUnixTimestamp64Milli(toInt64(${first}), 'UTC') FROM numbers(${from}, ${to - from})`)
      if (commit) committed.set(partition, Math.max(to, committed.get(partition) ?? 0))
    },
    async run (today, params = {}, { signal = new AbortController().signal, realtimeDays = 2, more = {} } = {}) {
      const task = handoffTask({ ...parts, realtimeDays, ...more }, waiting)
      const to = first + today * DAY + 1
      await task.run({ run: { id: 'r', from: to - 1, to, kind: 'manual' }, params: { grace_seconds: 0, ...params }, signal, log: { error () {}, warn () {}, info () {}, debug () {} }, progress () {} })
    },
    async read (view) {
      const settings = { log_comment: pinComment(await newestSeq(other)) }
      const client = view === 'history' ? other : streaming
      const [row] = await client.rows<{ n: string, u: string }>(`SELECT count() AS n, uniqExact(_partition, _offset) AS u FROM ${view}.\`${name}\``, { settings })
      return { rows: Number(row?.n), positions: Number(row?.u) }
    },
    async count () {
      const settings = { log_comment: pinComment(await newestSeq(other)) }
      const select = (database: string): string => `SELECT DISTINCT _partition, _offset FROM ${database}.\`${name}\``
      const sides = await Promise.all([streaming.rows<{ n: string }>(`SELECT count() AS n FROM realtime.\`${name}\``, { settings }), other.rows<{ n: string }>(`SELECT count() AS n FROM history.\`${name}\``, { settings })])
      const [realtime, history] = sides.map(rows => Number(rows[0]?.n)) as [number, number]
      const positions = streaming === other ? Number((await streaming.rows<{ n: string }>(`SELECT count() AS n FROM (${select('realtime')} UNION DISTINCT ${select('history')})`, { settings }))[0]?.n) : realtime + history
      return { realtime, history, positions }
    }
  }
  return Object.assign(days, {
    async close () {
      await streaming.close()
      if (other !== streaming) await other.close()
    }
  })
}

/** What the handoff reads of a pipeline; with an output lake where a folder for it is given. */
export function pipelineOf (name: string, lake?: string): Pipeline {
  return {
    id: name,
    topic: name,
    revision: 'r1',
    transforms: [],
    outputs: [
      { name: 'outputs.streaming-database', plugin: 'streaming-database', config: { database: 'streaming', table: null, schema: null, url: null } },
      ...lake === undefined ? [] : [{ name: 'outputs.lake', plugin: 'lake', config: { folder: lake, endpoint: null, region: null, path_style: null, access_key: null, secret_key: null, timeout_seconds: 60 } }]
    ]
  } as unknown as Pipeline
}

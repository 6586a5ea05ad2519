// Datasets in both lanes, behind the endpoint, with tokens that may read some of them: on one engine or on two.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { startEmbedded } from '../../../runtime/clickhouse/embedded.ts'
import { connectClickHouse } from '../../../runtime/clickhouse/client.ts'
import { ensureTable } from '../../../runtime/clickhouse/migrate.ts'
import { handoffTask, waitingOf } from '../../../runtime/warehouse/task.ts'
import { ensureViews } from '../../../runtime/warehouse/views.ts'
import { openEndpoint } from '../control/endpoint.ts'
import { silent } from '../clickhouse/engine.ts'
import type { Test } from 'tap'
import type { LightMyRequestResponse } from 'fastify'
import type { Grant } from '../../../runtime/access/grants.ts'
import type { Broker } from '../../../runtime/broker/broker.ts'
import type { ClickHouse } from '../../../runtime/clickhouse/client.ts'
import type { Topic } from '../../../runtime/schema.ts'
import type { Endpoint } from '../control/endpoint.ts'

export const DAY = 86_400_000
/** The first day of all rows. */
export const first = Date.UTC(2024, 2, 1)

const trades = `description: Trades of a test
owner: market-data
key: [symbol]
event_time: at
fields:
  symbol: { type: string, required: true, low_cardinality: true, description: The instrument }
  at: { type: timestamp(ms), required: true, description: When it was traded }
  price: { type: 'decimal(18, 8)', unit: USD, description: What was paid }
  size: { type: int64, unit: shares }
  side: { type: 'enum(buy, sell)' }
  note: { type: string }
  desk: { type: string }
`
const quotes = `description: Quotes of a test
quality: [{ metric: freshness, during: XNYS, warn: { mustBeLessThan: 1m } }]
key: [symbol]
event_time: at
fields:
  symbol: { type: string, required: true, low_cardinality: true }
  at: { type: timestamp(ms), required: true }
  bid: { type: 'decimal(18, 8)' }
  ask: { type: 'decimal(18, 8)' }
  venues: { type: list(string) }
`
const bars = `description: Bars of a test, of which the last one counts
key: [symbol]
event_time: at
unique: [symbol, at]
fields:
  symbol: { type: string, required: true, low_cardinality: true }
  at: { type: timestamp(ms), required: true }
  open: { type: float64 }
  high: { type: float64 }
  low: { type: float64 }
  close: { type: float64 }
  volume: { type: float64 }
`
const files = {
  'config/calendars/XNYS.yaml': readFileSync('config/calendars/XNYS.yaml', 'utf8'),
  ...Object.fromEntries(Object.entries({ trades, quotes, bars, secrets: trades, empty: trades }).map(([name, text]) => [`schemas/${name}.yaml`, text])),
  ...Object.fromEntries(['trades', 'quotes', 'bars', 'secrets', 'empty'].map(name => [`pipelines/${name}.yaml`, `enabled: false\ntopic: ${name}\ntransforms: [mapping: ${name}]\noutputs: [streaming-database: {}]\n`]))
}

export interface Ground extends Endpoint {
  readonly streaming: ClickHouse
  readonly warehouse: ClickHouse
  readonly topics: ReadonlyMap<string, Topic>
  /** The secret of a token that may read these datasets. */
  token (grants: readonly Grant[], quota?: { readonly requests_per_second: number | null, readonly rows_per_day: number | null }): string
  get (url: string, secret?: string): Promise<LightMyRequestResponse>
  /** What a SELECT gives as rows of a dataset's own columns; offsets are taken in their order. */
  put (dataset: string, select: string): Promise<void>
  /** One handoff, so many days after the first one. */
  handOver (today: number, params?: Readonly<Record<string, number | string>>): Promise<void>
  /** Ends the engine of the warehouse, where it is one of its own. */
  stopWarehouse (): Promise<void>
}

/** Rows a second apart: `n` of each symbol from the first moment of a day on. */
export function tradesOf (day: number, symbols: readonly string[], n: number): string {
  return `SELECT symbol, fromUnixTimestamp64Milli(toInt64(${first + day * DAY} + 1000 * number), 'UTC') AS at, toDecimal64(100 + number % 7 + number / 1000, 8) AS price, toInt64(number + 1) AS size,
    ['buy', 'sell'][number % 2 + 1] AS side, if(number % 5 = 0, NULL, if(number % 5 = 1, '=1+1', 'plain')) AS note, if(number % 4 = 0, 'hidden', 'open') AS desk
    FROM numbers(${n}) ARRAY JOIN [${symbols.map(symbol => `'${symbol}'`).join(', ')}] AS symbol`
}

export async function openGround (t: Test, { apart = false }: { readonly apart?: boolean } = {}): Promise<Ground> {
  const closers: Array<() => Promise<unknown>> = []
  const folder = t.testdir()
  t.teardown(async () => { for (const close of closers.reverse()) await close() })
  const [near, far] = await Promise.all(['near', ...apart ? ['far'] : []].map(name => startEmbedded({ folder: join(folder, name), log: silent, memoryBytesMax: 2 ** 30 })))
  if (near === undefined) throw new Error('no engine')
  closers.push(() => near.close(), async () => far?.close())
  const endpoint = await openEndpoint(t, files, { env: { TWOLANE_CLICKHOUSE: near.url, ...(far !== undefined && { TWOLANE_WAREHOUSE: far.url }) }, limits: { requestsPerSecondMax: 100_000 } })
  const streaming = await connectClickHouse(near.url)
  const warehouse = far === undefined ? streaming : await connectClickHouse(far.url)
  closers.push(() => streaming.close(), () => warehouse.close())
  const { platform } = endpoint
  const topics = platform.supervisor.schemas
  for (const name of ['trades', 'quotes', 'bars', 'secrets']) {
    const [schema, table] = [topics.get(name) as Topic, { database: 'streaming', table: name }]
    await ensureTable(streaming, schema, table)
    await ensureViews(streaming, { dataset: name, schema, streaming: table, warehouse: far === undefined })
  }
  const offsets = new Map<string, number>()
  const broker = {
    inspect: async (name: string) => ({ name, bytes: 0, partitions: [], groups: [{ group: `${name}.streaming-database`, partition: 0, offset: offsets.get(name) ?? 0, lagMs: 0 }] })
  } as unknown as Broker
  const users = new Set<string>()
  return {
    ...endpoint,
    streaming,
    warehouse,
    topics,
    async stopWarehouse () { await far?.close() },
    token (grants, quota = { requests_per_second: null, rows_per_day: null }) {
      const user = `user${users.size}`
      users.add(user)
      platform.access.directory.putUser(platform.access.newUser(user, { roles: [], grants, quota }))
      platform.access.directory.putRole({ role: `reads_${user}`, title: '', scopes: ['data:read'], grants: [], plugins: [] })
      platform.access.directory.putUser({ ...platform.access.newUser(user, { grants, quota }), roles: [`reads_${user}`] })
      return platform.access.tokens.make({ user, title: 'test', scopes: ['data:read'], grants: null, quota: { requests_per_second: null, rows_per_day: null }, days: 1 }).secret
    },
    get: (url, secret) => endpoint.ask('GET', url, secret === undefined ? {} : { headers: { authorization: `Bearer ${secret}` } }),
    async put (dataset, select) {
      const from = offsets.get(dataset) ?? 0
      const names = (topics.get(dataset) as Topic).fields.map(({ name }) => name).join(', ')
      await streaming.command(`INSERT INTO streaming.${dataset} (${names}, _topic, _partition, _offset, _ingest_time) SELECT ${names}, '${dataset}', 0, ${from} - 1 + row_number() OVER (ORDER BY at, symbol), at + INTERVAL 1 SECOND FROM (${select})`)
      const [row] = await streaming.rows<{ n: string }>(`SELECT max(_offset) + 1 AS n FROM streaming.${dataset}`)
      offsets.set(dataset, Math.max(Number(row?.n), from))
    },
    async handOver (today, params = {}) {
      const parts = { root: '', clickhouse: near.url, warehouse: far?.url ?? near.url, broker, dataFolder: '', realtimeDays: 1, pipelines: () => [...platform.supervisor.files.pipelines.values()], schemas: () => topics }
      const to = first + today * DAY + 1
      await handoffTask(parts, waitingOf(platform.store)).run({ run: { id: 'r', from: to - 1, to, kind: 'manual' }, params: { grace_seconds: 0, ...params }, signal: new AbortController().signal, log: { error () {}, warn () {}, info () {}, debug () {} }, progress () {} })
    }
  }
}

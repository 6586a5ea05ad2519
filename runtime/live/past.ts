// Rows of a dataset from the database, page by page, as a live stream sends them. Each page is a statement of its own,
// pinned to one boundary; a row is visible at each boundary exactly once, so pages that follow each other by position
// have each row once, whatever is handed over meanwhile.

import { text } from 'node:stream/consumers'
import { EngineRefusal } from '../clickhouse/ask.ts'
import { timeColumn } from '../clickhouse/ddl.ts'
import { quoteName, quoteTable } from '../clickhouse/sql.ts'
import { Binder } from '../data/binder.ts'
import { conditionOf } from '../data/condition.ts'
import { ceilTo, ceilToDay } from '../data/instant.ts'
import { boundaryOf } from '../data/pin.ts'
import { stream } from '../data/stream.ts'
import { columnsByName } from './subscription.ts'
import type { Principal } from '../access/principal.ts'
import type { Platform } from '../platform.ts'
import type { TimeUnit } from '../schema.ts'
import type { Mark } from './position.ts'
import type { Subscription } from './subscription.ts'

export const PAGE_ROWS = 10_000

/** A row with where it stands. */
export interface PastRow {
  /** Event time in the unit of its column, as text of an integer. */
  readonly mark: Mark
  readonly text: string
}

/** Rows of one topic's partition: `from` on, below `below`. */
export interface Range {
  readonly topic: string
  readonly partition: number
  readonly from: number
  readonly below: number
}

export type PageOf =
  /** In the order of the event time; `start` in ns since 1970, `after` the last row of the page before. */
  | { readonly by: 'time', readonly start: bigint, readonly after: Mark | undefined, readonly below: readonly Range[] }
  /** In the order of the topic. */
  | { readonly by: 'offset', readonly range: Range }

const digits: Readonly<Record<TimeUnit, number>> = { s: 0, ms: 3, us: 6, ns: 9 }
const ticks: Readonly<Record<TimeUnit, string>> = { s: 'toUnixTimestamp64Second', ms: 'toUnixTimestamp64Milli', us: 'toUnixTimestamp64Micro', ns: 'toUnixTimestamp64Nano' }
/** No view and no database of that name: nothing was stored yet. */
const notThere: ReadonlySet<number> = new Set([60, 81])

/** Up to PAGE_ROWS rows; fewer only at the end. */
export async function readPage (platform: Platform, subscription: Subscription, { page, principal, signal }: { readonly page: PageOf, readonly principal: Principal, readonly signal: AbortSignal }): Promise<PastRow[]> {
  const { clickhouse, warehouse } = platform
  const seq = await boundaryOf(platform, signal)
  const sides = warehouse === clickhouse || warehouse === undefined ? [['data', clickhouse] as const] : [['history', warehouse] as const, ['realtime', clickhouse] as const]
  const found = await Promise.all(sides.map(async ([database, address]) => {
    const { sql, params } = statement(subscription, database, page)
    try {
      const { body } = await stream(platform, { sql, params, format: 'JSONEachRow', lane: 'warehouse', seq, principal, address, signal })
      return (await text(body)).split('\n').filter(line => line !== '').map(rowOf)
    } catch (error) {
      if (error instanceof Error && error.cause instanceof EngineRefusal && notThere.has(error.cause.code)) return []
      throw error
    }
  }))
  // Each side is in order and has a page of its own; the first page of both together is the page of all.
  const rows = found.length === 1 ? found[0] as PastRow[] : found.flat().sort((a, b) => byMark(a.mark, b.mark, page.by))
  return rows.slice(0, PAGE_ROWS)
}

function statement ({ dataset, schema, selection: { columns, filters } }: Subscription, database: string, page: PageOf): { readonly sql: string, readonly params: Binder['params'] } {
  const binder = new Binder()
  const all = columnsByName(schema)
  const name = timeColumn(schema)
  const type = schema.fields.find(field => field.name === name)?.type ?? { kind: 'timestamp', unit: 'ms' }
  const time = quoteName(name)
  const tick = type.kind === 'timestamp' ? `${ticks[type.unit]}(${time})` : `toInt32(${time})`
  const conditions = filters.map(filter => conditionOf(filter, { columns: all, binder }))
  if (page.by === 'time') {
    const start = type.kind === 'timestamp' ? binder.bind(`DateTime64(${digits[type.unit]}, 'UTC')`, ceilTo(page.start, digits[type.unit])) : binder.bind('Date32', ceilToDay(page.start))
    conditions.push(`${time} >= ${start}`, `(${page.below.map(range => within(range, binder)).join(' OR ')})`)
    if (page.after !== undefined) conditions.push(`(${tick}, _topic, _partition, _offset) > (${binder.bind('Int64', page.after.time)}, ${binder.bind('String', page.after.topic)}, ${binder.bind('UInt16', page.after.partition)}, ${binder.bind('Int64', page.after.offset)})`)
  } else {
    conditions.push(within(page.range, binder))
  }
  const order = page.by === 'time' ? `${time}, _topic, _partition, _offset` : '_offset'
  const chosen = columns.map(column => `, ${quoteName(column)}`).join('')
  return {
    // No field has a name with an @.
    sql: `SELECT toString(${tick}) AS \`@t\`, _topic AS \`@topic\`, _partition AS \`@partition\`, toString(_offset) AS \`@offset\`${chosen} FROM ${quoteTable({ database, table: dataset })} WHERE ${conditions.join(' AND ')} ORDER BY ${order} LIMIT ${PAGE_ROWS}`,
    params: binder.params
  }
}

function within ({ topic, partition, from, below }: Range, binder: Binder): string {
  return `(_topic = ${binder.bind('String', topic)} AND _partition = ${binder.bind('UInt16', partition)} AND _offset >= ${binder.bind('Int64', from)} AND _offset < ${binder.bind('Int64', below)})`
}

const head = /^\{"@t":"(-?\d+)","@topic":("(?:[^"\\]|\\.)*"),"@partition":(\d+),"@offset":"(-?\d+)",?/

function rowOf (line: string): PastRow {
  const [before = '', time = '0', topic = '""', partition = '0', offset = '0'] = head.exec(line) ?? []
  return { mark: { time: BigInt(time), topic: JSON.parse(topic) as string, partition: Number(partition), offset: Number(offset) }, text: `{${line.slice(before.length)}` }
}

function byMark (a: Mark, b: Mark, by: PageOf['by']): number {
  if (by === 'time' && a.time !== b.time) return a.time < b.time ? -1 : 1
  if (a.topic !== b.topic) return a.topic < b.topic ? -1 : 1
  return a.partition - b.partition || a.offset - b.offset
}

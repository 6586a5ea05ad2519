// What is known of each day of a dataset: whether it is complete, where its rows are, and since when.

import { text } from 'node:stream/consumers'
import { quoteName } from '../clickhouse/sql.ts'
import { connectClickHouse } from '../clickhouse/client.ts'
import { calendarsOf } from '../quality/calendars.ts'
import { spanOfDay, windowsOf } from '../quality/windows.ts'
import { readFlips } from '../warehouse/boundary.ts'
import { waitingOf } from '../warehouse/task.ts'
import type { Platform } from '../platform.ts'
import type { Asker } from './answer.ts'
import { Binder } from './binder.ts'
import type { Readable } from './catalog.ts'
import { grantConditions, rangeConditions } from './compile.ts'
import { formatInstant, nowNs } from './instant.ts'
import type { Pin } from './pin.ts'
import { runCompiled } from './run.ts'
import { sourceOf } from './source.ts'
import type { Range } from './spec.ts'

/** Days of one answer, the newest ones. */
export const DAYS_MAX = 400
const DAY_MS = 86_400_000

export interface DayCondition {
  readonly day: string
  readonly condition: 'available' | 'degraded' | 'pending' | 'missing'
  readonly rows: number
  readonly lane: 'warehouse' | 'streaming' | 'both'
  readonly reason: string
  readonly last_modified_at: string | null
}

interface Asking extends Asker {
  readonly pin: Pin
}

/** Every day from the first one with rows, or from the start of the range, until today. */
export async function daysOf (platform: Platform, readable: Readable, range: Range, asking: Asking): Promise<DayCondition[]> {
  const [recent, old] = [await countDays(platform, readable, range, 'realtime', asking), await countDays(platform, readable, range, 'history', asking)]
  const flips = new Map((await flipsOf(platform, readable, asking.signal)).map(flip => [flip.day, flip]))
  const waiting = new Map(waitingOf(platform.store).all.filter(({ dataset }) => dataset === readable.name).map(one => [one.day, one.reason]))
  const all = [...recent.keys(), ...old.keys(), ...waiting.keys()].sort()
  const today = formatInstant(nowNs()).slice(0, 10)
  const closedOn = await closedDays(platform, readable, all[0] ?? today)
  const end = range.end === undefined ? today : formatInstant(range.end - 1n).slice(0, 10)
  const first = range.start === undefined ? all[0] ?? today : formatInstant(range.start).slice(0, 10)
  const days: DayCondition[] = []
  for (let ms = Date.parse(end < today ? end : today); ms >= Date.parse(first) && days.length < DAYS_MAX; ms -= DAY_MS) {
    const day = new Date(ms).toISOString().slice(0, 10)
    const [streaming, warehouse] = [recent.get(day) ?? 0, old.get(day) ?? 0]
    const flip = flips.get(day)
    const doubtful = JSON.stringify(flip?.quality ?? []).includes('"level":"warn"')
    const closed = closedOn(day, streaming + warehouse)
    const reason = waiting.get(day) ?? (doubtful ? 'The quality rules have warnings' : closed)
    const condition = conditionOf({ waits: waiting.has(day), isMissing: streaming + warehouse === 0 && closed === '', isToday: day === today, doubtful })
    const lane = streaming > 0 && warehouse > 0 ? 'both' : warehouse > 0 ? 'warehouse' : 'streaming'
    days.push({ day, condition, rows: streaming + warehouse, lane, reason, last_modified_at: flip === undefined ? null : new Date(flip.at).toISOString() })
  }
  return days.reverse()
}

/** Why there need be no row on a day: the market that the quality rules name holds no session. Empty: it does, or none is named, or there are rows. Before the first row nobody knows. */
async function closedDays ({ root }: Platform, { dataset: { schema } }: Readable, first: string): Promise<(day: string, rows: number) => string> {
  const name = schema.quality?.find(({ during }) => during !== '')?.during
  const calendar = name === undefined ? undefined : await calendarsOf(root)(name).catch(() => undefined)
  return (day, rows) => rows > 0 || day <= first || calendar === undefined || windowsOf(calendar, spanOfDay(day)).length > 0 ? '' : `${name} is closed`
}

function conditionOf ({ waits, isMissing, isToday, doubtful }: { readonly waits: boolean, readonly isMissing: boolean, readonly isToday: boolean, readonly doubtful: boolean }): DayCondition['condition'] {
  if (waits || isToday) return 'pending'
  if (isMissing) return 'missing'
  return doubtful ? 'degraded' : 'available'
}

/** Rows by day of one lane, as the grant shows them. */
async function countDays (platform: Platform, readable: Readable, range: Range, lane: 'realtime' | 'history', { pin, principal, signal }: Asking): Promise<Map<string, number>> {
  const binder = new Binder()
  const { time } = readable
  const conditions = [...grantConditions(readable, binder), ...rangeConditions(time, range, binder)]
  const { sql, relayed } = sourceOf(readable, { columns: [time.name], conditions, binder, lane })
  const asked = { format: 'JSONCompactEachRow', lane: lane === 'history' ? 'warehouse' as const : 'streaming' as const, seq: pin.seq, principal, signal }
  const { body } = await runCompiled(platform, { sql: `SELECT toString(toDate32(${quoteName(time.name)})) AS day, toFloat64(count()) FROM ${sql} GROUP BY day ORDER BY day DESC LIMIT ${DAYS_MAX}`, params: binder.params, relayed }, asked)
  return new Map((await text(body)).split('\n').filter(line => line !== '').map(line => JSON.parse(line) as [string, number]))
}

async function flipsOf ({ warehouse }: Platform, { name, place }: Readable, signal: AbortSignal): ReturnType<typeof readFlips> {
  if (warehouse === undefined || place === 'none') return []
  const client = await connectClickHouse(warehouse, { signal })
  try {
    return await readFlips(client, { dataset: name })
  } finally {
    await client.close()
  }
}

export interface Bounds {
  readonly start: string | null
  readonly end: string | null
  /** Where the days end that were handed over. */
  readonly boundary: string | null
  readonly realtime_start: string | null
  readonly rows: number
  readonly last_ingest_at: string | null
}

/** From when to when there are rows, as the grant shows them. */
export async function boundsOf (platform: Platform, readable: Readable, { pin, principal, signal }: Asking): Promise<Bounds> {
  const read = async (lane?: 'realtime'): Promise<{ start: string | null, end: string | null, ingest: string | null, n: number }> => {
    const binder = new Binder()
    const time = quoteName(readable.time.name)
    const { sql, relayed } = sourceOf(readable, { columns: [readable.time.name, '_ingest_time'], conditions: grantConditions(readable, binder), binder, lane })
    const { body } = await runCompiled(platform, { sql: `SELECT minOrNull(r.${time}) AS start, maxOrNull(r.${time}) AS end, maxOrNull(r._ingest_time) AS ingest, toFloat64(count()) AS n FROM ${sql} AS r`, params: binder.params, relayed }, { format: 'JSONEachRow', lane: lane === undefined ? 'warehouse' : 'streaming', seq: pin.seq, principal, signal })
    return JSON.parse(await text(body)) as never
  }
  const [all, recent] = [await read(), await read('realtime')]
  return { start: all.start, end: all.end, boundary: pin.boundary === undefined ? null : formatInstant(pin.boundary), realtime_start: recent.start, rows: all.n, last_ingest_at: all.ingest }
}

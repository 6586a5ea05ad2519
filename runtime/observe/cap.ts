// The size of what is kept. The engine drops what is older than 30 days by itself; a platform that logs more than it
// should loses its oldest days sooner, and at last the older half of the newest one.

import { quoteTable } from '../clickhouse/sql.ts'
import { onCluster } from '../clickhouse/cluster.ts'
import { logsTable, metricsTable, OBSERVE_DATABASE } from './tables.ts'
import type { ClickHouse } from '../clickhouse/client.ts'

interface Day { readonly day: string, readonly table: string, readonly bytes: string, readonly from: string, readonly to: string }

/** Bytes on disk of both tables. */
export async function observedBytes (client: ClickHouse): Promise<number> {
  return sum(await daysOf(client))
}

/** Removes the oldest until both tables together are at most `bytesMax`. Returns the days that went, or lost their older half. */
export async function keepBelow (client: ClickHouse, bytesMax: number): Promise<string[]> {
  const gone: string[] = []
  let days = await daysOf(client)
  while (sum(days) > bytesMax) {
    const [oldest] = days
    if (oldest === undefined) break
    const same = days.filter(({ day }) => day === oldest.day)
    const last = same.length === days.length
    for (const part of same) await remove(client, part, last)
    gone.push(oldest.day)
    // Half of a day is removed by a rewrite whose result is seen later: once an hour is enough of that.
    if (last) break
    days = days.filter(({ day }) => day !== oldest.day)
  }
  return gone
}

async function remove (client: ClickHouse, { day, table, from, to }: Day, half: boolean): Promise<void> {
  const alter = `ALTER TABLE ${quoteTable(table === logsTable.table ? logsTable : metricsTable)}${onCluster(client.cluster)}`
  if (!half) return client.command(`${alter} DROP PARTITION {day:String}`, { query_params: { day } })
  await client.command(`${alter} DELETE WHERE time < fromUnixTimestamp64Milli({until:Int64}) SETTINGS mutations_sync = 1`, { query_params: { until: Math.ceil((Number(from) + Number(to)) / 2) } })
}

/** Oldest first. */
async function daysOf (client: ClickHouse): Promise<Day[]> {
  const times = `SELECT toString(toDate(time)) AS day, '${logsTable.table}' AS table, toUnixTimestamp64Milli(min(time)) AS from, toUnixTimestamp64Milli(max(time)) AS to FROM ${quoteTable(logsTable)} GROUP BY day
    UNION ALL SELECT toString(toDate(time)) AS day, '${metricsTable.table}' AS table, toUnixTimestamp64Milli(min(time)) AS from, toUnixTimestamp64Milli(max(time)) AS to FROM ${quoteTable(metricsTable)} GROUP BY day`
  const parts = `SELECT partition AS day, table, sum(bytes_on_disk) AS bytes FROM system.parts WHERE active AND database = '${OBSERVE_DATABASE}' AND table IN ('${logsTable.table}', '${metricsTable.table}') GROUP BY day, table`
  return client.rows<Day>(`SELECT p.day AS day, p.table AS table, p.bytes AS bytes, t.from AS from, t.to AS to FROM (${parts}) AS p LEFT JOIN (${times}) AS t ON p.day = t.day AND p.table = t.table ORDER BY day, table`)
}

function sum (days: readonly Day[]): number {
  return days.reduce((bytes, day) => bytes + Number(day.bytes), 0)
}

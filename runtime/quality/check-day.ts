// The rules of a topic over one day of a table, before the day is handed over.

import { measure } from './check-rule.ts'
import { calendarsOf } from './calendars.ts'
import { dayOf, spanOfDay, windowsOf } from './windows.ts'
import type { ClickHouse } from '../clickhouse/client.ts'
import type { TableName } from '../clickhouse/sql.ts'
import type { Topic } from '../schema.ts'
import type { Calendars } from './calendars.ts'
import type { QualityResult } from './result.ts'

export { worst } from './result.ts'
export type { Level, QualityResult } from './result.ts'

export interface DayCheck {
  /** The table that has the rows, in the streaming database or in the warehouse. */
  readonly table: TableName
  /** UTC, such as `2024-01-02`. */
  readonly day: string
  /** SQL condition on the table's columns that selects the day's rows, such as those below the offsets that are handed over. */
  readonly where: string
  /** The project's folder: calendars lie below it. */
  readonly root: string
  /** @default those of the project */
  readonly calendars?: Calendars
  readonly signal?: AbortSignal
}

/**
 * Checks all rules of the topic's schema but freshness, which is about now. Resolves with one result a rule, in the order
 * of the schema. Throws what the client throws, and CONFIG_INVALID for a calendar that cannot be read.
 */
export async function checkDay (client: ClickHouse, topic: Topic, { table, day, where, root, calendars = calendarsOf(root), signal }: DayCheck): Promise<QualityResult[]> {
  const span = spanOfDay(day)
  if (Number.isNaN(span.from) || dayOf(span.from) !== day) throw new RangeError(`${day} is no day`)
  const results: QualityResult[] = []
  for (const rule of topic.quality ?? []) {
    if (rule.metric === 'freshness') continue
    const calendar = rule.during === '' ? undefined : await calendars(rule.during)
    const source = { topic, table, where, windows: windowsOf(calendar, span), whole: calendar === undefined }
    results.push(await measure(client, rule, source, signal))
  }
  return results
}

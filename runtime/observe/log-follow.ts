// Lines of the log as they come, from the topic itself: also while ClickHouse is away.

import { platformTopic } from '../platform-topic.ts'
import { idOf, lineFilter } from './log-search.ts'
import type { Broker } from '../broker/broker.ts'
import type { LogQuery, ShownLine } from './log-search.ts'

/** Rows of the topic that are looked at for lines that came before; most of them are metrics. */
const ROWS_BEFORE = 5000

/** The last `last` lines that fit, then those that come. Ends with `signal`. */
export async function * followLogs (broker: Broker, { last, signal, ...query }: LogQuery & { readonly last: number, readonly signal: AbortSignal }): AsyncGenerator<ShownLine, void, void> {
  const wanted = lineFilter(query)
  const before = last === 0 ? [] : (await broker.tail(platformTopic, ROWS_BEFORE)).flatMap(batch => linesOf(batch, wanted)).slice(-last)
  const newest = before.at(-1)?.offset ?? -1
  for (const { line } of before) yield line
  for await (const batch of broker.follow(platformTopic, { rows: last === 0 ? 0 : ROWS_BEFORE, signal })) {
    for (const { line, offset } of linesOf(batch, wanted)) if (offset > newest) yield line
  }
}

function linesOf (batch: Awaited<ReturnType<Broker['tail']>>[number], wanted: (line: ShownLine) => boolean): Array<{ readonly line: ShownLine, readonly offset: number }> {
  const found: Array<{ readonly line: ShownLine, readonly offset: number }> = []
  for (let i = 0; i < batch.length; i++) {
    const { kind, time, level, runtime, pipeline, step, name, fields } = batch.row(i) as Readonly<Record<string, string>>
    if (kind !== 'log') continue
    const offset = batch.offsetAt(i)
    const ms = Number(time)
    const line: ShownLine = { id: idOf(ms, offset), at: new Date(ms).toISOString(), level: level ?? '', runtime: runtime ?? '', part: pipeline ?? '', step: step ?? '', message: name ?? '', fields: (fields ?? {}) as unknown as Record<string, unknown> }
    if (wanted(line)) found.push({ line, offset })
  }
  return found
}

// Lines of the log as they come, from the topic itself: also while ClickHouse is away.

import { platformTopic } from '../platform-topic.ts'
import { idOf, lineFilter } from './log-search.ts'
import type { Broker } from '../broker/broker.ts'
import type { LogQuery, ShownLine } from './log-search.ts'

/** Rows of the topic that are looked at for lines that came before; most of them are metrics. */
const ROWS_BEFORE = 5000

interface Following extends LogQuery {
  readonly last: number
  /** Id of a line that was seen: those behind it come instead of the last ones, as far as they are among the newest rows. */
  readonly after?: string | undefined
  readonly signal: AbortSignal
}

/** The last `last` lines that fit, then those that come. Ends with `signal`. */
export async function * followLogs (broker: Broker, { last, after, signal, ...query }: Following): AsyncGenerator<ShownLine, void, void> {
  const wanted = lineFilter(query)
  const seen = Number(/^\d{1,15}-(\d{1,16})$/.exec(after ?? '')?.[1] ?? -1)
  const newer = seen < 0 && last === 0 ? [] : (await broker.tail(platformTopic, ROWS_BEFORE)).flatMap(batch => linesOf(batch, wanted)).filter(({ offset }) => offset > seen)
  const before = seen < 0 ? newer.slice(newer.length - Math.min(last, newer.length)) : newer
  const newest = before.at(-1)?.offset ?? seen
  for (const { line } of before) yield line
  for await (const batch of broker.follow(platformTopic, { rows: last === 0 && seen < 0 ? 0 : ROWS_BEFORE, signal })) {
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

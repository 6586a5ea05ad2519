// The job `quality`: checks the rules about now every CHECK_MS, or those of one day when it is asked to, keeps what they
// found, and logs a rule whose level has changed.

import { connectClickHouse } from '../clickhouse/client.ts'
import type { ClickHouse } from '../clickhouse/client.ts'
import { timeColumn } from '../clickhouse/ddl.ts'
import { describeTable } from '../clickhouse/migrate.ts'
import { quoteName, quoteText } from '../clickhouse/sql.ts'
import { describe, PlatformError } from '../errors.ts'
import { manual } from '../jobs/schedule.ts'
import type { Task, TaskContext } from '../jobs/task.ts'
import type { Pipeline } from '../pipeline.ts'
import { suggest } from '../problems.ts'
import type { Topic } from '../schema.ts'
import { calendarsOf } from './calendars.ts'
import { checkDay } from './check-day.ts'
import { checkNow } from './check-now.ts'
import { datasetsOf, nameOf } from './datasets.ts'
import type { Dataset } from './datasets.ts'
import type { QualityResult } from './result.ts'
import { keepResults, latestResults } from './results.ts'
import type { Check } from './results.ts'
import { spanOfDay } from './windows.ts'

const CHECK_MS = 300_000
/** After a rest of the platform, what is older is not looked at any more. */
const SPAN_MS_MAX = 86_400_000
/** A check that takes longer is ended; the next one comes soon. */
const TIMEOUT_MS = 600_000

export interface QualityParts {
  readonly root: string
  readonly clickhouse: string | undefined
  readonly warehouse: string | undefined
  /** As they are now. */
  pipelines (): Iterable<Pipeline>
  schemas (): ReadonlyMap<string, Topic>
}

/** Params: `topic`, the name of a schema; `day`, such as `2024-01-02`, to check that day instead of now. */
export function qualityTask (parts: QualityParts): Task {
  return {
    id: 'quality',
    description: 'Checks the quality rules of the schemas on what the streaming database holds',
    schedule: { ...manual, when: { kind: 'every', ms: CHECK_MS }, catchUp: 'none', retries: 1, timeoutMs: TIMEOUT_MS },
    run: context => run(parts, context)
  }
}

async function run (parts: QualityParts, context: TaskContext): Promise<void> {
  const { topic, day } = paramsOf(parts, context)
  const datasets = datasetsOf(parts.pipelines(), parts.schemas()).filter(({ schema, lane }) => (topic === undefined || schema.name === topic) && (day !== undefined || lane === 'streaming'))
  if (datasets.length === 0 || parts.warehouse === undefined) return
  const kept = await connectClickHouse(parts.warehouse, { signal: context.signal })
  try {
    let failed: unknown
    for (const [i, dataset] of datasets.entries()) {
      context.signal.throwIfAborted()
      await checkDataset(parts, dataset, { kept, day, context }).catch((error: unknown) => {
        // The others are checked all the same; the run fails in the end.
        failed ??= error
        context.log.warn({ dataset: nameOf(dataset), reason: describe(error) }, 'The quality rules of a table could not be checked')
      })
      context.progress({ share: (i + 1) / datasets.length })
    }
    if (failed !== undefined) throw failed
  } finally {
    await kept.close()
  }
}

function paramsOf ({ schemas }: QualityParts, { params }: TaskContext): { readonly topic: string | undefined, readonly day: string | undefined } {
  const { topic, day, ...others } = params
  const [unknown] = Object.keys(others)
  if (unknown !== undefined) throw new PlatformError('REQUEST_INVALID', `quality has no param "${unknown}"${suggest(unknown, ['topic', 'day'])}`)
  if (topic !== undefined && !schemas().has(String(topic))) throw new PlatformError('NOT_FOUND', `There is no topic "${String(topic)}"${suggest(String(topic), [...schemas().keys()])}`)
  if (day !== undefined && (typeof day !== 'string' || !/^\d{4}-\d\d-\d\d$/.test(day) || Number.isNaN(spanOfDay(day).from))) throw new PlatformError('REQUEST_INVALID', 'day is a day such as 2024-01-02')
  return { topic: topic === undefined ? undefined : String(topic), day }
}

interface Job {
  /** Where the results are kept. */
  readonly kept: ClickHouse
  readonly day: string | undefined
  readonly context: TaskContext
}

async function checkDataset ({ root, clickhouse, warehouse }: QualityParts, dataset: Dataset, { kept, day, context }: Job): Promise<void> {
  const url = dataset.url ?? (dataset.lane === 'streaming' ? clickhouse : warehouse)
  if (url === undefined) return
  const { signal } = context
  const client = await connectClickHouse(url, { signal })
  try {
    // Its pipeline has not begun yet.
    if (await describeTable(client, dataset.table) === undefined) return
    const span = day === undefined ? recent(context.run) : spanOfDay(day)
    const calendars = calendarsOf(root)
    const results = day === undefined
      ? await checkNow(client, dataset, { span, calendars, signal })
      : await checkDay(client, dataset.schema, { table: dataset.table, day, where: whereOf(dataset, day), root, calendars, signal })
    const check: Check = { dataset: nameOf(dataset), scope: day === undefined ? 'now' : 'day', span, at: context.run.to, run: context.run.id }
    await tell(kept, results, check, context)
    await keepResults(kept, results, check)
    context.progress({ rows: results.length })
  } finally {
    await client.close()
  }
}

function recent ({ from, to }: TaskContext['run']): { readonly from: number, readonly to: number } {
  return { from: Math.max(Math.min(from, to - CHECK_MS), to - SPAN_MS_MAX), to }
}

/** Of the warehouse, what was loaded directly: what was handed over was checked then. */
function whereOf ({ schema, topic, lane }: Dataset, day: string): string {
  return `${lane === 'warehouse' ? '_version = 0 AND ' : ''}_topic = ${quoteText(topic)} AND toDate32(${quoteName(timeColumn(schema))}) = toDate32(${quoteText(day)})`
}

/** Says which rules are on another level than at the last check of that kind. */
async function tell (kept: ClickHouse, results: readonly QualityResult[], { dataset, scope, at }: Check, { log }: TaskContext): Promise<void> {
  const [first] = results
  if (first === undefined) return
  const before = new Map((await latestResults(kept, { topic: first.topic, at })).filter(one => one.dataset === dataset && one.scope === scope).map(({ rule, level }) => [rule, level]))
  for (const { rule, topic, level, value, threshold, failing, message } of results) {
    if (level === (before.get(rule) ?? 'ok')) continue
    const fields = { topic, rule, dataset, level, value, threshold, failing, reason: message }
    if (level === 'error') log.error(fields, 'A quality rule is broken')
    else if (level === 'warn') log.warn(fields, 'A quality rule gives a warning')
    else log.info(fields, 'A quality rule holds again')
  }
}

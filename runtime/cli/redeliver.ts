// `twolane redeliver`: refused rows once more through the pipelines, as they are now.

import { parseArgs } from 'node:util'
import { adminOptions, connect } from './admin.ts'
import { placeOf } from './rejected.ts'
import { count, table } from './table.ts'
import { onlyTopic } from './terminal.ts'
import type { RefusalGroup, Report } from '../redeliver/report.ts'
import type { Terminal } from './terminal.ts'

/** Resolves to 1 where rows are refused again or cannot be delivered. */
export async function run (args: readonly string[], terminal: Terminal): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      ...adminOptions,
      reason: { type: 'string' },
      step: { type: 'string' },
      'dry-run': { type: 'boolean', default: false },
      'at-least-once': { type: 'boolean', default: false },
      json: { type: 'boolean', default: false }
    }
  })
  const topic = onlyTopic(positionals)
  const admin = await connect(terminal, values.token)
  const total = new Total()
  for (let from: number | null = 0; from !== null && terminal.signal?.aborted !== true;) {
    const query = new URLSearchParams({
      from: String(from),
      dry_run: String(values['dry-run']),
      at_least_once: String(values['at-least-once']),
      ...(values.reason !== undefined && { reason: values.reason }),
      ...(values.step !== undefined && { step: values.step })
    })
    const report: Report = await admin.json<Report>('POST', `/v1/topics/${encodeURIComponent(topic)}/redeliver?${query}`)
    total.add(report)
    from = report.next
    if (from !== null && !values.json) terminal.complain(`${count(total.report.rows)} refused rows so far, going on …`)
  }
  const { report } = total
  for (const line of values.json ? [JSON.stringify(report)] : lines(report, values['dry-run'])) terminal.print(line)
  return report.refused.length + report.kept.length === 0 ? 0 : 1
}

function lines ({ rows, delivered, present, filtered, appended, refused, kept }: Report, dryRun: boolean): string[] {
  if (rows === 0) return ['There is no refused row that waits']
  const counts: ReadonlyArray<readonly [number, string]> = [
    [delivered, dryRun ? 'would be delivered' : 'delivered'],
    [appended, dryRun ? 'would be new rows of the topic' : 'are new rows of the topic'],
    [present, 'were there already'],
    [filtered, 'are taken out by a transform'],
    [refused.reduce((sum, { rows }) => sum + rows, 0), 'are refused again'],
    [kept.reduce((sum, { rows }) => sum + rows, 0), 'cannot be delivered']
  ]
  return [
    `${count(rows)} refused rows: ${counts.filter(([n]) => n > 0).map(([n, what]) => `${count(n)} ${what}`).join(', ')}`,
    ...(delivered > 0 && !dryRun ? ['Those of days that were handed over are shown with the next version of their day: npx twolane job run handoff'] : []),
    ...(refused.length === 0 ? [] : ['', ...table(['ROWS', 'STEP', 'FIRST', 'REFUSED AGAIN'], refused.map(({ rows, step, first, reason }) => [count(rows), step, placeOf(first), reason]), ['ROWS'])]),
    ...(kept.length === 0 ? [] : ['', ...table(['ROWS', 'NOT DELIVERED'], kept.map(({ why, rows }) => [count(rows), why]), ['ROWS'])])
  ]
}

/** The reports of several requests in one. */
class Total {
  report: Report = { rows: 0, delivered: 0, present: 0, filtered: 0, appended: 0, refused: [], kept: [], next: null }

  add (more: Report): void {
    const { report } = this
    this.report = {
      rows: report.rows + more.rows,
      delivered: report.delivered + more.delivered,
      present: report.present + more.present,
      filtered: report.filtered + more.filtered,
      appended: report.appended + more.appended,
      refused: merge<RefusalGroup>([...report.refused, ...more.refused], ({ step, reason }) => `${step} ${reason}`),
      kept: merge([...report.kept, ...more.kept], ({ why }) => why),
      next: more.next
    }
  }
}

function merge<T extends { readonly rows: number }> (groups: readonly T[], keyOf: (group: T) => string): T[] {
  const merged = new Map<string, T>()
  for (const group of groups) {
    const known = merged.get(keyOf(group))
    merged.set(keyOf(group), known === undefined ? group : { ...known, rows: known.rows + group.rows })
  }
  return [...merged.values()]
}

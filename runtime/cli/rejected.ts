// `twolane rejected`: the refused rows of a topic that wait, by reason.

import { parseArgs } from 'node:util'
import { adminOptions, connect } from './admin.ts'
import { count, table } from './table.ts'
import { onlyTopic, UsageError } from './terminal.ts'
import type { Json } from '../plugin.ts'
import type { RefusalGroup } from '../redeliver/report.ts'
import type { Terminal } from './terminal.ts'

interface Rejected {
  readonly count: number
  readonly handled: number
  readonly groups: readonly RefusalGroup[]
  readonly rows: ReadonlyArray<{ readonly at: number, readonly step: string, readonly partition: number, readonly offset: number, readonly time: number, readonly reason: string, readonly row: Json }>
  readonly more: boolean
}

export async function run (args: readonly string[], terminal: Terminal): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { ...adminOptions, reason: { type: 'string' }, step: { type: 'string' }, limit: { type: 'string', default: '5' }, json: { type: 'boolean', default: false } }
  })
  const topic = onlyTopic(positionals)
  if (!/^\d{1,4}$/.test(values.limit) || Number(values.limit) > 1000) throw new UsageError('--limit is a number from 0 to 1000')
  const query = new URLSearchParams({ limit: values.limit, ...(values.reason !== undefined && { reason: values.reason }), ...(values.step !== undefined && { step: values.step }) })
  const admin = await connect(terminal, values.token)
  const rejected = await admin.json<Rejected>('GET', `/v1/topics/${encodeURIComponent(topic)}/rejected?${query}`)
  for (const line of values.json ? [JSON.stringify(rejected)] : lines(topic, rejected)) terminal.print(line)
  return 0
}

function lines (topic: string, { count: waiting, handled, groups, rows, more }: Rejected): string[] {
  if (waiting === 0) return [`No refused row of ${topic} waits${handled === 0 ? '' : `; ${count(handled)} were redelivered`}`]
  return [
    ...table(['ROWS', 'STEP', 'FIRST', 'REASON'], groups.map(({ rows, step, first, reason }) => [count(rows), step, placeOf(first), reason]), ['ROWS']),
    '',
    ...rows.map(row => `${new Date(row.time).toISOString()} ${placeOf(row)} ${row.step}: ${row.reason} ${JSON.stringify(row.row)}`),
    ...(waiting > rows.length && rows.length > 0 ? [`… and ${count(waiting - rows.length)}${more ? ' or more' : ''} others (--limit shows more)`] : []),
    `${count(waiting)}${more ? ' or more' : ''} refused rows wait. When the pipeline takes them: npx twolane redeliver ${topic}`
  ]
}

/** Where the row stands in its topic. */
export function placeOf ({ partition, offset }: { readonly partition: number, readonly offset: number }): string {
  return offset < 0 ? 'not in topic' : `${partition}:${offset}`
}

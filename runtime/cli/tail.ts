// `twolane tail`: the last rows of a topic, and with --follow those that come.

import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { coreScalar } from '../interpolate.ts'
import { adminOptions, connect } from './admin.ts'
import { UsageError } from './terminal.ts'
import type { Json } from '../plugin.ts'
import type { Terminal } from './terminal.ts'

const LOOK_MS = 500
const ROWS_MAX = 1000

interface TopicRow {
  readonly partition: number
  readonly offset: number
  readonly time: number
  readonly row: Readonly<Record<string, Json>>
}

export async function run (args: readonly string[], terminal: Terminal): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { ...adminOptions, follow: { type: 'boolean', short: 'f', default: false }, rows: { type: 'string', short: 'n', default: '20' }, json: { type: 'boolean', default: false } }
  })
  const [topic, ...others] = positionals
  const wanted = coreScalar(values.rows)
  if (topic === undefined || others.length > 0) throw new UsageError('One topic must be named')
  if (typeof wanted !== 'number' || !Number.isInteger(wanted) || wanted < 1 || wanted > ROWS_MAX) throw new UsageError(`--rows is a number from 1 to ${ROWS_MAX}`)

  const admin = await connect(terminal, values.token)
  const next = new Map<number, number>()
  for (let rows = wanted; ; rows = ROWS_MAX) {
    const found = await admin.json<{ readonly rows: readonly TopicRow[] }>('GET', `/v1/topics/${encodeURIComponent(topic)}/tail?rows=${rows}`)
    for (const row of found.rows) {
      const due = next.get(row.partition)
      if (due !== undefined && row.offset < due) continue
      // It is a look at a topic, not a subscription: what came too fast is left out, but not in silence.
      if (due !== undefined && row.offset > due) terminal.complain(`… ${row.offset - due} rows of partition ${row.partition} are not shown`)
      terminal.print(values.json ? JSON.stringify(row) : lineOf(row))
      next.set(row.partition, row.offset + 1)
    }
    if (!values.follow || terminal.signal?.aborted === true) return 0
    await sleep(LOOK_MS, undefined, { ...(terminal.signal !== undefined && { signal: terminal.signal }) }).catch(() => {})
  }
}

function lineOf ({ partition, offset, time, row }: TopicRow): string {
  return `${new Date(time).toISOString()} ${partition}:${offset} ${JSON.stringify(row)}`
}

// `twolane query`: one SQL statement to the platform's ClickHouse.

import { pipeline } from 'node:stream/promises'
import { text } from 'node:stream/consumers'
import { parseArgs } from 'node:util'
import { adminOptions, connect } from './admin.ts'
import { UsageError } from './terminal.ts'
import type { Terminal } from './terminal.ts'

export async function run (args: readonly string[], terminal: Terminal): Promise<number> {
  const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options: { ...adminOptions, format: { type: 'string', default: 'PrettyCompact' } } })
  const [sql, ...others] = positionals
  if (sql === undefined || others.length > 0) throw new UsageError('One statement must be given; put it into quotes')
  const admin = await connect(terminal, values.token)
  const rows = await admin.stream(`/v1/query?format=${encodeURIComponent(values.format)}`, sql)
  // Bytes as they come: the format may be a binary one.
  if (terminal.out !== undefined) await pipeline(rows, terminal.out, { end: false })
  else terminal.print((await text(rows)).trimEnd())
  return 0
}

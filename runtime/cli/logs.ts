// `twolane logs`: the log of every part, searched, and with --follow as it comes.

import { parseArgs } from 'node:util'
import { adminOptions, connect } from './admin.ts'
import { lines } from './lines.ts'
import type { ShownLine } from '../observe/log-search.ts'
import type { Terminal } from './terminal.ts'

/** Prints the oldest of what was found first, as a log is read. */
export async function run (args: readonly string[], terminal: Terminal): Promise<number> {
  const { values: { token, follow, json, limit, ...given }, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      ...adminOptions,
      part: { type: 'string' },
      step: { type: 'string' },
      level: { type: 'string' },
      last: { type: 'string' },
      from: { type: 'string' },
      to: { type: 'string' },
      limit: { type: 'string', short: 'n', default: '50' },
      follow: { type: 'boolean', short: 'f', default: false },
      json: { type: 'boolean', default: false }
    }
  })
  const admin = await connect(terminal, token)
  const query = new URLSearchParams({ ...given, ...(positionals.length > 0 && { q: positionals.join(' ') }), [follow ? 'lines' : 'limit']: limit })
  const print = (line: ShownLine): void => terminal.print(json ? JSON.stringify(line) : lineOf(line))
  if (!follow) {
    const found = await admin.json<{ readonly lines: readonly ShownLine[] }>('GET', `/v1/logs?${query}`)
    for (const line of found.lines.toReversed()) print(line)
    return 0
  }
  for await (const line of lines(await admin.follow(`/v1/logs/follow?${query}`, terminal.signal))) print(JSON.parse(line) as ShownLine)
  return 0
}

function lineOf ({ at, level, part, step, message, fields }: ShownLine): string {
  const place = [part, step].filter(name => name !== '').join(' ')
  return `${at} ${level.padEnd(5)} ${place === '' ? '' : `${place}: `}${message}${Object.keys(fields).length === 0 ? '' : ` ${JSON.stringify(fields)}`}`
}

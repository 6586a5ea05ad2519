// `twolane replay`: rows of a topic once more, into another one.

import { parseArgs } from 'node:util'
import { adminOptions, connect } from './admin.ts'
import { followRun } from './follow-run.ts'
import { onlyTopic, UsageError } from './terminal.ts'
import type { ShownRun } from './job.ts'
import type { Terminal } from './terminal.ts'

/** Resolves to 1 unless all rows were replayed. Ctrl-C cancels the replay. */
export async function run (args: readonly string[], terminal: Terminal): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      ...adminOptions,
      into: { type: 'string' },
      from: { type: 'string' },
      to: { type: 'string' },
      speed: { type: 'string' },
      source: { type: 'string' },
      'no-wait': { type: 'boolean', default: false },
      json: { type: 'boolean', default: false }
    }
  })
  const topic = onlyTopic(positionals)
  const { into, from, to, speed, source } = values
  if (into === undefined) throw new UsageError('--into names the topic that takes the rows')
  const admin = await connect(terminal, values.token)
  const begun = await admin.json<ShownRun>('POST', '/v1/replays', 202, { topic, into, ...(from !== undefined && { from }), ...(to !== undefined && { to }), ...(speed !== undefined && { speed }), ...(source !== undefined && { source }) })
  return followRun(begun, { admin, terminal, json: values.json, wait: !values['no-wait'] })
}

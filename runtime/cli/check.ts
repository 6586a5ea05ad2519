// `twolane check`: the tests of the running platform.

import { parseArgs } from 'node:util'
import { adminOptions, connect } from './admin.ts'
import { followRun } from './follow-run.ts'
import { table } from './table.ts'
import type { RunDetail, ShownRun } from './job.ts'
import type { Terminal } from './terminal.ts'

/** Resolves to 1 where one has failed. */
export async function run (args: readonly string[], terminal: Terminal): Promise<number> {
  const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options: { ...adminOptions, json: { type: 'boolean', default: false } } })
  const admin = await connect(terminal, values.token)
  const begun = await admin.json<ShownRun>('POST', '/v1/tests/run', 202, positionals.length === 0 ? {} : { only: positionals })
  return followRun(begun, { admin, terminal, json: values.json, wait: true, report: testLines })
}

function testLines ({ log }: RunDetail): string[] {
  const rows = log.filter(({ message }) => message === 'Tested').map(({ fields }) => [fields['test'], fields['state'] === 'failed' ? 'FAILED' : fields['state'], fields['detail']].map(String))
  return table(['TEST', '', 'WHAT WAS FOUND'], rows)
}

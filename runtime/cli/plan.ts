// `twolane plan`: what a reload would do now.

import { parseArgs } from 'node:util'
import { adminOptions, connect } from './admin.ts'
import { planLines } from './receipt-lines.ts'
import type { Plan } from '../receipt.ts'
import type { Terminal } from './terminal.ts'

/** Resolves to 1 where a reload would be rejected. */
export async function run (args: readonly string[], terminal: Terminal): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: { ...adminOptions, json: { type: 'boolean', default: false } } })
  const admin = await connect(terminal, values.token)
  const plan = await admin.json<Plan>('POST', '/v1/plan')
  for (const line of values.json ? [JSON.stringify(plan)] : planLines(plan)) terminal.print(line)
  return plan.problems.length === 0 ? 0 : 1
}

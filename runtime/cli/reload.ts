// `twolane reload`: the running platform reads its files again and applies them, all or nothing.

import { parseArgs } from 'node:util'
import { adminOptions, connect } from './admin.ts'
import { receiptLines } from './receipt-lines.ts'
import type { Receipt } from '../receipt.ts'
import type { Terminal } from './terminal.ts'

/** Resolves to 1 unless the files run now. */
export async function run (args: readonly string[], terminal: Terminal): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: { ...adminOptions, plan: { type: 'string' }, json: { type: 'boolean', default: false } } })
  const admin = await connect(terminal, values.token)
  const answer = await admin.json<Receipt | { readonly receipt: Receipt }>('POST', `/v1/reload${values.plan === undefined ? '' : `?plan=${encodeURIComponent(values.plan)}`}`, 422)
  const receipt = 'receipt' in answer ? answer.receipt : answer
  for (const line of values.json ? [JSON.stringify(receipt)] : receiptLines(receipt)) terminal.print(line)
  return receipt.outcome === 'applied' || receipt.outcome === 'unchanged' ? 0 : 1
}

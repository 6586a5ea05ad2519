// `twolane audit …`: the audit log, and whether it is whole. A file that was exported is checked without the platform.

import { createReadStream } from 'node:fs'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { ChainCheck } from '../access/audit-chain.ts'
import { describe, PlatformError } from '../errors.ts'
import { adminOptions, connect } from './admin.ts'
import { UsageError } from './terminal.ts'
import type { AuditEntry, Verdict } from '../access/audit-chain.ts'
import type { Terminal } from './terminal.ts'

export async function run (args: readonly string[], terminal: Terminal): Promise<number> {
  const { values, positionals: [verb = '', file, ...more] } = parseArgs({ args: [...args], allowPositionals: true, options: { ...adminOptions, json: { type: 'boolean', default: false } } })
  if (verb !== 'verify' && verb !== 'export') throw new UsageError(verb === '' ? '"audit" needs a verb: verify or export' : `There is no "audit ${verb}"; there are verify, export`)
  if (more.length > 0 || (verb === 'export' && file !== undefined)) throw new UsageError(verb === 'export' ? '"audit export" takes no name: it writes to the standard output' : '"audit verify" takes one file at most')
  if (verb === 'export') {
    const entries = await (await connect(terminal, values.token)).follow('/v1/audit/export', terminal.signal)
    for await (const line of createInterface({ input: entries })) terminal.print(line)
    return 0
  }
  const verdict = file === undefined ? await (await connect(terminal, values.token)).json<Verdict>('GET', '/v1/audit/verify') : await verifyFile(resolve(terminal.folder, file))
  const { ok, entries, broken_at: brokenAt, last_hash: last } = verdict
  if (values.json) terminal.print(JSON.stringify(verdict))
  else if (ok) terminal.print(`${entries} entries, and the chain is whole. Last hash: ${last}`)
  else terminal.complain(`The chain is broken at entry ${brokenAt}: it, or what was before it, was changed or removed`)
  return ok ? 0 : 1
}

async function verifyFile (file: string): Promise<Verdict> {
  const check = new ChainCheck(undefined)
  try {
    for await (const line of createInterface({ input: createReadStream(file) })) {
      if (line !== '') check.add(JSON.parse(line) as AuditEntry)
    }
  } catch (cause) {
    throw new PlatformError('REQUEST_INVALID', `${file} is no exported audit log: ${describe(cause)}`, { cause })
  }
  return check.verdict
}

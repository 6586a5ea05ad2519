// The order of calls around acknowledgements: in a trace of a process that appends, each acknowledgement has to come
// behind a sync of the write-ahead log, and that behind the last write to it.

import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Durability, fileOf, isAck } from './durable.ts'
import { quietLife } from './lives.ts'
import type { Call } from './trace.ts'

export interface Audit {
  /** Acknowledgements that were seen. */
  readonly appends: number
  /** Numbers of the acknowledgements before which something was not synced. */
  readonly unsynced: readonly number[]
  /** What a power cut could have taken at one of them. */
  readonly failed: readonly string[]
}

/** Appends so many times to a new topic. */
export async function auditedAppends (appends: number): Promise<Audit> {
  const folder = await mkdtemp(join(tmpdir(), 'twolane-sweep-'))
  try {
    const data = join(folder, 'data')
    await mkdir(data)
    const { calls, end } = await quietLife({ operation: `${appends} appends`, folder: data, trace: join(folder, 'trace') })
    if (end !== 'done') throw new Error(`the appends ended with ${end}`)
    return { ...order(calls), failed: new Durability(data).follow(calls) }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function order (calls: readonly Call[]): Pick<Audit, 'appends' | 'unsynced'> {
  const unsynced: number[] = []
  let appends = 0
  // No write, a write that is not synced, a write that is.
  let state: 'none' | 'written' | 'synced' = 'none'
  for (const call of calls) {
    const log = fileOf(call.args).endsWith('.db-wal')
    if (isAck(call)) {
      appends++
      if (state !== 'synced') unsynced.push(appends)
      state = 'none'
    } else if (log && call.name === 'pwrite64') state = 'written'
    else if (log && (call.name === 'fsync' || call.name === 'fdatasync') && call.result === '0' && state === 'written') state = 'synced'
  }
  return { appends, unsynced }
}

// What is swept in the process of the embedded engine: the calls are its own, and who asked for them lives on and
// tries again, as the runtime does.

import plugin from '../../plugins/outputs/streaming-database/index.ts'
import { connectClickHouse } from '../../runtime/clickhouse/client.ts'
import { PlatformError } from '../../runtime/errors.ts'
import { configure } from '../conform/configure.ts'
import { fakeContext } from '../conform/context.ts'
import { deliverRows, taken } from '../conform/delivery.ts'
import * as source from '../plugins/outputs/streaming-database/rows.ts'
import { openDays } from '../runtime/warehouse/days.ts'
import type { Ledger } from '../conform/delivery.ts'
import type { Found } from './operation.ts'
import type { OutputPlugin } from '../../runtime/plugin.ts'

export interface EngineWork {
  /** What comes before the operation and is not swept. */
  before (): Promise<void>
  /** The operation once. Throws a PlatformError that is retryable where it is to be repeated. */
  attempt (): Promise<void>
  /** Of all operations so far; asked between attempts, too. */
  check (): Promise<Found>
  close (): Promise<void>
}

export const engineOperations: Readonly<Record<string, (url: string) => Promise<EngineWork>>> = {
  insert: openInsert,
  handoff: openHandoff
}

/** An insert of 60 rows of three days, which makes three parts: intent, insert, read-back. */
async function openInsert (url: string): Promise<EngineWork> {
  const client = await connectClickHouse(url)
  const ledger: Ledger = { committed: 0, intent: undefined }
  let [to, owners] = [0, 0]
  const attempt = async (): Promise<void> => {
    const sink = await plugin.open(configure(plugin, { database: 'swept', models: 'none', timeout_seconds: 60 }), fakeContext({ topic: source.topic, services: { clickhouse: url } }))
    try {
      await sink.own?.({ partition: 0, epoch: ++owners })
      // The suite drives any output; the options of this one are settled above.
      await deliverRows({ plugin: plugin as unknown as OutputPlugin, sink, source, ledger, to })
    } finally {
      await sink.close()
    }
  }
  return {
    async before () {
      if (to === 0) await attempt()
      to += 60
    },
    attempt,
    async check () {
      const rows = await client.rows<{ _offset: string }>('SELECT _offset FROM swept.rows')
      const found = new Set(rows.map(({ _offset }) => Number(_offset)))
      const lost = Array.from({ length: ledger.committed }, (_, offset) => offset).filter(offset => !taken(offset) && !found.has(offset)).length
      return { lost, doubled: rows.length - found.size, half: 0 }
    },
    close: () => client.close()
  }
}

/** A late row goes to the warehouse: the next version of its day is built, compared, flipped, and the one before cleaned up. */
async function openHandoff (url: string): Promise<EngineWork> {
  const days = await openDays('swept', { clickhouse: url })
  let rows = 0
  return {
    async before () { await days.put(0, rows, rows += 3) },
    attempt: () => days.run(3),
    async check () {
      const { realtime, history, positions } = await days.count()
      return { lost: rows - positions, doubled: realtime + history - positions, half: 0 }
    },
    close: () => days.close()
  }
}

/** What an attempt may throw: it is repeated. */
export function isRepeated (error: unknown): boolean {
  return error instanceof PlatformError && error.retryable
}

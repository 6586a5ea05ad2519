import { setTimeout as sleep } from 'node:timers/promises'
import { STATEMENT_SECONDS_MAX } from '../../../runtime/clickhouse/client.ts'
import type { ClickHouse, StatementOptions } from '../../../runtime/clickhouse/client.ts'
import { PlatformError } from '../../../runtime/errors.ts'

const POLL_MS = 50
/** A statement ends by itself after its time; what comes on top is for an engine that is busy. */
const QUIET_MS_MAX = (STATEMENT_SECONDS_MAX + 30) * 1000

/**
 * Resolves when no statement whose name begins so runs any more: what it has not written by then it never will. Running
 * ones are told to end. A timeout or an abort at our side ends nothing in the engine, so this is the only way to know.
 */
export async function awaitQuiet (client: ClickHouse, name: string, signal: AbortSignal): Promise<void> {
  const options = { query_params: { name }, signal }
  const giveUpAt = performance.now() + QUIET_MS_MAX
  // Twice, because a request that the engine has taken from its socket but not begun yet does not show.
  let quiet = 0
  while (true) {
    const running = await client.rows('SELECT query_id FROM system.processes WHERE startsWith(query_id, {name:String})', options)
    if (running.length > 0) quiet = 0
    else if (++quiet === 2) return
    if (performance.now() > giveUpAt) {
      throw new PlatformError('DESTINATION_UNAVAILABLE', `an earlier insert still runs in ClickHouse after ${QUIET_MS_MAX / 1000} s`, { remedy: 'End it with KILL QUERY, or start ClickHouse again.' })
    }
    if (running.length > 0) await end(client, options)
    await sleep(POLL_MS, undefined, { signal })
  }
}

async function end (client: ClickHouse, options: StatementOptions): Promise<void> {
  try {
    await client.command('KILL QUERY WHERE startsWith(query_id, {name:String}) ASYNC', options)
  } catch (error) {
    // A user without that right waits for the statement's own end.
    if (!(error instanceof PlatformError) || error.code !== 'DESTINATION_REFUSED') throw error
  }
}

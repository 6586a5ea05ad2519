import { setTimeout as sleep } from 'node:timers/promises'
import type { ClickHouse, StatementOptions } from './client.ts'
import { ofAllNodes, onCluster } from './cluster.ts'
import { PlatformError } from '../errors.ts'

const pollMs = 100
/** A statement ends by itself after its time; this comes on top, for an engine that is busy. */
const extraSeconds = 30
/** The embedded engine keeps the name that a client gives in the comment; on a cluster each node has its own for its part. */
const isNamed = ['query_id', 'initial_query_id', 'Settings[\'log_comment\']'].map(id => `startsWith(${id}, {name:String})`).join(' OR ')

/**
 * Resolves when no statement whose name begins so runs any more: what it has not written by then it never will. Running
 * ones are told to end. A timeout or an abort at our side ends nothing in the engine, so this is the only way to know.
 */
export async function awaitQuiet (client: ClickHouse, name: string, { seconds, signal }: { readonly seconds: number, readonly signal: AbortSignal }): Promise<void> {
  const options = { query_params: { name }, signal }
  const giveUpAt = performance.now() + (seconds + extraSeconds) * 1000
  // Twice, because a request that the engine has taken from its socket but not begun yet does not show.
  let quiet = 0
  while (true) {
    const running = await client.rows(`SELECT query_id FROM ${ofAllNodes('system.processes', client.cluster)} WHERE ${isNamed}`, options)
    if (running.length > 0) quiet = 0
    else if (++quiet === 2) return
    if (performance.now() > giveUpAt) {
      throw new PlatformError('DESTINATION_UNAVAILABLE', `an earlier insert still runs in ClickHouse after ${seconds + extraSeconds} s`, { remedy: 'End it with KILL QUERY, or start ClickHouse again.' })
    }
    if (running.length > 0) await end(client, options)
    await sleep(pollMs)
  }
}

async function end (client: ClickHouse, options: StatementOptions): Promise<void> {
  try {
    await client.command(`KILL QUERY${onCluster(client.cluster)} WHERE ${isNamed} ASYNC`, options)
  } catch (error) {
    // A user without that right waits for the statement's own end.
    if (!(error instanceof PlatformError) || error.code !== 'DESTINATION_REFUSED') throw error
  }
}

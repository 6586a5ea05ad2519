// Ends of the embedded engine that are over again: each is short, so without a note nobody would hear of an engine that
// hangs once a night or dies each half hour.

import type { EngineEnd } from '../clickhouse/ends.ts'
import type { Note } from './facts.ts'

/** So long they are told. */
const TOLD_MS = 3_600_000
/** A hang is an error for so long: more than an alert waits. */
const HUNG_ERROR_MS = 600_000
/** So many within TOLD_MS are an error. */
const ENDS_MAX = 3

export function engineNotes (ends: readonly EngineEnd[], now = Date.now()): Note[] {
  const lately = ends.filter(({ at, kind }) => kind !== 'asked' && now - at < TOLD_MS)
  const last = lately.at(-1)
  if (last === undefined) return []
  const hung = lately.filter(({ kind }) => kind === 'hung')
  const isBad = lately.length >= ENDS_MAX || hung.some(({ at }) => now - at < HUNG_ERROR_MS)
  const times = lately.length === 1 ? '' : ` ${lately.length} times in the last hour`
  return [{
    part: 'clickhouse process',
    severity: isBad ? 'error' : 'warning',
    cause: `The embedded ClickHouse was started again${times}, at ${new Date(last.at).toISOString().slice(0, 19)}Z the last time: ${last.reason}`,
    remedy: hung.length > 0
      ? 'Nothing is lost: what was under way is done again. Where it hangs again, look at the disk (a slow or a network one?) and at the queries that ran: npx twolane logs "ClickHouse".'
      : 'Nothing is lost: what was under way is done again. Where SIGKILL is the reason, the machine ran out of memory: lower clickhouse_memory_gigabytes or take a larger one.'
  }]
}

import { createHash } from 'node:crypto'
import { text } from 'node:stream/consumers'
import { Binder } from './binder.ts'
import type { Question } from './compile.ts'
import { rangeConditions } from './compile.ts'
import type { Pin } from './pin.ts'
import { runCompiled } from './run.ts'
import { sourceOf } from './source.ts'
import type { Platform } from '../platform.ts'
import type { Principal } from '../access/principal.ts'

/**
 * A tag of the answer where it is about closed days only: all of its rows are in certified versions, and none is still in
 * the streaming database. The same tag means the same rows. undefined: the rows may change.
 */
export async function tagOf (platform: Platform, { datasets: [readable], tagged, spec: { range, time } }: Question, { pin, question, principal, signal }: { readonly pin: Pin, readonly question: string, readonly principal: Principal, readonly signal: AbortSignal }): Promise<string | undefined> {
  const { boundary, versions, seq } = pin
  // Rows that were loaded directly have no certificate.
  if (!tagged || time !== readable.time || readable.dataset.direct.size > 0 || range.start === undefined || range.end === undefined || boundary === undefined || range.end > boundary) return undefined
  const binder = new Binder()
  const { sql, relayed } = sourceOf(readable, { columns: [time.name], conditions: rangeConditions(time, range, binder), binder, lane: 'realtime' })
  const { body } = await runCompiled(platform, { sql: `SELECT count() FROM ${sql}`, params: binder.params, relayed }, { format: 'TabSeparated', lane: 'streaming', seq, principal, signal })
  if ((await text(body)).trim() !== '0') return undefined
  const all = JSON.stringify([question, versions, String(range.start), String(range.end), [...readable.all.values()].map(({ name, type }) => [name, type])])
  return `W/"${createHash('sha256').update(all).digest('base64url').slice(0, 32)}"`
}

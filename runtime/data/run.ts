import { finished } from 'node:stream'
import { pinComment } from '../warehouse/boundary.ts'
import type { Answer } from '../clickhouse/ask.ts'
import type { Platform } from '../platform.ts'
import type { Compiled } from './compile.ts'
import { relayOf, relaySettings } from './relay.ts'
import { queryLimits, stream } from './stream.ts'
import type { Asked } from './stream.ts'

/**
 * Runs a compiled statement, its part on another server included, pinned to one boundary. The answer is that of
 * `stream`, and so are the errors.
 */
export async function runCompiled (platform: Platform, { sql, params, relayed }: Pick<Compiled, 'sql' | 'params' | 'relayed'>, asked: Omit<Asked, 'sql' | 'params'>): Promise<Answer> {
  if (relayed.length === 0) return stream(platform, { ...asked, sql, params })
  const { secondsMax, memoryBytesMax, threadsMax } = queryLimits.warehouse
  const settings = {
    default_format: 'Native',
    readonly: '2',
    max_execution_time: String(secondsMax),
    max_memory_usage: String(memoryBytesMax),
    max_threads: String(threadsMax),
    ...(asked.seq !== undefined && { log_comment: pinComment(asked.seq) })
  }
  const places: Record<string, string> = {}
  const offers: Array<{ withdraw (): void }> = []
  const withdraw = (): void => { for (const offer of offers) offer.withdraw() }
  try {
    for (const { parameter, sql } of relayed) {
      const offer = await relayOf(platform).offer(platform.warehouse ?? '', { sql, params, settings, signal: asked.signal })
      offers.push(offer)
      places[parameter] = offer.url
    }
    const answer = await stream(platform, { ...asked, sql, params: { ...params, ...places }, lane: 'warehouse', settings: { ...asked.settings, ...relaySettings } })
    finished(answer.body, { writable: false }, withdraw)
    return answer
  } catch (error) {
    withdraw()
    throw error
  }
}

// Polls a web address for rows. Replace the request with your source; the loop around it can stay.

import { setTimeout as sleep } from 'node:timers/promises'
import { PlatformError } from '../../../errors.ts'
import { defineInput, fromRows } from '../../../plugin.ts'
import type { Row } from '../../../plugin.ts'

const answerMs = 10_000

export default defineInput({
  description: 'Rows that a web address answers with',
  options: {
    url: {
      type: 'string',
      description: 'Address that answers with a JSON list of rows; `?after=n` asks for those behind the first n.',
      examples: ['http://127.0.0.1:3000/rows']
    },
    interval_ms: { type: 'integer', description: 'Milliseconds until the next request after one that brought nothing.', default: 1000, minimum: 1 }
  },
  shorthand: 'url',

  async * read ({ url, interval_ms: intervalMs }, context) {
    const { signal, topic } = context
    // So many rows are durable: the topic kept the number together with the last of them.
    let after = context.checkpoint as number | undefined ?? 0
    while (!signal.aborted) {
      const rows = await request(url, after, signal)
      context.health({ ok: true, state: 'streaming' })
      after += rows.length
      if (rows.length > 0) yield { batch: fromRows(topic, rows), checkpoint: after }
      // It fails when the signal aborts, and then the loop ends.
      else await sleep(intervalMs, undefined, { signal }).catch(() => {})
    }
  },

  async probe ({ url }, { signal }) {
    await request(url, 0, signal)
  }
})

async function request (url: string, after: number, signal: AbortSignal): Promise<Row[]> {
  try {
    const response = await fetch(`${url}?after=${after}`, { signal: AbortSignal.any([signal, AbortSignal.timeout(answerMs)]) })
    if (!response.ok) throw new Error(`it answered ${response.status}`)
    return await response.json() as Row[]
  } catch (error) {
    // Stopped meanwhile: there is nothing more to read.
    if (signal.aborted) return []
    throw new PlatformError('SOURCE_UNAVAILABLE', `${url} cannot be read`, { remedy: 'Check the address and that the source is running.', cause: error })
  }
}

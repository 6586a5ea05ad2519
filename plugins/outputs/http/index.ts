// Rows to an HTTP endpoint: POST requests that carry a JSON array or NDJSON.

import { defineOutput } from '../../../runtime/plugin.ts'
import { jsonRows } from '../../../runtime/lines.ts'
import { options } from './options.ts'
import { Receiver } from './receiver.ts'
import { RequestBody } from './request-body.ts'
import type { Batch, Context, Sink } from '../../../runtime/plugin.ts'
import type { HttpConfig } from './options.ts'

export default defineOutput({
  description: 'Posts rows to an HTTP endpoint as JSON or NDJSON',
  options,
  shorthand: 'url',
  guarantee: 'at least once',
  late: true,
  flush: { rows: 10_000, ms: 1000 },

  async open (config, context) {
    return openSink(config, new Receiver(config, context), context)
  },

  async probe (config, context) {
    const receiver = new Receiver(config, context)
    try {
      await receiver.probe()
    } finally {
      await receiver.close()
    }
  }
})

/**
 * A request ends after so many rows or bytes since the flush before, whatever the batches: a range that is sent again
 * makes the same requests with the same keys, and a receiver that remembers keys takes each once.
 */
function openSink (config: HttpConfig, receiver: Receiver, context: Context): Sink {
  let body = new RequestBody(config)
  let failure: unknown

  async function send (): Promise<void> {
    const full = body
    body = new RequestBody(config)
    if (full.rows === 0) return
    const key = `${context.topic.name}-${full.partition}-${full.from}-${full.to}`
    const refusal = await receiver.post(full.text(), key, full.rows)
    context.metrics.count('requests')
    if (refusal === undefined) return
    for (const { batch, i } of full.places()) context.reject(i, refusal, batch)
  }

  /** After a failure only `close` is of use: a later flush must not pass over rows that were lost on the way. */
  async function attempt (task: () => Promise<void>): Promise<void> {
    if (failure !== undefined) throw failure
    try {
      await task()
    } catch (error) {
      throw failure = error
    }
  }

  async function write (batch: Batch): Promise<void> {
    const rowOf = jsonRows(batch)
    for (let i = 0; i < batch.length; i++) {
      const row = rowOf(i)
      if (!body.fits(row)) await send()
      body.add(row, batch, i)
    }
  }

  return {
    write: batch => attempt(() => write(batch)),
    flush: () => attempt(send),
    close: () => receiver.close()
  }
}

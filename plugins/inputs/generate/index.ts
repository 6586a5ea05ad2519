// Rows out of a template. The smallest input: copy this folder to begin one of your own.

import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'
import { defineInput, RowBatch } from '../../../runtime/plugin.ts'
import { template } from './template.ts'
import type { Walks } from './template.ts'

interface Checkpoint {
  /** The number of the next row. */
  readonly next: number
  /** Where the random walks stand at that row. */
  readonly walks: Walks
}

export default defineInput({
  description: 'Rows out of a template, for examples, tests and benchmarks',
  options: {
    fields: {
      type: 'object',
      description: 'The fields of a row: a constant, { counter, step }, { choice: [...] }, { walk, step } or { clock: ms }.',
      default: { n: { counter: 0 }, symbol: { choice: ['AAPL', 'MSFT', 'NVDA'] }, price: { walk: 100, step: 0.01 } },
      examples: [{ venue: 'XNAS', n: { counter: 1 }, side: { choice: ['buy', 'sell'] }, price: { walk: 100, step: 0.01 } }]
    },
    rate: { type: 'number', description: 'Rows per second; 0: as fast as they are taken.', default: 10, minimum: 0 },
    count: { type: 'integer', description: 'Rows until the source ends; 0: it never ends.', default: 0, minimum: 0 },
    batch_rows: { type: 'integer', description: 'Rows of one batch at most.', default: 1000, minimum: 1, maximum: 100_000 },
    seed: { type: 'integer', description: 'Where chance begins: the same seed gives the same rows.', default: 1 }
  },

  async * read ({ fields, rate, count, batch_rows: batchRows, seed }, context) {
    const { signal, topic } = context
    const saved = context.checkpoint as Checkpoint | undefined
    const rows = template(fields, seed, saved?.walks)
    const end = count === 0 ? Infinity : count
    // At least ten batches a second, so that a slow rate is not served in bursts.
    const stride = rate === 0 ? batchRows : Math.max(1, Math.min(batchRows, Math.round(rate / 10)))
    let next = saved?.next ?? 0
    let dueAt = performance.now()
    context.health({ ok: true, state: 'generating' })
    while (!signal.aborted && next < end) {
      if (!await due(dueAt, signal)) return
      const length = Math.min(stride, end - next)
      const columns = rows.make(next, length)
      next += length
      yield { batch: new RowBatch(topic, length, columns), checkpoint: { next, walks: rows.walks() } }
      // Time lost to a slow topic is not made up for: a burst would only make it slower.
      if (rate > 0) dueAt = Math.max(dueAt + length / rate * 1000, performance.now() - 1000)
    }
  }
})

/** False: stopped meanwhile. */
async function due (at: number, signal: AbortSignal): Promise<boolean> {
  const ms = at - performance.now()
  // Without a wait, a turn of the event loop all the same: messages and timers of the runtime would starve.
  if (ms <= 0) await turn()
  else await sleep(ms, undefined, { signal }).catch(() => {}) // It fails when the signal aborts, which is what we return.
  return !signal.aborted
}

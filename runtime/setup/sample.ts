// The first rows of an input, without a trace in the source: what a plugin yields is durable for it only when it is resumed,
// and here it never is.

import type { Context, InputPlugin, Row } from '../plugin.ts'

export interface Sample {
  /** Under the names of the source. */
  readonly rows: readonly Row[]
  /** A sentence about them, without its full stop. */
  readonly found: string
}

/** Throws what the plugin throws. Resolves after `ms` where nothing comes. */
export async function takeSample (plugin: InputPlugin, config: object, context: Context, bounds: { readonly rows: number, readonly ms: number }): Promise<Sample> {
  const stop = new AbortController()
  const { promise: late, resolve } = Promise.withResolvers<'late'>()
  const timer = setTimeout(() => resolve('late'), bounds.ms)
  // A source that is read all the time is no run of a job.
  const { run, ...rest } = context
  const own: Context = { ...rest, run: plugin.bounded === true ? run : undefined, signal: AbortSignal.any([context.signal, stop.signal]) }
  const chunks = plugin.read(config as never, own)
  try {
    for (;;) {
      const next = chunks.next()
      // Once the time is over, what it ends with is of no use.
      next.catch(() => {})
      const answer = await Promise.race([next, late])
      if (answer === 'late') return { rows: [], found: `No row came within ${bounds.ms / 1000} s; the source may be quiet` }
      if (answer.done === true) return { rows: [], found: 'The source has no rows now' }
      const { batch } = answer.value
      if (batch.length === 0) continue
      const rows = Array.from({ length: Math.min(batch.length, bounds.rows) }, (_, i) => batch.row(i))
      return { rows, found: batch.length > rows.length ? `${rows.length} of the first ${batch.length} rows` : `${rows.length} rows` }
    }
  } finally {
    clearTimeout(timer)
    stop.abort()
    // Not awaited: a plugin that is busy gets to it later, and the thread ends in any case.
    void chunks.return(undefined).catch(() => {})
  }
}

// Calls into plugins, as they can be seen from outside: which step is at work, and which call never comes back.

import { PlatformError } from './errors.ts'
import type { Limits } from './limits.ts'
import type { Chunk, Sink } from './plugin.ts'

/** Says which step a thread is in, so that a stuck one can be named from outside. */
export interface Watch {
  /** Synchronous code of the step begins. */
  enter (step: string): void
  leave (): void
  /** A call begins that may wait for something. */
  begin (step: string): void
  end (step: string): void
}

interface Call<T> {
  readonly step: string
  readonly watch: Watch
  readonly work: () => Promise<T> | T
  /** What it does, such as `open`, and how long it may take; without it, as long as it likes. */
  readonly limit?: { readonly to: string, readonly msMax: number }
}

/** Calls a plugin. Throws PLUGIN_STUCK when it does not come back in time; the thread cannot go on then, as it may come back at any moment. */
export async function call<T> ({ step, watch, work, limit }: Call<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  watch.begin(step)
  try {
    watch.enter(step)
    const working = work()
    watch.leave()
    if (limit === undefined) return await working
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new PlatformError('PLUGIN_STUCK', `It did not ${limit.to} within ${limit.msMax / 1000} s`, { where: step })), limit.msMax)
    })
    return await Promise.race([working, late])
  } finally {
    clearTimeout(timer)
    watch.leave()
    watch.end(step)
  }
}

export interface Watching {
  readonly step: string
  readonly watch: Watch
  readonly limits: Limits
}

export function watchedSink (sink: Sink, { step, watch, limits }: Watching): Sink {
  const { landed, own } = sink
  return {
    ...(own !== undefined && { own: owner => call({ step, watch, work: () => own.call(sink, owner) }) }),
    write: batch => call({ step, watch, work: () => sink.write(batch) }),
    flush: range => call({ step, watch, work: () => sink.flush(range) }),
    ...(landed !== undefined && { landed: range => call({ step, watch, work: () => landed.call(sink, range) }) }),
    close: () => call({ step, watch, work: () => sink.close(), limit: { to: 'close', msMax: limits.closeMsMax } })
  }
}

export async function * watchedChunks (chunks: AsyncGenerator<Chunk, void, void>, { step, watch, limits }: Watching): AsyncGenerator<Chunk, void, void> {
  try {
    while (true) {
      const { value, done } = await call({ step, watch, work: () => chunks.next() })
      if (done === true) return
      yield value
    }
  } finally {
    // After the end or a failure of its own this does nothing.
    await call({ step, watch, work: () => chunks.return(), limit: { to: 'close', msMax: limits.closeMsMax } })
  }
}

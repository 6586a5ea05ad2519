// What changes the rows of closed days takes turns: a handoff that verifies and cleans a day, and a redelivery that puts
// rows below the boundary. Both run on the control side, so one process has all that there is to exclude.

import { aborted } from '../backoff.ts'

const last = new Map<string, Promise<unknown>>()

/** Runs `work` when all that was asked for the dataset before has ended, however it ended. Throws what `work` throws, or the signal's reason where it aborts before the turn has come. */
export async function withDataset<T> (name: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  const before = last.get(name)
  const { promise: over, resolve } = Promise.withResolvers<undefined>()
  const turn = before === undefined ? over : before.then(() => over)
  last.set(name, turn)
  try {
    await (signal === undefined || before === undefined ? before : orAborted(before, signal))
    signal?.throwIfAborted()
    return await work()
  } finally {
    resolve(undefined)
    if (last.get(name) === turn && before === undefined) last.delete(name)
    else void turn.then(() => { if (last.get(name) === turn) last.delete(name) })
  }
}

async function orAborted (before: Promise<unknown>, signal: AbortSignal): Promise<void> {
  const over = new AbortController()
  try {
    await Promise.race([before, aborted(AbortSignal.any([signal, over.signal]))])
  } finally {
    over.abort()
  }
}

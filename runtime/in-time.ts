import { setTimeout as sleep } from 'node:timers/promises'
import { describe } from './errors.ts'

/** Undefined when it resolves in time, else why not. */
export async function inTime (promise: Promise<void>, msMax: number, late: () => string): Promise<string | undefined> {
  const { promise: over, resolve } = Promise.withResolvers<string>()
  const timer = setTimeout(() => resolve(late()), msMax)
  try {
    return await Promise.race([promise.then(() => undefined), over])
  } catch (error) {
    return describe(error)
  } finally {
    clearTimeout(timer)
  }
}

/** Resolves when it does, or after `msMax`; rejects when it does. Why it rejects later is told to `onLate`. */
export async function forAWhile (promise: Promise<unknown>, msMax: number, onLate: (reason: string) => void): Promise<void> {
  let isLate = false
  promise.catch((error: unknown) => { if (isLate) onLate(describe(error)) })
  await Promise.race([promise, sleep(msMax, undefined, { ref: false })])
  isLate = true
}

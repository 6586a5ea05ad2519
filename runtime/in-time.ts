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

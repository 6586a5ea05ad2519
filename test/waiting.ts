// How the tests wait: for a condition, never for a time.

/** Only a failure waits that long: far beyond what a machine needs on which much else runs. */
export const WAIT_MS_MAX = 240_000

/** Looks again until `look` gives something; fails with `what` when it never does. */
export async function eventually<T> (what: string, look: () => Promise<T | undefined> | T | undefined, everyMs = 100): Promise<T> {
  const end = performance.now() + WAIT_MS_MAX
  while (true) {
    const found = await look()
    if (found !== undefined) return found
    if (performance.now() > end) throw new Error(`Not within ${WAIT_MS_MAX / 1000} s: ${what}`)
    await new Promise(resolve => setTimeout(resolve, everyMs))
  }
}

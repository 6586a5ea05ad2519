// Chance that a seed decides.

export interface Random {
  /** In [0, 1). */
  next (): number
  /** A whole number in [from, to]. */
  between (from: number, to: number): number
  shuffled<T> (values: readonly T[]): T[]
}

/** The same seed gives the same numbers. */
export function random (seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const between = (from: number, to: number): number => from + Math.floor(next() * (to - from + 1))
  return {
    next,
    between,
    shuffled (values) {
      const left = [...values]
      return values.map(() => left.splice(between(0, left.length - 1), 1)[0] as (typeof values)[number])
    }
  }
}

/**
 * A percentile of what was counted between bounds: `counts` has one number more than `bounds`, of what lies above the last.
 * Within a bucket the observations are taken as spread evenly; above the last bound there is only that bound to name.
 * undefined: nothing was counted.
 */
export function quantile (share: number, bounds: readonly number[], counts: readonly number[]): number | undefined {
  const all = counts.reduce((sum, count) => sum + count, 0)
  if (all === 0) return undefined
  const rank = share * all
  let below = 0
  for (const [i, count] of counts.entries()) {
    if (count > 0 && below + count >= rank) {
      const [low, high] = [bounds[i - 1] ?? 0, bounds[i]]
      return high === undefined ? low : low + (high - low) * (rank - below) / count
    }
    below += count
  }
  return bounds.at(-1)
}

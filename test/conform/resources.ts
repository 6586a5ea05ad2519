/** Sockets, files and timers that keep the process alive, counted by kind. */
export function resources (): Map<string, number> {
  const counts = new Map<string, number>()
  for (const name of process.getActiveResourcesInfo()) counts.set(name, (counts.get(name) ?? 0) + 1)
  return counts
}

/** Kinds of which there are more than `before`. */
export function leftOver (before: ReadonlyMap<string, number>): string[] {
  return [...resources()].filter(([name, count]) => count > (before.get(name) ?? 0)).map(([name]) => name)
}

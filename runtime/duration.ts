// Durations as YAML and command lines write them: `90s`, `15m`, `12h`, `3d`.

const unitsMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** For the `pattern` of a JSON Schema. */
export const DURATION_PATTERN = '^[1-9]\\d{0,8}(?:ms|s|m|h|d)$'

/** In ms; undefined: it is none. */
export function parseDuration (text: string): number | undefined {
  const [, number, unit] = /^([1-9]\d{0,8})(ms|s|m|h|d)$/.exec(text) ?? []
  return number === undefined ? undefined : Number(number) * unitsMs[unit as keyof typeof unitsMs]
}

/** In the largest unit that divides it. */
export function formatDuration (ms: number): string {
  const [unit, size] = (Object.entries(unitsMs).toReversed().find(([, size]) => ms >= size && ms % size === 0) ?? ['ms', 1]) as [string, number]
  return `${ms / size}${unit}`
}

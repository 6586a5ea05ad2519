/** Fields of what came from outside: of nothing at all where it is no object, so that reading one never throws. */
export function objectOf (value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value as Readonly<Record<string, unknown>> : {}
}

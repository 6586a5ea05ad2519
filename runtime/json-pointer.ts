/** A JSON pointer (RFC 6901), split: `/data/0` is ['data', '0'], the empty one the whole value. */
export type Pointer = readonly string[]

/** Splits the text of a pointer: once, so that no message pays for it. */
export function pointer (text: string): Pointer {
  return text.split('/').slice(1).map(token => token.replaceAll('~1', '/').replaceAll('~0', '~'))
}

/** Undefined: nothing is there. */
export function at (value: unknown, path: Pointer): unknown {
  let found = value
  for (const token of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, token)) return undefined
    found = (found as Record<string, unknown>)[token]
  }
  return found
}

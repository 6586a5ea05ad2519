// What a move says while it works, and what it has found in the end.

/** Something that is there on the other side, as it was read back. */
export interface Verified {
  readonly what: string
  readonly rows: number
  readonly hash: string
}

export interface Progress {
  say (line: string): void
  /** So many more are there. */
  rows (what: string, rows: number): void
}

const SAY_MS = 2000

/** Says how many rows there are now and then. */
export function progressTo (print: (line: string) => void, now: () => number = () => performance.now()): Progress {
  const rows = new Map<string, number>()
  let said = now()
  return {
    say: print,
    rows (what, more) {
      const all = (rows.get(what) ?? 0) + more
      rows.set(what, all)
      if (now() - said < SAY_MS) return
      said = now()
      print(`${what}: ${all.toLocaleString('en-US')} rows copied`)
    }
  }
}

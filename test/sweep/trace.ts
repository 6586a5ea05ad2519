// What strace has written, call by call. A call of which another thread's output came in between has two lines, and is
// put together: `begun` is where it began among the lines, its place in the list is where it ended.

export interface Call {
  readonly thread: number
  readonly name: string
  /** As strace prints them, with the path of each descriptor: `20</data/rows.db>, "…"..., 4096, 0`. */
  readonly args: string
  /** Undefined: the process ended in it. */
  readonly result: string | undefined
  readonly injected: boolean
  /** Number of its first line. */
  readonly begun: number
  /** Number of its last line. */
  readonly ended: number
}

export function parseTrace (text: string): Call[] {
  const calls: Call[] = []
  const open = new Map<number, { readonly name: string, readonly args: string, readonly begun: number }>()
  for (const [i, line] of text.split('\n').entries()) {
    const [, pid, rest = ''] = /^(\d+) +(.*)$/.exec(line) ?? []
    const thread = Number(pid)
    const unfinished = /^(\w+)\((.*?) ?<unfinished \.\.\.>$/.exec(rest)
    if (unfinished !== null) {
      open.set(thread, { name: unfinished[1] as string, args: unfinished[2] as string, begun: i })
      continue
    }
    const resumed = /^<\.\.\. (\w+) resumed>(.*)\) += (.*)$/.exec(rest)
    const whole = /^(\w+)\((.*)\) += (.*)$/.exec(rest)
    const [, name, args, result] = resumed ?? whole ?? []
    if (name === undefined || args === undefined || result === undefined) continue
    const before = resumed === null ? undefined : open.get(thread)
    open.delete(thread)
    calls.push({
      thread, name, args: (before?.args ?? '') + args, result: result.startsWith('?') ? undefined : result, injected: result.includes('(INJECTED)'), begun: before?.begun ?? i, ended: i
    })
  }
  for (const [thread, { name, args, begun }] of open) calls.push({ thread, name, args, result: undefined, injected: false, begun, ended: Infinity })
  return calls
}

/** How often each call was made, by the thread that made it most often. */
export function countCalls (calls: readonly Call[]): Map<string, number> {
  const counts = new Map<string, Map<number, number>>()
  for (const { name, thread } of calls) {
    const threads = counts.get(name) ?? new Map<number, number>()
    threads.set(thread, (threads.get(thread) ?? 0) + 1)
    counts.set(name, threads)
  }
  return new Map([...counts].map(([name, threads]) => [name, Math.max(...threads.values())]))
}

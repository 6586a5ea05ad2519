// What the API says, kept fresh while it is looked at. Components that show the same address share one call; nothing is
// asked while the tab is hidden, and an address that fails is asked less and less often.

import { ApiProblem, get, problemOf } from './api.ts'
import { signal, useEffect } from './html.ts'
import { session } from './session.ts'
import type { Problem } from './api.ts'
import type { ReadonlySignal } from './html.ts'

export interface Resource<T> {
  /** The last good answer, also while a newer one fails. */
  readonly data: T | undefined
  /** Of the last call. */
  readonly problem: Problem | undefined
  readonly loading: boolean
  /** When `data` came, ms since 1970; 0: never. */
  readonly at: number
  /** Asks at once. */
  again (): Promise<void>
}

/** Addresses that are kept after nobody looks at them any more, so that a page that was left is there at once. */
const KEPT_MAX = 60
const RETRY_MS_MAX = 60_000

interface State { readonly data: unknown, readonly problem: Problem | undefined, readonly loading: boolean, readonly at: number }
const empty: State = { data: undefined, problem: undefined, loading: true, at: 0 }

class Shared {
  readonly state = signal<State>(empty)
  readonly #path: string
  /** How often each one that looks wants it; Infinity: once. */
  readonly #lookers = new Map<symbol, number>()
  #timer: ReturnType<typeof setTimeout> | undefined
  #call: Promise<void> | undefined
  #cancel: AbortController | undefined
  #failures = 0

  constructor (path: string) {
    this.#path = path
  }

  get unused (): boolean {
    return this.#lookers.size === 0
  }

  look (everyMs: number): () => void {
    const key = Symbol(this.#path)
    this.#lookers.set(key, everyMs)
    const { at } = this.state.peek()
    if (at === 0 || Date.now() - at > Math.min(everyMs, 1000)) void this.again()
    else this.#schedule()
    return () => {
      this.#lookers.delete(key)
      if (!this.unused) return
      clearTimeout(this.#timer)
      this.#cancel?.abort()
    }
  }

  again (): Promise<void> {
    clearTimeout(this.#timer)
    this.#call ??= this.#ask().finally(() => {
      this.#call = undefined
      this.#schedule()
    })
    return this.#call
  }

  wake (): void {
    if (!this.unused && session.peek() !== null && Number.isFinite(this.#everyMs())) void this.again()
  }

  async #ask (): Promise<void> {
    this.#cancel = new AbortController()
    const { signal } = this.#cancel
    try {
      const data = await get(this.#path, { signal })
      this.#failures = 0
      this.state.value = { data, problem: undefined, loading: false, at: Date.now() }
    } catch (error) {
      if (signal.aborted) return
      this.#failures++
      // What was shown stays, unless there is nothing left to see.
      const problem = problemOf(error)
      // A login that has ended takes nothing away: whoever comes back goes on where they were.
      const gone = error instanceof ApiProblem && [403, 404].includes(problem.status)
      this.state.value = { ...(gone ? empty : this.state.peek()), problem, loading: false }
    }
  }

  #everyMs (): number {
    return Math.min(Infinity, ...this.#lookers.values())
  }

  #schedule (): void {
    clearTimeout(this.#timer)
    const everyMs = this.#everyMs()
    if (this.unused || document.hidden || session.peek() === null || !Number.isFinite(everyMs)) return
    this.#timer = setTimeout(() => { void this.again() }, Math.max(everyMs, Math.min(RETRY_MS_MAX, everyMs * 2 ** this.#failures)))
  }
}

const all = new Map<string, Shared>()

document.addEventListener('visibilitychange', () => {
  if (!document.hidden) for (const shared of all.values()) shared.wake()
})

function sharedOf (path: string): Shared {
  const found = all.get(path) ?? new Shared(path)
  // The one that was looked at last is the last one to go.
  all.delete(path)
  all.set(path, found)
  for (const [old, { unused }] of all) {
    if (all.size <= KEPT_MAX) break
    if (unused && old !== path) all.delete(old)
  }
  return found
}

const nothing: ReadonlySignal<State> = signal({ ...empty, loading: false })

/** Looks at an address while the component is shown, each `every` ms; without `every` once. An undefined address is none. */
export function useResource<T> (path: string | undefined, { every = Infinity }: { readonly every?: number } = {}): Resource<T> {
  const shared = path === undefined ? undefined : sharedOf(path)
  useEffect(() => shared?.look(every), [path, every])
  const state = (shared?.state ?? nothing).value
  return { ...state, data: state.data as T | undefined, again: async () => shared?.again() }
}

/** Asks again for all that is shown and whose address begins so: after a change. */
export async function refresh (prefix = ''): Promise<void> {
  await Promise.all([...all].filter(([path, shared]) => path.startsWith(prefix) && !shared.unused).map(([, shared]) => shared.again()))
}

/** Forgets all answers: somebody else is logged in now. */
export function forget (): void {
  for (const [path, { unused }] of all) if (unused) all.delete(path)
}

// What somebody has begun to fill in. It outlives its form while the page is open: Back, another page and a login that has
// ended lose nothing. Secrets may be in it, so it is kept in memory only; whoever closes or reloads the page is asked.

import { useEffect, useState } from './html.ts'

/** Forms that are kept at once; the one that was touched least recently goes first. */
const DRAFTS_MAX = 40

const drafts = new Map<string, unknown>()
/** Those whose forms are shown now. */
const shown = new Set<string>()

window.addEventListener('beforeunload', event => {
  if ([...shown].some(key => drafts.has(key))) event.preventDefault()
})

export interface Draft<T> {
  readonly value: T
  /** Whether anything was filled in. */
  readonly begun: boolean
  readonly set: (next: T | ((before: T) => T)) => void
  /** Begins anew: it was applied, or is not wanted. What is given is shown from then on. */
  readonly forget: (shown?: T) => void
}

/** A state that is kept under a name. Give its form a `key` of the same name. */
export function useDraft<T> (name: string, initial: T): Draft<T> {
  const [value, setValue] = useState<T>(() => drafts.has(name) ? drafts.get(name) as T : initial)
  useEffect(() => {
    shown.add(name)
    return () => { shown.delete(name) }
  }, [name])
  return {
    value,
    begun: drafts.has(name),
    set: next => setValue(before => {
      const made = typeof next === 'function' ? (next as (before: T) => T)(before) : next
      keep(name, made)
      return made
    }),
    forget: (shown = initial) => {
      drafts.delete(name)
      setValue(shown)
    }
  }
}

/** Somebody else uses the page now. */
export function forgetDrafts (): void {
  drafts.clear()
}

function keep (name: string, value: unknown): void {
  drafts.delete(name)
  drafts.set(name, value)
  for (const old of drafts.keys()) {
    if (drafts.size <= DRAFTS_MAX) break
    drafts.delete(old)
  }
}

// Whether the engine's process still answers. It is asked something small by a query of its own; one that says nothing to
// that for SILENT_ASKS_MAX times in a row hangs, and whoever watches ends it.

import type { ChildProcess } from 'node:child_process'
import type { Order, Report } from './server.ts'

export const ASK_MS = 5000
/** Times that an answer may be missing in a row: a minute. An engine under the heaviest load answers within seconds. */
export const SILENT_ASKS_MAX = 12

export interface Watch {
  /** Asks that often; ASK_MS by default. */
  readonly askMs?: number | undefined
  /** Called once. */
  onHung (silentMs: number): void
}

/**
 * Asks until the child ends; returns what stops it. Silence is counted in our own turns and not by the clock: a machine
 * that slept, or a parent that was stopped itself, finds nobody guilty.
 */
export function watchChild (child: ChildProcess, { askMs = ASK_MS, onHung }: Watch): () => void {
  let missing = 0
  let waits = false
  const timer = setInterval(() => {
    if (waits) missing++
    if (missing >= SILENT_ASKS_MAX) {
      stop()
      onHung(missing * askMs)
    } else if (!waits) {
      waits = true
      child.send({ type: 'ask' } satisfies Order, () => { /* One that is gone is noticed by its end. */ })
    }
  }, askMs)
  const listen = (report: Report): void => {
    if (report.type !== 'answer') return
    waits = false
    missing = 0
  }
  const stop = (): void => {
    clearInterval(timer)
    child.off('message', listen)
    child.off('exit', stop)
  }
  child.on('message', listen)
  child.once('exit', stop)
  return stop
}

// Short messages about what has just been done. Failures stay until they are closed.

import { ProblemBox } from './problem.ts'
import { Icon } from './icon.ts'
import { problemOf } from '../kit/api.ts'
import { html, signal } from '../kit/html.ts'
import type { Problem } from '../kit/api.ts'
import type { VNode } from '../kit/html.ts'

interface Toast { readonly id: number, readonly text: string, readonly problem: Problem | undefined }

const TOASTS_MAX = 4
const SHOWN_MS = 6000
const toasts = signal<readonly Toast[]>([])
let last = 0

/** Says that something was done. */
export function say (text: string): void {
  const id = add({ text, problem: undefined })
  setTimeout(() => close(id), SHOWN_MS)
}

/** Says that something failed. */
export function complain (error: unknown): void {
  add({ text: '', problem: problemOf(error) })
}

/** Runs something that a button asked for: says `done` afterwards, or what went wrong. Resolves with whether it went well. */
export async function act (what: () => Promise<unknown>, done: string): Promise<boolean> {
  try {
    await what()
    say(done)
    return true
  } catch (error) {
    complain(error)
    return false
  }
}

function add (toast: Omit<Toast, 'id'>): number {
  const id = ++last
  toasts.value = [...toasts.value, { id, ...toast }].slice(-TOASTS_MAX)
  return id
}

function close (id: number): void {
  toasts.value = toasts.value.filter(toast => toast.id !== id)
}

export function Toasts (): VNode {
  return html`<div class="toasts" role="region" aria-label="Messages" aria-live="polite">${toasts.value.map(({ id, text, problem }) => html`<div class="toast" key=${id}>
    ${problem === undefined ? html`<p><${Icon} name="ok" />${text}</p>` : html`<${ProblemBox} problem=${problem} compact />`}
    <button type="button" class="icon-only" aria-label="Close the message" onClick=${() => close(id)}><${Icon} name="close" /></button>
  </div>`)}</div>`
}

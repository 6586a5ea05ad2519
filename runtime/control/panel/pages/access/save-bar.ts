import { Icon } from '../../parts/icon.ts'
import { ProblemBox } from '../../parts/problem.ts'
import { say } from '../../parts/toast.ts'
import { problemOf } from '../../kit/api.ts'
import { html, useState } from '../../kit/html.ts'
import { refresh } from '../../kit/resource.ts'
import { may } from '../../kit/session.ts'
import type { Problem } from '../../kit/api.ts'
import type { VNode } from '../../kit/html.ts'

/** Saves what was changed: nothing holds before it is pressed. `save` rejects where it is refused. */
export function SaveBar ({ changed, ready = true, save, undo, done }: { readonly changed: boolean, readonly ready?: boolean, readonly save: () => Promise<unknown>, readonly undo: () => void, readonly done: string }): VNode {
  const [problem, setProblem] = useState<Problem>()
  const [busy, setBusy] = useState(false)
  if (!may('access:write')) return html`<p class="faint small"><${Icon} name="lock" size=${12} /> Changes need the scope access:write.</p>`
  const run = async (): Promise<void> => {
    setBusy(true)
    setProblem(undefined)
    try {
      await save()
      say(done)
      await refresh('/v1/')
    } catch (error) {
      setProblem(problemOf(error))
    } finally {
      setBusy(false)
    }
  }
  return html`${problem !== undefined && html`<${ProblemBox} problem=${problem} compact />`}
    <div class="buttons"><button type="button" class="primary" disabled=${!changed || !ready || busy} onClick=${run}>Save</button><button type="button" disabled=${!changed || busy} onClick=${undo}>Undo</button>${changed && html`<span class="faint small">Not saved yet.</span>`}</div>`
}

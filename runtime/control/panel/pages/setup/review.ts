// Every change is looked at before it is made: what differs, what is wrong, what would start and stop. What is applied is
// what was looked at: a hash says so.

import { Diff } from '../../parts/code.ts'
import { Icon } from '../../parts/icon.ts'
import { Mark } from '../../parts/mark.ts'
import { Empty, ProblemBox, Skeleton } from '../../parts/problem.ts'
import { post, problemOf } from '../../kit/api.ts'
import { html, useEffect, useState } from '../../kit/html.ts'
import { plural } from '../../kit/number.ts'
import { refresh } from '../../kit/resource.ts'
import type { Problem } from '../../kit/api.ts'
import type { VNode } from '../../kit/html.ts'
import type { Receipt } from '../../kit/shapes.ts'
import type { Change, FileProblem, Plan } from './shapes.ts'

/** Plans a change as soon as it is shown, and applies it on demand. Give it a `key`, so that another change is planned anew. */
export function Review ({ change, button = 'Apply', onApplied, onPlan, onProblem }: { readonly change: Change, readonly button?: string, readonly onApplied: (receipt: Receipt) => void, readonly onPlan?: (plan: Plan) => void, readonly onProblem?: (problem: Problem) => void }): VNode {
  const [plan, setPlan] = useState<Plan>()
  const [problem, setProblem] = useState<Problem>()
  const [busy, setBusy] = useState(false)
  const failed = (error: unknown): void => {
    setProblem(problemOf(error))
    onProblem?.(problemOf(error))
  }
  const look = async (): Promise<void> => {
    setProblem(undefined)
    try {
      const found = await post<Plan>('/v1/changes', change)
      setPlan(found)
      onPlan?.(found)
    } catch (error) {
      failed(error)
    }
  }
  useEffect(() => { void look() }, [])
  const apply = async (): Promise<void> => {
    setBusy(true)
    setProblem(undefined)
    try {
      const receipt = await post<Receipt>('/v1/changes/apply', { ...change, plan: plan?.plan })
      onApplied(receipt)
      await refresh()
    } catch (error) {
      failed(error)
    } finally {
      setBusy(false)
    }
  }
  const ready = plan !== undefined && plan.problems.length === 0 && plan.diffs.length > 0 && plan.tests.failed === 0
  return html`<div class="review" aria-live="polite">
    ${problem !== undefined && html`<${ProblemBox} problem=${problem} again=${look} />`}
    ${problem?.code === 'FILES_READ_ONLY' && html`<p class="notice">The platform may not write these files. Make the change where they are kept, as it stands below, and reload.</p>`}
    ${plan === undefined ? problem === undefined && html`<${Skeleton} lines=${4} />` : html`<${PlanView} plan=${plan} />`}
    ${plan !== undefined && plan.diffs.length > 0 && html`<div class="buttons"><button type="button" class="primary" disabled=${!ready || busy} onClick=${apply}><${Icon} name="check" />${busy ? 'Applying…' : button}</button>${!ready && html`<span class="faint small">It cannot be applied while something is wrong with it.</span>`}</div>`}
  </div>`
}

function PlanView ({ plan: { diffs, problems, elsewhere, tests, effects } }: { readonly plan: Plan }): VNode {
  if (diffs.length === 0 && problems.length === 0) return html`<${Empty} title="Nothing would change">The files say so already.</${Empty}>`
  const does = [
    ...effects.start.map(id => ['Starts', id] as const), ...effects.restart.map(id => ['Restarts', id] as const), ...effects.stop.map(id => ['Stops', id] as const),
    ...effects.tables.map(({ table, change }) => [change === 'made' ? 'Makes the table' : change === 'altered' ? 'Alters the table' : 'Cannot alter the table', table] as const)
  ]
  return html`
    ${problems.length > 0 && html`<${FileProblems} problems=${problems} />`}
    <ul class="effects">
      ${does.map(([what, name]) => html`<li><span class="faint">${what}</span> <strong>${name}</strong></li>`)}
      ${tests.passed + tests.failed > 0 && html`<li><${Mark} level=${tests.failed > 0 ? 'bad' : 'ok'} word=${tests.failed > 0 ? `${plural(tests.failed, 'test')} failed, ${tests.passed} passed` : `${plural(tests.passed, 'test')} passed`} /></li>`}
      ${effects.schemas.flatMap(({ topic, fields }) => [...(fields?.added ?? []).map(name => [topic, 'has the new field', name]), ...(fields?.removed ?? []).map(name => [topic, 'loses the field', name]), ...(fields?.changed ?? []).map(name => [topic, 'changes the field', name])]).map(([topic, what, name]) => html`<li><span class="faint">${topic} ${what}</span> <strong>${name}</strong></li>`)}
    </ul>
    ${effects.tables.filter(({ reason }) => reason !== undefined && reason !== '').map(({ table, reason }) => html`<p class="notice">${table}: ${reason}</p>`)}
    ${effects.notes.map(note => html`<p class="notice">${note}</p>`)}
    ${diffs.map(({ path, change, unified, added, removed, secrets }) => html`<section class="file-diff"><h3><code>${path}</code> <span class="faint">${change}, +${added} −${removed}</span></h3>${secrets ? html`<p class="faint">All that differs is a secret, which is not shown.</p>` : html`<${Diff} unified=${unified} what=${`The change of ${path}`} />`}</section>`)}
    ${elsewhere.length > 0 && html`<details><summary>${plural(elsewhere.length, 'problem')} in files that this does not touch</summary><${FileProblems} problems=${elsewhere} /></details>`}`
}

/** What is wrong, with file and line. */
export function FileProblems ({ problems }: { readonly problems: readonly FileProblem[] }): VNode {
  return html`<div class="problem" role="alert"><${Icon} name="bad" /><div><p><strong>${plural(problems.length, 'problem')}</strong></p><ul>${problems.map(({ file, line, path, message }) => html`<li><code>${file}${line > 0 ? `:${line}` : ''}</code> ${path !== '' && html`<code>${path}</code>`} ${message}</li>`)}</ul></div></div>`
}

/** What an applied change did. */
export function Applied ({ receipt, children }: { readonly receipt: Receipt, readonly children?: unknown }): VNode {
  return html`<div class="applied" role="status"><${Mark} state=${receipt.outcome} /> <span>Revision ${receipt.revision}, in ${receipt.ms} ms${receipt.changes.length > 0 ? `: ${receipt.changes.map(({ pipeline, change }) => `${pipeline} ${change}`).join(', ')}` : ''}.</span> ${children}</div>`
}

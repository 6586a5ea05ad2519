import { levelOf, Mark } from '../../parts/mark.ts'
import { act } from '../../parts/toast.ts'
import { Section } from '../../parts/page.ts'
import { Time } from '../../parts/time.ts'
import { Icon } from '../../parts/icon.ts'
import { Loaded } from '../../parts/problem.ts'
import { ask } from '../../kit/api.ts'
import { html } from '../../kit/html.ts'
import { plural } from '../../kit/number.ts'
import { refresh, useResource } from '../../kit/resource.ts'
import type { VNode } from '../../kit/html.ts'
import type { Health, HealthAction, HealthProblem, Hop } from '../../kit/shapes.ts'

const EVERY_MS = 5000

export function useHealth (): ReturnType<typeof useResource<Health>> {
  return useResource<Health>('/v1/health', { every: EVERY_MS })
}

/** The sentence, and the evidence that it rests on. */
export function Verdict (): VNode {
  const health = useHealth()
  return html`<${Loaded} of=${health} lines=${3}>${(found: Health) => html`<section class=${`verdict ${levelOf(found.state)}`} aria-label="Verdict">
    <${Icon} name=${levelOf(found.state)} size=${26} />
    <div>
      <p class="verdict-sentence" role="status">${found.sentence}</p>
      <ul class="evidence">${found.evidence.map(one => html`<li>${typeof one === 'string' ? one : one.text}</li>`)}</ul>
      ${found.canary !== null && found.canary !== undefined && found.canary.hops?.length > 0 && html`<${Hops} hops=${found.canary.hops} at=${found.canary.at} />`}
    </div>
  </section>`}</${Loaded}>`
}

/** How far the last canary row came, and how long each part of its way took. */
export function Hops ({ hops, at }: { readonly hops: readonly Hop[], readonly at: string | number | null }): VNode {
  return html`<div class="hops"><span class="faint small">Canary row <${Time} at=${at} /></span><ol>${hops.map(({ hop, ms, state }) => html`<li class=${levelOf(state)}><${Icon} name=${levelOf(state)} size=${12} /><span>${hop}</span> <span class="faint">${ms === null || ms === undefined ? state : `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`}</span></li>`)}</ol></div>`
}

/** What is wrong, by root cause, with at most two things to do about each. */
export function Problems (): VNode | null {
  const { data } = useHealth()
  if (data === undefined || data.problems.length === 0) return null
  return html`<${Section} title="Open problems" note=${plural(data.problems.length, 'cause')}><ul class="problems">${data.problems.map(problem => html`<${One} problem=${problem} />`)}</ul></${Section}>`
}

function One ({ problem }: { readonly problem: HealthProblem }): VNode {
  const { cause, part, since, hides = [], touches, remedy, actions = [] } = problem
  const users = typeof touches?.users === 'number' ? touches.users : touches?.users?.length ?? 0
  const touched = [
    ...(touches?.datasets ?? []).length > 0 ? [`datasets ${touches.datasets.join(', ')}`] : [],
    ...(touches?.queries ?? []).length > 0 ? [plural(touches.queries.length, 'saved query', 'saved queries')] : [],
    ...users > 0 ? [plural(users, 'user')] : []
  ]
  const doable = actions.filter((action): action is HealthAction => typeof action !== 'string' && action.path !== undefined).slice(0, 2)
  return html`<li>
    <div><p><${Mark} level="bad" word=${part} /> <strong>${cause}</strong> <span class="faint small">since <${Time} at=${since} /></span></p>
      <p class="small">${remedy}</p>
      ${touched.length > 0 && html`<p class="small faint">It touches ${touched.join('; ')}.</p>`}
      ${hides.length > 0 && html`<p class="small faint">It explains ${plural(hides.length, 'other alarm')}: ${hides.join(', ')}.</p>`}
    </div>
    ${doable.length > 0 && html`<div class="buttons">${doable.map(action => html`<button type="button" onClick=${() => act(async () => { await run(action); await refresh() }, `Done: ${action.title}.`)}>${action.title}</button>`)}</div>`}
  </li>`
}

function run ({ method = 'POST', path = '', body }: HealthAction): Promise<unknown> {
  return ask(method as 'POST', path, { body })
}

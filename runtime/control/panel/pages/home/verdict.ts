import { levelOf, Mark } from '../../parts/mark.ts'
import { act } from '../../parts/toast.ts'
import { Section } from '../../parts/page.ts'
import { Time } from '../../parts/time.ts'
import { Icon } from '../../parts/icon.ts'
import { Loaded } from '../../parts/problem.ts'
import { post } from '../../kit/api.ts'
import { html } from '../../kit/html.ts'
import { plural, seconds } from '../../kit/number.ts'
import { refresh, useResource } from '../../kit/resource.ts'
import type { VNode } from '../../kit/html.ts'
import type { Level } from '../../parts/mark.ts'
import type { Canary, Health, HealthAction, HealthProblem } from '../../kit/shapes.ts'

const EVERY_MS = 5000

/** The verdict; all parts of Home share one call. */
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
      <ul class="evidence">${found.evidence.map(({ what, ok, detail }) => html`<li><${Icon} name=${ok ? 'ok' : 'warn'} size=${13} /><strong>${what}</strong> ${detail}</li>`)}</ul>
      ${found.canary.hops.length > 0 && html`<${Hops} canary=${found.canary} />`}
    </div>
  </section>`}</${Loaded}>`
}

/** How far the canary row came, and how long each part of its way took. */
function Hops ({ canary: { at, hops } }: { readonly canary: Canary }): VNode {
  return html`<div class="hops"><span class="faint small">${at === null ? 'The first canary row is on its way' : html`A canary row came through all parts <${Time} at=${at} />`}</span><ol>${hops.map(({ hop, ms, state, at, reason }) => html`<li class=${levelOf(state)} title=${reason}><${Icon} name=${levelOf(state)} size=${12} /><span>${hop}</span> <span class="faint">${at === null ? state : seconds(ms / 1000)}</span></li>`)}</ol></div>`
}

/** What is wrong, by root cause, with at most two things to do about each. */
export function Problems (): VNode | null {
  const { data } = useHealth()
  if (data === undefined || data.problems.length === 0) return null
  const noticesOnly = data.problems.every(({ severity }) => severity === 'notice')
  return html`<${Section} title=${noticesOnly ? 'To do when there is time' : 'Open problems'} note=${plural(data.problems.length, noticesOnly ? 'thing' : 'cause')}><ul class="problems">${data.problems.map(problem => html`<${One} key=${problem.id} problem=${problem} />`)}</ul></${Section}>`
}

const levels: Readonly<Record<HealthProblem['severity'], Level>> = { error: 'bad', warning: 'warn', notice: 'idle' }

function One ({ problem: { cause, part, severity, since, hides, touches, remedy, actions } }: { readonly problem: HealthProblem }): VNode {
  const touched = [
    ...touches.datasets.length > 0 ? [plural(touches.datasets.length, 'dataset')] : [],
    ...touches.queries.length > 0 ? [plural(touches.queries.length, 'saved query', 'saved queries')] : [],
    ...touches.users.length > 0 ? [plural(touches.users.length, 'user')] : []
  ]
  return html`<li>
    <div>
      <p><${Mark} level=${levels[severity]} word=${part} /> <strong>${cause}</strong> <span class="faint small">since <${Time} at=${since} /></span></p>
      ${remedy !== '' && html`<p class="small">${remedy}</p>`}
      ${touched.length > 0 && html`<p class="small faint">It touches ${touched.join(', ')}: ${[...touches.datasets, ...touches.queries, ...touches.users].join(', ')}.</p>`}
      ${hides.length > 0 && html`<details class="small"><summary>${plural(hides.length, 'alarm follows', 'alarms follow')} from it</summary><ul>${hides.map(one => html`<li>${one.part}: ${one.cause}</li>`)}</ul></details>`}
    </div>
    <div class="buttons">${actions.map(action => html`<${Do} action=${action} />`)}</div>
  </li>`
}

/** A request that changes something is a button; one that only shows something is a link to the page that shows it. */
function Do ({ action: { title, method, path } }: { readonly action: HealthAction }): VNode {
  if (method === 'GET') return html`<a class="button" href=${path.replace(/^\/v1\//, '#/')}>${title}</a>`
  return html`<button type="button" onClick=${() => act(async () => { await post(path); await refresh() }, `Done: ${title}.`)}>${title}</button>`
}

import { useHealth } from './verdict.ts'
import { Mark } from '../../parts/mark.ts'
import { Section } from '../../parts/page.ts'
import { Empty, Skeleton } from '../../parts/problem.ts'
import { html } from '../../kit/html.ts'
import { seconds } from '../../kit/number.ts'
import { href } from '../../kit/route.ts'
import type { VNode } from '../../kit/html.ts'
import type { DatasetHealth } from '../../kit/shapes.ts'

/** How old the newest row of each dataset is; those that need somebody come first. */
export function Freshness (): VNode {
  const { data } = useHealth()
  const order = ['stale', 'behind', 'unknown', 'fresh', 'quiet', 'closed']
  // The canary has its place in the verdict; here it is shown only where something is wrong with it.
  const datasets = (data?.datasets ?? []).filter(({ topic, state }) => topic !== 'canary' || state === 'stale' || state === 'behind').sort((a, b) => order.indexOf(a.state) - order.indexOf(b.state))
  return html`<${Section} title="Datasets" note="age of the newest row">
    ${data === undefined && html`<${Skeleton} />`}
    ${data !== undefined && datasets.length === 0 && html`<${Empty} title="No dataset yet">A pipeline with an output for the streaming database or the warehouse makes one.</${Empty}>`}
    ${datasets.length > 0 && html`<ul class="strip">${datasets.map(({ dataset, title, state, seconds: age, reason }: DatasetHealth) => html`<li>
      <a href=${href(['data', dataset])} title=${title}>${dataset}</a>
      <${Mark} state=${state} quiet />
      <span class="faint small ellipsis" title=${reason}>${reason}</span>
      <span class="right small">${age === null ? 'no rows' : seconds(age)}</span>
    </li>`)}</ul>`}
  </${Section}>`
}

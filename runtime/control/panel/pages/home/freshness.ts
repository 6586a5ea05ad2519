import { Mark } from '../../parts/mark.ts'
import { Section } from '../../parts/page.ts'
import { Empty, Loaded } from '../../parts/problem.ts'
import { Time } from '../../parts/time.ts'
import { html } from '../../kit/html.ts'
import { count } from '../../kit/number.ts'
import { href } from '../../kit/route.ts'
import { may } from '../../kit/session.ts'
import { useResource } from '../../kit/resource.ts'
import type { VNode } from '../../kit/html.ts'
import type { DatasetSummary } from '../../kit/shapes.ts'

const EVERY_MS = 5000

/** How old the newest row of each dataset is. */
export function Freshness (): VNode {
  const datasets = useResource<{ datasets: readonly DatasetSummary[] }>(may('data:read') ? '/v1/datasets' : undefined, { every: EVERY_MS })
  return html`<${Section} title="Datasets" note="how fresh">
    ${!may('data:read') && html`<${Empty} title="Needs the scope data:read" />`}
    <${Loaded} of=${datasets}>${({ datasets: found }: { datasets: readonly DatasetSummary[] }) => found.length === 0
      ? html`<${Empty} title="No dataset yet">A pipeline with an output for the streaming database or the warehouse makes one.</${Empty}>`
      : html`<ul class="strip">${found.map(({ dataset, title, freshness, rows }) => html`<li>
          <a href=${href(['data', dataset])} title=${title}>${dataset}</a>
          <${Mark} state=${freshness.state} quiet />
          <span class="faint small">${freshness.last_event_at === null ? 'no rows yet' : html`<${Time} at=${freshness.last_event_at} />`}</span>
          <span class="right small">${count(rows)} rows</span>
        </li>`)}</ul>`}</${Loaded}>
  </${Section}>`
}

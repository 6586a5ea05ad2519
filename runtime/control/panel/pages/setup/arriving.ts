import { TopicRows } from '../pipelines/rows.ts'
import { Mark } from '../../parts/mark.ts'
import { html } from '../../kit/html.ts'
import { rate } from '../../kit/number.ts'
import { href } from '../../kit/route.ts'
import { useResource } from '../../kit/resource.ts'
import { may } from '../../kit/session.ts'
import type { VNode } from '../../kit/html.ts'
import type { PipelineStatus } from '../../kit/shapes.ts'

const EVERY_MS = 1500

/** How a pipeline that has just been made begins: its steps, and its rows as they come. */
export function Arriving ({ pipeline, scheduled }: { readonly pipeline: string, readonly scheduled: boolean }): VNode {
  const { data } = useResource<PipelineStatus>(`/v1/pipelines/${pipeline}`, { every: EVERY_MS })
  return html`<div class="arriving">
    <p>${scheduled ? html`It is a job: <a href=${href(['jobs', pipeline])}>start its first run, or wait for its time.</a>` : html`<a href=${href(['pipelines', pipeline])}>Open the pipeline ${pipeline}</a> to see its rates, its rows and its log.`}</p>
    ${data !== undefined && html`<ul class="effects">${data.steps.map(({ step, state, ok, rows_per_second: rows }) => html`<li><${Mark} state=${state} level=${ok ? undefined : 'bad'} quiet /> <strong>${step}</strong> <span class="faint">${rate(rows)}</span></li>`)}</ul>`}
    ${!scheduled && data !== undefined && may('topics:read') && html`<${TopicRows} topic=${data.topic} />`}
  </div>`
}

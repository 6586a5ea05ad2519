import { PipelineCharts } from './charts.ts'
import { Rejected } from './rejected.ts'
import { TopicRows } from './rows.ts'
import { LogView } from '../logs/log-view.ts'
import { Code } from '../../parts/code.ts'
import { Confirm } from '../../parts/dialog.ts'
import { Icon } from '../../parts/icon.ts'
import { Mark } from '../../parts/mark.ts'
import { Facts, Page, Section } from '../../parts/page.ts'
import { Loaded } from '../../parts/problem.ts'
import { Table } from '../../parts/table.ts'
import { Tabs, tabOf } from '../../parts/tabs.ts'
import { Time } from '../../parts/time.ts'
import { act } from '../../parts/toast.ts'
import { post } from '../../kit/api.ts'
import { html, useState } from '../../kit/html.ts'
import { count, rate, seconds } from '../../kit/number.ts'
import { href } from '../../kit/route.ts'
import { refresh, useResource } from '../../kit/resource.ts'
import { may } from '../../kit/session.ts'
import type { VNode } from '../../kit/html.ts'
import type { PipelineDetail, StepStatus } from '../../kit/shapes.ts'

const EVERY_MS = 2000
const tabs = [
  { id: 'steps', title: 'Steps' }, { id: 'charts', title: 'Charts' }, { id: 'rejected', title: 'Rejected' }, { id: 'rows', title: 'Rows' },
  { id: 'logs', title: 'Logs' }, { id: 'file', title: 'File' }
]

export function PipelinePage ({ id }: { readonly id: string }): VNode {
  const pipeline = useResource<PipelineDetail>(`/v1/pipelines/${encodeURIComponent(id)}`, { every: EVERY_MS })
  const { data } = pipeline
  const tab = tabOf(tabs)
  return html`<${Page} name=${id} crumbs=${[{ title: 'Pipelines', path: ['pipelines'] }]} note=${data?.resolved?.description}
    mark=${data !== undefined && html`<${Mark} state=${data.state} ...${data.healthy ? {} : { level: 'bad' }} />`} actions=${data !== undefined && html`<${Actions} pipeline=${data} />`}>
    <${Loaded} of=${pipeline} lines=${8}>${(found: PipelineDetail) => html`
      ${found.reasons.length > 0 && html`<div class="problem" role="alert"><${Icon} name="bad" /><div><strong>Not healthy.</strong> ${found.reasons.join('; ')}</div></div>`}
      <${Tabs} tabs=${tabs} label=${`Facets of ${id}`} />
      ${tab === 'steps' && html`<${Steps} pipeline=${found} />`}
      ${tab === 'charts' && html`<${PipelineCharts} part=${id} />`}
      ${tab === 'rejected' && html`<${Rejected} topic=${found.topic} />`}
      ${tab === 'rows' && html`<${TopicRows} topic=${found.topic} />`}
      ${tab === 'logs' && html`<${LogView} part=${id} />`}
      ${tab === 'file' && html`<${Section} title=${found.file} note="secrets are ***"><${Code} text=${found.text ?? ''} language="yaml" what=${found.file} /></${Section}>`}
    `}</${Loaded}>
  </${Page}>`
}

function Steps ({ pipeline }: { readonly pipeline: PipelineDetail }): VNode {
  const { steps, topic, revision, restarts, since, lastFailure = '', runtimes = [] } = pipeline
  return html`
    <${Section} title="Steps"><${Table} label="Steps" rows=${steps} keyOf=${({ step }: StepStatus) => step} empty=${{ title: 'It does not run now', text: pipeline.state === 'scheduled' ? html`It works in runs: see the <a href=${href(['jobs', pipeline.id])}>job</a>.` : 'Its steps show here while it runs.' }} columns=${[
      { id: 'step', title: 'Step', value: ({ step }: StepStatus) => step, cell: ({ step }: StepStatus) => html`<strong>${step}</strong>` },
      { id: 'state', title: 'State', value: ({ state }: StepStatus) => state, cell: ({ state, ok }: StepStatus) => html`<${Mark} state=${state} ...${ok ? {} : { level: 'bad' }} />` },
      { id: 'rate', title: 'Rows', right: true, value: (one: StepStatus) => one.rows_per_second, cell: (one: StepStatus) => rate(one.rows_per_second) },
      { id: 'lag', title: 'Rows behind', right: true, value: (one: StepStatus) => one.lag_rows, cell: (one: StepStatus) => count(one.lag_rows) },
      { id: 'seconds', title: 'Oldest waits', right: true, value: (one: StepStatus) => one.lag_seconds, cell: (one: StepStatus) => seconds(one.lag_seconds) },
      { id: 'reason', title: 'Why', grow: true, wide: true, cell: ({ reason }: StepStatus) => html`<span class="faint">${reason ?? ''}</span>` }
    ]} /></${Section}>
    <${Section} title="About"><${Facts} facts=${[
      ['Topic', html`<code>${topic}</code>`], ['State since', since === 0 ? '–' : html`<${Time} at=${since} as="both" />`], ['Restarts after failures', count(restarts)], ['Revision', html`<code>${revision.slice(0, 12)}</code>`],
      ...(lastFailure === '' ? [] : [['Last failure', lastFailure] as const]),
      ...(runtimes.length === 0 ? [] : [['Runtimes', runtimes.map(({ runtime, state }) => `${runtime} ${state}`).join(', ')] as const])
    ]} /></${Section}>`
}

function Actions ({ pipeline: { id, state } }: { readonly pipeline: PipelineDetail }): VNode {
  const [asks, setAsks] = useState<'pause' | 'restart'>()
  const allowed = may('pipelines:write')
  const run = async (verb: string, done: string): Promise<void> => {
    await act(async () => {
      await post(`/v1/pipelines/${encodeURIComponent(id)}/${verb}`)
      await refresh('/v1/pipelines')
    }, done)
  }
  if (!allowed) return html`<span class="faint small"><${Icon} name="lock" size=${12} /> Changes need the scope pipelines:write</span>`
  if (state === 'scheduled') return html`<a class="button" href=${href(['jobs', id])}><${Icon} name="jobs" />Its job</a>`
  return html`
    ${state === 'paused'
      ? html`<button type="button" class="primary" onClick=${() => run('resume', `${id} runs again.`)}><${Icon} name="play" />Resume</button>`
      : html`<button type="button" onClick=${() => setAsks('pause')}><${Icon} name="pause" />Pause</button>`}
    <button type="button" onClick=${() => setAsks('restart')}><${Icon} name="again" />Restart</button>
    ${asks === 'pause' && html`<${Confirm} title=${`Pause ${id}?`} button="Pause" onConfirm=${() => run('pause', `${id} is paused.`)} onClose=${() => setAsks(undefined)}><p>It drains what is in flight and stops, also over restarts of the platform, until it is resumed. What its source sends meanwhile is read later where the source keeps it.</p></${Confirm}>`}
    ${asks === 'restart' && html`<${Confirm} title=${`Restart ${id}?`} button="Restart" onConfirm=${() => run('restart', `${id} was started anew.`)} onClose=${() => setAsks(undefined)}><p>It drains what is in flight, stops, and goes on where it was.</p></${Confirm}>`}`
}
